-- Before the migration: a user starts a workflow, which has no table of its own yet.
insert into public.workflow_executions (workflow_id, user_id, status, input)
values (
  md5('workflow ' || %(name)s)::uuid, %(user)s::uuid, 'running',
  jsonb_build_object('workflow', %(name)s::text, 'trigger', 'manual')
)
returning id::text as execution
