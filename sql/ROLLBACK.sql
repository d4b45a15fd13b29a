-- Takes the migration's rules away again and nothing else.
--
-- READ THIS FIRST. This is an OUTAGE for everybody who comes through the API. Row-level security stays on and no policy
-- is left, so every read of these sixteen tables answers with no rows and no error: the application looks empty. Every
-- INSERT fails (42501), every UPDATE and DELETE changes nothing, user_tenants is gone (42P01), updated_at stands still.
-- service_role still sees and writes everything.
--
-- It drops the migration's policies, triggers and view, by name. It keeps tables, columns, rows, row-level security,
-- indexes, functions, grants and publication entries. It does NOT bring back the policies that were there before the
-- migration. PATCH.sql can be applied again afterwards.
--
-- Run it with "patchdeck rollback --mode lock", or by hand as role postgres, in one transaction. It can run again.
--
--   psql -1 -v ON_ERROR_STOP=1 -c "set local lock_timeout = '2s'" -f ROLLBACK.sql

-- A table that was never made, or was dropped since, has nothing to take away: "if exists" covers the table, too.

-- View
drop view if exists public.user_tenants;

-- Triggers
drop trigger if exists update_agents_updated_at on public.agents;
drop trigger if exists update_workflows_updated_at on public.workflows;
drop trigger if exists update_subscriptions_updated_at on public.subscriptions;
drop trigger if exists update_webhook_endpoints_updated_at on public.webhook_endpoints;
drop trigger if exists update_tenant_members_updated_at on public.tenant_members;

-- Policies
drop policy if exists tenants_select on public.tenants;
drop policy if exists tenants_update on public.tenants;
drop policy if exists tenant_members_select on public.tenant_members;
drop policy if exists tenant_members_insert on public.tenant_members;
drop policy if exists tenant_members_update on public.tenant_members;
drop policy if exists tenant_members_delete on public.tenant_members;
drop policy if exists agents_select on public.agents;
drop policy if exists agents_insert on public.agents;
drop policy if exists agents_update on public.agents;
drop policy if exists agents_delete on public.agents;
drop policy if exists agent_executions_select on public.agent_executions;
drop policy if exists agent_executions_insert on public.agent_executions;
drop policy if exists workflows_select on public.workflows;
drop policy if exists workflows_insert on public.workflows;
drop policy if exists workflows_update on public.workflows;
drop policy if exists workflows_delete on public.workflows;
drop policy if exists workflow_executions_select on public.workflow_executions;
drop policy if exists workflow_executions_insert on public.workflow_executions;
drop policy if exists workflow_executions_tenant_update on public.workflow_executions;
drop policy if exists workflow_executions_tenant_boundary on public.workflow_executions;
drop policy if exists subscriptions_select on public.subscriptions;
drop policy if exists subscriptions_insert on public.subscriptions;
drop policy if exists subscriptions_update on public.subscriptions;
drop policy if exists usage_metrics_select on public.usage_metrics;
drop policy if exists usage_metrics_service_insert on public.usage_metrics;
drop policy if exists billing_events_select on public.billing_events;
drop policy if exists telemetry_events_select on public.telemetry_events;
drop policy if exists telemetry_events_insert on public.telemetry_events;
drop policy if exists workflow_execution_logs_select on public.workflow_execution_logs;
drop policy if exists workflow_execution_logs_insert on public.workflow_execution_logs;
drop policy if exists agent_execution_logs_select on public.agent_execution_logs;
drop policy if exists agent_execution_logs_insert on public.agent_execution_logs;
drop policy if exists error_logs_select on public.error_logs;
drop policy if exists error_logs_insert on public.error_logs;
drop policy if exists performance_metrics_select on public.performance_metrics;
drop policy if exists webhook_endpoints_select on public.webhook_endpoints;
drop policy if exists webhook_endpoints_insert on public.webhook_endpoints;
drop policy if exists webhook_endpoints_update on public.webhook_endpoints;
drop policy if exists webhook_endpoints_delete on public.webhook_endpoints;
drop policy if exists artifacts_select on public.artifacts;
drop policy if exists artifacts_insert on public.artifacts;
