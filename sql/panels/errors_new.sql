-- Errors logged since the last one seen.
--   $1 created_at of the last one seen, or null; $2 its id, or ''; $3 how many at most; $4 how long, in seconds
--   $5 whose: a tenant's id, null for all (there is none without a tenant)
-- Of those after $1, or of the last $4 seconds when it is null, the newest $3.
-- Columns: id, at, source, kind, message, scope; oldest first.
-- The kind is the word before the first colon, as most languages print an exception.
with page as (
  select id, tenant_id, source, message, context, created_at
  from public.error_logs
  where created_at >= coalesce($1::timestamptz, now() - $4::double precision * interval '1 second')
    and ($1::timestamptz is null or created_at <> $1::timestamptz or id > nullif($2::text, '')::uuid)
    and ($5::text is null or tenant_id = nullif($5::text, '')::uuid)
  order by created_at desc, id desc
  limit $3::bigint
)
select
  page.id::text as id,
  page.created_at as at,
  page.source,
  coalesce(page.context ->> 'kind', substring(page.message from '^([[:alpha:]_][[:alnum:]_.]*):'), 'error') as kind,
  left(page.message, 4000) as message,
  tenants.name as scope
from page
left join public.tenants on tenants.id = page.tenant_id
order by page.created_at, page.id
