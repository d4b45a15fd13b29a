"""When a run takes its locks: what others can still do meanwhile, and what happens when somebody comes in between."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from tests.support import BUNDLE, Database, MakeDatabase, ask
from tui.core.bundle import Bundle, BundleError, load
from tui.core.deck import Control
from tui.core.run import Event, Finished, Outcome, Plan, StatementDone, WaitingForLock
from tui.db import applier
from tui.db.target import Target, resolve
from tui.files import Folder

OLD = ("tenants", "tenant_members", "workflow_executions", "telemetry_events")
LOCK = "lock table public.telemetry_events,"
AT_WORK = 1.5
"""Seconds that the patch is made to stay before its LOCK TABLE."""


def slow() -> Bundle:
    """The shipped bundle, at work for a while before it locks the tables that exist."""
    files = dict(Folder(BUNDLE))
    assert files["PATCH.sql"].count(LOCK) == 1
    files["PATCH.sql"] = files["PATCH.sql"].replace(LOCK, f"select pg_sleep({AT_WORK});\n{LOCK}")
    return load(files)


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    made = make_database("legacy")
    for table in OLD:
        # A vacuum that happens to run would be one more who comes in between.
        ask(made.dsn, f"alter table public.{table} set (autovacuum_enabled = off)")
    return made


@pytest.fixture
def target(database: Database) -> Target:
    return resolve(database.dsn, environ={})


class Running:
    """A run in the background, and what it said so far."""

    def __init__(self, target: Target, database: Database) -> None:
        self.events: list[Event] = []
        self._plan = Plan(slow(), confirmed=database.name, operator="dana", patience=20)
        self._task = asyncio.create_task(self._run(target))

    async def _run(self, target: Target) -> None:
        async for event in applier.run(target, self._plan, Control()):
            self.events.append(event)

    async def at_work(self) -> None:
        """Until the new tables are being made."""
        while not any(isinstance(event, StatementDone) and event.index > 60 for event in self.events):
            assert not self._task.done(), self.events[-1]
            await asyncio.sleep(0.01)

    async def finished(self) -> Finished:
        async with asyncio.timeout(30):
            await self._task
        assert isinstance(self.events[-1], Finished)
        return self.events[-1]

    @property
    def waits(self) -> list[WaitingForLock]:
        return [event for event in self.events if isinstance(event, WaitingForLock)]


async def connect(database: Database, *settings: str) -> psycopg.AsyncConnection:
    connection = await psycopg.AsyncConnection.connect(database.direct_dsn, autocommit=True)
    for setting in settings:
        await connection.execute(f"set {setting}".encode())
    return connection


async def test_others_go_on_until_the_files_own_lock(database: Database, target: Target) -> None:
    run = Running(target, database)
    await run.at_work()
    async with await connect(database, "statement_timeout = '300ms'") as other:
        for table in OLD:
            await other.execute(f"select count(*) from public.{table}".encode())
        await other.execute("update public.workflow_executions set status = status")
        # Nobody alters them behind the back of the catalog that was read as the one before.
        with pytest.raises(psycopg.errors.QueryCanceled):
            await other.execute("alter table public.workflow_executions add column x int")
        # The foreign keys to it have to hold.
        with pytest.raises(psycopg.errors.QueryCanceled):
            await other.execute("update public.tenants set name = name")
    finished = await run.finished()
    assert finished.outcome is Outcome.COMMITTED
    assert not run.waits
    assert finished.alone_seconds is not None
    assert finished.lock_seconds - finished.alone_seconds > AT_WORK / 2
    assert "public.workflow_executions AccessExclusiveLock" in finished.locks


async def test_a_writer_who_waits_already_does_not_keep_the_late_lock_away(database: Database, target: Target) -> None:
    run = Running(target, database)
    await run.at_work()
    async with await connect(database) as writer:
        update = asyncio.create_task(writer.execute("update public.tenants set name = name"))
        finished = await run.finished()
        await update
    assert finished.outcome is Outcome.COMMITTED
    assert not run.waits


async def test_who_comes_in_between_is_shown_and_nobody_queues(database: Database, target: Target) -> None:
    run = Running(target, database)
    await run.at_work()
    async with await connect(database) as idle, await connect(database, "statement_timeout = '1s'") as reader:
        await idle.execute("begin")
        await idle.execute("select count(*) from public.workflow_executions")
        while not run.waits:
            await reader.execute("select count(*) from public.workflow_executions")
            await asyncio.sleep(0.002)
        assert any(b.blocks == "public.workflow_executions" for b in run.waits[0].blockers)
        await idle.execute("rollback")
    finished = await run.finished()
    assert finished.outcome is Outcome.COMMITTED


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('early = "ACCESS SHARE"', 'early = "ACCESS EXCLUSIVE"'), "bundle.toml: prerequisite public.tenant_members: "),
        (('lock = "SHARE ROW EXCLUSIVE"', 'early = "SHARE"'), "bundle.toml: prerequisite auth.users: "),
    ],
)
def test_an_early_lock_is_weaker_than_the_lock(change: tuple[str, str], said: str) -> None:
    files = dict(Folder(BUNDLE))
    files["bundle.toml"] = files["bundle.toml"].replace(*change)
    with pytest.raises(BundleError, match=said):
        load(files)


def test_an_early_lock_needs_a_statement_that_ends_it() -> None:
    files = dict(Folder(BUNDLE))
    files["PATCH.sql"] = files["PATCH.sql"].replace(LOCK, "-- ").replace("\nin access exclusive mode;", "")
    with pytest.raises(BundleError, match=r"PATCH\.sql: it has no LOCK TABLE statement"):
        load(files)
