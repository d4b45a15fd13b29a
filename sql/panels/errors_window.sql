-- How many errors the last while held, in buckets.
--   $1 how long, in seconds; $2 a bucket, in seconds; $3 whose: a tenant's id, null for all
-- Columns: bucket, total; oldest first, the whole window last (bucket null).
select
  date_bin($2::double precision * interval '1 second', created_at, timestamptz 'epoch') as bucket,
  count(*) as total
from public.error_logs
where created_at >= now() - $1::double precision * interval '1 second'
  and ($3::text is null or tenant_id = nullif($3::text, '')::uuid)
group by grouping sets ((bucket), ())
order by bucket nulls last
