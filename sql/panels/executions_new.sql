-- Executions that started since the last one seen, of agents and workflows.
--   $1 started_at of the last one seen, or null; $2 its id, or ''; $3 how many at most; $4 how long, in seconds
--   $5 whose: a tenant's id, '' for those without one, null for all
-- Of those after $1, or of the last $4 seconds when it is null, the newest $3; rows of the same instant are told apart by
-- id. Columns: id, kind, name, scope, status, started_at, duration_ms, message; oldest first.
-- The (started_at desc, id desc) indexes are read from their beginning and only as far as $3. `<>` beside `>=` is `>`, and
-- spares the planner looking for indexes that the OR could use.
with execution as not materialized (
  select id, 'agent' as kind, agent_id as made_by, tenant_id, status, started_at, completed_at, error, input
  from public.agent_executions
  where $5::text is null or tenant_id = nullif($5::text, '')::uuid
  union all
  select id, 'workflow', workflow_id, tenant_id, status, started_at, completed_at, error, input
  from public.workflow_executions
  where $5::text is null or ($5::text = '' and tenant_id is null) or tenant_id = nullif($5::text, '')::uuid
), page as (
  select * from execution
  where started_at >= coalesce($1::timestamptz, now() - $4::double precision * interval '1 second')
    and ($1::timestamptz is null or started_at <> $1::timestamptz or id > nullif($2::text, '')::uuid)
  order by started_at desc, id desc
  limit $3::bigint
)
select
  page.id::text as id,
  page.kind,
  coalesce(made.name, page.input ->> page.kind, left(page.made_by::text, 8), 'deleted') as name,
  tenants.name as scope,
  case page.status when 'completed' then 'ok' else page.status end as status,
  page.started_at,
  extract(epoch from page.completed_at - page.started_at)::double precision * 1000 as duration_ms,
  left(page.error, 1000) as message
from page
left join (
  select 'agent' as kind, id, name from public.agents
  union all
  select 'workflow', id, name from public.workflows
) as made on made.id = page.made_by and made.kind = page.kind
left join public.tenants on tenants.id = page.tenant_id
order by page.started_at, page.id
