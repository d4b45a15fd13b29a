"""Who holds and who waits, on real servers; and ending one of them, as far as the role may."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest

from tests.db.test_applier import library, plan_for, run
from tests.support import Database, MakeDatabase, ask, wait_for
from tui.core.deck import Control, Problem
from tui.core.locks import LockPicture, LockSession, tree
from tui.core.run import StatementDone, WaitingForLock
from tui.db import applier
from tui.db.link import Link
from tui.db.locks import find_blockers
from tui.db.session import Session
from tui.db.target import Target, resolve


@pytest.fixture
async def database(make_database: MakeDatabase) -> Database:
    made = make_database("bare")
    await run(resolve(made.direct_dsn, environ={}), plan_for(made))
    return made


@pytest.fixture
def target(database: Database) -> Target:
    return resolve(database.dsn, environ={})


@pytest.fixture
async def session(target: Target) -> AsyncIterator[Session]:
    opened = Session(target, library())
    yield opened
    await opened.close()


async def eventually(session: Session, *pids: int) -> tuple[LockPicture, dict[int, LockSession]]:
    """The first picture with all of `pids` in it."""
    for _ in range(200):
        picture = await session.locks()
        found = {one.pid: one for one in picture.sessions}
        if found.keys() >= set(pids):
            return picture, found
        await asyncio.sleep(0.02)
    raise AssertionError(f"{pids} are not among {sorted(found)}")


async def connect(dsn: str, name: str) -> psycopg.AsyncConnection:
    return await psycopg.AsyncConnection.connect(dsn, application_name=name)


async def test_a_queue_behind_an_idle_reader_is_a_tree(database: Database, session: Session) -> None:
    reader = await connect(database.direct_dsn, "report")
    ddl = await connect(database.direct_dsn, "other tool")
    victim = await connect(database.direct_dsn, "app")
    pids = [one.info.backend_pid for one in (reader, ddl, victim)]
    try:
        await reader.execute("select count(*) from public.books")
        altering = asyncio.create_task(ddl.execute("alter table public.books add column pages integer"))
        await eventually(session, pids[1])
        reading = asyncio.create_task(victim.execute("select count(*) from public.books"))
        picture, found = await eventually(session, *pids)
        nodes = [(node.session.application, node.depth, node.behind) for node in tree(picture.sessions)]
        assert nodes == [("report", 0, 2), ("other tool", 1, 1), ("app", 2, 0)]
        assert (found[pids[0]].state, found[pids[0]].user) == ("idle in transaction", "postgres")
        assert [(lock.relation, lock.mode, lock.granted) for lock in found[pids[0]].locks] == [
            ("public.books", "AccessShareLock", True)
        ]
        assert ("public.books", "AccessExclusiveLock", False) in [
            (lock.relation, lock.mode, lock.granted) for lock in found[pids[1]].locks
        ]
        assert "alter table public.books" in found[pids[1]].query
        assert all(one.may_end for one in found.values())
        await reader.rollback()
        await altering
        await ddl.rollback()
        await reading
    finally:
        await asyncio.gather(reader.close(), ddl.close(), victim.close())


async def test_brief_readers_are_not_shown(database: Database, session: Session) -> None:
    async with await connect(database.direct_dsn, "app") as reader:
        await reader.execute("select count(*) from public.books")
        assert (await session.locks()).sessions == ()
        pid = reader.info.backend_pid
        _, found = await eventually(session, pid)
        assert (found[pid].age or 0) >= 1


async def test_terminate_ends_an_idle_transaction_and_says_so(database: Database, session: Session) -> None:
    reader = await connect(database.direct_dsn, "report")
    await reader.execute("select count(*) from public.books")
    pid = reader.info.backend_pid
    _, found = await eventually(session, pid)
    assert await session.end_session(pid, found[pid].token, "terminate") == "ended"
    with pytest.raises(psycopg.OperationalError):
        await reader.execute("select 1")
    await reader.close()
    assert pid not in {one.pid for one in (await session.locks()).sessions}
    # A pooled process would serve somebody else by now: what was seen is what is ended, or nothing.
    assert await session.end_session(pid, found[pid].token, "terminate") == "gone"


async def test_the_next_transaction_of_a_process_is_another(database: Database, session: Session) -> None:
    async with await connect(database.direct_dsn, "report") as reader:
        await reader.execute("select count(*) from public.books")
        pid = reader.info.backend_pid
        _, found = await eventually(session, pid)
        await reader.rollback()
        await reader.execute("select 1")
        assert await session.end_session(pid, found[pid].token, "terminate") == "gone"
        assert (await (await reader.execute("select 2")).fetchone()) == (2,)


async def test_cancel_stops_the_statement_and_leaves_the_session(database: Database, session: Session) -> None:
    async with await connect(database.direct_dsn, "report") as reader:
        await reader.execute("lock table public.books in access share mode")
        sleeping = asyncio.create_task(reader.execute("select pg_sleep(60)"))
        pid = reader.info.backend_pid
        _, found = await eventually(session, pid)
        while not found[pid].active:
            _, found = await eventually(session, pid)
        assert await session.end_session(pid, found[pid].token, "cancel") == "asked"
        with pytest.raises(psycopg.errors.QueryCanceled):
            await sleeping
        await reader.rollback()
        assert (await (await reader.execute("select 1")).fetchone()) == (1,)


async def test_a_superusers_session_is_not_ours_to_end(database: Database, session: Session) -> None:
    async with await connect(database.admin_dsn, "admin") as admin:
        await admin.execute("select count(*) from public.books")
        pid = admin.info.backend_pid
        _, found = await eventually(session, pid)
        assert (found[pid].superuser, found[pid].may_end) == (True, False)
        with pytest.raises(Problem, match="42501") as refused:
            await session.end_session(pid, found[pid].token, "terminate")
        assert "pg_signal_backend" in refused.value.hint
        # The connection is fine after that.
        assert (await session.locks()).sessions


async def test_read_only_sends_nothing(database: Database) -> None:
    target = resolve(database.dsn, environ={}, read_only=True)
    session = Session(target, library())
    try:
        async with await connect(database.direct_dsn, "report") as reader:
            await reader.execute("select count(*) from public.books")
            pid = reader.info.backend_pid
            _, found = await eventually(session, pid)
            with pytest.raises(Problem, match="read-only"):
                await session.end_session(pid, found[pid].token, "terminate")
            await reader.execute("select 1")
    finally:
        await session.close()


async def test_a_role_that_may_see_little_still_sees_who_waits(database: Database) -> None:
    """Without pg_read_all_stats the state, the query and the times of others are hidden, the locks are not."""
    session = Session(resolve(database.api_dsn, environ={}), library())
    try:
        async with await connect(database.direct_dsn, "report") as reader:
            await reader.execute("select count(*) from public.books")
            _, found = await eventually(session, reader.info.backend_pid)
            one = found[reader.info.backend_pid]
            assert (one.age, one.may_end, one.user) == (None, False, "postgres")
    finally:
        await session.close()


async def test_a_run_of_somebody_else_is_in_the_picture(database: Database, target: Target, session: Session) -> None:
    assert (await session.locks()).runner is None
    bundle = library(PATCH=lambda text: text + "\nselect pg_sleep(20);\n")
    control, began = Control(), asyncio.Event()

    async def hold() -> None:
        async for event in applier.run(target, plan_for(database, bundle, again=True), control):
            if isinstance(event, StatementDone):
                began.set()

    held = asyncio.create_task(hold())
    await began.wait()
    runner = (await session.locks()).runner
    control.cancel()
    await held
    assert runner is not None
    assert runner.application == "patchdeck apply dana@bastion-2"
    assert runner.since


async def test_a_run_that_waits_shows_whom_its_blocker_waits_for(database: Database, target: Target) -> None:
    root = await connect(database.direct_dsn, "report")
    middle = await connect(database.direct_dsn, "other tool")
    pids = (root.info.backend_pid, middle.info.backend_pid)
    control, seen = Control(), []
    try:
        await root.execute("select count(*) from public.open_loans")  # reads both tables
        await root.execute("select pg_advisory_xact_lock(7)")
        await middle.execute("select count(*) from public.books")
        waiting = asyncio.create_task(middle.execute("select pg_advisory_xact_lock(7)"))
        async for event in applier.run(target, plan_for(database, again=True, patience=20), control):
            if isinstance(event, WaitingForLock):
                seen = [one for one in event.blockers if one.pid in pids]
                if any(one.waits_for for one in seen):
                    control.cancel()
        assert [(node.session.pid, node.depth) for node in tree(seen)] == [(pids[0], 0), (pids[1], 1)]
        assert {(one.pid, one.blocks) for one in seen} == {
            (pids[0], "public.books"), (pids[0], "public.loans"), (pids[1], "public.books"),
        }  # fmt: skip
        await root.rollback()
        await waiting
    finally:
        await asyncio.gather(root.close(), middle.close())


async def test_who_only_keeps_the_blocker_waiting_is_shown_as_well(database: Database, target: Target) -> None:
    root = await connect(database.direct_dsn, "report")
    middle = await connect(database.direct_dsn, "other tool")
    control, seen = Control(), []
    try:
        await root.execute("select pg_advisory_xact_lock(7)")
        await middle.execute("select count(*) from public.books")
        waiting = asyncio.create_task(middle.execute("select pg_advisory_xact_lock(7)"))
        async for event in applier.run(target, plan_for(database, again=True, patience=20), control):
            if isinstance(event, WaitingForLock):
                seen = [(one.application, one.blocks) for one in event.blockers]
                if len(seen) > 1:
                    control.cancel()
        assert sorted(seen) == [("other tool", "public.books"), ("report", "")]
        await root.rollback()
        await waiting
    finally:
        await asyncio.gather(root.close(), middle.close())


async def test_every_dashboard_is_told_of_a_run_with_its_next_tick(
    database: Database, target: Target, session: Session
) -> None:
    await session.look()
    assert (await session.tick(900)).runner is None
    bundle = library(PATCH=lambda text: text + "\nselect pg_sleep(20);\n")
    control, began = Control(), asyncio.Event()

    async def hold() -> None:
        async for event in applier.run(target, plan_for(database, bundle, again=True), control):
            if isinstance(event, StatementDone) and event.index == len(bundle.patch.statements) - 2:
                began.set()

    held = asyncio.create_task(hold())
    await began.wait()
    # Its panels' tables are locked by the run: the tick gives them up after a second and brings the rest.
    runner = (await session.tick(900)).runner
    control.cancel()
    await held
    assert runner is not None and runner.application == "patchdeck apply dana@bastion-2"
    assert (await session.tick(900)).runner is None


async def test_a_look_that_meets_a_lock_names_its_holder(database: Database, session: Session) -> None:
    """Also on a table that was there before, where a definition is deparsed; the next look is as if nothing was."""
    async with await connect(database.admin_dsn, "vacuum full") as holder:
        await holder.execute("lock table auth.users, public.books in access exclusive mode")
        pid = holder.info.backend_pid
        with pytest.raises(Problem) as refused:
            await session.look()
        said = refused.value.message
        assert said.startswith(f"auth.users and 1 more is locked by process {pid} (vacuum full, role ")
        assert "idle in transaction, its transaction began " in said
        assert (refused.value.kind, refused.value.retry) == ("query", True)
        assert "key l" in refused.value.hint
        await holder.rollback()
    assert (await session.look()).verdict.healthy


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
async def test_a_look_behind_somebody_who_waits_names_both(database: Database, session: Session) -> None:
    """Nobody overtakes a waiting ALTER: it is in our way although it holds nothing yet, and so is whom it waits for."""
    reader = await connect(database.direct_dsn, "report")
    ddl = await connect(database.direct_dsn, "other tool")
    try:
        await reader.execute("select count(*) from public.books")
        altering = asyncio.create_task(ddl.execute("alter table public.books add column pages integer"))
        await eventually(session, ddl.info.backend_pid)
        with pytest.raises(Problem) as refused:
            await session.look()
        assert f"public.books is locked by process {ddl.info.backend_pid} (other tool" in refused.value.message
        assert refused.value.message.endswith(f"which itself waits for process {reader.info.backend_pid}")
        await reader.rollback()
        await altering
        await ddl.rollback()
    finally:
        await asyncio.gather(reader.close(), ddl.close())


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
async def test_a_run_behind_somebody_who_waits_names_both(database: Database, target: Target) -> None:
    """A foreign key's lock goes together with a reader's, but not with that of an ALTER that waits for the reader."""
    reader = await connect(database.direct_dsn, "report")
    ddl = await connect(database.admin_dsn, "other tool")
    link = Link(target)
    try:
        await link.open()
        await reader.execute("select count(*) from auth.users")
        altering = asyncio.create_task(ddl.execute("alter table auth.users add column pages integer"))
        pid = ddl.info.backend_pid
        waits = f"select 1 from pg_locks where pid = {pid} and not granted"
        await asyncio.to_thread(wait_for, lambda: ask(database.admin_dsn, waits))
        found = await find_blockers(link, [("auth.users", "SHARE ROW EXCLUSIVE")])
        assert [(one.pid, one.blocks, one.waits_for) for one in sorted(found, key=lambda one: one.blocks)] == [
            (reader.info.backend_pid, "", ()),
            (pid, "auth.users", (reader.info.backend_pid,)),
        ]
        await reader.rollback()
        await altering
        await ddl.rollback()
    finally:
        await asyncio.gather(reader.close(), ddl.close(), link.close())
