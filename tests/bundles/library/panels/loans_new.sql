-- New loans: id, kind, name, scope, status, started_at, duration_ms, message. Of the last $4 seconds, at most $3, from
-- the one that was taken at $1 with id $2 on.
select l.id::text, 'loan', b.title, '', case when l.brought_at is null then 'running' else 'ok' end, l.taken_at,
       extract(epoch from l.brought_at - l.taken_at) * 1000, null
  from public.loans l join public.books b on b.id = l.book_id
 where ($1::timestamptz is null and l.taken_at > now() - make_interval(secs => $4::int))
    or (l.taken_at >= $1::timestamptz and (l.taken_at, l.id::text) > ($1::timestamptz, $2))
 order by l.taken_at, l.id limit $3::int
