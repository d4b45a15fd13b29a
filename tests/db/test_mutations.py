"""The mutation score: every single fault of faults.toml is named by structure or safety, and seen by behaviour if it
shows.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

import pytest

from tests.db.faults import FAULTS, Fault
from tests.db.judging import Bench, Judgement, named
from tests.support import MakeDatabase

SAMPLE = FAULTS[::8]
"""On every server and route: whether a fault is seen depends on neither, but the way to it does."""

Benches = Mapping[bool, Bench]


@pytest.fixture
async def benches(make_database: MakeDatabase) -> AsyncIterator[Benches]:
    """Connections to one applied database: as the owner, and (True) as the superuser."""
    database = make_database("applied")
    opened = {False: await Bench(database).open(), True: await Bench(database, admin=True).open()}
    yield opened
    for bench in opened.values():
        await bench.close()


def miss(fault: Fault, found: Judgement) -> str:
    """What is wrong with the judgement of a database with that fault; "" when nothing is."""
    said = named(found)
    if (fault.kind, fault.table, fault.name) not in said:
        return f"not named; named was {sorted(said)}"
    accused = {check.table for check in found.failed} - {fault.table}
    if accused:
        return f"others are accused: {sorted(accused)}"
    if found.behaviour is None:
        return ""
    seen = {(probe.mark, probe.case.table) for probe in found.behaviour.failures()}
    # A helper's or a schema's fault shows on whatever stands on it.
    shown = {mark for mark, table in seen if table == fault.table or not fault.table}
    return "" if fault.shows in shown else f"behaviour saw {sorted(seen)}"


async def _score(benches: Benches, faults: tuple[Fault, ...]) -> list[tuple[Fault, str]]:
    scored = []
    for fault in faults:
        found = await benches[fault.admin].judge(fault.sql, behaviour=bool(fault.shows), only=fault.table)
        scored.append((fault, miss(fault, found)))
    return scored


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
async def test_every_single_fault_is_named(benches: Benches, capsys: pytest.CaptureFixture[str]) -> None:
    assert len(FAULTS) >= 80
    assert len({fault.sql for fault in FAULTS}) == len(FAULTS)
    scored = await _score(benches, FAULTS)
    missed = [f"{fault}: {why}" for fault, why in scored if why]
    with capsys.disabled():
        print()
        for fault, why in scored:
            print("MISSED" if why else "named ", f"{fault.shows or '-':8}", fault, why)
        print(f"{len(FAULTS) - len(missed)} of {len(FAULTS)} faults named")
    assert not missed, "\n".join(missed)


async def test_a_sample_on_every_server_and_route(benches: Benches) -> None:
    assert [f"{fault}: {why}" for fault, why in await _score(benches, SAMPLE) if why] == []


async def test_without_a_fault_nothing_is_named(benches: Benches) -> None:
    for bench in benches.values():
        found = await bench.judge()
        assert named(found) == set()
        assert found.behaviour is not None
        assert found.behaviour.failures() == ()
