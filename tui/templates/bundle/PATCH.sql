-- The migration: plain SQL, read from top to bottom, run in one transaction as role postgres. No begin and commit, no psql
-- commands, nothing that can not be undone (CONCURRENTLY, VACUUM): patchdeck refuses a file that has them.
--
-- Write it so that it can run twice: `if not exists`, `create or replace`, `drop ... if exists` before `create`.
-- Qualify every name.

-- ---------------------------------------------------------------------------------------------------------------- tables
create table if not exists public.notes (
  id uuid primary key default gen_random_uuid(),
  owner uuid not null references auth.users (id) on delete cascade,
  body text not null,
  created_at timestamptz not null default now(),
  done_at timestamptz
);

-- For the policies and the foreign key, and for the panel.
create index if not exists notes_owner_idx on public.notes (owner, created_at desc);
create index if not exists notes_created_at_idx on public.notes (created_at desc, id desc);

-- ---------------------------------------------------------------------------------------------------------------- policies
-- (select auth.uid()) and not auth.uid(): asked once per statement, not once per row.
alter table public.notes enable row level security;

drop policy if exists notes_select on public.notes;
create policy notes_select on public.notes for select to authenticated
using (owner = (select auth.uid()));

drop policy if exists notes_insert on public.notes;
create policy notes_insert on public.notes for insert to authenticated
with check (owner = (select auth.uid()));

drop policy if exists notes_update on public.notes;
create policy notes_update on public.notes for update to authenticated
using (owner = (select auth.uid()))
with check (owner = (select auth.uid()));

drop policy if exists notes_delete on public.notes;
create policy notes_delete on public.notes for delete to authenticated
using (owner = (select auth.uid()));

-- ------------------------------------------------------------------------------------------------------------------ grants
-- By name: default privileges differ between projects. UPDATE on the columns that may change, and on no others.
revoke all on public.notes from public, anon, authenticated, service_role;
grant select, insert, delete on public.notes to authenticated;
grant update (body, done_at) on public.notes to authenticated;
grant all on public.notes to service_role;
