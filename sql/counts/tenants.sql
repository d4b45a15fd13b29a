-- Tenants that the policies leave to nobody: (label, rows, note).
select k.label, count(t.id) as rows, k.note
from (values
  (1, 'tenants without an owner', 'no API user can change their roles or begin a subscription'),
  (2, 'tenants without any member', 'no API user sees them')
) as k (place, label, note)
left join public.tenants as t
  on not exists (
    select from public.tenant_members as m
    where m.tenant_id = t.id and (k.place = 2 or m.role = 'owner')
  )
group by k.place, k.label, k.note
order by k.place
