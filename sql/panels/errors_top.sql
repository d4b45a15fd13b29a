-- The commonest errors of the last while.
--   $1 how long, in seconds; $2 how many at most; $3 whose: a tenant's id, null for all
-- Columns: fingerprint, kind, message (the latest one's), total, last_at; the commonest first.
-- Two messages are the same error when they differ only in ids, quoted text and numbers.
with error as (
  select
    created_at as at,
    message,
    coalesce(context ->> 'kind', substring(message from '^([[:alpha:]_][[:alnum:]_.]*):'), 'error') as kind,
    md5(regexp_replace(regexp_replace(regexp_replace(
      left(message, 400),
      '[[:xdigit:]]{8}-[[:xdigit:]]{4}-[[:xdigit:]]{4}-[[:xdigit:]]{4}-[[:xdigit:]]{12}', '<id>', 'g'),
      '"[^"]*"|''[^'']*''', '<text>', 'g'),
      '[[:digit:]]+', '<n>', 'g')) as fingerprint
  from public.error_logs
  where created_at >= now() - $1::double precision * interval '1 second'
    and ($3::text is null or tenant_id = nullif($3::text, '')::uuid)
)
select
  fingerprint,
  min(kind) as kind,
  left((array_agg(message order by at desc))[1], 1000) as message,
  count(*) as total,
  max(at) as last_at
from error
group by fingerprint
order by total desc, last_at desc
limit $2::bigint
