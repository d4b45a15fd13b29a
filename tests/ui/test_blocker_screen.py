"""A reader idle in a transaction on an old table: it is on the screen at once, and nobody waits because of us."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from time import monotonic

import psycopg
import pytest

from tests.support import BUNDLE, ROOT, Database, MakeDatabase, wait_for
from tests.ui.support import screen_text, shows, shows_no
from tests.ui.test_walkthrough import Walker, walking
from tui.app import PatchdeckApp, Settings
from tui.db.session import Session
from tui.db.target import resolve
from tui.files import read_bundle
from tui.poller import Pace

pytestmark = [
    pytest.mark.parametrize("cluster", ["pg18"], indirect=True),
    pytest.mark.parametrize("route", ["direct"]),
]

OLD_TABLE = "public.workflow_executions"
LONGEST_PAUSE = 0.5
"""Seconds from a blocker's end to the next try, at most, and the drawing after it. On a machine that does nothing else
an apply takes half a second, and all of it stays below 1 s; on a busy one only what we add can be judged."""

TRIES = 3

# Whoever waits only to read, and waits for a run of ours that waits itself for a strong lock.
QUEUED_BEHIND_US = """
select 1
  from pg_locks reading
  join pg_locks ours on ours.relation = reading.relation and ours.database = reading.database
  join pg_stat_activity run on run.pid = ours.pid and run.application_name like 'patchdeck%'
 where not reading.granted and reading.mode = 'AccessShareLock'
   and not ours.granted and ours.mode = 'AccessExclusiveLock'
   and ours.pid = any (pg_blocking_pids(reading.pid))
"""


class Sampler:
    """Asks `QUEUED_BEHIND_US` every 10 ms, in a thread of its own."""

    def __init__(self, dsn: str) -> None:
        self._dsn, self._stop = dsn, threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self.samples = self.queued = 0

    def _sample(self) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            while not self._stop.is_set():
                self.queued += bool(connection.execute(QUEUED_BEHIND_US).fetchone())
                self.samples += 1
                self._stop.wait(0.01)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@contextmanager
def readers(dsn: str) -> Iterator[None]:
    """Two who read the table again and again, as processes of their own: this one has a screen to draw."""
    query = f"select count(*) from {OLD_TABLE}"
    command = [sys.executable, "-m", "tests.bench.readers", dsn, query, query]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reading:
        assert reading.stdout is not None
        assert reading.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            reading.communicate()


def idle_reader(database: Database) -> psycopg.Connection:
    opened = psycopg.connect(database.direct_dsn, application_name="nightly-report")
    opened.execute(f"select count(*) from {OLD_TABLE}".encode()).fetchall()
    return opened


def test_the_sampler_sees_what_it_looks_for(make_database: MakeDatabase) -> None:
    """A waiting ACCESS EXCLUSIVE under our name, as a tool without NOWAIT has it."""
    database = make_database("legacy")
    ours = psycopg.connect(database.direct_dsn, application_name="patchdeck apply")
    with idle_reader(database) as idle, Sampler(database.admin_dsn) as sampler:
        waiting = threading.Thread(target=ours.execute, args=(f"lock table {OLD_TABLE}".encode(),))
        waiting.start()
        with readers(database.direct_dsn):
            wait_for(lambda: sampler.queued)
            idle.rollback()
            waiting.join()
            ours.close()


@asynccontextmanager
async def applying(database: Database) -> AsyncIterator[tuple[Walker, float]]:
    """An apply in the walkthrough, its name just confirmed; and the moment of that."""
    deck = Session(resolve(database.dsn, environ={}), read_bundle(BUNDLE))
    async with walking(deck, size=(120, 40)) as walker:
        await walker.to("Rehearsal")
        await walker.press("x", "n", *database.name)
        began = monotonic()
        await walker.pilot.press("enter")
        yield walker, began


async def undisturbed(database: Database) -> float:
    """Seconds from the confirmation to COMMITTED when nobody is in the way."""
    async with applying(database) as (walker, began):
        await walker.sees("COMMITTED")
        return monotonic() - began


async def behind_a_reader(database: Database) -> tuple[float, float]:
    """Seconds from the confirmation to the blocker on the screen, and from its end to COMMITTED."""
    with idle_reader(database) as idle, readers(database.direct_dsn), Sampler(database.admin_dsn) as sampler:
        async with applying(database) as (walker, began):
            await walker.until(lambda: f"process {idle.info.backend_pid}  nightly-report" in walker.text, "the blocker")
            shown = monotonic() - began
            await walker.sees(f"on {OLD_TABLE}", "idle in transaction", "nobody waits for us")
            # Several attempts, each of which could have put somebody in a queue.
            await walker.until(lambda: walker.screen.walk.run and walker.screen.walk.run.state.attempts > 3, "attempts")
            assert sampler.samples > 20
            assert sampler.queued == 0, f"{sampler.queued} of {sampler.samples} samples saw a reader in our queue"
            idle.rollback()
            ended = monotonic()
            await walker.sees("COMMITTED")
            committed = monotonic() - ended
    return shown, committed


async def test_a_reader_that_idles_is_named_at_once_and_keeps_nobody_else_waiting(make_database: MakeDatabase) -> None:
    limit = max(1.0, await undisturbed(make_database("legacy")) + LONGEST_PAUSE)
    tries: list[tuple[float, float]] = []
    while len(tries) < TRIES:
        tries.append(await behind_a_reader(make_database("legacy")))
        shown, committed = (min(column) for column in zip(*tries, strict=True))
        if max(shown, committed) < limit:
            return
    pytest.fail(f"seconds to the blocker on the screen, and from its end to COMMITTED: {tries}; allowed: {limit:.2f}")


async def test_the_dashboard_says_who_keeps_it_from_looking(make_database: MakeDatabase) -> None:
    """Before the first look and after it; the panels, which read other tables, go on."""
    database = make_database("legacy")
    deck = Session(resolve(database.dsn, environ={}), read_bundle(BUNDLE))
    with psycopg.connect(database.admin_dsn, application_name="nightly-vacuum") as holder:
        says = f"auth.users is locked by process {holder.info.backend_pid} (nightly-vacuum, role"
        holder.execute("lock table auth.users in access exclusive mode")
        app = PatchdeckApp(deck, Settings(pace=Pace(refresh=0.2, look_every=0.2)))
        async with app.run_test(size=(120, 40)) as pilot:
            await shows(pilot, says)
            holder.rollback()
            await shows(pilot, "NOT APPLIED")
            await shows_no(pilot, says)
            holder.execute("lock table auth.users in access exclusive mode")
            await shows(pilot, says)
            assert "NOT APPLIED" in screen_text(app)
            holder.rollback()
            await shows_no(pilot, says)
