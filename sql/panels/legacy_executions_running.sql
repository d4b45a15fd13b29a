-- Before the migration: workflow executions in flight, and those asked for by id.
--   $1 ids, as text[]; $2 how long, in seconds, for those in flight
-- Columns as in executions_new.sql. At most 50 in flight, the newest.
with picked as (
  (
    select id from public.workflow_executions
    where status = 'running' and started_at >= now() - $2::double precision * interval '1 second'
    order by started_at desc
    limit 50
  )
  union
  select unnest($1::text[]::uuid[])
)
select
  execution.id::text as id,
  'workflow' as kind,
  coalesce(execution.input ->> 'workflow', left(execution.workflow_id::text, 8)) as name,
  null::text as scope,
  case execution.status when 'completed' then 'ok' else execution.status end as status,
  execution.started_at,
  extract(epoch from execution.completed_at - execution.started_at)::double precision * 1000 as duration_ms,
  left(execution.error, 1000) as message
from public.workflow_executions as execution
where execution.id = any (array(select id from picked))
order by execution.started_at, execution.id
