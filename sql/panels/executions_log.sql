-- What one execution logged.
--   $1 its id; $2 how many lines at most, the newest
-- Columns: at, level, step, message, ms; oldest first.
with line as (
  (
    select id, created_at, level, event as step, message, metadata, duration_ms
    from public.agent_execution_logs
    where execution_id = $1::uuid
    order by created_at desc, id desc
    limit $2::bigint
  )
  union all
  (
    select id, created_at, level, coalesce(step_name, step_id), message, metadata, duration_ms
    from public.workflow_execution_logs
    where execution_id = $1::uuid
    order by created_at desc, id desc
    limit $2::bigint
  )
)
select
  created_at as at,
  level,
  step,
  left(concat_ws(' ', message, nullif(metadata, '{}')), 4000) as message,
  duration_ms as ms
from line
order by created_at, id
