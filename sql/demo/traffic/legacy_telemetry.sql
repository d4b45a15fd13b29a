-- Before the migration: a user clicks.
insert into public.telemetry_events (user_id, event_name, properties)
values (%(user)s::uuid, %(name)s, jsonb_build_object('ms', floor(%(roll)s::float8 * 900)))
