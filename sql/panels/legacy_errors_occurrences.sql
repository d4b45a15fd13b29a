-- Before the migration: the latest workflow executions that failed with one error.
--   $1 its fingerprint, as in legacy_errors_top.sql; $2 how long, in seconds; $3 how many at most
-- Columns as in errors_occurrences.sql; an occurrence is an execution.
select
  id::text as id,
  completed_at as at,
  coalesce(input ->> 'workflow', left(workflow_id::text, 8)) as source,
  left(coalesce(error, 'failed without a message'), 4000) as message,
  null::text as scope,
  id::text as execution
from public.workflow_executions
where status = 'failed' and completed_at >= now() - $2::double precision * interval '1 second'
  and $1::text = md5(regexp_replace(regexp_replace(regexp_replace(
    left(coalesce(error, 'failed without a message'), 400),
    '[[:xdigit:]]{8}-[[:xdigit:]]{4}-[[:xdigit:]]{4}-[[:xdigit:]]{4}-[[:xdigit:]]{12}', '<id>', 'g'),
    '"[^"]*"|''[^'']*''', '<text>', 'g'),
    '[[:digit:]]+', '<n>', 'g'))
order by completed_at desc, id desc
limit $3::bigint
