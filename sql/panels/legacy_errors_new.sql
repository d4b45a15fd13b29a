-- Before the migration there is no log of errors: workflow executions that failed since the last one seen.
--   $1 completed_at of the last one seen, or null; $2 its id, or ''; $3 how many at most; $4 how long, in seconds
-- As errors_new.sql. Columns: id, at, source, kind, message, scope; oldest first.
with page as (
  select id, workflow_id, error, input, completed_at
  from public.workflow_executions
  where status = 'failed'
    and completed_at >= coalesce($1::timestamptz, now() - $4::double precision * interval '1 second')
    and ($1::timestamptz is null or completed_at <> $1::timestamptz or id > nullif($2::text, '')::uuid)
  order by completed_at desc, id desc
  limit $3::bigint
)
select
  id::text as id,
  completed_at as at,
  coalesce(input ->> 'workflow', left(workflow_id::text, 8)) as source,
  coalesce(substring(error from '^([[:alpha:]_][[:alnum:]_.]*):'), 'error') as kind,
  left(coalesce(error, 'failed without a message'), 4000) as message,
  null::text as scope
from page
order by page.completed_at, page.id
