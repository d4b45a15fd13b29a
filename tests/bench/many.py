"""How long `status --all` takes over many databases behind a slow line: `python -m tests.bench.many`.

All databases are on one server of this machine, behind a proxy that delays each way by half the round trip: what would
be the work of a hundred servers is that of one here, so the processor's seconds of both sides are printed, too. Each
database carries the record of its apply; `--without-records` shows what a look costs that has to make its twins. Goal:
100 databases at 80 ms within 3 s.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import monotonic

import psutil
import psycopg

from tests.cli.support import PATCHDECK, environment
from tests.faults.line import line_to
from tests.support import DEMO, server_folder
from tui.core.deck import Control
from tui.core.run import Finished, Outcome, Plan
from tui.db.session import Session
from tui.db.target import resolve
from tui.demo.kept import Kept
from tui.demo.server import Address
from tui.files import read_bundle

FIRST = "many_0"


@contextmanager
def databases(number: int) -> Iterator[Address]:
    """A server with `number` databases many_0, many_1, ..., in each of which the migration was applied."""
    with server_folder() as folder, Kept(DEMO, home=folder, pooler=False) as kept:
        address = kept.ready.address
        kept.create(FIRST, "legacy")
        asyncio.run(_apply(address.dsn("postgres", FIRST)))
        with psycopg.connect(address.admin_dsn("postgres"), autocommit=True) as admin:
            for at in range(1, number):
                admin.execute(f"create database many_{at} template {FIRST} owner postgres".encode())
        yield address


async def _apply(dsn: str) -> None:
    session = Session(resolve(dsn, environ={}), read_bundle())
    plan = Plan(session.bundle, confirmed=session.destination.database, operator="bench", client_host="bench")
    try:
        async for event in session.run(plan, Control()):
            if isinstance(event, Finished) and event.outcome is not Outcome.COMMITTED:
                raise SystemExit(f"the migration did not commit: {event.reason}")
    finally:
        await session.close()


async def glance(address: Address, number: int, rtt: float) -> tuple[float, int]:
    """Seconds of one `status --all` over the line, and how many of the databases it found healthy."""
    with tempfile.TemporaryDirectory() as folder:
        async with line_to("127.0.0.1", address.port, rtt=rtt) as line:
            targets = [
                f'[targets.many-{at}]\nenvironment = "staging"\n'
                f'dsn = "{address.dsn("postgres", f"many_{at}").replace(f":{address.port}/", f":{line.port}/")}"\n'
                for at in range(number)
            ]
            (Path(folder) / "patchdeck.toml").write_text("\n".join(targets), encoding="utf-8")
            began = monotonic()
            process = await asyncio.create_subprocess_exec(
                *PATCHDECK, "status", "--all", "--json", cwd=folder, env=environment(), stdout=asyncio.subprocess.PIPE
            )
            told, _ = await process.communicate()
            seconds = monotonic() - began
    found = json.loads(told)["targets"]
    return seconds, sum(one["exit"] == 0 for one in found)


def server_seconds(address: Address) -> float:
    """Seconds the server's processes have used so far, those that have ended among them."""
    path = Path(address.sockets) / f".s.PGSQL.{address.port}.lock"
    times = psutil.Process(int(path.read_text(encoding="utf-8").split()[0])).cpu_times()
    return float(times.children_user + times.children_system)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--databases", type=int, default=100)
    parser.add_argument("--rtt", type=float, default=0.08, help="seconds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--without-records", action="store_true")
    options = parser.parse_args()
    with databases(options.databases) as address:
        if options.without_records:
            for at in range(options.databases):
                with psycopg.connect(address.admin_dsn(f"many_{at}"), autocommit=True) as admin:
                    admin.execute("update patchdeck.runs set digest = ''")
        # The first round reads what the others find in memory.
        asyncio.run(glance(address, options.databases, options.rtt))
        walls, clients, servers, healthy = [], [], [], 0
        for _ in range(options.rounds):
            used, ours = server_seconds(address), resource.getrusage(resource.RUSAGE_CHILDREN)
            wall, healthy = asyncio.run(glance(address, options.databases, options.rtt))
            now = resource.getrusage(resource.RUSAGE_CHILDREN)
            walls.append(wall)
            clients.append(now.ru_utime + now.ru_stime - ours.ru_utime - ours.ru_stime)
            servers.append(server_seconds(address) - used)
    print(f"status --all   {options.databases} databases, {options.rtt * 1000:.0f} ms, {healthy} healthy")
    print(f"wall           {median(walls):.2f} s  (fastest {min(walls):.2f} s)")
    print(f"client         {median(clients):.2f} s of a processor")
    print(f"server         {median(servers):.2f} s of a processor")
    sys.exit(0 if healthy == options.databases else 1)


if __name__ == "__main__":
    main()
