"""What a glance costs on the line: the handshake and one round trip, whatever state the database is in."""

from __future__ import annotations

import asyncio
import subprocess

import psycopg
import pytest

from tests.cli.support import PATCHDECK, environment, patchdeck
from tests.faults.line import line_to
from tests.support import MakeDatabase

SCRAM_TURNS = 3
"""The startup message, the first and the last message of SCRAM (facts: migrations B6); then queries may go."""
RTT = 0.06
"""Seconds. Without a delay a reply can meet the rest of a batch halfway, which would count as one turn more."""


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("state", ["legacy", "applied", "recorded"])
async def test_status_is_the_handshake_and_one_round_trip(make_database: MakeDatabase, state: str) -> None:
    """Whether nothing was applied, or by other means, or by patchdeck, which keeps a record of it."""
    database = make_database("legacy" if state == "recorded" else state)
    if state == "recorded":
        assert patchdeck("apply", "--confirm", database.name, dsn=database.dsn).code == 0
    place = psycopg.conninfo.conninfo_to_dict(database.dsn)
    async with line_to(str(place["host"]), int(place["port"]), rtt=RTT) as line:
        there = database.dsn.replace(f":{place['port']}/", f":{line.port}/")
        process = await asyncio.create_subprocess_exec(
            *PATCHDECK, "status", env=environment(there), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        code = await process.wait()
    assert code == (1 if state == "legacy" else 0)
    # The last turn is Terminate, which nobody answers and nobody waits for.
    assert line.turns == SCRAM_TURNS + 1 + 1
