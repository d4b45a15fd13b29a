-- The tenants that executions of the last while belong to.
--   $1 how long, in seconds; $2 how many at most
-- Columns: key (the tenant's id, '' for those without one), label, total; the busiest first.
with execution as (
  select tenant_id, count(*) as total
  from public.agent_executions
  where started_at >= now() - $1::double precision * interval '1 second'
  group by tenant_id
  union all
  select tenant_id, count(*)
  from public.workflow_executions
  where started_at >= now() - $1::double precision * interval '1 second'
  group by tenant_id
)
select
  coalesce(execution.tenant_id::text, '') as key,
  coalesce(max(tenants.name), 'none') as label,
  sum(execution.total)::bigint as total
from execution
left join public.tenants on tenants.id = execution.tenant_id
group by execution.tenant_id
order by total desc, label
limit $2::bigint
