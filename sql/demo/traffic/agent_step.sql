-- The agent logs what it does, as the user who asked it.
insert into public.agent_execution_logs (
  tenant_id, execution_id, agent_id, event, level, message, metadata, duration_ms
)
values (
  %(tenant)s::uuid, %(execution)s::uuid, %(agent)s::uuid,
  (array['prompt', 'tool_call', 'tool_result', 'answer'])[(%(step)s::int - 1) %% 4 + 1], %(level)s::text,
  coalesce(case when %(level)s::text = 'error' then %(error)s::text end, 'ok'),
  jsonb_build_object('tokens', floor(%(roll)s::float8 * 4000)), %(ms)s::int
)
