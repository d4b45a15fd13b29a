"""The server is restarted and the pooler killed, in the middle of a batch, at COMMIT, and right after its answer."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from tests.db.test_applier import library
from tests.faults.campaign import Campaign, Job, Stage, drive, moment_of, stage
from tests.faults.line import Chunk, Fate
from tests.faults.rig import Rig, rig
from tests.support import MakeDatabase
from tui.core.run import Committing
from tui.db import commit

JOBS: tuple[Job, ...] = ("apply", "lock")


@pytest.fixture(scope="module")
def alone() -> Iterator[Rig]:
    with rig() as made:
        yield made


@pytest.fixture(scope="module")
def with_pooler() -> Iterator[Rig]:
    with rig(pooled=True) as made:
        yield made


class Disaster:
    """Happens when a chunk comes by that `moment` is true of; the chunk goes its way when it is over."""

    def __init__(self, made: Stage, there: Rig, moment: Callable[[Chunk], bool], happen: Callable[[], None]) -> None:
        self._made, self._there, self._moment, self._happen = made, there, moment, happen
        self.at = 0.0

    async def __call__(self, chunk: Chunk) -> Fate:
        if not self.at and self._moment(chunk):
            await self.strike()
        return Fate.PASS

    async def strike(self) -> None:
        """Let it happen, and let the line lead to where the server is then."""
        self.at = monotonic()
        await asyncio.to_thread(self._happen)
        find_again(self._made, self._there)


def find_again(made: Stage, there: Rig) -> None:
    """After a restart everything listens elsewhere."""
    made.line.target = ("127.0.0.1", there.port)
    made.database = replace(made.database, admin_dsn=there.admin_address)


def in_the_batch(chunk: Chunk) -> bool:
    return chunk.side == "server" and (b"CREATE POLICY\0" in chunk.data or b"DROP POLICY\0" in chunk.data)


def commit_asked(chunk: Chunk) -> bool:
    return chunk.side == "client" and b"commit\0" in chunk.data


def commit_answered(chunk: Chunk) -> bool:
    return chunk.side == "server" and b"COMMIT\0" in chunk.data


MOMENTS = {"in the batch": in_the_batch, "before COMMIT": commit_asked, "before its answer": commit_answered}


async def at_every_moment(made: Stage, there: Rig, campaign: Campaign, kind: str, happen: Callable[[], None]) -> None:
    for name, moment in MOMENTS.items():
        disaster = Disaster(made, there, moment, happen)
        made.line.decide = disaster
        word, seen = await drive(made.target, made.plan(), made.journals)
        assert disaster.at, name
        # Locks can not outlive their server: what counts is the time since it is back.
        case = await made.judge(campaign, kind, f"{name}, {moment_of(seen[:-1])}", word, monotonic())
        if name != "before its answer":
            assert case.state == "before"


@pytest.mark.parametrize("job", JOBS)
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
async def test_restarted(alone: Rig, campaign: Campaign, tmp_path: Path, job: Job, how: signal.Signals) -> None:
    async with stage(alone.make_database, library(), job, "pg18 direct", tmp_path) as made:
        kind = f"server restarted, {'fast' if how is signal.SIGINT else 'immediate'}"
        await at_every_moment(made, alone, campaign, kind, lambda: alone.restart(how))


@pytest.mark.parametrize("job", JOBS)
async def test_a_crash_after_the_good_word(alone: Rig, campaign: Campaign, tmp_path: Path, job: Job) -> None:
    """The server runs with synchronous_commit = off: what we called committed must be on its disk all the same."""
    async with stage(alone.make_database, library(), job, "pg18 direct", tmp_path) as made:
        disaster = Disaster(made, alone, lambda _: False, lambda: alone.restart(signal.SIGQUIT))
        word, seen = await drive(made.target, made.plan(), made.journals)
        await disaster.strike()
        case = await made.judge(campaign, "server crashed after COMMIT", moment_of(seen[:-1]), word, monotonic())
        assert case.state == "after"


async def test_a_transaction_id_that_was_given_out_again(
    alone: Rig, campaign: Campaign, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a crash other people's transactions get the ids of those that were lost: theirs are not our commit."""
    monkeypatch.setattr(commit, "RESOLVE_WITHIN", 0.3)
    async with stage(alone.make_database, library(), "apply", "pg18 direct", tmp_path) as made:
        async with await psycopg.AsyncConnection.connect(made.database.admin_dsn, autocommit=True) as admin:
            # So that nothing of the run is on the disk when the server crashes.
            await admin.execute("alter system set wal_writer_delay = '10s'")
            await admin.execute("select pg_reload_conf()")
        struck = [0.0]

        async def lose(chunk: Chunk) -> Fate:
            if struck[0] or not commit_asked(chunk):
                return Fate.PASS
            struck[0] = monotonic()
            made.line.closed = True
            await asyncio.to_thread(alone.restart, signal.SIGQUIT)
            return Fate.CUT_BEFORE

        made.line.decide = lose
        word, seen = await drive(made.target, made.plan(), made.journals)
        find_again(made, alone)
        async with await psycopg.AsyncConnection.connect(made.database.admin_dsn, autocommit=True) as other:
            for _ in range(300):
                await other.execute("select pg_current_xact_id()")
            (xid,) = [event.xid for event in seen if isinstance(event, Committing)]
            status = await (await other.execute("select pg_xact_status(%s::xid8)", (xid,))).fetchone()
            assert status == ("committed",), "the id was not given out again: this test proves nothing"
        case = await made.judge(campaign, "transaction id given out again", moment_of(seen[:-1]), word, monotonic())
        assert (case.state, case.word) == ("before", "unknown, then before")


@pytest.mark.parametrize("job", JOBS)
async def test_the_pooler_is_killed(with_pooler: Rig, campaign: Campaign, tmp_path: Path, job: Job) -> None:
    make: MakeDatabase = with_pooler.make_database
    async with stage(make, library(), job, "pg18 pooled", tmp_path) as made:
        await at_every_moment(made, with_pooler, campaign, "pooler killed", with_pooler.kill_pooler)
