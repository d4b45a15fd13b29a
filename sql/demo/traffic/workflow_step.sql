-- The worker logs a step of the execution, as the user who started it.
insert into public.workflow_execution_logs (
  tenant_id, execution_id, workflow_id, step_id, step_name, step_index, level, message, metadata, duration_ms
)
values (
  %(tenant)s::uuid, %(execution)s::uuid, %(workflow)s::uuid, 'step-' || %(step)s::int,
  (array['fetch', 'validate', 'transform', 'enrich', 'deliver'])[(%(step)s::int - 1) %% 5 + 1], %(step)s::int,
  %(level)s::text, coalesce(case when %(level)s::text = 'error' then %(error)s::text end, 'done'),
  jsonb_build_object('of', %(steps)s::int), %(ms)s::int
)
