-- Before the migration: how many workflow executions failed in the last while, in buckets.
--   $1 how long, in seconds; $2 a bucket, in seconds
-- Columns: bucket, total; oldest first, the whole window last (bucket null).
select
  date_bin($2::double precision * interval '1 second', completed_at, timestamptz 'epoch') as bucket,
  count(*) as total
from public.workflow_executions
where status = 'failed' and completed_at >= now() - $1::double precision * interval '1 second'
group by grouping sets ((bucket), ())
order by bucket nulls last
