-- Before the migration: the scheduler starts a workflow for nobody in particular.
insert into public.workflow_executions (workflow_id, user_id, status, input)
values (
  md5('workflow ' || %(name)s)::uuid, null, 'running',
  jsonb_build_object('workflow', %(name)s::text, 'trigger', 'schedule')
)
returning id::text as execution
