-- What the last while held, in buckets.
--   $1 how long, in seconds; $2 a bucket, in seconds; $3 whose, as $5 in executions_new.sql
-- Columns: bucket, total, ok, failed, running, p50_ms, p95_ms; oldest first. The last row, with bucket null, is the whole
-- window. Cost follows the rows in the window, not those in the tables: read through the started_at indexes.
with execution as (
  select status, started_at, completed_at
  from public.agent_executions
  where started_at >= now() - $1::double precision * interval '1 second'
    and ($3::text is null or tenant_id = nullif($3::text, '')::uuid)
  union all
  select status, started_at, completed_at
  from public.workflow_executions
  where started_at >= now() - $1::double precision * interval '1 second'
    and ($3::text is null or ($3::text = '' and tenant_id is null) or tenant_id = nullif($3::text, '')::uuid)
), measured as (
  select
    date_bin($2::double precision * interval '1 second', started_at, timestamptz 'epoch') as bucket,
    status,
    extract(epoch from completed_at - started_at)::double precision * 1000 as ms
  from execution
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
