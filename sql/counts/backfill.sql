-- Rows of the tables that get a tenant, and what becomes of each: (label, rows, note).
-- Before the migration there is no column tenant_id. In the lateral subqueries the name then finds `absent`, from further
-- out, and is NULL; once the column is there, the nearer one wins. So the same text holds before and after.
with absent as (
  select null::uuid as tenant_id
), row_of_user as (
  select 'workflow_executions' as relation, row.user_id, row.tenant_id
  from absent cross join lateral (select user_id, tenant_id from public.workflow_executions) as row
  union all
  select 'telemetry_events', row.user_id, row.tenant_id
  from absent cross join lateral (select user_id, tenant_id from public.telemetry_events) as row
), membership as (
  select user_id, count(*) as tenants from public.tenant_members group by user_id
), fate as (
  select
    r.relation,
    case
      when r.tenant_id is not null then 1
      when m.tenants = 1 then 2
      when r.user_id is null then 3
      when m.tenants is null then 4
      else 5
    end as place
  from row_of_user as r
  left join membership as m on m.user_id = r.user_id
)
select k.relation || ': ' || k.label as label, count(f.place) as rows, k.note
from (
  select relation, place, label, note
  from (values ('workflow_executions'), ('telemetry_events')) as tables (relation)
  cross join (values
    (1, 'have a tenant', 'not touched'),
    (2, 'get their tenant', 'their user belongs to exactly one tenant'),
    (3, 'stay without: no user', 'nothing says whose they are'),
    (4, 'stay without: user in no tenant', 'visible to their own user only'),
    (5, 'stay without: user in several tenants', 'visible to their own user only; assign them by hand')
  ) as fates (place, label, note)
) as k
left join fate as f on f.relation = k.relation and f.place = k.place
group by k.relation, k.place, k.label, k.note
order by k.relation desc, k.place
