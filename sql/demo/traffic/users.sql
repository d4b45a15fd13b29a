-- Who may act: each membership, with the claims that Auth would put into that user's token.
select
  user_id::text as "user",
  tenant_id::text as tenant,
  json_build_object('sub', user_id, 'role', 'authenticated', 'aal', 'aal1')::text as claims
from public.tenant_members
