-- What was there before: one of everything that a restore has to put back exactly. Run as role postgres.
create table public.rooms (id uuid primary key default gen_random_uuid(), name text not null);
create table public.shelves (
    id uuid primary key default gen_random_uuid(),
    room uuid references public.rooms (id),
    name text not null,
    "Odd ""col""" integer,
    touched_at timestamptz not null default now()
);
comment on table public.shelves is 'Where books''stand \ lie';
comment on column public.shelves."Odd ""col""" is 'nobody knows';

create function public.stamp() returns trigger language plpgsql cost 7 set search_path = '' as $$
begin
    -- The old one.
    new.touched_at := pg_catalog.now();
    return new;
end
$$;
comment on function public.stamp() is 'the old stamp';
revoke all on function public.stamp() from public, anon, authenticated, service_role;
grant execute on function public.stamp() to authenticated with grant option;
grant execute on function public.stamp() to anon;

create trigger stamp_shelves before update on public.shelves for each row execute function public.stamp();
alter table public.shelves disable trigger stamp_shelves;
comment on trigger stamp_shelves on public.shelves is 'off since the move';
create trigger "Always stamp" before update of name on public.shelves
for each row when (old.name is distinct from new.name) execute function public.stamp();
alter table public.shelves enable always trigger "Always stamp";
create constraint trigger late after insert on public.shelves deferrable initially deferred
for each row execute function public.stamp();

alter table public.shelves enable row level security;
alter table public.shelves force row level security;
create policy "Anyone reads ""A"" shelves" on public.shelves for select to anon, authenticated
using (name like 'A\_%' or room in (select r.id from public.rooms as r where r.name <> 'cellar'));
comment on policy "Anyone reads ""A"" shelves" on public.shelves is 'asked for by the front desk';
create policy bounds on public.shelves as restrictive for all to public using (true) with check (name <> '');

revoke all on public.rooms, public.shelves from public, anon, authenticated, service_role;
grant select, insert, update, delete on public.rooms to anon, authenticated;
grant all on public.rooms to service_role;
grant select on public.shelves to public;
grant select, delete on public.shelves to authenticated;
grant update (name), select (room) on public.shelves to authenticated with grant option;
grant insert ("Odd ""col""") on public.shelves to anon;
grant all on public.shelves to service_role with grant option;

create view public.shelf_list with (security_barrier = true) as
select s.id, s.name as shelf, r.name as room from public.shelves as s left join public.rooms as r on r.id = s.room;
comment on view public.shelf_list is 'for the front desk';
comment on column public.shelf_list.shelf is 'what is on the plate';
alter view public.shelf_list alter column shelf set default 'none';
create rule no_delete as on delete to public.shelf_list do instead nothing;
create trigger take_in instead of insert on public.shelf_list for each row execute function public.stamp();
comment on trigger take_in on public.shelf_list is 'not yet';
revoke all on public.shelf_list from public, anon, authenticated, service_role;
grant select on public.shelf_list to anon;
grant select (id, shelf) on public.shelf_list to authenticated with grant option;
create view public.a_list as select shelf from public.shelf_list where shelf like 'A%';

create publication reading;
alter publication reading add table public.shelves (id, name) where (id is not null), table public.rooms;
