-- Before the migration: workflow executions that started since the last one seen. There are no agents and no tenants.
--   $1 started_at of the last one seen, or null; $2 its id, or ''; $3 how many at most; $4 how long, in seconds
-- As executions_new.sql; the table has no index for it yet.
with page as (
  select id, workflow_id, status, started_at, completed_at, error, input
  from public.workflow_executions
  where started_at >= coalesce($1::timestamptz, now() - $4::double precision * interval '1 second')
    and ($1::timestamptz is null or started_at <> $1::timestamptz or id > nullif($2::text, '')::uuid)
  order by started_at desc, id desc
  limit $3::bigint
)
select
  id::text as id,
  'workflow' as kind,
  coalesce(input ->> 'workflow', left(workflow_id::text, 8)) as name,
  null::text as scope,
  case status when 'completed' then 'ok' else status end as status,
  started_at,
  extract(epoch from completed_at - started_at)::double precision * 1000 as duration_ms,
  left(error, 1000) as message
from page
order by page.started_at, page.id
