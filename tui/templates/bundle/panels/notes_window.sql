-- The last $1 seconds in buckets of $2 seconds, oldest first; the last row, with bucket null, is the whole.
-- Columns: bucket, total, ok, failed, running, p50_ms, p95_ms. Read through the index on created_at.
with measured as (
  select
    date_bin($2::double precision * interval '1 second', created_at, timestamptz 'epoch') as bucket,
    done_at,
    extract(epoch from done_at - created_at)::double precision * 1000 as ms
  from public.notes
  where created_at >= now() - $1::double precision * interval '1 second'
)

select
  bucket,
  count(*) as total,
  count(done_at) as ok,
  0 as failed,
  count(*) - count(done_at) as running,
  percentile_cont(0.5) within group (order by ms) as p50_ms,
  percentile_cont(0.95) within group (order by ms) as p95_ms
from measured
group by grouping sets ((bucket), ())
order by bucket nulls last
