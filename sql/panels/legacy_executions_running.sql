-- Before the migration: workflow executions in flight, and those asked for by id.
--   $1 ids, as text[]; $2 how long, in seconds, for those in flight
-- Columns as in executions_new.sql. At most 50 in flight, the newest.
with execution as (
  (
    select id, workflow_id, status, started_at, completed_at, error, input
    from public.workflow_executions
    where status = 'running' and started_at >= now() - $2::double precision * interval '1 second'
    order by started_at desc
    limit 50
  )
  union all
  select id, workflow_id, status, started_at, completed_at, error, input
  from public.workflow_executions
  where id = any ($1::text[]::uuid[])
    and (status <> 'running' or started_at < now() - $2::double precision * interval '1 second')
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
from execution
order by execution.started_at, execution.id
