"""A glance that believes an apply's record says what twins would say, and where it can not, it makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.db.faults import FAULTS, Fault
from tests.support import Database, MakeDatabase, ask
from tui.core.bundle import Bundle
from tui.core.check import Check
from tui.core.checklist import compare
from tui.core.look import Look
from tui.db.batch import Command, set_local
from tui.db.glance import Glance
from tui.db.link import Link
from tui.db.probe import LOOK_LIMITS, Reading, look_commands, read_look
from tui.db.sight import BY_TEXT
from tui.db.target import Target, resolve

SAMPLE = FAULTS[1::6]

pytestmark = [
    pytest.mark.parametrize("cluster", ["pg18"], indirect=True),
    pytest.mark.parametrize("route", ["direct"]),
]


async def glance(database: Database, bundle: Bundle, *, by_record: bool) -> tuple[Look, int]:
    """A first look at the database, and the round trips it took."""
    looking = Glance(resolve(database.dsn, environ={}), bundle, by_record=by_record)
    try:
        return await looking.look(), looking._looks.round_trips
    finally:
        await looking.close()


async def test_where_nothing_is_defined_otherwise_no_twin_is_made(applied: Database, bundle: Bundle) -> None:
    made, _ = await glance(applied, bundle, by_record=False)
    recorded, round_trips = await glance(applied, bundle, by_record=True)
    assert recorded.verdict.healthy
    assert recorded.checks == made.checks
    assert round_trips == 1


async def test_without_a_record_the_twins_are_made_in_the_same_round_trip(
    make_database: MakeDatabase, bundle: Bundle
) -> None:
    for state in ("legacy", "applied"):
        database = make_database(state)
        made, _ = await glance(database, bundle, by_record=False)
        recorded, round_trips = await glance(database, bundle, by_record=True)
        assert recorded.checks == made.checks
        assert round_trips == 1


@pytest.mark.parametrize(
    "change", ["digest = 'of another bundle'", "server_version = '15.1'", "outcome = 'rolled_back'", "bundle = 'other'"]
)
async def test_a_record_of_something_else_is_not_believed(applied: Database, bundle: Bundle, change: str) -> None:
    """The recorded surface is another on purpose: believed, it would make the glance find fault."""
    other = "surface_after = replace(surface_after::text, 'tenant_id', 'tenant')::jsonb"
    ask(applied.admin_dsn, f"update patchdeck.runs set {other}, {change}")
    looked, round_trips = await glance(applied, bundle, by_record=True)
    assert looked.verdict.passed == looked.verdict.total
    assert round_trips == 1


async def test_a_definition_unlike_the_recorded_one_is_judged_by_twins(applied: Database, bundle: Bundle) -> None:
    """A record that was worded otherwise, by another release, is no fault of the database."""
    other = "surface_after = replace(surface_after::text, 'tenant_id', 'tenant')::jsonb"
    ask(applied.admin_dsn, f"update patchdeck.runs set {other}")
    looked, round_trips = await glance(applied, bundle, by_record=True)
    assert looked.verdict.healthy
    assert round_trips == 2


class Pair:
    """One connection on which the same state is read twice: with twins, and by the record."""

    def __init__(self, target: Target, bundle: Bundle, *, admin: bool) -> None:
        self._link, self._bundle, self._admin = Link(target), bundle, admin

    async def open(self) -> Pair:
        await self._link.open()
        return self

    async def close(self) -> None:
        await self._link.close()

    async def read(self, sql: str) -> tuple[Reading, Reading]:
        """The two readings after the statements of `sql`, which are undone."""
        twins = look_commands(self._bundle, twin=True)[1:-1]
        record = look_commands(self._bundle, twin=True, by_record=True)[1:-1]
        begun = [Command("begin"), *(Command(part) for part in sql.split(";;") if part.strip())]
        # The superuser's session takes part as the owner from here on, as every other one.
        begun += [Command("set local role postgres")] if self._admin else []
        begun += [set_local(LOOK_LIMITS), Command("savepoint read")]
        back = [Command("rollback to savepoint read")]
        try:
            replies = await self._link.batch([*begun, *twins, *back, *record], silence=60)
        finally:
            await self._link.run("rollback")
        # Where look_commands begins its own transaction.
        first, second = len(begun) - 1, len(begun) + len(twins)
        return (
            read_look(replies[first : second + 1], twin=True),
            read_look(replies[second:], twin=True, by_record=True),
        )


@pytest.fixture
async def pairs(applied: Database, bundle: Bundle) -> AsyncIterator[dict[bool, Pair]]:
    opened = {
        admin: await Pair(resolve(dsn, environ={}), bundle, admin=admin).open()
        for admin, dsn in ((False, applied.dsn), (True, applied.admin_dsn))
    }
    yield opened
    for pair in opened.values():
        await pair.close()


def judged(bundle: Bundle, reading: Reading) -> tuple[Check, ...]:
    assert reading.twin is not None
    return compare(bundle.expectation, reading.catalog, reading.twin.catalog, reading.twin.failures)


def disagreement(fault: Fault, twins: tuple[Check, ...], record: tuple[Check, ...]) -> str:
    """What is wrong with the judgement by the record; "" when it says the same, or asks for twins itself."""
    if any(check.outcome in ("differs", "not_proven") and check.object in BY_TEXT for check in record):
        return ""
    return (
        "" if twins == record else f"{fault}: {[one for one in zip(twins, record, strict=False) if one[0] != one[1]]}"
    )


async def test_for_no_fault_does_a_record_say_what_twins_would_not(pairs: dict[bool, Pair], bundle: Bundle) -> None:
    wrong = []
    for fault in SAMPLE:
        twins, record = await pairs[fault.admin].read(fault.sql)
        assert record.twin is not None
        assert record.twin.recorded
        wrong.append(disagreement(fault, judged(bundle, twins), judged(bundle, record)))
    assert [one for one in wrong if one] == []
