"""A rehearsal of the shipped patch tries on its result who can reach which rows, and leaves nothing of it."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from tests.db.test_isolation import traces
from tests.support import Database, MakeDatabase
from tui.core.bundle import Bundle
from tui.core.deck import Control
from tui.core.run import Finished, Outcome, Phase, Plan, RunState, advance
from tui.db import applier
from tui.db.target import resolve
from tui.files import read_bundle

pg18 = pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
direct = pytest.mark.parametrize("route", ["direct"])


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    return make_database("legacy")


async def rehearse(database: Database, bundle: Bundle, control: Control | None = None) -> tuple[Finished, RunState]:
    """How a rehearsal ended, and what was known of it; a `control` is cancelled when the proof begins."""
    plan, state = Plan(bundle, rehearse=True), RunState()
    async for event in applier.run(resolve(database.dsn, environ={}), plan, control or Control()):
        state = advance(state, event)
        if control is not None and state.phase is Phase.PROVING:
            control.cancel()
    assert state.finished is not None
    return state.finished, state


def played_as(bundle: Bundle, persona: str, role: str) -> Bundle:
    """The bundle with one of its personas in another role."""
    spec = bundle.isolation
    assert spec is not None
    people = tuple(msgspec.structs.replace(p, role=role) if p.name == persona else p for p in spec.personas)
    return replace(bundle, isolation=msgspec.structs.replace(spec, personas=people))


async def test_the_result_is_proven_and_nothing_is_left(database: Database) -> None:
    before = traces(database)
    finished, state = await rehearse(database, read_bundle())
    assert finished.outcome is Outcome.REHEARSED, finished.reason
    assert finished.reason == "The rehearsal worked: every statement ran, every check passed and isolation is proven."
    assert state.matrix is not None
    assert (state.matrix.state, state.matrix.count("leak"), len(state.matrix.probes) > 1000) == ("passed", 0, True)
    assert traces(database) == before
    # The real run does not wait for the proof with its locks in hand.
    assert finished.alone_seconds is not None
    assert finished.alone_seconds < finished.lock_seconds < finished.seconds - state.matrix.seconds


@direct
async def test_a_result_that_leaks_is_no_success(database: Database) -> None:
    finished, state = await rehearse(database, played_as(read_bundle(), "outsider", "service_role"))
    assert finished.outcome is Outcome.ROLLED_BACK
    assert "the isolation matrix failed on the result" in finished.reason
    assert state.matrix is not None
    assert state.matrix.count("leak")


@pg18
@direct
async def test_what_could_not_be_tried_is_not_called_proven(database: Database) -> None:
    finished, state = await rehearse(database, played_as(read_bundle(), "outsider", "no_such_role"))
    assert finished.outcome is Outcome.REHEARSED
    assert finished.reason.endswith("isolation is NOT PROVEN.")
    assert state.matrix is not None
    assert "role no_such_role does not exist" in state.matrix.reasons


@pg18
@direct
async def test_the_proof_can_be_called_off(database: Database) -> None:
    before = traces(database)
    finished, _ = await rehearse(database, read_bundle(), Control())
    assert (finished.outcome, finished.reason) == (Outcome.ROLLED_BACK, "Cancelled by the operator.")
    assert traces(database) == before
