"""What a tick of the panels costs the server at 10 thousand and at 5 million executions: `python -m tests.bench.ticks`.

Two databases with the migration applied; in both, 2 executions a second in the two tables together up to now, 5 % of
them failed and logged, so that a window holds the same rows whatever the size. The statements are those that the
product sent, caught on its own connection, and explained with ANALYZE, planning included. Exit 1 when a tick, or
reading another window from nothing, costs more than half as much again on the larger tables.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import psycopg

from tests.support import DEMO, server_folder
from tui.core.panels import Scope
from tui.db.batch import Command, Reply
from tui.db.feeds import Feeds
from tui.db.link import Link
from tui.db.session import Session
from tui.db.target import resolve
from tui.demo.kept import Kept
from tui.files import read_bundle

SIZES = (10_000, 5_000_000)
WINDOWS = (900, 3600)
RATIO = 1.5
"""How much more it may cost on the larger tables."""
REPEAT, ROUNDS = 7, 8

TENANTS = 200
LOAD, UP_TO_NOW = (
    (Path(__file__).parent / name).read_text(encoding="utf-8") for name in ("ticks.sql", "ticks_up_to_now.sql")
)


class Overheard(Link):
    """A link that remembers what was sent last."""

    sent: tuple[Command, ...] = ()

    async def batch(self, commands: Iterable[Command], *, silence: float = 60.0, streamed: bool = True) -> list[Reply]:
        """As the link's."""
        self.sent = tuple(commands)
        return await super().batch(self.sent, silence=silence, streamed=streamed)


@dataclass(frozen=True, slots=True)
class Cost:
    """Milliseconds of planning and running one statement on the server, and the buffers it touched."""

    milliseconds: float
    buffers: int


Costs = dict[str, dict[str, Cost]]
"""What each statement of each kind of asking costs."""


def keep_least(least: Costs, costs: Costs) -> None:
    """Keep in `least` whatever costs less: what others do on this machine only adds."""
    for what, found in costs.items():
        kept = least.setdefault(what, {})
        for name, cost in found.items():
            if name not in kept or cost.milliseconds < kept[name].milliseconds:
                kept[name] = cost


async def explained(link: Link, commands: Iterable[Command]) -> dict[str, Cost]:
    """The least cost of each statement that reads, by its first line: what others do here only adds to it."""
    found: dict[str, list[Cost]] = {}
    begin, limits, *reading, rollback = commands
    for _ in range(REPEAT):
        asked = [
            Command(f"explain (analyze, buffers, timing off, format json) {one.sql}", one.parameters) for one in reading
        ]
        replies = await link.batch([begin, limits, *asked, rollback], silence=60.0)
        for command, reply in zip(reading, replies[2:-1], strict=True):
            (plan,) = json.loads(reply.value)
            blocks = plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
            name = command.sql.splitlines()[0].removeprefix("-- ")[:60]
            found.setdefault(name, []).append(Cost(plan["Planning Time"] + plan["Execution Time"], blocks))
    return {name: min(costs, key=lambda cost: cost.milliseconds) for name, costs in found.items()}


async def measured(dsn: str) -> Costs:
    """The costs of every kind of asking, by what was asked."""
    target, bundle = resolve(dsn, environ={}), read_bundle()
    session, link = Session(target, bundle), Overheard(target)
    costs: Costs = {}
    try:
        live = (await session.look()).catalog
        scope = max(await session.scopes(900), key=lambda share: share.errors).scope
        await link.open()
        for window in WINDOWS:
            for whose in (None, Scope(scope.key, scope.label)):
                feeds = Feeds(bundle)
                feeds.choose(live)
                what = f"{window // 60} min, {'all' if whose is None else 'one tenant'}"
                for kind in ("from nothing", "tick"):
                    await feeds.tick(link, window, whose)
                    costs[f"{what}: {kind}"] = await explained(link, link.sent)
    finally:
        await link.close()
        await session.close()
    return costs


def load(admin: str, rows: int) -> None:
    """`rows` executions in each of the two tables, analysed."""
    began = perf_counter()
    with psycopg.connect(admin, autocommit=True) as connection:
        with connection.transaction():
            connection.execute(LOAD.replace(":rows", str(rows)).replace(":tenants", str(TENANTS)).encode())
        connection.execute("vacuum analyze")
    print(f"{rows} executions in each of two tables: loaded in {perf_counter() - began:.0f} s", flush=True)


def show(small: Costs, large: Costs, rows: int) -> list[str]:
    """Print both beside each other; returns what costs too much."""
    wrong = []
    for what, costs in small.items():
        print(f"\n{what:64} {SIZES[0]:>9} {rows:>9}  ratio   buffers")
        for name, cost in costs.items():
            other = large[what][name]
            ratio = other.milliseconds / cost.milliseconds
            print(
                f"  {name:62} {cost.milliseconds:6.2f} ms {other.milliseconds:6.2f} ms {ratio:5.2f}x"
                f"   {cost.buffers} / {other.buffers}"
            )
        a, b = (sum(one.milliseconds for one in part.values()) for part in (costs, large[what]))
        print(f"  {'total server ms':62} {a:6.2f} ms {b:6.2f} ms {b / a:5.2f}x")
        if b / a > RATIO:
            wrong.append(f"{what}: {b / a:.2f} times as much on {rows} rows")
    return wrong


def main() -> int:
    """0 when a tick costs the same at any size, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=SIZES[1], help="executions in each table of the larger database")
    rows = parser.parse_args().rows
    found: list[Costs] = [{}, {}]
    with server_folder(16 * 2**30) as folder, Kept(DEMO, home=folder, pooler=False) as kept:
        address = kept.ready.address
        names = ("small", "large")
        for name, size in zip(names, (SIZES[0], rows), strict=True):
            kept.create(name, "applied")
            load(address.admin_dsn(name), size)
        for name in names:
            with psycopg.connect(address.admin_dsn(name)) as connection:
                connection.execute(UP_TO_NOW.encode())
        # In turns: a moment in which others keep the machine busy is one of both.
        for _ in range(ROUNDS):
            for name, least in zip(names, found, strict=True):
                keep_least(least, asyncio.run(measured(address.dsn("postgres", name))))
    small, large = found
    wrong = show(small, large, rows)
    for line in wrong:
        print(f"wrong: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
