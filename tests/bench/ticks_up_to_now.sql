-- What went on while the rows of ticks.sql were loaded: their newest rows once more, later by as long as that took.
with late as (select max(started_at) as last, now() - max(started_at) as gap from public.agent_executions)
insert into public.agent_executions (tenant_id, agent_id, status, error, started_at, completed_at)
select tenant_id, agent_id, status, error, started_at + gap, completed_at + gap
from public.agent_executions, late
where started_at > last - gap and status <> 'running';

with late as (select max(started_at) as last, now() - max(started_at) as gap from public.workflow_executions)
insert into public.workflow_executions (tenant_id, workflow_id, status, error, started_at, completed_at)
select tenant_id, workflow_id, status, error, started_at + gap, completed_at + gap
from public.workflow_executions, late
where started_at > last - gap and status <> 'running';

with late as (select max(created_at) as last, now() - max(created_at) as gap from public.error_logs)
insert into public.error_logs (tenant_id, source, message, created_at)
select tenant_id, source, message, created_at + gap
from public.error_logs, late
where created_at > last - gap;
