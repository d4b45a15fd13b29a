"""What a session proves of the shipped migration on real servers: the layers beyond the structure, before and after."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import psycopg
import pytest
from msgspec.structs import replace

from tests.conftest import Database, MakeDatabase
from tests.db.test_applier import run
from tui.core.deck import Problem
from tui.core.earlier import Earlier
from tui.core.look import Look
from tui.core.proof import layer_state
from tui.core.run import Outcome, Plan
from tui.db.session import Session
from tui.db.target import Target, resolve
from tui.files import read_bundle


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    return make_database("legacy")


@pytest.fixture
def target(database: Database) -> Target:
    return resolve(database.dsn, environ={})


@pytest.fixture
async def session(target: Target) -> AsyncIterator[Session]:
    opened = Session(target, read_bundle())
    yield opened
    await opened.close()


async def test_the_migration_is_proven_and_a_fault_is_told_to_be_new(
    database: Database, target: Target, session: Session
) -> None:
    finished, _, _ = await run(target, Plan(session.bundle, confirmed=database.name))
    assert finished.outcome is Outcome.COMMITTED, finished

    proof = await session.prove(("safety", "behaviour"))
    assert [finding for finding in proof.findings if finding.fails] == []
    assert all(finding.new is not None for finding in proof.findings)
    assert proof.matrix is not None
    assert proof.matrix.state == "passed", proof.matrix.failures()[:3] or proof.matrix.reasons
    assert proof.matrix.control.state == "red"
    assert len(proof.matrix.probes) >= 1000
    assert layer_state(proof.of("safety")) == layer_state(proof.of("behaviour")) == "passed"

    async with await psycopg.AsyncConnection.connect(database.dsn, autocommit=True) as somebody:
        await somebody.execute("create policy open_door on public.agents for select to authenticated using (true)")
    proof = await session.prove(("safety", "behaviour"))
    assert any(finding.fails and finding.new and "open_door" in finding.key for finding in proof.findings)
    assert proof.matrix is not None
    leak = proof.matrix.failures()[0]
    assert (leak.mark, leak.case.table) == ("leak", "public.agents")
    assert {layer_state(proof.of("safety")), layer_state(proof.of("behaviour"))} == {"failed"}


async def test_only_the_layers_asked_for_are_run(session: Session) -> None:
    proof = await session.prove(("safety",))
    assert proof.matrix is None
    assert {check.layer for check in proof.checks} == {"safety"}


async def test_a_lint_that_the_server_refuses_leaves_safety_not_proven(database: Database, session: Session) -> None:
    async with await psycopg.AsyncConnection.connect(database.admin_dsn, autocommit=True) as somebody:
        await somebody.execute("revoke execute on function pg_catalog.string_to_table(text, text) from public")
    proof = await session.prove(("safety", "behaviour"))
    assert layer_state(proof.of("safety")) == "not_proven"
    assert "string_to_table" in proof.of("safety")[0].why
    assert proof.matrix is not None
    assert proof.matrix.probes


async def test_a_look_that_was_made_elsewhere_is_the_first_one(target: Target, session: Session) -> None:
    """Also what it found out about earlier runs stays, and the panels know from it what they can read."""
    told = Earlier("apply", datetime.now(UTC), "4711", "rolled_back")
    elsewhere = replace(await session.look(), earlier=(told,))
    asked: list[str] = []

    async def foreseen() -> Look:
        asked.append("look")
        return elsewhere

    later = Session(target, session.bundle, foreseen=foreseen)
    try:
        assert await later.look() is elsewhere
        assert later.server == elsewhere.server
        assert (await later.tick(900)).executions, "the panels read"
        again = await later.look()
        assert asked == ["look"]
        assert again.taken_at > elsewhere.taken_at
        assert again.earlier == (told,)
    finally:
        await later.close()


async def test_what_kept_another_from_looking_is_raised_once(target: Target, session: Session) -> None:
    async def refused() -> Look:
        raise Problem("auth", "password authentication failed", "which one?", retry=False)

    later = Session(target, session.bundle, foreseen=refused)
    try:
        with pytest.raises(Problem, match="password authentication failed"):
            await later.look()
        assert (await later.look()).server.database == target.destination.database
    finally:
        await later.close()
