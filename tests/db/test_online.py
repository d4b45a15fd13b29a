"""Indexes built beforehand and constraints validated afterwards, on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from tests.db.test_applier import library, plan_for, run
from tests.support import Database, MakeDatabase, ask, wait_for
from tui.core.bundle import Bundle
from tui.core.deck import Control
from tui.core.preflight import BUILDABLE
from tui.core.run import Building, Committing, Event, Finished, Outcome, StatementDone, Validating
from tui.db import applier
from tui.db.session import Session
from tui.db.target import Target, resolve

INDEX = "books_shelf_idx"
VALID = f"select indisvalid from pg_index where indexrelid = to_regclass('public.{INDEX}')"


def big(**changed: object) -> Bundle:
    """The library with a threshold that its books are above."""
    return library(bundle=lambda text: text + "\n[online]\nrows = 1000\n", **changed)  # type: ignore[arg-type]


@pytest.fixture
async def database(make_database: MakeDatabase) -> Database:
    """Books that came before the index on their shelf."""
    made = make_database("bare")
    await run(resolve(made.direct_dsn, environ={}), plan_for(made))
    with psycopg.connect(made.direct_dsn, autocommit=True) as connection:
        connection.execute(f"drop index public.{INDEX}".encode())
        connection.execute("insert into public.books (title) select 'b' || n from generate_series(1, 5000) n")
        connection.execute("analyze public.books")
    return made


@pytest.fixture
def target(database: Database) -> Target:
    return resolve(database.dsn, environ={})


async def remaining(target: Target, bundle: Bundle) -> list[str]:
    """What the preflight offers to build."""
    session = Session(target, bundle)
    try:
        checks = await session.preflight(plan_for_session(bundle))
    finally:
        await session.close()
    return [check.meaning for check in checks if check.name == BUILDABLE]


def plan_for_session(bundle: Bundle) -> applier.Plan:
    return applier.Plan(bundle)


async def test_offered_then_built_first_and_found_by_the_patch(database: Database, target: Target) -> None:
    offered = await remaining(target, big())
    assert len(offered) == 1 and INDEX in offered[0] and "public.books" in offered[0]
    finished, _, seen = await run(target, plan_for(database, big(), online=True))
    assert finished.outcome is Outcome.COMMITTED, finished
    built = [at for at, event in enumerate(seen) if isinstance(event, Building)]
    assert built and built[-1] < next(at for at, event in enumerate(seen) if isinstance(event, StatementDone))
    assert ask(database.admin_dsn, VALID) == [(True,)]
    notices = [notice.message for event in seen if isinstance(event, StatementDone) for notice in event.notices]
    assert any(f'"{INDEX}" already exists' in notice for notice in notices)
    assert await remaining(target, big()) == []


async def test_without_the_option_or_in_a_rehearsal_nothing_is_built_outside(
    database: Database, target: Target
) -> None:
    for plan in (plan_for(database, big(), rehearse=True, online=True), plan_for(database, big())):
        _, _, seen = await run(target, plan)
        assert not any(isinstance(event, Building) for event in seen)
        if plan.rehearse:
            assert ask(database.admin_dsn, VALID) == []


async def test_a_small_table_or_a_column_to_come_is_left_to_the_patch(database: Database, target: Target) -> None:
    assert await remaining(target, library()) == []
    with psycopg.connect(database.direct_dsn, autocommit=True) as connection:
        connection.execute("drop view public.open_loans")
        connection.execute("drop policy books_read on public.books")
        connection.execute("drop policy loans_take on public.loans")
        connection.execute("alter table public.books drop column shelf")
    assert await remaining(target, big()) == []


async def test_what_an_earlier_build_left_is_dropped_and_built_anew(database: Database, target: Target) -> None:
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute("create index books_shelf_idx on public.books (shelf, title) where shelf <> 'cellar'")
        admin.execute("create index of_others on public.books (title)")
        for name in (INDEX, "of_others"):
            spoil = f"update pg_index set indisvalid = false where indexrelid = 'public.{name}'::regclass"
            admin.execute(spoil.encode())
    before = ask(database.admin_dsn, f"select 'public.{INDEX}'::regclass::oid")
    finished, _, _ = await run(target, plan_for(database, big(), online=True))
    assert ask(database.admin_dsn, VALID) == [(True,)], finished
    assert ask(database.admin_dsn, f"select 'public.{INDEX}'::regclass::oid") != before
    # Somebody else's stays as it is.
    others = ask(database.admin_dsn, "select indisvalid from pg_index where indexrelid = 'public.of_others'::regclass")
    assert others == [(False,)]


async def test_writers_write_while_it_is_built_and_a_cancel_says_what_is_left(
    database: Database, target: Target
) -> None:
    """An open transaction keeps the build waiting: nobody else waits for it meanwhile."""
    holder = await psycopg.AsyncConnection.connect(database.direct_dsn)
    writer = await psycopg.AsyncConnection.connect(database.direct_dsn, autocommit=True)
    control = Control()
    try:
        await holder.execute("insert into public.books (title) values ('open')")
        seen: list[Event] = []
        waits = 0
        async for event in applier.run(target, plan_for(database, big(), online=True), control):
            seen.append(event)
            if isinstance(event, Building) and "waiting" in event.phase:
                waits += 1
                await writer.execute("set statement_timeout = '500ms'")
                await writer.execute("insert into public.books (title) values ('meanwhile')")
                await writer.execute("select count(*) from public.books")
                control.cancel()
        assert waits
        end = seen[-1]
        assert isinstance(end, Finished)
        assert (end.outcome, f"An invalid {INDEX} is left" in end.reason) == (Outcome.REFUSED, True), end
    finally:
        await asyncio.gather(holder.close(), writer.close())
    assert ask(database.admin_dsn, VALID) == [(False,)]
    finished, _, _ = await run(target, plan_for(database, big(), online=True))
    assert finished.outcome is Outcome.COMMITTED, finished
    assert ask(database.admin_dsn, VALID) == [(True,)]


async def test_another_ones_build_of_it_is_not_disturbed(database: Database, target: Target) -> None:
    holder = await psycopg.AsyncConnection.connect(database.direct_dsn)
    other = await psycopg.AsyncConnection.connect(database.direct_dsn, autocommit=True)
    try:
        await holder.execute("insert into public.books (title) values ('open')")
        statement = f"create index concurrently {INDEX} on public.books (shelf, title) where shelf <> 'cellar'"
        building = asyncio.create_task(other.execute(statement.encode()))
        busy = "select 1 from pg_stat_progress_create_index where index_relid <> 0"
        await asyncio.to_thread(wait_for, lambda: ask(database.admin_dsn, busy))
        finished, _, _ = await run(target, plan_for(database, big(), online=True))
        assert finished.outcome is Outcome.REFUSED
        assert f"is building {INDEX} now" in finished.reason
        await holder.rollback()
        await building
    finally:
        await asyncio.gather(holder.close(), other.close())
    assert ask(database.admin_dsn, VALID) == [(True,)]


async def test_a_statement_timeout_that_would_end_it_is_said_before(database: Database, target: Target) -> None:
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute("update pg_class set reltuples = 2e9 where oid = 'public.books'::regclass")
    finished, _, _ = await run(target, plan_for(database, big(), online=True))
    assert finished.outcome is Outcome.REFUSED
    assert "statement_timeout" in finished.reason
    assert ask(database.admin_dsn, VALID) == []


@pytest.fixture
async def loose(database: Database) -> AsyncIterator[Bundle]:
    """A patch that adds its foreign key NOT VALID."""
    with psycopg.connect(database.direct_dsn, autocommit=True) as connection:
        connection.execute("alter table public.loans drop constraint loans_book_id_fkey")
    adding = (
        "alter table public.loans add constraint loans_book_id_fkey foreign key (book_id) references public.books (id)"
        " on delete cascade not valid;\n"
    )
    yield big(PATCH=lambda text: text + adding)


async def test_what_is_left_not_valid_is_validated_after_the_commit(
    database: Database, target: Target, loose: Bundle
) -> None:
    finished, _, seen = await run(target, plan_for(database, loose, online=True))
    if finished.outcome is Outcome.ROLLED_BACK:
        pytest.fail(finished.reason)
    kinds = [type(event) for event in seen]
    assert kinds.index(Validating) > kinds.index(Committing)
    state = ask(database.admin_dsn, "select convalidated from pg_constraint where conname = 'loans_book_id_fkey'")
    assert state == [(True,)]
    assert finished.verdict is not None and finished.verdict.healthy
