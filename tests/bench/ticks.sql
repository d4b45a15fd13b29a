-- The rows of tests/bench/ticks.py: :rows executions in each of the two tables, one a second in each up to now, of
-- :tenants tenants; every twentieth failed, and logged. The ids rise with the time, as a UUID of version 7 does, and the
-- secondary indexes are made afterwards: loaded otherwise, five million rows take ten times as long.
set local statement_timeout = 0;
set local maintenance_work_mem = '256MB';
truncate public.agent_executions, public.workflow_executions, public.error_logs cascade;
insert into public.tenants (id, name, slug)
select md5('bench tenant ' || n)::uuid, 'Bench tenant ' || n, 'bench-' || n from generate_series(1, :tenants) as n;
insert into public.agents (id, tenant_id, name)
select md5('bench agent ' || n)::uuid, md5('bench tenant ' || n)::uuid, 'agent ' || n from generate_series(1, :tenants) as n;
insert into public.workflows (id, tenant_id, name)
select md5('bench workflow ' || n)::uuid, md5('bench tenant ' || n)::uuid, 'workflow ' || n
from generate_series(1, :tenants) as n;

do $$
declare
  secondary record;
  made text[] := '{}';
  statement text;
begin
  for secondary in
    select i.indexrelid::regclass::text as name, pg_get_indexdef(i.indexrelid) as definition
    from pg_index as i
    where i.indrelid in ('public.agent_executions'::regclass, 'public.workflow_executions'::regclass)
      and not i.indisunique
  loop
    made := made || secondary.definition;
    execute format('drop index %s', secondary.name);
  end loop;
  set local session_replication_role = replica; -- foreign keys hold by the way the rows are made
  insert into public.agent_executions (id, tenant_id, agent_id, status, error, started_at, completed_at)
  select
    (lpad(to_hex(:rows - n), 12, '0') || right(md5('agent' || n), 20))::uuid,
    md5('bench tenant ' || 1 + n % :tenants)::uuid, md5('bench agent ' || 1 + n % :tenants)::uuid,
    case when n <= 10 then 'running' when n % 20 = 0 then 'failed' else 'completed' end,
    case when n % 20 = 0 and n > 10 then 'TimeoutError: step "fetch" over ' || n % 60 || ' s' end,
    now() - n * interval '1 second',
    case when n > 10 then now() - n * interval '1 second' + (n % 4000) * interval '1 millisecond' end
  from generate_series(:rows, 1, -1) as n;
  insert into public.workflow_executions (id, tenant_id, workflow_id, status, error, started_at, completed_at)
  select
    (lpad(to_hex(:rows - n), 12, '0') || right(md5('workflow' || n), 20))::uuid,
    md5('bench tenant ' || 1 + n % :tenants)::uuid, md5('bench workflow ' || 1 + n % :tenants)::uuid,
    case when n <= 10 then 'running' when n % 20 = 0 then 'failed' else 'completed' end,
    case when n % 20 = 0 and n > 10 then 'RateLimitError: 429 after ' || n % 60 || ' requests' end,
    now() - n * interval '1 second' + interval '500 milliseconds',
    case when n > 10 then now() - n * interval '1 second' + (n % 4000) * interval '1 millisecond' end
  from generate_series(:rows, 1, -1) as n;
  foreach statement in array made loop
    execute statement;
  end loop;
end
$$;

insert into public.error_logs (tenant_id, source, message, created_at)
select tenant_id, 'worker', error, completed_at from public.agent_executions where status = 'failed'
union all
select tenant_id, 'worker', error, completed_at from public.workflow_executions where status = 'failed'
order by 4;
