-- A lending library.
create table if not exists public.books (
    id uuid primary key default gen_random_uuid(),
    title text not null,
    shelf text not null default 'new',
    touched_at timestamptz not null default now()
);

create table if not exists public.loans (
    id uuid primary key default gen_random_uuid(),
    book_id uuid not null references public.books (id) on delete cascade,
    reader uuid not null references auth.users (id) on delete cascade,
    taken_at timestamptz not null default now(),
    brought_at timestamptz
);

create index if not exists books_shelf_idx on public.books (shelf, title) where shelf <> 'cellar';
create index if not exists loans_book_idx on public.loans (book_id);
create index if not exists loans_reader_idx on public.loans (reader, taken_at desc);

create or replace function public.touch() returns trigger
language plpgsql set search_path = ''
as $$
begin
    new.touched_at := now();
    return new;
end
$$;

revoke all on function public.touch() from public, anon, authenticated, service_role;

drop trigger if exists books_touch on public.books;
create trigger books_touch before update on public.books
for each row execute function public.touch();

alter table public.books enable row level security;
alter table public.loans enable row level security;

drop policy if exists books_read on public.books;
create policy books_read on public.books for select to authenticated
using (shelf <> 'cellar');

drop policy if exists loans_read on public.loans;
create policy loans_read on public.loans for select to authenticated
using (reader = (select auth.uid()));

drop policy if exists loans_take on public.loans;
create policy loans_take on public.loans for insert to authenticated
with check (
    reader = (select auth.uid())
    and exists (select from public.books as b where b.id = loans.book_id and b.shelf <> 'cellar')
);

create or replace view public.open_loans with (security_invoker = true) as
select l.id, b.title, l.taken_at
from public.loans as l
inner join public.books as b on l.book_id = b.id
where l.brought_at is null;

revoke all on public.books, public.loans, public.open_loans from public, anon, authenticated, service_role;
grant select on public.books, public.open_loans to authenticated;
grant select, insert on public.loans to authenticated;
grant update (brought_at) on public.loans to authenticated;
grant all on public.books, public.loans to service_role;
