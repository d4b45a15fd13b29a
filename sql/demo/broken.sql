-- What a database looks like months after a migration, when people in a hurry had it open: a few realistic faults, each of
-- which a count or a glance would miss. Runs as postgres on the migrated database.

-- Somebody debugged with the table editor and forgot: every signed-in user of every tenant reads all executions.
create policy "Enable read access for all users" on public.agent_executions for select to authenticated using (true);

-- A dropped policy: members can not delete workflows any more, and nobody gets an error.
drop policy workflows_delete on public.workflows;

-- A policy of the right name with another rule: any member reads every tenant's clicks.
alter policy telemetry_events_select on public.telemetry_events using (true);

-- "It is only metrics": row-level security off for an import, never on again.
alter table public.usage_metrics disable row level security;

-- A trigger disabled for a bulk update: updated_at stands still since.
alter table public.agents disable trigger update_agents_updated_at;

-- A grant for a status page, to visitors who have not signed in.
grant select on public.error_logs to anon;

-- An index dropped because a report said that it was unused.
drop index public.workflow_executions_started_at_idx;
