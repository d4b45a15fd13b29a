"""The applier against the ways people apply migrations, over lines of 0, 20 and 80 ms: `python -m tests.bench.apply`.

Each run has a fresh legacy database, two busy readers on tables that the patch alters, and a line that delays every
chunk by half the round trip each way. Measured are: the wall time of the process; the work, from the chunk with the
patch's first statement to the answer to COMMIT; the round trips the line saw in all and during the work; the readers'
worst wait. patchdeck looks, locks, applies, verifies before COMMIT, records the run and looks again; the others only
send the statements.

Afterwards the same with somebody idle in a transaction on an old table for some seconds: how long others had to wait
meanwhile, and how soon after its end the patch was committed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import astuple, dataclass
from itertools import count
from pathlib import Path
from statistics import median
from time import perf_counter

import psycopg

from tests.bench.tools import TOOLS, Tool, environment
from tests.faults.line import Chunk, Fate, Line, line_to
from tests.support import BUNDLE, DEMO, ROOT, ask, server_folder, wait_for
from tui.demo.kept import Kept
from tui.files import read_bundle

OLD_TABLE = "public.workflow_executions"
READERS = ("select count(*) from public.tenants", f"select count(*) from {OLD_TABLE}")

IDLE = 3.0
"""Seconds that somebody in the way goes on idling."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One run, or the medians of several; seconds, and round trips in all and during the work."""

    wall: float
    work: float
    stall: float
    trips: float
    working_trips: float


class Clock:
    """Takes the time of the patch's first statement and of COMMIT's answer as they pass on the line."""

    def __init__(self, line: Line) -> None:
        self._line = line
        # Its longest line: `do $$` alone begins others as well.
        self._first = max(read_bundle(BUNDLE).patch.statements[0].text.splitlines(), key=len).encode()
        self.began = self.ended = 0.0
        self.turns = 0

    async def __call__(self, chunk: Chunk) -> Fate:
        if chunk.side == "client" and not self.began and self._first in chunk.data:
            # The trip that brings it is the first of the work.
            self.began, self.turns = perf_counter(), self._line.turns - 1
        if chunk.side == "server" and self.began and b"COMMIT\0" in chunk.data and not self.ended:
            self.ended, self.turns = perf_counter(), self._line.turns - self.turns
        return Fate.PASS


class Readers:
    """The busy readers' process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def worst(self) -> float:
        """The worst wait since the last answer, in seconds."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(b"\n")
        return float(await self._process.stdout.readline()) / 1000


@asynccontextmanager
async def reading(dsn: str) -> AsyncIterator[Readers]:
    """Two busy readers."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.readers", dsn, *READERS, stdin=pipe, stdout=pipe, cwd=ROOT
    )
    assert process.stdout is not None
    await process.stdout.readline()
    # The first query of a connection fills caches.
    await asyncio.sleep(0.2)
    readers = Readers(process)
    await readers.worst()
    try:
        yield readers
    finally:
        await process.communicate(b"")


class Track:
    """A server with its pooler, and a fresh database for every run."""

    def __init__(self, kept: Kept) -> None:
        self._kept, self._numbers = kept, count(1)

    @property
    def routes(self) -> list[str]:
        """How a database can be reached."""
        return ["direct", "pooled"] if self._kept.ready.address.pooler_port else ["direct"]

    @asynccontextmanager
    async def database(self, route: str, rtt: float) -> AsyncIterator[tuple[str, Line, str, str]]:
        """A legacy database: its name, a line to it, a DSN through that, and one that is direct. `rtt` in seconds."""
        address, name = self._kept.ready.address, f"bench_{next(self._numbers)}"
        port = address.pooler_port if route == "pooled" else address.port
        await asyncio.to_thread(self._kept.create, name, "legacy", template="legacy")
        async with line_to("127.0.0.1", port, rtt=rtt) as line:
            dsn = address.dsn("postgres", name, pooled=route == "pooled").replace(f":{port}/", f":{line.port}/")
            yield name, line, dsn, address.dsn("postgres", name)
        await asyncio.to_thread(self._kept.drop, name)


@asynccontextmanager
async def started(tool: Tool, database: str, dsn: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The tool's process, waited for at the end. Raises RuntimeError with its last words when it failed."""
    pipe = asyncio.subprocess.PIPE
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        process = await asyncio.create_subprocess_exec(
            *tool.command(dsn, database, scratch), env=environment(dsn, scratch), cwd=ROOT, stdout=pipe, stderr=pipe
        )
        ending = asyncio.create_task(process.communicate())
        yield process
        out, said = await ending
    if process.returncode != 0:
        raise RuntimeError(f"{tool.name}: {(said or out).decode(errors='replace').strip()[-400:]}")


async def run_once(track: Track, tool: Tool, route: str, rtt: float) -> Measured:
    """One run of one tool on a fresh database; `rtt` in seconds."""
    async with track.database(route, rtt) as (name, line, dsn, direct), reading(direct) as readers:
        clock = Clock(line)
        line.decide = clock
        began = perf_counter()
        async with started(tool, name, dsn) as process:
            await process.wait()
            wall = perf_counter() - began
        return Measured(wall, clock.ended - clock.began, await readers.worst(), line.turns, clock.turns)


async def measure(track: Track, tool: Tool, route: str, rtt: float, times: int) -> Measured:
    """The medians of `times` runs."""
    runs = [astuple(await run_once(track, tool, route, rtt)) for _ in range(times)]
    return Measured(*(median(column) for column in zip(*runs, strict=True)))


async def compare(track: Track, tools: Sequence[Tool], routes: Sequence[str], rtts: Sequence[int], times: int) -> bool:
    """Measure everything and print each row as it comes, in ratio to the first tool. Whether no goal was missed."""
    print(
        f"{'':20} {'route':>6} {'rtt':>6} {'wall s':>8} {'work s':>8} {'trips':>6} {'of work':>8} {'stall s':>8}",
        end="",
    )
    print(f"   {'wall':>6} {'work':>6} {'stall':>6}")
    met = True
    for rtt in rtts:
        for route in routes:
            first = None
            for tool in tools:
                head = f"{tool.name:20} {route:>6} {rtt:3} ms"
                if not tool.installed:
                    print(f"{head}  not installed", flush=True)
                    continue
                found = await measure(track, tool, route, rtt / 1000, times)
                first = first or found
                ratios = (first.wall / found.wall, first.work / found.work, first.stall / found.stall)
                print(
                    f"{head} {found.wall:8.3f} {found.work:8.3f} {found.trips:6.0f} {found.working_trips:8.0f}"
                    f" {found.stall:8.3f}   {ratios[0]:5.1f}x {ratios[1]:5.1f}x {ratios[2]:5.1f}x",
                    flush=True,
                )
                if tool is TOOLS[-1] and rtt == 80 and len(tools) > 1:
                    met &= judge(found, *ratios[1:])
    return met


def judge(found: Measured, work: float, stall: float) -> bool:
    """Print what patchdeck missed at 80 ms; `work` and `stall` are how many times better it was than the first tool."""
    goals = {
        "the work is at least 15 times faster than with the first tool": work >= 15,
        "no reader waits 0.15 s": found.stall < 0.15,
        "no reader waits a thirtieth of what it waits for the first tool": stall > 30,
        "the work takes at most 2 round trips more than sending the statements": found.working_trips <= 3,
    }
    for goal, met in goals.items():
        if not met:
            print(f"  missed: {goal}", flush=True)
    return all(goals.values())


async def behind_a_reader(track: Track, tool: Tool, route: str, rtt: float) -> tuple[float, float, float]:
    """Somebody idles in a transaction until the tool has been at its lock for IDLE seconds: the readers' worst wait
    before that, while it idled, and the seconds from its end to the answer to the tool's COMMIT.
    """
    async with track.database(route, rtt) as (name, line, dsn, direct), reading(direct) as readers:
        clock = Clock(line)
        line.decide = clock
        await asyncio.sleep(IDLE)
        alone = await readers.worst()
        async with await psycopg.AsyncConnection.connect(direct, application_name="nightly-report") as idle:
            await idle.execute(f"select count(*) from {OLD_TABLE}".encode())
            async with started(tool, name, dsn) as process:
                if tool.queues:
                    await queued(direct)
                await asyncio.sleep(IDLE)
                waited = await readers.worst()
                await idle.rollback()
                ended = perf_counter()
                await process.wait()
                return alone, waited, clock.ended - ended


async def queued(dsn: str) -> None:
    """Until somebody stands in the queue for the old table."""
    waits = f"select 1 from pg_locks where relation = '{OLD_TABLE}'::regclass and not granted"
    await asyncio.to_thread(wait_for, lambda: ask(dsn, waits), 60)


async def compare_behind(
    track: Track, tools: Sequence[Tool], routes: Sequence[str], rtts: Sequence[int], times: int
) -> bool:
    """The same with somebody in the way, for the first and the last tool. Whether no goal was missed."""
    print(f"\nsomebody idles in a transaction on {OLD_TABLE}, also for {IDLE:g} s after the tool has come to its lock")
    print(
        f"{'':20} {'route':>6} {'rtt':>6} {'readers wait ms: before':>23} {'meanwhile':>10} {'committed s after':>18}"
    )
    met = True
    for rtt in rtts:
        for route in routes:
            for tool in dict.fromkeys((tools[0], tools[-1])):
                runs = [await behind_a_reader(track, tool, route, rtt / 1000) for _ in range(times)]
                alone, waited, after = (median(column) for column in zip(*runs, strict=True))
                print(
                    f"{tool.name:20} {route:>6} {rtt:3} ms {alone * 1000:23.1f} {waited * 1000:10.1f} {after:18.3f}",
                    flush=True,
                )
                goals = {
                    "no other reader waits more than 50 ms because of us": waited < 0.05,
                    "the patch is committed within a second of the end of who was in the way": after < 1,
                }
                for goal, reached in goals.items() if tool is TOOLS[-1] else ():
                    met &= reached
                    if not reached:
                        print(f"  missed: {goal}", flush=True)
    return met


async def run(kept: Kept, arguments: argparse.Namespace) -> bool:
    """Everything that was asked for. Whether no goal was missed."""
    track = Track(kept)
    tools = [tool for tool in TOOLS if not arguments.tool or any(word in tool.name for word in arguments.tool)]
    routes = [route for route in track.routes if route in arguments.route]
    statements = len(read_bundle(BUNDLE).patch.statements)
    print(f"PostgreSQL {kept.ready.server_version}, {statements} statements, medians of {arguments.repeat}")
    met = await compare(track, tools, routes, arguments.rtt, arguments.repeat)
    if arguments.behind:
        present = [tool for tool in tools if tool.installed]
        met &= await compare_behind(track, present, routes, arguments.rtt, arguments.repeat)
    return met


def main() -> int:
    """0 when every goal that was measured was met, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeat", type=int, default=5, help="runs of which the median is taken")
    parser.add_argument("--rtt", type=int, nargs="+", default=[0, 20, 80], help="milliseconds")
    parser.add_argument("--route", nargs="+", choices=["direct", "pooled"], default=["direct", "pooled"])
    parser.add_argument("--tool", nargs="+", default=[], help="only those with one of these words in their name")
    parser.add_argument(
        "--behind", action=argparse.BooleanOptionalAction, default=True, help="with somebody in the way"
    )
    arguments = parser.parse_args()
    with server_folder() as folder, Kept(DEMO, home=folder) as kept:
        met = asyncio.run(run(kept, arguments))
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
