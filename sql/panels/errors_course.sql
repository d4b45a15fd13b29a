-- How often one error occurred in the last while, in buckets.
--   $1 its fingerprint, as in errors_top.sql; $2 how long, in seconds; $3 a bucket, in seconds
--   $4 whose: a tenant's id, null for all
-- Columns: bucket, total; oldest first.
select
  date_bin($3::double precision * interval '1 second', created_at, timestamptz 'epoch') as bucket,
  count(*) as total
from public.error_logs
where created_at >= now() - $2::double precision * interval '1 second'
  and ($4::text is null or tenant_id = nullif($4::text, '')::uuid)
  and $1::text = md5(regexp_replace(regexp_replace(regexp_replace(
    left(message, 400),
    '[[:xdigit:]]{8}-[[:xdigit:]]{4}-[[:xdigit:]]{4}-[[:xdigit:]]{4}-[[:xdigit:]]{12}', '<id>', 'g'),
    '"[^"]*"|''[^'']*''', '<text>', 'g'),
    '[[:digit:]]+', '<n>', 'g'))
group by bucket
order by bucket
