"""Restore on real servers: everything from before the apply comes back exactly, or nothing is committed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import BUNDLE, Database, MakeDatabase, ask
from tui.core.bundle import Bundle, load
from tui.core.catalog import Catalog
from tui.core.deck import Control
from tui.core.restore import plain
from tui.core.run import Event, Finished, Outcome, Plan, RollbackMode, RunState, advance
from tui.core.surface import surface
from tui.db import applier
from tui.db.session import Session
from tui.db.target import resolve
from tui.files import Folder

ANNEX = Path(__file__).parent.parent / "bundles" / "annex"


def annex(**changed: str) -> Bundle:
    """The bundle that changes nearly everything; a keyword such as ROLLBACK adds a statement to that file."""
    files = dict(Folder(ANNEX))
    for name, more in changed.items():
        files[f"{name}.sql"] += more
    return load(files)


def migration() -> Bundle:
    return load(dict(Folder(BUNDLE)))


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    made = make_database("bare")
    ask(made.dsn, (ANNEX / "BEFORE.sql").read_text(encoding="utf-8"))
    return made


async def run(database: Database, plan: Plan) -> tuple[Finished, RunState]:
    state, seen = RunState(total=len(plan.statements)), list[Event]()
    async for event in applier.run(resolve(database.dsn, environ={}), plan, Control()):
        seen.append(event)
        state = advance(state, event)
    assert state.finished is not None
    return state.finished, state


async def apply(database: Database, bundle: Bundle, **options: bool) -> None:
    finished, state = await run(database, Plan(bundle, confirmed=database.name, **options))  # type: ignore[arg-type]
    failed = [check for check in state.checks if not check.ok]
    assert finished.outcome is Outcome.COMMITTED, (finished.reason, failed, state.failure)


def back(database: Database, bundle: Bundle, mode: RollbackMode = "restore") -> Plan:
    return Plan(bundle, action="rollback", mode=mode, confirmed=database.name)


async def look(database: Database, bundle: Bundle) -> Catalog:
    session = Session(resolve(database.dsn, environ={}), bundle)
    try:
        return (await session.look()).catalog
    finally:
        await session.close()


def missing(before: Catalog, after: Catalog) -> dict[str, tuple[str, str]]:
    """What was there before and is not the same now."""
    here = surface(plain(after))
    return {
        label: (text, here.get(label, "")) for label, text in surface(plain(before)).items() if here.get(label) != text
    }


async def test_everything_comes_back_exactly(database: Database) -> None:
    bundle = annex()
    before = await look(database, bundle)
    await apply(database, bundle)
    applied = await look(database, bundle)
    assert len(missing(before, applied)) > 15
    finished, state = await run(database, replace(back(database, bundle), rehearse=True))
    assert finished.outcome is Outcome.REHEARSED, (
        finished.reason,
        state.failure,
        [c for c in state.checks if not c.ok],
    )
    assert missing(applied, await look(database, bundle)) == {}
    finished, state = await run(database, back(database, bundle))
    assert finished.outcome is Outcome.COMMITTED, (finished.reason, state.failure)
    after = await look(database, bundle)
    assert missing(before, after) == {}
