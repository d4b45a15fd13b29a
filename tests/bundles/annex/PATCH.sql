-- Closes shelves and rooms, and adds tags.
drop view if exists public.a_list;
drop view if exists public.shelf_list;
drop trigger if exists stamp_shelves on public.shelves;
drop trigger if exists "Always stamp" on public.shelves;
drop trigger if exists late on public.shelves;

create or replace function public.stamp() returns trigger language plpgsql set search_path = '' as $$
begin
    new.touched_at := pg_catalog.clock_timestamp();
    return new;
end
$$;
comment on function public.stamp() is null;
revoke all on function public.stamp() from public, anon, authenticated, service_role;
grant execute on function public.stamp() to service_role;

alter table public.shelves add column if not exists tag text;
create table if not exists public.tags (id uuid primary key default gen_random_uuid(), name text not null);
create index if not exists shelves_tag_idx on public.shelves (tag);

create or replace trigger stamp_shelves before update on public.shelves
for each row execute function public.stamp();

alter table public.rooms enable row level security;
alter table public.tags enable row level security;
alter table public.shelves no force row level security;
drop policy if exists "Anyone reads ""A"" shelves" on public.shelves;
drop policy if exists bounds on public.shelves;
drop policy if exists shelves_read on public.shelves;
create policy shelves_read on public.shelves for select to authenticated using (tag is not null);
drop policy if exists tags_read on public.tags;
create policy tags_read on public.tags for select to authenticated using (true);

comment on table public.shelves is 'Tagged';
comment on column public.shelves."Odd ""col""" is null;

create view public.shelf_list with (security_invoker = true) as
select s.id, s.name as shelf from public.shelves as s;
create view public.a_list with (security_invoker = true) as select l.shelf from public.shelf_list as l;

revoke all on public.shelves, public.rooms, public.tags, public.shelf_list, public.a_list
from public, anon, authenticated, service_role;
grant select on public.shelves, public.tags to authenticated;
grant update (tag) on public.shelves to authenticated;
grant update (name) on public.tags to authenticated;
grant all on public.shelves, public.rooms, public.tags to service_role;

alter publication reading set table public.rooms, table public.tags;
