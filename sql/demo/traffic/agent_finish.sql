-- The worker ends the execution: users have no right to change it.
update public.agent_executions
set
  status = %(status)s::text,
  error = %(error)s::text,
  output = case when %(error)s::text is null then jsonb_build_object('tokens', floor(%(roll)s::float8 * 4000)) end,
  completed_at = now()
where id = %(execution)s::uuid
