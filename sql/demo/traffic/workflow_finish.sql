-- The worker, not the user, ends the execution.
update public.workflow_executions
set
  status = %(status)s::text,
  error = %(error)s::text,
  output = case when %(error)s::text is null then jsonb_build_object('items', floor(%(roll)s::float8 * 900)) end,
  completed_at = now()
where id = %(execution)s::uuid
