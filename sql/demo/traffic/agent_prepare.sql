-- The tenant has no agent yet: give it some, as the product does for a new customer.
insert into public.agents (tenant_id, created_by, name, description, category, enabled)
select %(tenant)s::uuid, %(user)s::uuid, name, 'Made for the demo', category, true
from (values
  ('summarise', 'writing'), ('triage', 'support'), ('translate', 'writing'), ('extract-lines', 'finance'),
  ('reply-draft', 'support')
) as made (name, category)
where not exists (select from public.agents where tenant_id = %(tenant)s::uuid)
