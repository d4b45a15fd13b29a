-- The latest occurrences of one error.
--   $1 its fingerprint, as in errors_top.sql; $2 how long, in seconds; $3 how many at most
--   $4 whose: a tenant's id, null for all
-- Columns: id, at, source, message, scope, execution (the id of the one it belongs to, if it names one); latest first.
select
  error_logs.id::text as id,
  error_logs.created_at as at,
  error_logs.source,
  left(error_logs.message, 4000) as message,
  tenants.name as scope,
  substring(
    error_logs.context ->> 'execution_id'
    from '^[[:xdigit:]]{8}-[[:xdigit:]]{4}-[[:xdigit:]]{4}-[[:xdigit:]]{4}-[[:xdigit:]]{12}$'
  ) as execution
from public.error_logs
left join public.tenants on tenants.id = error_logs.tenant_id
where error_logs.created_at >= now() - $2::double precision * interval '1 second'
  and ($4::text is null or error_logs.tenant_id = nullif($4::text, '')::uuid)
  and $1::text = md5(regexp_replace(regexp_replace(regexp_replace(
    left(error_logs.message, 400),
    '[[:xdigit:]]{8}-[[:xdigit:]]{4}-[[:xdigit:]]{4}-[[:xdigit:]]{4}-[[:xdigit:]]{12}', '<id>', 'g'),
    '"[^"]*"|''[^'']*''', '<text>', 'g'),
    '[[:digit:]]+', '<n>', 'g'))
order by error_logs.created_at desc, error_logs.id desc
limit $3::bigint
