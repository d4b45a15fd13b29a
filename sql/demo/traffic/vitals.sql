-- The platform measures a tenant; users may read this and never write it.
insert into public.performance_metrics (tenant_id, metric, value)
values (%(tenant)s::uuid, %(name)s, 50 + floor(%(roll)s::float8 * 400))
