-- The four tables that existed before the migration, as an early application left them: row-level security on one of them,
-- with policies that know users but no tenants. Runs as postgres.

create table public.tenants (
  id uuid primary key default gen_random_uuid(),
  name text not null,
  slug text not null unique,
  created_at timestamptz not null default now()
);

create table public.tenant_members (
  tenant_id uuid not null references public.tenants (id) on delete cascade,
  user_id uuid not null references auth.users (id) on delete cascade,
  role text not null default 'member' check (role in ('owner', 'admin', 'member')),
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  primary key (tenant_id, user_id)
);

-- workflow_id refers to nothing: there is no table of workflows yet.
create table public.workflow_executions (
  id uuid primary key default gen_random_uuid(),
  workflow_id uuid not null,
  user_id uuid references auth.users (id) on delete set null,
  status text not null default 'running',
  input jsonb,
  output jsonb,
  error text,
  started_at timestamptz not null default now(),
  completed_at timestamptz,
  created_at timestamptz not null default now()
);
alter table public.workflow_executions enable row level security;
create policy "Users can view own executions" on public.workflow_executions
  for select using (auth.uid() = user_id);
create policy "Users can insert own executions" on public.workflow_executions
  for insert with check (auth.uid() = user_id);

create table public.telemetry_events (
  id uuid primary key default gen_random_uuid(),
  user_id uuid,
  event_name text not null,
  properties jsonb not null default '{}',
  created_at timestamptz not null default now()
);
