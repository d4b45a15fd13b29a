-- Errors logged since the last one seen.
--   $1 created_at of the last one seen, or null; $2 its id, or ''; $3 how many at most
-- With $1 null: the newest $3 of the last 15 minutes. Columns: id, at, source, kind, message, tenant; oldest first.
-- The kind is the word before the first colon, as most languages print an exception.
with page as (
  (
    select id, tenant_id, source, message, context, created_at
    from public.error_logs
    where $1::timestamptz is null and created_at >= now() - interval '15 minutes'
    order by created_at desc, id desc
    limit $3::bigint
  )
  union all
  (
    select id, tenant_id, source, message, context, created_at
    from public.error_logs
    where $1::timestamptz is not null
      and created_at >= $1::timestamptz and (created_at, id) > ($1::timestamptz, nullif($2::text, '')::uuid)
    order by created_at, id
    limit $3::bigint
  )
)
select
  page.id::text as id,
  page.created_at as at,
  page.source,
  coalesce(page.context ->> 'kind', substring(page.message from '^([[:alpha:]_][[:alnum:]_.]*):'), 'error') as kind,
  left(page.message, 4000) as message,
  tenants.name as tenant
from page
left join public.tenants on tenants.id = page.tenant_id
order by page.created_at, page.id
