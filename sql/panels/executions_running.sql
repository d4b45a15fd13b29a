-- Executions in flight, and those asked for by id because they were in flight when last seen.
--   $1 ids, as text[]; $2 how long, in seconds, for those in flight; $3 whose, as $5 in executions_new.sql
-- Columns as in executions_new.sql. At most 50 of each kind in flight, the newest, through the
-- status indexes.
with execution as (
  (
    select id, 'agent' as kind, agent_id as made_by, tenant_id, status, started_at, completed_at, error, input
    from public.agent_executions
    where status = 'running' and started_at >= now() - $2::double precision * interval '1 second'
      and ($3::text is null or tenant_id = nullif($3::text, '')::uuid)
    order by started_at desc
    limit 50
  )
  union all
  (
    select id, 'workflow', workflow_id, tenant_id, status, started_at, completed_at, error, input
    from public.workflow_executions
    where status = 'running' and started_at >= now() - $2::double precision * interval '1 second'
      and ($3::text is null or ($3::text = '' and tenant_id is null) or tenant_id = nullif($3::text, '')::uuid)
    order by started_at desc
    limit 50
  )
  union all
  select id, 'agent', agent_id, tenant_id, status, started_at, completed_at, error, input
  from public.agent_executions
  where id = any ($1::text[]::uuid[])
    and (status <> 'running' or started_at < now() - $2::double precision * interval '1 second')
  union all
  select id, 'workflow', workflow_id, tenant_id, status, started_at, completed_at, error, input
  from public.workflow_executions
  where id = any ($1::text[]::uuid[])
    and (status <> 'running' or started_at < now() - $2::double precision * interval '1 second')
)
select
  execution.id::text as id,
  execution.kind,
  coalesce(made.name, execution.input ->> execution.kind, left(execution.made_by::text, 8), 'deleted') as name,
  tenants.name as scope,
  case execution.status when 'completed' then 'ok' else execution.status end as status,
  execution.started_at,
  extract(epoch from execution.completed_at - execution.started_at)::double precision * 1000 as duration_ms,
  left(execution.error, 1000) as message
from execution
left join (
  select 'agent' as kind, id, name from public.agents
  union all
  select 'workflow', id, name from public.workflows
) as made on made.id = execution.made_by and made.kind = execution.kind
left join public.tenants on tenants.id = execution.tenant_id
order by execution.started_at, execution.id
