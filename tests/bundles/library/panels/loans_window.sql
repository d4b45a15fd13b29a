-- Buckets of the window, then the whole of it.
select to_timestamp(floor(extract(epoch from l.taken_at) / $2::int) * $2::int) as bucket, count(*), count(l.brought_at),
       0::bigint, count(*) - count(l.brought_at), null::float8, null::float8
  from public.loans l where l.taken_at > now() - make_interval(secs => $1::int)
 group by grouping sets ((bucket), ()) order by bucket nulls last
