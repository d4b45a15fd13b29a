-- The application reports an error of the user's. No RETURNING: only owners and admins may read these.
insert into public.error_logs (tenant_id, user_id, source, message, context)
values (
  %(tenant)s::uuid, %(user)s::uuid, 'worker', %(error)s::text,
  jsonb_build_object('execution_id', %(execution)s::text, 'attempt', 1 + floor(%(roll)s::float8 * 3))
)
