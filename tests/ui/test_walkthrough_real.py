"""Both walkthroughs on a real server with the library bundle: what the screen says is what the database then holds."""

from __future__ import annotations

import psycopg
import pytest

from tests.db.test_applier import library
from tests.support import Database, MakeDatabase, ask
from tests.ui.test_walkthrough import Walker, walking
from tui.core.bundle import Bundle
from tui.db.session import Session
from tui.db.target import resolve

pytestmark = [
    pytest.mark.parametrize("cluster", ["pg18"], indirect=True),
    pytest.mark.parametrize("route", ["direct"]),
]
POLICIES = "select count(*) from pg_catalog.pg_policies where tablename in ('books', 'loans')"


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    return make_database("bare")


def session(database: Database, bundle: Bundle | None = None) -> Session:
    return Session(resolve(database.dsn, environ={}), bundle or library())


async def walk_through(walker: Walker, name: str, done: str) -> None:
    """Every step to the end of the run."""
    await walker.rehearse()
    await walker.press("n")
    await walker.type(name)
    await walker.sees(done)


async def test_apply_then_roll_back(database: Database) -> None:
    deck = session(database)
    async with walking(deck) as walker:
        await walker.sees("NOT APPLIED", "on this machine")
        await walk_through(walker, database.name, "COMMITTED")
        await walker.to("Verify")
        await walker.sees("APPLIED", "checks pass")
        await walker.to("Report")
        await walker.sees("written")
    assert ask(database.admin_dsn, POLICIES) == [(3,)]
    async with walking(session(database), "rollback") as walker:
        await walker.reads(
            "ROLLBACK.sql drops 1 view, 1 trigger, 3 policies.", "2 tables then have row level security on"
        )
        await walk_through(walker, database.name, "COMMITTED: the patch is rolled back")
        await walker.to("Verify")
        await walker.sees("ROLLED BACK", "6 of 6 objects are as the rollback says")
    assert ask(database.admin_dsn, POLICIES) == [(0,)]


async def test_a_failing_statement_leaves_nothing(database: Database) -> None:
    broken = library(PATCH=lambda text: text.replace("on public.loans (book_id)", "on public.loans (no_such_column)"))
    async with walking(session(database, broken), size=(120, 40)) as walker:
        await walker.to("Rehearsal")
        await walker.press("enter")
        await walker.sees("IT WILL NOT WORK", "PATCH.sql:18", "42703", "no_such_column", "the database is as it was")
    assert ask(database.admin_dsn, "select count(*) from pg_catalog.pg_class where relname = 'books'") == [(0,)]


async def test_a_real_blocker_is_named_and_waited_for(database: Database) -> None:
    with psycopg.connect(database.admin_dsn, application_name="nightly-report") as blocker:
        blocker.execute("lock table auth.users in share mode")
        pid = blocker.info.backend_pid
        async with walking(session(database), size=(120, 40)) as walker:
            await walker.to("Rehearsal")
            await walker.press("enter")
            await walker.sees(
                "a lock is not free", f"process {pid}", "nightly-report", "auth.users", "idle in transaction"
            )
            blocker.rollback()
            await walker.sees("IT WILL WORK", "attempts")


async def test_cancelling_a_real_run_leaves_nothing(database: Database) -> None:
    slow = library(PATCH=lambda text: text + "\nselect pg_catalog.pg_sleep(60);\n")
    async with walking(session(database, slow)) as walker:
        await walker.to("Rehearsal")
        await walker.press("x", "n")
        await walker.type(database.name)
        await walker.sees("pg_sleep")
        await walker.press("c")
        await walker.sees("ROLLED BACK: nothing has changed", "Cancelled by the operator.")
        await walker.to("Verify")
        await walker.sees("The catalog is the same as before")
    assert ask(database.admin_dsn, "select count(*) from pg_catalog.pg_class where relname = 'books'") == [(0,)]
