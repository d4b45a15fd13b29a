-- Rows of an early application, dated back from now: some users belong to one tenant, some to two, some to none, and some
-- rows have no user at all, so that a backfill can be certain of some rows and not of others. Runs as postgres.
-- The same rows every time (setseed), but for the times.

select setseed(0.20251122);

insert into public.tenants (id, name, slug, created_at)
select md5('tenant ' || slug)::uuid, name, slug, now() - age
from (values
  ('Acme Robotics', 'acme', interval '400 days'),
  ('Blue Fjord Shipping', 'blue-fjord', interval '310 days'),
  ('Cedar & Sons', 'cedar', interval '200 days'),
  ('Délice Boulangerie', 'delice', interval '150 days'),
  ('Echo Clinic', 'echo', interval '90 days'),
  ('富士 Analytics', 'fuji', interval '12 days')
) as tenant (name, slug, age);

-- Twenty users: 1 to 14 in one tenant each, 15 to 17 in two, 18 to 20 in none.
insert into auth.users (
  instance_id, id, aud, role, email, encrypted_password, email_confirmed_at, last_sign_in_at,
  raw_app_meta_data, raw_user_meta_data, created_at, updated_at
)
select
  '00000000-0000-0000-0000-000000000000', md5('user ' || n)::uuid, 'authenticated', 'authenticated',
  'user' || n || '@example.com', '', now() - n * interval '9 days', now() - n * interval '37 minutes',
  '{"provider": "email", "providers": ["email"]}', jsonb_build_object('name', 'User ' || n),
  now() - n * interval '9 days', now() - n * interval '37 minutes'
from generate_series(1, 20) as n;

insert into public.tenant_members (tenant_id, user_id, role, created_at, updated_at)
select tenant.id, md5('user ' || n)::uuid,
  case when n <= 6 then 'owner' when n <= 10 then 'admin' else 'member' end,
  now() - n * interval '8 days', now() - n * interval '8 days'
from (select id, row_number() over (order by slug) as place from public.tenants) as tenant
cross join generate_series(1, 17) as n
where tenant.place = (n - 1) % 6 + 1
  or (n >= 15 and tenant.place = n % 6 + 1);

-- Three hundred executions of the last two hours and a hundred older ones; workflow_id points to nothing, as it always did.
insert into public.workflow_executions (
  id, workflow_id, user_id, status, input, output, error, started_at, completed_at, created_at
)
select
  gen_random_uuid(), md5('workflow ' || name)::uuid,
  case when who <= 20 then md5('user ' || who)::uuid end,
  status, jsonb_build_object('workflow', name, 'trigger', case when who <= 20 then 'manual' else 'schedule' end),
  case when status = 'completed' then jsonb_build_object('items', (took * 7)::int) end,
  case when status = 'failed' then error end,
  at, case when status <> 'running' then at + took * interval '1 second' end, at
from (
  select
    *,
    case
      when n in (40, 41) then 'running' -- never finished: their worker died
      when chance < 0.86 then 'completed'
      when chance < 0.96 then 'failed'
      else 'cancelled'
    end as status,
    now() - interval '25 seconds' - case
      when n <= 300 then (n + jitter) * interval '24 seconds'
      else interval '2 hours' + (n - 300 + jitter) * interval '7 hours'
    end as at
  from (
    select
      n,
      1 + floor(random() * 23)::int as who, -- 21 to 23: nobody
      random() as chance,
      random() as jitter,
      least(20, exp(-0.4 + 1.2 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))) as took, -- log-normal, seconds
      (array['invoice-sync', 'daily-digest', 'lead-routing', 'stock-alerts', 'refund-check', 'weekly-report'])[
        1 + floor(random() * 6)::int
      ] as name,
      (array[
        'RateLimitError: 429 from provider, retry after 21 s',
        'TimeoutError: step "fetch" over 30 s',
        'ConnectionResetError: [Errno 104] Connection reset by peer',
        'ValidationError: 2 problems' || e'\n  lines[3].amount: expected a number, got "12,50"\n  currency: unknown code "€UR"',
        'TemplateError: unexpected [/red] in "Dear [bold]customer[/bold]" ' || e'\x1b[31mat line 7\x1b[0m'
      ])[1 + floor(random() * 5)::int] as error
    from generate_series(1, 400) as n
  ) as dice
) as execution;

insert into public.telemetry_events (user_id, event_name, properties, created_at)
select
  case when who <= 20 then md5('user ' || who)::uuid end,
  (array['page_view', 'workflow_started', 'workflow_edited', 'export_clicked', 'signed_in'])[1 + floor(random() * 5)::int],
  jsonb_build_object('path', '/app/' || n, 'ms', (random() * 900)::int),
  now() - (n + random()) * interval '31 seconds'
from (select n, 1 + floor(random() * 23)::int as who from generate_series(1, 350) as n) as dice;
