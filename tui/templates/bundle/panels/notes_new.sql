-- New rows, oldest first.
--   $1 the time of the last one seen, null at first; $2 its id; $3 how many at most; $4 how far back, in seconds
-- Columns: id, kind, name, scope, status (running, ok, failed or a word), started_at, duration_ms, message.
select
  n.id::text,
  'note',
  left(n.body, 60),
  '',
  case when n.done_at is null then 'running' else 'ok' end,
  n.created_at,
  extract(epoch from n.done_at - n.created_at) * 1000,
  null
from (
  select * from public.notes
  where
    created_at >= coalesce($1::timestamptz, now() - $4::double precision * interval '1 second')
    and ($1::timestamptz is null or (created_at, id::text) > ($1::timestamptz, $2::text))
  order by created_at desc, id desc
  limit $3::bigint
) as n
order by n.created_at, n.id
