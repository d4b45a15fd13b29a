-- Multi-tenant schema for a Supabase project.
--
-- Every row gets a tenant, and row-level security (RLS) lets a user reach the rows of the tenants they are a member of.
-- Four tables exist before: tenants, tenant_members, workflow_executions, telemetry_events. Twelve are created here,
-- and a view, two functions for the application, one helper for the policies.
--
-- Run it with "patchdeck apply", or by hand as role postgres, in one transaction:
--
--   psql -1 -v ON_ERROR_STOP=1 -c "set local lock_timeout = '2s'" -f PATCH.sql
--
-- Runs on PostgreSQL 15 to 18. It can run again: what is there stays, what is missing is added, functions, policies,
-- triggers, the view and the grants are set anew. No row is deleted, no column is changed or dropped.
--
-- It holds until commit: SHARE ROW EXCLUSIVE on auth.users and tenants (for the foreign keys) from section 3 on, which
-- keeps writers waiting; ACCESS EXCLUSIVE on the four tables from section 13 on, which keeps readers waiting, too.
--
-- Contents:  1 Preconditions   2 Functions   3 Core tables   4 Billing   5 Observability   6 Webhooks   7 Indexes
--            8 Triggers   9 Row-level security   10 Policies   11 View   12 Grants   13 The lock on older tables
--            14 Their tenant   15 Their indexes   16 Their policies   17 Realtime

-- =====================================================================================================================
-- 1 Preconditions: refuse in words what would fail later in riddles
-- =====================================================================================================================

do $$
declare
  problems text;
begin
  select string_agg(found.problem, e'\n' order by found.place, found.problem) into problems
  from (
    select 1, 'the server is PostgreSQL ' || current_setting('server_version') || ', at least 15 is needed'
    where current_setting('server_version_num')::int < 150000
    union all
    select 2, 'role ' || role_name || ' does not exist'
    from unnest(array['anon', 'authenticated', 'service_role']) as api (role_name)
    where to_regrole(role_name) is null
    union all
    select 3, 'function auth.uid() does not exist' where to_regprocedure('auth.uid()') is null
    union all
    -- Policies call the helper in this schema by identity, so nobody needs USAGE; who has it could call the helper.
    select 4, 'schema private exists and role ' || role_name || ' may use it: revoke that, or keep this migration off'
    from unnest(array['anon', 'authenticated', 'service_role']) as api (role_name)
    where to_regrole(role_name) is not null and to_regnamespace('private') is not null
      and has_schema_privilege(to_regrole(role_name), to_regnamespace('private'), 'usage')
    union all
    select 5, needed.relation || ' does not exist'
    from unnest(array[
      'auth.users', 'public.tenants', 'public.tenant_members', 'public.workflow_executions', 'public.telemetry_events'
    ]) as needed (relation)
    where to_regclass(needed.relation) is null
    union all
    select 6, needed.relation || ' belongs to ' || pg_get_userbyid(c.relowner) || ', not to ' || current_user
    from unnest(array[
      'public.tenants', 'public.tenant_members', 'public.workflow_executions', 'public.telemetry_events'
    ]) as needed (relation)
    join pg_class as c on c.oid = to_regclass(needed.relation)
    where not pg_has_role(c.relowner, 'usage')
  ) as found (place, problem);
  if problems is not null then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = e'this database lacks what the migration stands on:\n' || problems,
      hint = 'The migration is for a Supabase project with the four tables named at the top of PATCH.sql.';
  end if;
end
$$;

-- "create table if not exists" would pass over a table of the same name with other columns, and the failure would come
-- later, in an index or a policy. Columns beyond these are left alone here.
do $$
declare
  problems text;
begin
  select string_agg(found.problem, e'\n' order by found.problem) into problems
  from (
    select shape.relation || '.' || wanted.name || case
        when a.attname is null then ' is missing'
        else ' is ' || format_type(a.atttypid, a.atttypmod) || ', not ' || wanted.type
      end
    from (values
      ('auth.users', 'id uuid'),
      ('public.tenants', 'id uuid, name text, slug text, created_at timestamptz'),
      ('public.tenant_members',
        'tenant_id uuid, user_id uuid, role text, created_at timestamptz, updated_at timestamptz'),
      ('public.workflow_executions',
        'id uuid, workflow_id uuid, user_id uuid, status text, input jsonb, output jsonb, error text, '
        'started_at timestamptz, completed_at timestamptz, created_at timestamptz'),
      ('public.telemetry_events', 'id uuid, user_id uuid, event_name text, properties jsonb, created_at timestamptz'),
      ('public.agents',
        'id uuid, tenant_id uuid, created_by uuid, name text, description text, category text, enabled boolean, '
        'model text, system_prompt text, config jsonb, tools jsonb, tags text[], version integer, '
        'created_at timestamptz, updated_at timestamptz'),
      ('public.agent_executions',
        'id uuid, tenant_id uuid, agent_id uuid, user_id uuid, status text, input jsonb, output jsonb, error text, '
        'started_at timestamptz, completed_at timestamptz, created_at timestamptz'),
      ('public.workflows',
        'id uuid, tenant_id uuid, created_by uuid, name text, description text, category text, enabled boolean, '
        'version integer, definition jsonb, trigger_type text, trigger_config jsonb, schedule text, tags text[], '
        'last_run_at timestamptz, created_at timestamptz, updated_at timestamptz'),
      ('public.subscriptions',
        'id uuid, tenant_id uuid, plan text, status text, provider text, provider_customer_id text, '
        'provider_subscription_id text, seats integer, current_period_start timestamptz, '
        'current_period_end timestamptz, cancel_at_period_end boolean, created_at timestamptz, updated_at timestamptz'),
      ('public.usage_metrics',
        'id uuid, tenant_id uuid, metric text, quantity numeric, period_start timestamptz, recorded_at timestamptz'),
      ('public.billing_events', 'id uuid, tenant_id uuid, event_type text, payload jsonb, created_at timestamptz'),
      ('public.workflow_execution_logs',
        'id uuid, tenant_id uuid, execution_id uuid, workflow_id uuid, step_id text, step_name text, '
        'step_index integer, level text, message text, metadata jsonb, duration_ms integer, created_at timestamptz'),
      ('public.agent_execution_logs',
        'id uuid, tenant_id uuid, execution_id uuid, agent_id uuid, event text, level text, message text, '
        'metadata jsonb, duration_ms integer, created_at timestamptz'),
      ('public.error_logs',
        'id uuid, tenant_id uuid, user_id uuid, source text, message text, context jsonb, created_at timestamptz'),
      ('public.performance_metrics',
        'id uuid, tenant_id uuid, metric text, value double precision, recorded_at timestamptz'),
      ('public.webhook_endpoints',
        'id uuid, tenant_id uuid, url text, secret text, events text[], enabled boolean, created_at timestamptz, '
        'updated_at timestamptz'),
      ('public.artifacts',
        'id uuid, tenant_id uuid, execution_id uuid, name text, kind text, storage_path text, size_bytes bigint, '
        'created_at timestamptz')
    ) as shape (relation, columns)
    cross join lateral regexp_split_to_table(shape.columns, ', ') as pair
    cross join lateral (
      select
        split_part(pair, ' ', 1),
        replace(substr(pair, strpos(pair, ' ') + 1), 'timestamptz', 'timestamp with time zone')
    ) as wanted (name, type)
    left join pg_attribute as a
      on a.attrelid = to_regclass(shape.relation) and a.attname = wanted.name and a.attnum > 0 and not a.attisdropped
    where to_regclass(shape.relation) is not null
      and (a.attname is null or format_type(a.atttypid, a.atttypmod) <> wanted.type)
    union all
    -- What may have been made here before: by an earlier run, or by hand.
    select shape.relation || '.tenant_id is ' || format_type(a.atttypid, a.atttypmod) || ', not uuid'
    from unnest(array['public.workflow_executions', 'public.telemetry_events']) as shape (relation)
    join pg_attribute as a on a.attrelid = to_regclass(shape.relation) and a.attname = 'tenant_id'
    where not a.attisdropped and format_type(a.atttypid, a.atttypmod) <> 'uuid'
    union all
    select 'public.user_tenants is a table, not a view'
    where exists (select from pg_class where oid = to_regclass('public.user_tenants') and relkind not in ('v'))
  ) as found (problem);
  if problems is not null then
    raise exception using
      errcode = 'object_not_in_prerequisite_state',
      message = e'a table of the same name exists with another shape:\n' || problems,
      hint = 'Rename or change what is in the way; nothing has been changed so far.';
  end if;
end
$$;

-- =====================================================================================================================
-- 2 Functions
-- =====================================================================================================================

create or replace function public.update_updated_at_column() returns trigger
  language plpgsql
  set search_path = ''
as $$
begin
  new.updated_at := pg_catalog.now();
  return new;
end
$$;

-- 244 random bits of two UUIDs: no extension needed, pgcrypto is not everywhere.
create or replace function public.generate_webhook_secret() returns text
  language sql
  set search_path = ''
as $$
  select 'whsec_' || pg_catalog.replace(
    pg_catalog.gen_random_uuid()::text || pg_catalog.gen_random_uuid()::text, '-', ''
  )
$$;

-- Not exposed by the API: nobody can call what is in here by name.
create schema if not exists private;

-- The tenants in which the caller has one of these roles. SECURITY DEFINER, because the policies of tenant_members need
-- it: a policy that reads its own table recurses without end. All other policies read tenant_members directly.
create or replace function private.current_tenant_ids(roles text[] default array['owner', 'admin', 'member'])
  returns setof uuid
  language sql stable security definer rows 4
  set search_path = ''
as $$
  select tm.tenant_id
  from public.tenant_members as tm
  where tm.user_id = (select auth.uid()) and tm.role = any (roles)
$$;

-- =====================================================================================================================
-- 3 Core tables
-- =====================================================================================================================
-- A child refers to its parent by (id, tenant_id), so that no row can point into another tenant, whoever writes it:
-- service_role is past every policy, but not past a foreign key. Hence the unique (id, tenant_id) on each parent.
-- Deleting a tenant deletes its rows (billing excepted). created_by is no foreign key: who made something may leave.

create table if not exists public.agents (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  created_by uuid,
  name text not null,
  description text,
  category text,
  enabled boolean not null default true,
  model text,
  system_prompt text,
  config jsonb not null default '{}',
  tools jsonb not null default '[]',
  tags text[] not null default '{}',
  version integer not null default 1,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint agents_pkey primary key (id),
  constraint agents_id_tenant_id_key unique (id, tenant_id),
  constraint agents_tenant_id_fkey foreign key (tenant_id) references public.tenants (id) on delete cascade
);

-- An execution outlives its agent and its user: it is history, and usage was billed on it.
create table if not exists public.agent_executions (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  agent_id uuid,
  user_id uuid,
  status text not null default 'running',
  input jsonb,
  output jsonb,
  error text,
  started_at timestamptz not null default now(),
  completed_at timestamptz,
  created_at timestamptz not null default now(),
  constraint agent_executions_pkey primary key (id),
  constraint agent_executions_id_tenant_id_key unique (id, tenant_id),
  constraint agent_executions_tenant_id_fkey foreign key (tenant_id) references public.tenants (id) on delete cascade,
  constraint agent_executions_agent_id_fkey foreign key (agent_id, tenant_id)
    references public.agents (id, tenant_id) on delete set null (agent_id),
  constraint agent_executions_user_id_fkey foreign key (user_id) references auth.users (id) on delete set null
);

create table if not exists public.workflows (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  created_by uuid,
  name text not null,
  description text,
  category text,
  enabled boolean not null default true,
  version integer not null default 1,
  definition jsonb not null default '{}',
  trigger_type text not null default 'manual',
  trigger_config jsonb not null default '{}',
  schedule text,
  tags text[] not null default '{}',
  last_run_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint workflows_pkey primary key (id),
  constraint workflows_id_tenant_id_key unique (id, tenant_id),
  constraint workflows_tenant_id_fkey foreign key (tenant_id) references public.tenants (id) on delete cascade
);

-- =====================================================================================================================
-- 4 Billing
-- =====================================================================================================================
-- RESTRICT: a tenant with billing history can not be deleted by accident, not even by service_role.

create table if not exists public.subscriptions (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  plan text not null default 'free',
  status text not null default 'incomplete',
  provider text,
  provider_customer_id text,
  provider_subscription_id text,
  seats integer not null default 1,
  current_period_start timestamptz,
  current_period_end timestamptz,
  cancel_at_period_end boolean not null default false,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint subscriptions_pkey primary key (id),
  constraint subscriptions_seats_check check (seats > 0),
  constraint subscriptions_tenant_id_fkey foreign key (tenant_id) references public.tenants (id) on delete restrict
);

create table if not exists public.usage_metrics (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  metric text not null,
  quantity numeric not null default 0,
  period_start timestamptz not null default date_trunc('month', now(), 'UTC'),
  recorded_at timestamptz not null default now(),
  constraint usage_metrics_pkey primary key (id),
  constraint usage_metrics_tenant_id_fkey foreign key (tenant_id) references public.tenants (id) on delete restrict
);

create table if not exists public.billing_events (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  event_type text not null,
  payload jsonb not null default '{}',
  created_at timestamptz not null default now(),
  constraint billing_events_pkey primary key (id),
  constraint billing_events_tenant_id_fkey foreign key (tenant_id) references public.tenants (id) on delete restrict
);

-- =====================================================================================================================
-- 5 Observability
-- =====================================================================================================================
-- Logs go with their execution; the agent or workflow they name may go before.

-- An execution without a tenant can have no logs until its tenant is known: a log needs one, and none is certain. What
-- holds a log to its execution needs a column that the execution gets in section 14.
create table if not exists public.workflow_execution_logs (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  execution_id uuid not null,
  workflow_id uuid,
  step_id text,
  step_name text,
  step_index integer,
  level text not null default 'info',
  message text not null,
  metadata jsonb not null default '{}',
  duration_ms integer,
  created_at timestamptz not null default now(),
  constraint workflow_execution_logs_pkey primary key (id),
  constraint workflow_execution_logs_tenant_id_fkey foreign key (tenant_id)
    references public.tenants (id) on delete cascade,
  constraint workflow_execution_logs_workflow_id_fkey foreign key (workflow_id, tenant_id)
    references public.workflows (id, tenant_id) on delete set null (workflow_id)
);

create table if not exists public.agent_execution_logs (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  execution_id uuid not null,
  agent_id uuid,
  event text not null,
  level text not null default 'info',
  message text,
  metadata jsonb not null default '{}',
  duration_ms integer,
  created_at timestamptz not null default now(),
  constraint agent_execution_logs_pkey primary key (id),
  constraint agent_execution_logs_tenant_id_fkey foreign key (tenant_id)
    references public.tenants (id) on delete cascade,
  constraint agent_execution_logs_execution_id_fkey foreign key (execution_id, tenant_id)
    references public.agent_executions (id, tenant_id) on delete cascade,
  constraint agent_execution_logs_agent_id_fkey foreign key (agent_id, tenant_id)
    references public.agents (id, tenant_id) on delete set null (agent_id)
);

-- user_id is no foreign key here: deleting a user neither waits for these tables nor rewrites them.
create table if not exists public.error_logs (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  user_id uuid,
  source text not null,
  message text not null,
  context jsonb not null default '{}',
  created_at timestamptz not null default now(),
  constraint error_logs_pkey primary key (id),
  constraint error_logs_tenant_id_fkey foreign key (tenant_id) references public.tenants (id) on delete cascade
);

create table if not exists public.performance_metrics (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  metric text not null,
  value double precision not null,
  recorded_at timestamptz not null default now(),
  constraint performance_metrics_pkey primary key (id),
  constraint performance_metrics_tenant_id_fkey foreign key (tenant_id)
    references public.tenants (id) on delete cascade
);

-- =====================================================================================================================
-- 6 Webhooks and artifacts
-- =====================================================================================================================
-- The default makes the secret on the server; it can be read by owners and admins and never be changed through the API.
create table if not exists public.webhook_endpoints (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  url text not null,
  secret text not null default public.generate_webhook_secret(),
  events text[] not null default '{}',
  enabled boolean not null default true,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  constraint webhook_endpoints_pkey primary key (id),
  constraint webhook_endpoints_tenant_id_fkey foreign key (tenant_id) references public.tenants (id) on delete cascade
);

-- Files made by an agent. The row outlives the execution: it is the only pointer to the file in storage.
create table if not exists public.artifacts (
  id uuid not null default gen_random_uuid(),
  tenant_id uuid not null,
  execution_id uuid,
  name text not null,
  kind text not null default 'file',
  storage_path text not null,
  size_bytes bigint,
  created_at timestamptz not null default now(),
  constraint artifacts_pkey primary key (id),
  constraint artifacts_tenant_id_fkey foreign key (tenant_id) references public.tenants (id) on delete cascade,
  constraint artifacts_execution_id_fkey foreign key (execution_id, tenant_id)
    references public.agent_executions (id, tenant_id) on delete set null (execution_id)
);

-- =====================================================================================================================
-- 7 Indexes
-- =====================================================================================================================
-- Policies look up tenant_id, so every table has an index led by it; every foreign key has one that starts with its
-- columns in its order. The (started_at desc, id desc) and (created_at desc, id desc) ones page through the newest.

create index if not exists agents_tenant_id_idx on public.agents (tenant_id, created_at desc);
create index if not exists agents_enabled_idx on public.agents (tenant_id, name) where enabled;
create index if not exists agents_category_idx on public.agents (tenant_id, category);

create index if not exists agent_executions_agent_id_idx
  on public.agent_executions (agent_id, tenant_id, started_at desc);
create index if not exists agent_executions_user_id_idx on public.agent_executions (user_id, started_at desc);
create index if not exists agent_executions_tenant_id_idx on public.agent_executions (tenant_id, started_at desc);
create index if not exists agent_executions_status_idx on public.agent_executions (status, started_at desc);
create index if not exists agent_executions_started_at_idx on public.agent_executions (started_at desc, id desc);

create index if not exists workflows_tenant_id_idx on public.workflows (tenant_id, created_at desc);
create index if not exists workflows_enabled_idx on public.workflows (tenant_id, name) where enabled;
create index if not exists workflows_category_idx on public.workflows (tenant_id, category);

create index if not exists subscriptions_tenant_id_idx on public.subscriptions (tenant_id, created_at desc);
create index if not exists subscriptions_provider_idx on public.subscriptions (provider, provider_subscription_id);
create index if not exists usage_metrics_tenant_id_idx on public.usage_metrics (tenant_id, metric, period_start desc);
create index if not exists billing_events_tenant_id_idx on public.billing_events (tenant_id, created_at desc);
create index if not exists workflow_execution_logs_tenant_id_idx
  on public.workflow_execution_logs (tenant_id, created_at desc);
create index if not exists workflow_execution_logs_execution_id_idx
  on public.workflow_execution_logs (execution_id, tenant_id, created_at);
create index if not exists workflow_execution_logs_workflow_id_idx
  on public.workflow_execution_logs (workflow_id, tenant_id, created_at desc);
create index if not exists agent_execution_logs_tenant_id_idx
  on public.agent_execution_logs (tenant_id, created_at desc);
create index if not exists agent_execution_logs_execution_id_idx
  on public.agent_execution_logs (execution_id, tenant_id, created_at);
create index if not exists agent_execution_logs_agent_id_idx
  on public.agent_execution_logs (agent_id, tenant_id, created_at desc);
create index if not exists error_logs_tenant_id_idx on public.error_logs (tenant_id, created_at desc);
create index if not exists error_logs_created_at_idx on public.error_logs (created_at desc, id desc);
create index if not exists performance_metrics_tenant_id_idx
  on public.performance_metrics (tenant_id, metric, recorded_at desc);

create index if not exists webhook_endpoints_tenant_id_idx on public.webhook_endpoints (tenant_id, enabled);
create index if not exists artifacts_tenant_id_idx on public.artifacts (tenant_id, created_at desc);
create index if not exists artifacts_execution_id_idx on public.artifacts (execution_id, tenant_id);

-- =====================================================================================================================
-- 8 Triggers
-- =====================================================================================================================

create or replace trigger update_agents_updated_at before update on public.agents
  for each row execute function public.update_updated_at_column();
create or replace trigger update_workflows_updated_at before update on public.workflows
  for each row execute function public.update_updated_at_column();
create or replace trigger update_subscriptions_updated_at before update on public.subscriptions
  for each row execute function public.update_updated_at_column();
create or replace trigger update_webhook_endpoints_updated_at before update on public.webhook_endpoints
  for each row execute function public.update_updated_at_column();

-- =====================================================================================================================
-- 9 Row-level security
-- =====================================================================================================================
-- From here on a row is visible through the API only where a policy says so.

alter table public.agents enable row level security;
alter table public.agent_executions enable row level security;
alter table public.workflows enable row level security;
alter table public.subscriptions enable row level security;
alter table public.usage_metrics enable row level security;
alter table public.billing_events enable row level security;
alter table public.workflow_execution_logs enable row level security;
alter table public.agent_execution_logs enable row level security;
alter table public.error_logs enable row level security;
alter table public.performance_metrics enable row level security;
alter table public.webhook_endpoints enable row level security;
alter table public.artifacts enable row level security;

-- =====================================================================================================================
-- 10 Policies
-- =====================================================================================================================
-- One rule everywhere: the row's tenant is one of mine. Written as "= any (array(select ...))" it is computed once per
-- query and used as an index condition; "in (select ...)" would filter the whole table, a function would run per row.
-- All are for the role authenticated: anon reaches nothing, service_role is past them.
-- A subquery of a policy runs under the policies of the table it reads: of tenant_members one sees at least oneself.

-- agents
drop policy if exists agents_select on public.agents;
create policy agents_select on public.agents
  for select to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );
drop policy if exists agents_insert on public.agents;
create policy agents_insert on public.agents
  for insert to authenticated
  with check (
    created_by = (select auth.uid())
    and tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );
drop policy if exists agents_update on public.agents;
create policy agents_update on public.agents
  for update to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  )
  with check (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );
drop policy if exists agents_delete on public.agents;
create policy agents_delete on public.agents
  for delete to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid()) and tm.role in ('owner', 'admin')
    ))
  );

-- agent_executions
drop policy if exists agent_executions_select on public.agent_executions;
create policy agent_executions_select on public.agent_executions
  for select to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );
drop policy if exists agent_executions_insert on public.agent_executions;
create policy agent_executions_insert on public.agent_executions
  for insert to authenticated
  with check (
    user_id = (select auth.uid())
    and tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
    and exists (
      select from public.agents as parent
      where parent.id = agent_executions.agent_id and parent.tenant_id = agent_executions.tenant_id
    )
  );

-- workflows
drop policy if exists workflows_select on public.workflows;
create policy workflows_select on public.workflows
  for select to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );
drop policy if exists workflows_insert on public.workflows;
create policy workflows_insert on public.workflows
  for insert to authenticated
  with check (
    created_by = (select auth.uid())
    and tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );
drop policy if exists workflows_update on public.workflows;
create policy workflows_update on public.workflows
  for update to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  )
  with check (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );
drop policy if exists workflows_delete on public.workflows;
create policy workflows_delete on public.workflows
  for delete to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid()) and tm.role in ('owner', 'admin')
    ))
  );

-- subscriptions
drop policy if exists subscriptions_select on public.subscriptions;
create policy subscriptions_select on public.subscriptions
  for select to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );
-- An owner may begin a subscription; what is paid for, only the billing worker (service_role) writes.
drop policy if exists subscriptions_insert on public.subscriptions;
create policy subscriptions_insert on public.subscriptions
  for insert to authenticated
  with check (
    status = 'incomplete'
    and plan = 'free'
    and seats = 1
    and provider is null
    and provider_customer_id is null
    and provider_subscription_id is null
    and current_period_start is null
    and current_period_end is null
    and tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid()) and tm.role = 'owner'
    ))
  );
drop policy if exists subscriptions_update on public.subscriptions;
create policy subscriptions_update on public.subscriptions
  for update to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid()) and tm.role = 'owner'
    ))
  )
  with check (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid()) and tm.role = 'owner'
    ))
  );

-- usage_metrics
drop policy if exists usage_metrics_select on public.usage_metrics;
create policy usage_metrics_select on public.usage_metrics
  for select to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );
-- service_role is past policies anyway: this one says who writes usage. API users have none, so they can not.
drop policy if exists usage_metrics_service_insert on public.usage_metrics;
create policy usage_metrics_service_insert on public.usage_metrics
  for insert to service_role
  with check (true);

-- billing_events
drop policy if exists billing_events_select on public.billing_events;
create policy billing_events_select on public.billing_events
  for select to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid()) and tm.role in ('owner', 'admin')
    ))
  );

-- workflow_execution_logs
drop policy if exists workflow_execution_logs_select on public.workflow_execution_logs;
create policy workflow_execution_logs_select on public.workflow_execution_logs
  for select to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );

-- agent_execution_logs
drop policy if exists agent_execution_logs_select on public.agent_execution_logs;
create policy agent_execution_logs_select on public.agent_execution_logs
  for select to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );
-- Into the log of an execution that the caller started.
drop policy if exists agent_execution_logs_insert on public.agent_execution_logs;
create policy agent_execution_logs_insert on public.agent_execution_logs
  for insert to authenticated
  with check (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
    and exists (
      select from public.agent_executions as parent
      where parent.id = agent_execution_logs.execution_id and parent.tenant_id = agent_execution_logs.tenant_id
        and parent.user_id = (select auth.uid())
    )
  );

-- error_logs
-- Messages may hold what other users did: members write, owners and admins read. INSERT ... RETURNING reads, too.
drop policy if exists error_logs_select on public.error_logs;
create policy error_logs_select on public.error_logs
  for select to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid()) and tm.role in ('owner', 'admin')
    ))
  );
drop policy if exists error_logs_insert on public.error_logs;
create policy error_logs_insert on public.error_logs
  for insert to authenticated
  with check (
    user_id = (select auth.uid())
    and tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );

-- performance_metrics
drop policy if exists performance_metrics_select on public.performance_metrics;
create policy performance_metrics_select on public.performance_metrics
  for select to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );

-- webhook_endpoints
drop policy if exists webhook_endpoints_select on public.webhook_endpoints;
create policy webhook_endpoints_select on public.webhook_endpoints
  for select to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid()) and tm.role in ('owner', 'admin')
    ))
  );
drop policy if exists webhook_endpoints_insert on public.webhook_endpoints;
create policy webhook_endpoints_insert on public.webhook_endpoints
  for insert to authenticated
  with check (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid()) and tm.role in ('owner', 'admin')
    ))
  );
drop policy if exists webhook_endpoints_update on public.webhook_endpoints;
create policy webhook_endpoints_update on public.webhook_endpoints
  for update to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid()) and tm.role in ('owner', 'admin')
    ))
  )
  with check (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid()) and tm.role in ('owner', 'admin')
    ))
  );
drop policy if exists webhook_endpoints_delete on public.webhook_endpoints;
create policy webhook_endpoints_delete on public.webhook_endpoints
  for delete to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid()) and tm.role in ('owner', 'admin')
    ))
  );

-- artifacts
drop policy if exists artifacts_select on public.artifacts;
create policy artifacts_select on public.artifacts
  for select to authenticated
  using (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );
drop policy if exists artifacts_insert on public.artifacts;
create policy artifacts_insert on public.artifacts
  for insert to authenticated
  with check (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
    and (execution_id is null or exists (
      select from public.agent_executions as parent
      where parent.id = artifacts.execution_id and parent.tenant_id = artifacts.tenant_id
    ))
  );

-- =====================================================================================================================
-- 11 View
-- =====================================================================================================================
-- For code from before tenant_members. It runs with the rights of whoever asks (security_invoker), so the policies of
-- both tables hold through it; no "where user_id = auth.uid()", or service_role would see nothing.
-- For anon it answers 42501 (permission denied for table tenant_members), not rows: that is meant.

create or replace view public.user_tenants with (security_invoker = true) as
select
  tm.user_id,
  tm.tenant_id,
  tm.role,
  t.name as tenant_name,
  t.slug as tenant_slug,
  tm.created_at,
  tm.updated_at
from public.tenant_members as tm
join public.tenants as t on t.id = tm.tenant_id;

-- =====================================================================================================================
-- 12 Grants
-- =====================================================================================================================
-- By name, never by default privileges: those differ between project generations, and the older ones give anon
-- TRUNCATE, which no policy covers. First everything is taken, column rights included; then each role gets its own.
-- What a role may do with which rows is the policies' business, on top of these.

revoke all on table
  public.tenants,
  public.tenant_members,
  public.agents,
  public.agent_executions,
  public.workflows,
  public.workflow_executions,
  public.subscriptions,
  public.usage_metrics,
  public.billing_events,
  public.telemetry_events,
  public.workflow_execution_logs,
  public.agent_execution_logs,
  public.error_logs,
  public.performance_metrics,
  public.webhook_endpoints,
  public.artifacts,
  public.user_tenants
from public, anon, authenticated, service_role;

grant select, insert, delete on table
  public.tenants,
  public.tenant_members,
  public.agents,
  public.agent_executions,
  public.workflows,
  public.workflow_executions,
  public.subscriptions,
  public.usage_metrics,
  public.billing_events,
  public.telemetry_events,
  public.workflow_execution_logs,
  public.agent_execution_logs,
  public.error_logs,
  public.performance_metrics,
  public.webhook_endpoints,
  public.artifacts
to authenticated;

-- UPDATE per column: a row's id, tenant, author and time of creation are nobody's to change, so no row can be moved
-- into another tenant. A policy can not say that, it does not see the old row beside the new one. Tables that are not
-- named here are only ever added to.
grant update (name, slug) on table public.tenants to authenticated;
grant update (role) on table public.tenant_members to authenticated;
grant update (
  name, description, category, enabled, model, system_prompt, config, tools, tags, version, updated_at
) on table public.agents to authenticated;
grant update (
  name, description, category, enabled, version, definition, trigger_type, trigger_config, schedule, tags,
  last_run_at, updated_at
) on table public.workflows to authenticated;
grant update (
  status, input, output, error, started_at, completed_at
) on table public.workflow_executions to authenticated;
grant update (cancel_at_period_end) on table public.subscriptions to authenticated;
grant update (url, events, enabled, updated_at) on table public.webhook_endpoints to authenticated;

grant all on table
  public.tenants,
  public.tenant_members,
  public.agents,
  public.agent_executions,
  public.workflows,
  public.workflow_executions,
  public.subscriptions,
  public.usage_metrics,
  public.billing_events,
  public.telemetry_events,
  public.workflow_execution_logs,
  public.agent_execution_logs,
  public.error_logs,
  public.performance_metrics,
  public.webhook_endpoints,
  public.artifacts,
  public.user_tenants
to service_role;

grant select on table public.user_tenants to authenticated;
grant select on table public.user_tenants to anon;

revoke all on function public.update_updated_at_column() from public, anon, authenticated, service_role;
grant execute on function public.update_updated_at_column() to service_role;
-- authenticated: the default of webhook_endpoints.secret runs with the rights of whoever inserts.
revoke all on function public.generate_webhook_secret() from public, anon, authenticated, service_role;
grant execute on function public.generate_webhook_secret() to authenticated, service_role;
-- authenticated: the policies of tenant_members run it with the rights of whoever asks. Nobody can name it: no USAGE on
-- the schema.
revoke all on function private.current_tenant_ids(text[]) from public, anon, authenticated, service_role;
grant execute on function private.current_tenant_ids(text[]) to authenticated, service_role;

-- =====================================================================================================================
-- 13 The lock on older tables
-- =====================================================================================================================
-- They come last: while the new tables above are made, everybody goes on reading them. All four are locked at once, in
-- the order of their names. By hand, lock_timeout decides how long readers may queue behind this statement;
-- "patchdeck apply" tries again and again in between them instead.

lock table public.telemetry_events, public.tenant_members, public.tenants, public.workflow_executions
in access exclusive mode;

-- =====================================================================================================================
-- 14 Their tenant
-- =====================================================================================================================
-- NULL stays allowed: only what is certain is filled in below, and NOT NULL would break runs in flight. A later
-- migration can add it once every row has a tenant.

alter table public.workflow_executions add column if not exists tenant_id uuid;
alter table public.telemetry_events add column if not exists tenant_id uuid;

-- An execution's own key with its tenant, for the logs below. There is no "add constraint if not exists".
do $$
begin
  if not exists (
    select from pg_constraint
    where conrelid = 'public.workflow_executions'::regclass and conname = 'workflow_executions_id_tenant_id_key'
  ) then
    alter table public.workflow_executions
      add constraint workflow_executions_id_tenant_id_key unique (id, tenant_id);
  end if;
end
$$;

-- Of each table one index on the tenant comes before its rows have one (the unique key above, and this one): a row version
-- made while no index holds what changes keeps transactions older than this one from using the indexes made after it. All
-- others come after the rows: made once each, instead of a little for every row.
create index if not exists telemetry_events_tenant_id_idx on public.telemetry_events (tenant_id, created_at desc);

-- Backfill, only where it is certain: the row's user is a member of exactly one tenant. All other rows keep NULL and stay
-- visible to their own user. A row that has a tenant is never touched. Before section 17, so that Realtime does not send
-- a message for each row. What triggers of the project put off until the commit happens at once from here on: a table
-- can not be altered while something of it is put off.
set constraints all immediate;

update public.workflow_executions as execution
set tenant_id = sole.tenant_id
from (
  select user_id, (array_agg(tenant_id))[1] as tenant_id
  from public.tenant_members
  group by user_id
  having count(*) = 1
) as sole
where execution.tenant_id is null and execution.user_id = sole.user_id;

update public.telemetry_events as event
set tenant_id = sole.tenant_id
from (
  select user_id, (array_agg(tenant_id))[1] as tenant_id
  from public.tenant_members
  group by user_id
  having count(*) = 1
) as sole
where event.tenant_id is null and event.user_id = sole.user_id;

-- Foreign keys after the rows: all rows are looked up at once, instead of each when it is filled in.
do $$
begin
  if not exists (
    select from pg_constraint
    where conrelid = 'public.workflow_executions'::regclass and conname = 'workflow_executions_tenant_id_fkey'
  ) then
    alter table public.workflow_executions
      add constraint workflow_executions_tenant_id_fkey foreign key (tenant_id)
      references public.tenants (id) on delete cascade;
  end if;
end
$$;
do $$
begin
  if not exists (
    select from pg_constraint
    where conrelid = 'public.telemetry_events'::regclass and conname = 'telemetry_events_tenant_id_fkey'
  ) then
    alter table public.telemetry_events
      add constraint telemetry_events_tenant_id_fkey foreign key (tenant_id)
      references public.tenants (id) on delete cascade;
  end if;
end
$$;
-- A log belongs to an execution of its own tenant.
do $$
begin
  if not exists (
    select from pg_constraint
    where conrelid = 'public.workflow_execution_logs'::regclass
      and conname = 'workflow_execution_logs_execution_id_fkey'
  ) then
    alter table public.workflow_execution_logs
      add constraint workflow_execution_logs_execution_id_fkey foreign key (execution_id, tenant_id)
      references public.workflow_executions (id, tenant_id) on delete cascade;
  end if;
end
$$;

-- workflow_executions.workflow_id gets no foreign key: it is older than workflows, its old values refer to nothing.
-- The policies hold API users to workflows of the row's tenant.

-- =====================================================================================================================
-- 15 Their indexes
-- =====================================================================================================================

create index if not exists tenant_members_user_id_idx on public.tenant_members (user_id, tenant_id, role);
create index if not exists workflow_executions_workflow_id_idx
  on public.workflow_executions (workflow_id, started_at desc);
create index if not exists workflow_executions_user_id_idx on public.workflow_executions (user_id, started_at desc);
create index if not exists workflow_executions_tenant_id_idx on public.workflow_executions (tenant_id, started_at desc);
create index if not exists workflow_executions_status_idx on public.workflow_executions (status, started_at desc);
create index if not exists workflow_executions_started_at_idx on public.workflow_executions (started_at desc, id desc);
create index if not exists workflow_executions_created_at_idx on public.workflow_executions (created_at);
create index if not exists workflow_executions_tenant_status_idx
  on public.workflow_executions (tenant_id, status, started_at desc);
-- Rows without a tenant: their own user's policy, and whoever assigns them later. It shrinks with them.
create index if not exists workflow_executions_unassigned_idx
  on public.workflow_executions (user_id, started_at desc) where tenant_id is null;
create index if not exists telemetry_events_user_id_idx on public.telemetry_events (user_id, created_at desc);

-- =====================================================================================================================
-- 16 Their policies, and the trigger and row-level security before them
-- =====================================================================================================================

create or replace trigger update_tenant_members_updated_at before update on public.tenant_members
  for each row execute function public.update_updated_at_column();

alter table public.tenants enable row level security;
alter table public.tenant_members enable row level security;
alter table public.workflow_executions enable row level security;
alter table public.telemetry_events enable row level security;

-- Permissive policies are joined by OR: one that knows no tenants would keep its table open beside those below. What
-- was on the four older tables therefore goes, whatever its name. "patchdeck apply" shows each before it asks.
do $$
declare
  old record;
begin
  for old in
    select p.polname, p.polrelid::regclass as relation
    from pg_policy as p
    where p.polrelid in (
        'public.tenants'::regclass, 'public.tenant_members'::regclass,
        'public.workflow_executions'::regclass, 'public.telemetry_events'::regclass
      )
      and p.polname <> all (array[
        'tenants_select', 'tenants_update',
        'tenant_members_select', 'tenant_members_insert', 'tenant_members_update', 'tenant_members_delete',
        'workflow_executions_select', 'workflow_executions_insert', 'workflow_executions_tenant_update',
        'workflow_executions_tenant_boundary',
        'telemetry_events_select', 'telemetry_events_insert'
      ])
    order by p.polrelid, p.polname
  loop
    raise notice 'dropping policy % on %', quote_ident(old.polname), old.relation;
    execute format('drop policy %I on %s', old.polname, old.relation);
  end loop;
end
$$;

-- tenants
drop policy if exists tenants_select on public.tenants;
create policy tenants_select on public.tenants
  for select to authenticated
  using (
    id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );
drop policy if exists tenants_update on public.tenants;
create policy tenants_update on public.tenants
  for update to authenticated
  using (
    id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid()) and tm.role in ('owner', 'admin')
    ))
  )
  with check (
    id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid()) and tm.role in ('owner', 'admin')
    ))
  );

-- tenant_members
drop policy if exists tenant_members_select on public.tenant_members;
create policy tenant_members_select on public.tenant_members
  for select to authenticated
  using (
    user_id = (select auth.uid())
    or tenant_id = any (array(select private.current_tenant_ids()))
  );
-- An owner invites with any role, an admin members only.
drop policy if exists tenant_members_insert on public.tenant_members;
create policy tenant_members_insert on public.tenant_members
  for insert to authenticated
  with check (
    tenant_id = any (array(select private.current_tenant_ids(array['owner'])))
    or (tenant_id = any (array(select private.current_tenant_ids(array['admin']))) and role = 'member')
  );
drop policy if exists tenant_members_update on public.tenant_members;
create policy tenant_members_update on public.tenant_members
  for update to authenticated
  using (tenant_id = any (array(select private.current_tenant_ids(array['owner']))))
  with check (tenant_id = any (array(select private.current_tenant_ids(array['owner']))));
-- Anybody may leave; an owner removes anybody, an admin members only.
drop policy if exists tenant_members_delete on public.tenant_members;
create policy tenant_members_delete on public.tenant_members
  for delete to authenticated
  using (
    user_id = (select auth.uid())
    or tenant_id = any (array(select private.current_tenant_ids(array['owner'])))
    or (tenant_id = any (array(select private.current_tenant_ids(array['admin']))) and role = 'member')
  );

-- workflow_executions
-- A row without a tenant is its own user's.
drop policy if exists workflow_executions_select on public.workflow_executions;
create policy workflow_executions_select on public.workflow_executions
  for select to authenticated
  using (
    (tenant_id is null and user_id = (select auth.uid()))
    or tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );
drop policy if exists workflow_executions_insert on public.workflow_executions;
create policy workflow_executions_insert on public.workflow_executions
  for insert to authenticated
  with check (
    user_id = (select auth.uid())
    and tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
    and exists (
      select from public.workflows as parent
      where parent.id = workflow_executions.workflow_id and parent.tenant_id = workflow_executions.tenant_id
    )
  );
drop policy if exists workflow_executions_tenant_update on public.workflow_executions;
create policy workflow_executions_tenant_update on public.workflow_executions
  for update to authenticated
  using (
    (user_id = (select auth.uid()) and tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    )))
    or tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid()) and tm.role in ('owner', 'admin')
    ))
  )
  with check (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );
-- RESTRICTIVE is joined by AND: whatever permissive policy is added to this table later, the tenant's boundary
-- stays.
drop policy if exists workflow_executions_tenant_boundary on public.workflow_executions;
create policy workflow_executions_tenant_boundary on public.workflow_executions
  as restrictive for all to authenticated, anon
  using (
    (tenant_id is null and user_id = (select auth.uid()))
    or tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  )
  with check (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );

-- telemetry_events
drop policy if exists telemetry_events_select on public.telemetry_events;
create policy telemetry_events_select on public.telemetry_events
  for select to authenticated
  using (
    user_id = (select auth.uid())
    or tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid()) and tm.role in ('owner', 'admin')
    ))
  );
drop policy if exists telemetry_events_insert on public.telemetry_events;
create policy telemetry_events_insert on public.telemetry_events
  for insert to authenticated
  with check (
    user_id = (select auth.uid())
    and tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
  );

-- Into the log of an execution that the caller started.
drop policy if exists workflow_execution_logs_insert on public.workflow_execution_logs;
create policy workflow_execution_logs_insert on public.workflow_execution_logs
  for insert to authenticated
  with check (
    tenant_id = any (array(
      select tm.tenant_id from public.tenant_members as tm
      where tm.user_id = (select auth.uid())
    ))
    and exists (
      select from public.workflow_executions as parent
      where parent.id = workflow_execution_logs.execution_id and parent.tenant_id = workflow_execution_logs.tenant_id
        and parent.user_id = (select auth.uid())
    )
  );

-- =====================================================================================================================
-- 17 Realtime
-- =====================================================================================================================
-- Executions only, and only where the publication exists and does not hold them yet (FOR ALL TABLES holds everything).
-- Nothing with a secret or a message in it: Realtime does not apply policies to deletions.

do $$
begin
  if exists (select from pg_publication where pubname = 'supabase_realtime')
    and not exists (
      select from pg_publication_tables
      where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = 'agent_executions'
    )
  then
    alter publication supabase_realtime add table public.agent_executions;
  end if;
end
$$;
do $$
begin
  if exists (select from pg_publication where pubname = 'supabase_realtime')
    and not exists (
      select from pg_publication_tables
      where pubname = 'supabase_realtime' and schemaname = 'public' and tablename = 'workflow_executions'
    )
  then
    alter publication supabase_realtime add table public.workflow_executions;
  end if;
end
$$;
