-- Rows that are still under way, and those with the ids in $1 (text[]) again; $2 how far back, in seconds.
-- Columns as in notes_new.sql.
select
  n.id::text,
  'note',
  left(n.body, 60),
  '',
  case when n.done_at is null then 'running' else 'ok' end,
  n.created_at,
  extract(epoch from n.done_at - n.created_at) * 1000,
  null
from public.notes as n
where
  n.id = any($1::uuid[])
  or (n.done_at is null and n.created_at >= now() - $2::double precision * interval '1 second')
limit 50
