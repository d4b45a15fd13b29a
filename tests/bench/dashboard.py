"""What the open dashboard costs the line, the processor and the memory: `python -m tests.bench.dashboard`.

At 120x40 and 80x24, asking once a second, on an applied database: nothing happens; only numbers change; five rows a
second come in; keys are pressed meanwhile. Bytes are those that the program writes to its terminal, in bins of a
second; those of the clock are the ones that go to the clock's place. CPU is the process' own time, on which a busy
machine tells little; keys are measured by the wall, on which it tells much: the load is printed. `top` and pg_activity,
where they are installed, are watched for as long in the same run. `--minutes 30` watches the memory for as long as
the goal says. Exit 1 when a goal is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, pairwise
from math import ceil
from pathlib import Path
from statistics import mean, median
from time import monotonic

import psycopg

from tests.support import DEMO, server_folder
from tests.terminal.pty_session import PtySession
from tui.demo.kept import Kept

SIZES = ((120, 40), (80, 24))
RATE = 5.0
"""Rows a second that come in."""
KEYS = 60
WALK = "jjjjkkkk"
ANSWERED = 0.15
"""Seconds after which the answer to a key is over, and a key without one counts as if it had taken so long."""
CLOCK_CELLS, FRAME_ENDS = 9, len(b"\x1b[?2026h\x1b[?2026l")
FRAME, PLACE = re.compile(rb"\x1b\[\?2026[hl]"), re.compile(rb"\x1b\[(\d+);(\d+)H")
PAGE = os.sysconf("SC_PAGE_SIZE")
TICK_OF_CPU = os.sysconf("SC_CLK_TCK")

ROWS_BYTES, NUMBERS_BYTES, QUIET_BYTES = 1500, 1000, 0
IDLE_CPU, BUSY_CPU = 1.0, 4.0
KEY_SECONDS, MEMORY_MIB, GROWTH_MIB = 0.030, 80.0, 2.0

SEED = """
truncate public.agent_executions, public.workflow_executions, public.error_logs cascade;
insert into public.agents (tenant_id, name) select id, 'agent ' || left(id::text, 4) from public.tenants;
insert into public.workflows (tenant_id, name) select id, 'flow ' || left(id::text, 4) from public.tenants;
insert into public.agent_executions (tenant_id, agent_id, status, started_at, completed_at)
select
  tenant_id, id, 'completed', now() - (60 + n) * interval '1 second',
  now() + (60 + n) * interval '1 second'
from (select * from public.agents limit 1) as agents, generate_series(1, 60) as n;
insert into public.error_logs (tenant_id, source, message, created_at)
select tenants.id, 'worker', kind || ': step ' || n || ' gave up', now() - (60 + n) * interval '1 second'
from (select id from public.tenants limit 1) as tenants,
  unnest(array['TimeoutError', 'RateLimitError', 'ValidationError']) as kind, generate_series(1, 20) as n
"""
"""Sixty executions that took longer than any that comes, and errors of three kinds."""

BEGIN = """
insert into public.{kind}_executions (tenant_id, {kind}_id, status)
select tenant_id, id, 'running' from public.{kind}s order by random() limit 1 returning id
"""
END = "update public.{kind}_executions set status = %s, completed_at = now() where id = %s"
WHOLE = """
insert into public.{kind}_executions (tenant_id, {kind}_id, status, completed_at)
select tenant_id, id, 'completed', now() + random() * interval '4 seconds' from public.{kind}s order by random() limit 1
"""
TROUBLE = """
insert into public.error_logs (tenant_id, source, message)
select id, 'worker', 'TimeoutError: step ' || floor(random() * 60) || ' gave up' from public.tenants limit 1
"""


class Traffic(threading.Thread):
    """`RATE` new rows a second while the context lasts, every tenth an error, each at its time however long one takes.

    With `whole` executions come as they end; otherwise they run for a second, and one in ten fails.
    """

    def __init__(self, dsn: str, *, whole: bool) -> None:
        super().__init__(daemon=True)
        self._dsn, self._whole = dsn, whole
        self._over = threading.Event()
        self._running: deque[tuple[str, object]] = deque()

    def __enter__(self) -> Traffic:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        began = monotonic()
        with psycopg.connect(self._dsn, autocommit=True) as connection:
            for number in count(1):
                if self._over.wait(max(0.0, began + number / RATE - monotonic())):
                    return
                self._row(connection, number)

    def _row(self, connection: psycopg.Connection, number: int) -> None:
        kind = ("agent", "workflow")[number % 2]
        if number % 10 == 0:
            connection.execute(TROUBLE)
        elif self._whole:
            connection.execute(WHOLE.format(kind=kind).encode())
        else:
            row = connection.execute(BEGIN.format(kind=kind).encode()).fetchone()
            assert row is not None
            self._running.append((kind, row[0]))
        if len(self._running) > RATE:
            ended, key = self._running.popleft()
            status = "failed" if number % 10 == 5 else "completed"
            connection.execute(END.format(kind=ended).encode(), (status, key))


class Metered(PtySession):
    """A program in a terminal, with the time of everything that it wrote."""

    def __init__(self, command: Sequence[str], columns: int, rows: int, environment: dict[str, str]) -> None:
        self.columns = columns
        self.reads: list[tuple[float, int]] = []
        """When, in monotonic seconds, how many bytes had been written in all."""
        super().__init__(command, columns=columns, rows=rows, environment=environment)

    def __enter__(self) -> Metered:
        super().__enter__()
        return self

    def _read(self, seconds: float) -> bool:
        before = len(self.written)
        alive = super()._read(seconds)
        if len(self.written) > before:
            self.reads.append((monotonic(), len(self.written)))
        return alive

    def cpu(self) -> float:
        """The processor's seconds that the process itself has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK_OF_CPU

    def memory(self) -> float:
        """Resident memory, in MiB."""
        return int(Path(f"/proc/{self.pid}/statm").read_text(encoding="ascii").split()[1]) * PAGE / 2**20


@dataclass(frozen=True, slots=True)
class Seconds:
    """Some seconds of a program: bytes of each second, those of them that moved the clock, and the CPU in percent."""

    totals: tuple[int, ...]
    clock: tuple[int, ...]
    cpu: float

    @property
    def beside_clock(self) -> list[int]:
        """Bytes of each second that are not the clock's."""
        return [total - clock for total, clock in zip(self.totals, self.clock, strict=True)]


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure that has to be at most `limit`, and what it is of."""

    what: str
    found: float
    limit: float
    unit: str

    def missed(self) -> str:
        """What to say when it is missed, else nothing."""
        return "" if self.found <= self.limit else f"{self.what}: {self.found:.2f} {self.unit}, not {self.limit:g}"


def percentile(values: Sequence[float], share: float) -> float:
    """The least value that `share` of all do not exceed."""
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def of_the_clock(written: bytes, columns: int) -> int:
    """Bytes of what was written that went to the clock's place."""
    total = 0
    for frame in FRAME.split(written):
        places = list(PLACE.finditer(frame))
        ends = [found.start() for found in places[1:]] + [len(frame)] * bool(places)
        clock, others = 0, 0
        for found, end in zip(places, ends, strict=True):
            if int(found[1]) == 1 and int(found[2]) > columns - CLOCK_CELLS:
                clock += end - found.start()
            elif end > found.end():
                others += 1
        # A frame in which nothing else is drawn is there for the clock, with its beginning and its end.
        total += len(frame) + FRAME_ENDS if clock and not others else clock
    return total


def watch(running: Metered, seconds: int, *, before_each: str = "") -> Seconds:
    """`seconds` of a program; `before_each` is typed and answered before each begins: no tick is to blame for it."""
    totals, clock, spent, used = [], [], 0.0, 0.0
    for _ in range(seconds):
        if before_each:
            running.send(before_each)
            running.pump(ANSWERED)
        began, cpu, first = monotonic(), running.cpu(), len(running.written)
        running.pump(1.0)
        piece = bytes(running.written[first:])
        totals.append(len(piece))
        clock.append(of_the_clock(piece, running.columns))
        spent, used = spent + monotonic() - began, used + running.cpu() - cpu
    return Seconds(tuple(totals), tuple(clock), 100 * used / spent)


def starts(written: bytes) -> Iterator[tuple[int, int]]:
    """The rows and columns, from 1, at which something was drawn; without the title's row, where the clock is."""
    return ((row, int(place[2])) for place in PLACE.finditer(written) if (row := int(place[1])) > 1)


def reach(running: Metered) -> dict[int, int]:
    """How far to the right keys draw in each row, while nothing else moves but the clock and, rarely, an age."""
    rounds: list[dict[int, int]] = []
    for _ in range(2):
        furthest: dict[int, int] = {}
        for key in WALK:
            before = len(running.written)
            running.send(key)
            running.pump(0.2)
            for row, column in starts(bytes(running.written[before:])):
                furthest[row] = max(column, furthest.get(row, 0))
        rounds.append(furthest)
    return {row: min(furthest[row] for furthest in rounds) for row in rounds[0].keys() & rounds[1].keys()}


def press(running: Metered, own: dict[int, int]) -> list[float]:
    """Seconds from a key to the last byte of its answer, for `KEYS` keys at odd moments of the ticks.

    A frame that draws only where keys do not (`own`, from `reach`) is a tick's and not the answer.
    """
    found = []
    for number in range(KEYS):
        running.pump(0.217)
        before, sent = len(running.reads), monotonic()
        running.send(WALK[number % len(WALK)])
        running.pump(ANSWERED)
        ends = [total for _, total in running.reads[before - 1 :]]
        pieces = [bytes(running.written[first:last]) for first, last in pairwise(ends)]
        answers = [
            when - sent
            for (when, _), piece in zip(running.reads[before:], pieces, strict=True)
            if any(column <= own.get(row, 0) for row, column in starts(piece))
        ]
        found.append(max(answers, default=ANSWERED))
    return found


def environment(home: Path, dsn: str) -> dict[str, str]:
    """A home of the bench's own, in which the target `bench` is asked once a second."""
    folder = home / "patchdeck"
    folder.mkdir(parents=True, exist_ok=True)
    target = f'[targets.bench]\ndsn = {json.dumps(dsn)}\nenvironment = "local"\nrefresh = 1\n'
    (folder / "config.toml").write_text(target, encoding="utf-8")
    return {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "XDG_STATE_HOME": str(home), "LANG": "C.UTF-8"}


@contextmanager
def dashboard(home: Path, dsn: str, columns: int, rows: int) -> Iterator[Metered]:
    """The dashboard, settled."""
    command = [sys.executable, "-m", "tui", "--target", "bench"]
    with Metered(command, columns, rows, environment(home, dsn)) as running:
        running.wait_for("✓ APPLIED")
        running.pump(4)
        yield running


def say(name: str, seen: Seconds, other: Seconds | None = None) -> None:
    """One row of the table; `other` is what the ratio is to."""
    beside = seen.beside_clock
    ratio = f"{median(seen.totals) / max(1.0, median(other.totals)):7.1f}x" if other else ""
    print(
        f"  {name:<26} {median(seen.totals):8.0f} {percentile(seen.totals, 0.95):8.0f} {mean(seen.totals):8.0f}"
        f" {median(seen.clock):7.0f} {median(beside):9.0f} {mean(beside):8.0f} {seen.cpu:7.2f} {ratio}",
        flush=True,
    )


def measure(
    dsn: str, admin: str, home: Path, size: tuple[int, int], options: argparse.Namespace, *, minutes: float
) -> list[Goal]:
    """One size: prints every figure, returns what they were meant to be."""
    columns, rows = size
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(SEED.encode())
    at = f"{columns}x{rows}"
    print(
        f"\n{at:<28} {'bytes of 1 s':>13} {'p95':>4} {'mean':>8} {'clock':>7} {'without: ':>9} {'mean':>8} {'CPU %':>7}"
    )
    with dashboard(home, dsn, columns, rows) as running:
        started = running.memory()
        quiet = watch(running, options.seconds)
        say("nothing changes", quiet)
        own = reach(running)
        running.send("2sg")
        running.pump(2)
        with Traffic(admin, whole=True):
            numbers = watch(running, options.seconds)
        say("only numbers change", numbers)
        running.send("sssg" if columns < 110 else "sssg1")
        running.pump(2)
        with Traffic(admin, whole=False):
            running.pump(3)
            # In the narrow layout the keys act on the rows, and the marked one would hold the view where it is.
            moving = watch(running, options.seconds, before_each="g" if columns < 110 else "")
            say(f"{RATE:g} rows a second", moving)
            running.send("1g")
            keys = press(running, own)
            grown = grow(running, minutes) if minutes else 0.0
        used = running.memory()
    load = os.getloadavg()[0]
    print(
        f"  key to last byte while ticking: p50 {median(keys) * 1000:.1f} ms,"
        f" p95 {percentile(keys, 0.95) * 1000:.1f} ms (load of the machine {load:.1f} on {os.cpu_count()} cores)"
    )
    print(f"  memory after start {started:.1f} MiB, at the end {used:.1f} MiB", flush=True)
    peers(dsn, admin, size, options, environment(home, dsn), moving)
    return [
        Goal(f"{at}: a second with {RATE:g} rows", median(moving.totals), ROWS_BYTES, "B"),
        Goal(f"{at}: a second in which numbers change", median(numbers.totals), NUMBERS_BYTES, "B"),
        Goal(
            f"{at}: a second in which nothing changes, beside the clock", median(quiet.beside_clock), QUIET_BYTES, "B"
        ),
        Goal(f"{at}: CPU, idle", quiet.cpu, IDLE_CPU, "%"),
        Goal(f"{at}: CPU with {RATE:g} rows a second", moving.cpu, BUSY_CPU, "%"),
        Goal(f"{at}: p95 from key to last byte", percentile(keys, 0.95), KEY_SECONDS, "s"),
        Goal(f"{at}: memory", used, MEMORY_MIB, "MiB"),
        Goal(f"{at}: growth after the first sixth of the time", grown, GROWTH_MIB, "MiB"),
    ]


def grow(running: Metered, minutes: float) -> float:
    """MiB that the process grows from a sixth of `minutes` (the fifth of thirty) to their end; prints the course."""
    samples = []
    for _ in range(12):
        running.pump(minutes * 5)
        samples.append(running.memory())
    print(f"  memory over {minutes:g} min: {' '.join(f'{sample:.1f}' for sample in samples)} MiB", flush=True)
    return samples[-1] - samples[1]


def peers(
    dsn: str,
    admin: str,
    size: tuple[int, int],
    options: argparse.Namespace,
    surroundings: dict[str, str],
    ours: Seconds,
) -> None:
    """What the others cost in the same traffic, in ratio to `ours`."""
    commands = {
        "pg_activity": [shutil.which(options.pg_activity) or "", "--refresh", "1", dsn],
        "top": [shutil.which("top") or "", "-d", "1"],
    }
    for name, command in commands.items():
        if not command[0]:
            print(f"  {name:<26} not installed")
            continue
        with Metered(command, *size, surroundings) as running, Traffic(admin, whole=False):
            running.pump(5)
            seen = watch(running, options.seconds)
            say(name, seen, ours)
            print(f"  {'':<26} memory {running.memory():.1f} MiB", flush=True)


def main() -> int:
    """0 when every goal was met, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=40, help="how long each state is watched")
    parser.add_argument("--minutes", type=float, default=3.0, help="how long the memory is watched, at 120x40")
    parser.add_argument("--pg-activity", default="pg_activity", metavar="PATH", help="where pg_activity is")
    options = parser.parse_args()
    goals: list[Goal] = []
    with (
        tempfile.TemporaryDirectory() as home,
        server_folder() as folder,
        Kept(DEMO, home=folder, pooler=False) as kept,
    ):
        address = kept.ready.address
        kept.create("bench", "applied")
        for size in SIZES:
            minutes = options.minutes if size == SIZES[0] else 0.0
            dsn, admin = address.dsn("postgres", "bench"), address.admin_dsn("bench")
            goals += measure(dsn, admin, Path(home), size, options, minutes=minutes)
    missed = [said for goal in goals if (said := goal.missed())]
    for said in missed:
        print(f"missed: {said}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
