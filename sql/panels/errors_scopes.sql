-- The tenants that errors of the last while belong to.
--   $1 how long, in seconds; $2 how many at most
-- Columns: key (the tenant's id), label, total; the busiest first.
select
  error_logs.tenant_id::text as key,
  max(tenants.name) as label,
  count(*) as total
from public.error_logs
inner join public.tenants on tenants.id = error_logs.tenant_id
where error_logs.created_at >= now() - $1::double precision * interval '1 second'
group by error_logs.tenant_id
order by total desc, label
limit $2::bigint
