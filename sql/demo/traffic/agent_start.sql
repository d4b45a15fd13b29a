-- A user asks one of the tenant's agents.
insert into public.agent_executions (tenant_id, agent_id, user_id, status, input)
select tenant_id, id, %(user)s::uuid, 'running', jsonb_build_object('agent', name)
from public.agents
where tenant_id = %(tenant)s::uuid and enabled
order by md5(id::text || %(roll)s::text)
limit 1
returning id::text as execution, agent_id::text as agent
