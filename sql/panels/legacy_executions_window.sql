-- Before the migration: what the last while held, in buckets, of workflow executions.
--   $1 how long, in seconds; $2 a bucket, in seconds
-- Columns: bucket, total, ok, failed, running, p50_ms, p95_ms; oldest first, the whole window last (bucket null).
with measured as (
  select
    date_bin($2::double precision * interval '1 second', started_at, timestamptz 'epoch') as bucket,
    status,
    extract(epoch from completed_at - started_at)::double precision * 1000 as ms
  from public.workflow_executions
  where started_at >= now() - $1::double precision * interval '1 second'
)
select
  bucket,
  count(*) as total,
  count(*) filter (where status = 'completed') as ok,
  count(*) filter (where status = 'failed') as failed,
  count(*) filter (where status = 'running') as running,
  percentile_cont(0.5) within group (order by ms) as p50_ms,
  percentile_cont(0.95) within group (order by ms) as p95_ms
from measured
group by grouping sets ((bucket), ())
order by bucket nulls last
