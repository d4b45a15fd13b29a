-- Before the migration: the commonest errors of failed workflow executions of the last while.
--   $1 how long, in seconds; $2 how many at most
-- Columns: fingerprint, kind, message (the latest one's), total, last_at; the commonest first. As errors_top.sql.
with failure as (
  select completed_at as at, coalesce(error, 'failed without a message') as message
  from public.workflow_executions
  where status = 'failed' and completed_at >= now() - $1::double precision * interval '1 second'
), error as (
  select
    at,
    message,
    coalesce(substring(message from '^([[:alpha:]_][[:alnum:]_.]*):'), 'error') as kind,
    md5(regexp_replace(regexp_replace(regexp_replace(
      left(message, 400),
      '[[:xdigit:]]{8}-[[:xdigit:]]{4}-[[:xdigit:]]{4}-[[:xdigit:]]{4}-[[:xdigit:]]{12}', '<id>', 'g'),
      '"[^"]*"|''[^'']*''', '<text>', 'g'),
      '[[:digit:]]+', '<n>', 'g')) as fingerprint
  from failure
)
select
  fingerprint,
  min(kind) as kind,
  left((array_agg(message order by at desc))[1], 1000) as message,
  count(*) as total,
  max(at) as last_at
from error
group by fingerprint
order by total desc, last_at desc
limit $2::bigint
