-- 1,000 tenants, 1,000 agents and 1,000 executions of each kind in every one of them (:rows rows a table), and three users:
-- of 2, of 200 and of all tenants. Runs as the superuser: no policy, no trigger is asked.
set session_replication_role = replica;

insert into auth.users (id, email)
select ('5eed0000-0000-0000-0000-' || lpad(reach::text, 12, '0'))::uuid, reach || '@bench.invalid'
  from unnest(array[2, 200, 1000]) as reach;

insert into public.tenants (id, name, slug)
select ('7e000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid, 'tenant ' || n, 'tenant-' || n
  from generate_series(1, 1000) as n;

insert into public.tenant_members (tenant_id, user_id, role)
select ('7e000000-0000-0000-0000-' || lpad((n * (1000 / reach))::text, 12, '0'))::uuid,
       ('5eed0000-0000-0000-0000-' || lpad(reach::text, 12, '0'))::uuid, 'admin'
  from unnest(array[2, 200, 1000]) as reach, generate_series(1, reach) as n;

insert into public.agents (id, tenant_id, name, category, created_at)
select ('a6e00000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid,
       ('7e000000-0000-0000-0000-' || lpad((n % 1000 + 1)::text, 12, '0'))::uuid,
       'agent ' || n, (array['support', 'sales', 'ops'])[n % 3 + 1], now() - n * interval '1 minute'
  from generate_series(1, :rows) as n;

insert into public.agent_executions (tenant_id, agent_id, status, started_at, completed_at)
select a.tenant_id, a.id, 'completed', now() - n * interval '2 seconds', now() - n * interval '2 seconds'
  from generate_series(1, :rows) as n
  join public.agents as a on a.id = ('a6e00000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid;

insert into public.workflow_executions (tenant_id, workflow_id, user_id, status, started_at, completed_at)
select case when n % 50 > 0 then ('7e000000-0000-0000-0000-' || lpad((n % 1000 + 1)::text, 12, '0'))::uuid end,
       gen_random_uuid(), ('5eed0000-0000-0000-0000-' || lpad('2', 12, '0'))::uuid, 'completed',
       now() - n * interval '2 seconds', now() - n * interval '2 seconds'
  from generate_series(1, :rows) as n;
