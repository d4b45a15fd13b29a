-- A user clicks.
insert into public.telemetry_events (tenant_id, user_id, event_name, properties)
values (%(tenant)s::uuid, %(user)s::uuid, %(name)s, jsonb_build_object('ms', floor(%(roll)s::float8 * 900)))
