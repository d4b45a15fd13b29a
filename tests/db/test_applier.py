"""The engine on real servers with a small bundle of its own: every ending, and the database after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from tests.conftest import Database, MakeDatabase
from tui.core.bundle import Bundle, load
from tui.core.deck import Control
from tui.core.run import (
    Attempt,
    Connected,
    Event,
    Finished,
    Outcome,
    Plan,
    RunState,
    StatementDone,
    StatementFailed,
    Verified,
    WaitingForLock,
    advance,
)
from tui.core.surface import digest
from tui.db import applier
from tui.db.session import Session
from tui.db.target import Target, resolve
from tui.files import Folder

LIBRARY = Path(__file__).parent.parent / "bundles" / "library"

Change = Callable[[str], str]


def library(**changed: Change) -> Bundle:
    """The library bundle; a keyword such as PATCH=... changes the text of PATCH.sql."""
    files = dict(Folder(LIBRARY))
    for name, change in changed.items():
        file = f"{name}.sql" if name.isupper() else f"{name}.toml"
        files[file] = change(files[file])
    return load(files)


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    return make_database("bare")


@pytest.fixture
def target(database: Database) -> Target:
    return resolve(database.dsn, environ={})


@pytest.fixture
async def session(target: Target) -> AsyncIterator[Session]:
    opened = Session(target, library())
    yield opened
    await opened.close()


def plan_for(database: Database, bundle: Bundle | None = None, **options: object) -> Plan:
    plan = Plan(bundle or library(), confirmed=database.name, operator="dana", client_host="bastion-2")
    return replace(plan, **options)  # type: ignore[arg-type]


async def run(target: Target, plan: Plan, control: Control | None = None) -> tuple[Finished, RunState, list[Event]]:
    """Everything a run said, and the state the pure machine makes of it."""
    state, seen = RunState(total=len(plan.statements)), []
    async for event in applier.run(target, plan, control or Control()):
        seen.append(event)
        state = advance(state, event)
    assert state.finished is not None
    return state.finished, state, seen


async def surface(session: Session) -> str:
    return digest((await session.look()).catalog)


async def test_the_whole_way_there_and_back(database: Database, target: Target, session: Session) -> None:
    before = await session.look()
    assert before.verdict.state == "not_applied"

    finished, state, _ = await run(target, plan_for(database, rehearse=True))
    assert (finished.outcome, state.failure) == (Outcome.REHEARSED, None)
    assert await surface(session) == digest(before.catalog)
    assert (await session.look()).runs == ()

    finished, state, seen = await run(target, plan_for(database))
    assert finished.outcome is Outcome.COMMITTED, finished
    assert finished.verdict is not None
    assert finished.verdict.state == "applied"
    assert finished.verdict.healthy
    assert state.done == state.total == sum(isinstance(event, StatementDone) for event in seen)
    assert finished.round_trips <= 4  # look, the batch, COMMIT, look
    assert 0 < finished.lock_seconds <= finished.seconds
    assert {change.object for change in state.changes if change.kind == "created"} >= {
        "table public.books",
        "policy loans_take on public.loans",
        "trigger books_touch on public.books",
        "view public.open_loans",
    }

    look = await session.look()
    assert (look.verdict.state, look.verdict.healthy) == ("applied", True)
    assert [(r.action, r.operator, r.client_host, r.outcome) for r in look.runs] == [
        ("apply", "dana", "bastion-2", "committed")
    ]

    finished, _, seen = await run(target, plan_for(database, action="rollback"))
    assert finished.outcome is Outcome.COMMITTED, finished
    look = await session.look()
    assert look.verdict.state == "rolled_back"
    assert look.catalog.table("public.books") is not None
    assert look.catalog.table("public.books").policies == ()  # type: ignore[union-attr]
    assert look.catalog.view("public.open_loans") is None


async def test_applied_and_healthy_runs_nothing_and_again_changes_nothing(
    database: Database, target: Target, session: Session
) -> None:
    await run(target, plan_for(database))
    applied = await surface(session)
    finished, state, _ = await run(target, plan_for(database))
    assert (finished.outcome, finished.ran, state.done) == (Outcome.COMMITTED, False, 0)
    assert len((await session.look()).runs) == 1
    finished, state, _ = await run(target, plan_for(database, again=True))
    assert (finished.outcome, state.done) == (Outcome.COMMITTED, state.total)
    assert await surface(session) == applied
    assert all(change.kind == "unchanged" for change in state.changes)
    assert len((await session.look()).runs) == 2


async def test_a_wrong_confirmation_sends_nothing(database: Database, target: Target) -> None:
    finished, _, seen = await run(target, plan_for(database, confirmed="other"))
    assert (finished.outcome, finished.ran, finished.round_trips) == (Outcome.REFUSED, False, 0)
    assert seen == [finished]


async def test_a_read_only_session_runs_nothing(database: Database) -> None:
    target = resolve(database.dsn, environ={}, read_only=True)
    finished, _, seen = await run(target, plan_for(database, rehearse=True))
    assert finished.outcome is Outcome.REFUSED
    assert seen == [finished]


@pytest.mark.parametrize("how", ["--read-only", "a read-only database"])
async def test_a_read_only_look_is_proven_by_what_the_apply_recorded(
    database: Database, target: Target, how: str
) -> None:
    await run(target, plan_for(database))
    if how == "--read-only":
        target = resolve(database.dsn, environ={}, read_only=True)
    else:
        async with await psycopg.AsyncConnection.connect(database.admin_dsn, autocommit=True) as admin:
            await admin.execute(
                f'alter role postgres in database "{database.name}" set default_transaction_read_only = on'
            )
            await admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()",
                (database.name,),
            )
    session = Session(target, library())
    look = await session.look()
    await session.close()
    assert not look.server.writable
    assert (look.verdict.state, look.verdict.healthy) == ("applied", True)


async def test_drift_is_told_against_the_last_recorded_run(
    database: Database, target: Target, session: Session
) -> None:
    assert await session.drift() is None
    await run(target, plan_for(database))
    drift = await session.drift()
    assert drift is not None
    assert (drift.action, drift.operator, drift.same_version, drift.changes) == ("apply", "dana", True, ())
    async with await psycopg.AsyncConnection.connect(database.dsn, autocommit=True) as somebody:
        await somebody.execute("alter policy books_read on public.books using (true)")
        await somebody.execute("drop trigger books_touch on public.books")
    drift = await session.drift()
    assert drift is not None
    assert [(change.kind, change.object) for change in drift.changes] == [
        ("altered", "policy books_read on public.books"),
        ("dropped", "trigger books_touch on public.books"),
    ]
    assert (await session.look()).verdict.headline == "DRIFTED 2"


async def test_a_failing_statement_is_placed_and_everything_is_rolled_back(
    database: Database, target: Target, session: Session
) -> None:
    before = await surface(session)
    bundle = library(PATCH=lambda text: text.replace("shelf, title) where", "shelf, nosuch) where"))
    finished, state, seen = await run(target, plan_for(database, bundle))
    assert finished.outcome is Outcome.ROLLED_BACK
    failure = state.failure
    assert failure is not None
    line = bundle.patch.statements[2].line
    assert (failure.file, failure.line, failure.sqlstate, failure.index) == ("PATCH.sql", line, "42703", 2)
    assert "nosuch" in failure.message
    assert failure.place in finished.reason
    assert any(isinstance(event, StatementFailed) for event in seen)
    assert await surface(session) == before
    assert await ledger_exists(database) is False


async def test_a_result_that_fails_a_check_is_not_committed(
    database: Database, target: Target, session: Session
) -> None:
    before = await surface(session)
    bundle = library(PATCH=lambda text: text.replace("using (shelf <> 'cellar')", "using (true)"))
    finished, state, _ = await run(target, plan_for(database, bundle))
    assert finished.outcome is Outcome.ROLLED_BACK
    assert [(check.object, check.name) for check in state.checks if not check.ok] == [("policy", "books_read")]
    assert "books_read" in finished.reason
    assert await surface(session) == before
    assert await ledger_exists(database) is False


async def test_a_reader_in_the_way_is_shown_and_waited_for(database: Database, target: Target) -> None:
    await run(target, plan_for(database))
    async with await psycopg.AsyncConnection.connect(database.direct_dsn) as reader:
        await reader.execute("select count(*) from public.books")
        seen: list[Event] = []
        async for event in applier.run(target, plan_for(database, again=True, patience=20), Control()):
            seen.append(event)
            if isinstance(event, WaitingForLock) and event.blockers and not reader.closed:
                await reader.rollback()
                await reader.close()
    waits = [event for event in seen if isinstance(event, WaitingForLock)]
    assert any(b.blocks == "public.books" and b.state == "idle in transaction" for b in waits[0].blockers)
    assert any(isinstance(event, Attempt) and event.number > 1 for event in seen)
    assert isinstance(seen[-1], Finished)
    assert seen[-1].outcome is Outcome.COMMITTED


async def test_patience_ends_without_a_change(database: Database, target: Target, session: Session) -> None:
    await run(target, plan_for(database))
    before = await surface(session)
    async with await psycopg.AsyncConnection.connect(database.direct_dsn) as reader:
        await reader.execute("select count(*) from public.loans")
        finished, _, seen = await run(target, plan_for(database, again=True, patience=0.5))
        # Nobody waits behind us in the meantime: a second reader passes at once.
        async with await psycopg.AsyncConnection.connect(database.direct_dsn) as second:
            await second.execute("set statement_timeout = '300ms'")
            await second.execute("select count(*) from public.loans")
    assert finished.outcome is Outcome.REFUSED
    assert "public.loans" in finished.reason
    assert not any(isinstance(event, StatementDone) for event in seen)
    assert await surface(session) == before


async def test_cancel_rolls_back(database: Database, target: Target, session: Session) -> None:
    before = await surface(session)
    bundle = library(PATCH=lambda text: text + "\nselect pg_sleep(20);\n")
    control = Control()
    seen: list[Event] = []
    async for event in applier.run(target, plan_for(database, bundle), control):
        seen.append(event)
        if isinstance(event, StatementDone) and event.index == len(bundle.patch.statements) - 2:
            asyncio.get_running_loop().call_later(0.2, control.cancel)
    assert isinstance(seen[-1], Finished)
    assert seen[-1].outcome is Outcome.ROLLED_BACK
    assert seen[-1].seconds < 10
    assert "Cancelled" in seen[-1].reason
    assert await surface(session) == before


async def test_a_backend_terminated_in_the_middle_leaves_nothing(
    database: Database, target: Target, session: Session
) -> None:
    before = await surface(session)
    bundle = library(PATCH=lambda text: text + "\nselect pg_sleep(20);\n")
    seen: list[Event] = []
    async for event in applier.run(target, plan_for(database, bundle), Control()):
        seen.append(event)
        if isinstance(event, StatementDone) and event.index == len(bundle.patch.statements) - 2:
            async with await psycopg.AsyncConnection.connect(database.admin_dsn, autocommit=True) as admin:
                await admin.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where application_name like 'patchdeck apply%%' and datname = %s and state = 'active'",
                    (database.name,),
                )
    assert isinstance(seen[-1], Finished)
    assert seen[-1].outcome is Outcome.ROLLED_BACK
    assert "COMMIT was never sent" in seen[-1].state
    assert await surface(session) == before


async def test_a_second_run_is_refused_while_the_first_holds_the_database(database: Database, target: Target) -> None:
    bundle = library(PATCH=lambda text: text + "\nselect pg_sleep(3);\n")
    control = Control()
    began = asyncio.Event()

    async def hold() -> Finished:
        async for event in applier.run(target, plan_for(database, bundle), control):
            if isinstance(event, StatementDone):
                began.set()
            if isinstance(event, Finished):
                return event
        raise AssertionError("a run ends with Finished")

    first = asyncio.create_task(hold())
    await began.wait()
    finished, _, _ = await run(target, plan_for(database))
    assert finished.outcome is Outcome.REFUSED
    assert "dana@bastion-2" in finished.reason
    control.cancel()
    assert (await first).outcome is Outcome.ROLLED_BACK


async def test_nothing_of_a_run_stays_in_the_session(database: Database, target: Target) -> None:
    """Through a pooler the next client gets our server connection: no setting, lock or temporary object may be left."""
    await run(target, plan_for(database))
    async with await psycopg.AsyncConnection.connect(database.dsn, autocommit=True) as next_client:
        row = await (
            await next_client.execute(
                "select current_setting('lock_timeout'), current_setting('statement_timeout'),"
                " (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()),"
                " (select count(*) from pg_class where relnamespace = pg_my_temp_schema()), current_user"
            )
        ).fetchone()
    assert row == ("0", "2min", 0, 0, "postgres")  # the database's own limit is 2 min


async def test_events_tell_the_verdict_before_and_the_changes(database: Database, target: Target) -> None:
    _, _, seen = await run(target, plan_for(database))
    connected = next(event for event in seen if isinstance(event, Connected))
    verified = next(event for event in seen if isinstance(event, Verified))
    assert connected.verdict.state == "not_applied"
    assert all(check.ok for check in verified.checks)


async def ledger_exists(database: Database) -> bool:
    async with await psycopg.AsyncConnection.connect(database.admin_dsn) as admin:
        row = await (await admin.execute("select to_regclass('patchdeck.runs')")).fetchone()
    return row is not None and row[0] is not None


async def test_a_rehearsal_says_what_no_rollback_takes_back(database: Database, target: Target) -> None:
    with psycopg.connect(database.direct_dsn, autocommit=True) as admin:
        admin.execute("create sequence public.used; create sequence public.fresh; create sequence public.idle")
        admin.execute("select nextval('public.used'), nextval('public.idle')")
        admin.execute("create table public.old_rows as select generate_series(1, 3) as n")
        more = "\nselect nextval('public.used'), nextval('public.fresh');\nupdate public.old_rows set n = n + 1;\n"
        bundle = library(PATCH=lambda text: text + more)
        finished, state, _ = await run(target, plan_for(database, bundle, rehearse=True))
        assert finished.outcome is Outcome.REHEARSED, finished.reason
        assert finished.state == (
            "It was rolled back: the database is as it was. What no rollback takes back: sequence public.fresh went"
            " from its start to 1; sequence public.used went from 1 to 2; at most 3 versions of rows, dead until the"
            " next vacuum."
        )
        assert state.rows == 3
        last = admin.execute("select last_value from public.used").fetchone()
    assert last == (2,)
    assert (await run(target, plan_for(database, rehearse=True)))[0].state.endswith("the database is as it was.")
