-- Before the migration: how often one error of failed workflow executions occurred in the last while, in buckets.
--   $1 its fingerprint, as in legacy_errors_top.sql; $2 how long, in seconds; $3 a bucket, in seconds
-- Columns: bucket, total; oldest first.
select
  date_bin($3::double precision * interval '1 second', completed_at, timestamptz 'epoch') as bucket,
  count(*) as total
from public.workflow_executions
where status = 'failed' and completed_at >= now() - $2::double precision * interval '1 second'
  and $1::text = md5(regexp_replace(regexp_replace(regexp_replace(
    left(coalesce(error, 'failed without a message'), 400),
    '[[:xdigit:]]{8}-[[:xdigit:]]{4}-[[:xdigit:]]{4}-[[:xdigit:]]{4}-[[:xdigit:]]{12}', '<id>', 'g'),
    '"[^"]*"|''[^'']*''', '<text>', 'g'),
    '[[:digit:]]+', '<n>', 'g'))
group by bucket
order by bucket
