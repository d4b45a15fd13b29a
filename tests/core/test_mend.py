"""What mends a check: the patch's own statements for the object, nothing of another's, nothing that asks a person."""

from __future__ import annotations

import pytest

from tui.core.check import Check, Outcome
from tui.core.mend import mending
from tui.core.statements import split

PATCH = split("""
create table if not exists public.books (id int);
create index books_owner_idx on public.books (owner);
create or replace trigger touch before update on public.books for each row execute function public.touch();
alter table public.books enable row level security;
alter table public.books add column owner uuid;
drop policy if exists reads on public.books;
create policy reads on public.books for select to authenticated using (true);
create policy reads on public.loans for select to authenticated using (false);
create or replace function public.touch() returns trigger language sql as 'select null';
create or replace view public.shelf as select 1 as one;
""")
READS = "create policy reads on public.books for select to authenticated using (true)"


def check(kind: str, name: str, outcome: Outcome, table: str = "public.books") -> Check:
    return Check("structure", kind, table, name, outcome)


@pytest.mark.parametrize(
    ("broken", "begins"),
    [
        (check("policy", "reads", "missing"), [READS]),
        (check("policy", "reads", "differs"), ['drop policy if exists "reads" on "public"."books"', READS]),
        (check("policy", 'a"b', "unexpected"), ['drop policy if exists "a""b" on "public"."books"']),
        (check("index", "books_owner_idx", "missing"), ["create index books_owner_idx"]),
        (check("index", "books_owner_idx", "differs"), ['drop index if exists "public"."books_owner_idx"', "create i"]),
        (check("trigger", "touch", "differs"), ['drop trigger if exists "touch" on "public"."books"', "create or"]),
        (check("rls", "row level security", "differs"), ["alter table public.books enable row level security"]),
        (check("function", "public.touch()", "differs", ""), ["create or replace function public.touch()"]),
        (check("view", "public.shelf", "missing", "public.shelf"), ["create or replace view public.shelf"]),
        (check("table", "public.books", "missing"), ["create table if not exists public.books"]),
    ],
)
def test_the_patch_s_own_statements_for_that_object(broken: Check, begins: list[str]) -> None:
    found = mending(broken, PATCH)
    assert len(found) == len(begins)
    assert all(one.startswith(begin) for one, begin in zip(found, begins, strict=True)), found


@pytest.mark.parametrize(
    "other",
    [
        check("policy", "reads", "ok"),
        check("policy", "reads", "not_proven"),
        check("policy", "writes", "missing"),
        check("policy", "reads", "missing", "public.authors"),
        check("index", "somebody_s", "unexpected"),
        check("table", "public.stranger", "unexpected", "public.stranger"),
        check("column", "owner", "missing"),
        check("grant", "anon", "unexpected"),
        check("rls", "row level security", "differs", "public.loans"),
    ],
)
def test_nothing_where_it_holds_or_takes_a_person(other: Check) -> None:
    assert mending(other, PATCH) == ()
