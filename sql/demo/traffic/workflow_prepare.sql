-- The tenant has no workflow yet: give it some, as the product does for a new customer.
insert into public.workflows (tenant_id, created_by, name, description, category, enabled)
select %(tenant)s::uuid, %(user)s::uuid, name, 'Made for the demo', category, true
from (values
  ('invoice-sync', 'finance'), ('daily-digest', 'reports'), ('lead-routing', 'sales'),
  ('stock-alerts', 'operations'), ('refund-check', 'finance'), ('weekly-report', 'reports')
) as made (name, category)
where not exists (select from public.workflows where tenant_id = %(tenant)s::uuid)
