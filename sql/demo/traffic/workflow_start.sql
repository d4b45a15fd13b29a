-- A user starts one of the tenant's workflows.
insert into public.workflow_executions (tenant_id, workflow_id, user_id, status, input)
select tenant_id, id, %(user)s::uuid, 'running', jsonb_build_object('workflow', name, 'trigger', 'manual')
from public.workflows
where tenant_id = %(tenant)s::uuid and enabled
order by md5(id::text || %(roll)s::text)
limit 1
returning id::text as execution, workflow_id::text as workflow
