-- Open loans of the last $2 seconds and those with the given ids.
select l.id::text, 'loan', b.title, '', case when l.brought_at is null then 'running' else 'ok' end, l.taken_at,
       extract(epoch from l.brought_at - l.taken_at) * 1000, null
  from public.loans l join public.books b on b.id = l.book_id
 where l.id = any ($1::uuid[]) or (l.brought_at is null and l.taken_at > now() - make_interval(secs => $2::int))
 limit 50
