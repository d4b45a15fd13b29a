"""The demo's traffic: users who work on the database as an application's API would let them, until the pipe ends.

Started by the keeper as `python -m tui.demo.traffic`; the end of its standard input is the order to stop. What it does
is data: the flows of demo.toml. It outlives whatever happens to the database: a migration under its feet, a rollback
that refuses it, a server that goes away.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from importlib import resources
from pathlib import Path

import psycopg
from psycopg.rows import dict_row

from tui.demo.manifest import Action, Flow, Traffic, load_manifest

Parameters = dict[str, object]
_Connection = psycopg.AsyncConnection[Parameters]

_CONNECTIONS = 4
_IN_FLIGHT = 60
_FINISH_ATTEMPTS = 5
_SURVEY_SECONDS = 4.0
_BACK_OFF_SECONDS = 1.0
_BURST_CHANCE, _BURST_SIZE = 0.03, 4
_TIDE_SECONDS = 97.0
_LOG_EVERY_SECONDS = 60.0

# As PostgREST does at the start of each request.
_BECOME = "select set_config('role', %(role)s, true), set_config('request.jwt.claims', %(claims)s, true)"


class _Connections:
    """A few connections, opened when needed; one that fails is thrown away, and a server that is away is left alone."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._idle: list[_Connection] = []
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self._away_until = 0.0

    @property
    def away(self) -> bool:
        """Whether the server was not to be had a moment ago."""
        return time.monotonic() < self._away_until

    async def run(self, action: Action, statement: str, parameters: Mapping[str, object]) -> Parameters | None:
        """Run one statement in one transaction as the action's role; its first row, or None. Raises psycopg.Error."""
        async with self._slots, self._connection() as connection:
            await connection.execute(_BECOME, {"role": action.role, "claims": parameters.get("claims", "")})
            cursor = await connection.execute(statement.encode(), parameters)
            row = await cursor.fetchone() if cursor.description else None
            await connection.commit()
            return row

    async def rows(self, action: Action, statement: str, parameters: Mapping[str, object]) -> list[Parameters]:
        """As `run`, with all rows."""
        async with self._slots, self._connection() as connection:
            await connection.execute(_BECOME, {"role": action.role, "claims": ""})
            rows = await (await connection.execute(statement.encode(), parameters)).fetchall()
            await connection.commit()
            return rows

    async def close(self) -> None:
        """Close what is idle."""
        for connection in self._idle:
            await connection.close()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[_Connection]:
        connection = self._idle.pop() if self._idle else await self._open()
        try:
            yield connection
        except psycopg.Error:
            with suppress(psycopg.Error):
                await connection.rollback()
            raise
        finally:
            if connection.closed or connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
                await connection.close()
            else:
                self._idle.append(connection)

    async def _open(self) -> _Connection:
        try:
            return await psycopg.AsyncConnection.connect(
                self._dsn, row_factory=dict_row, prepare_threshold=None, connect_timeout=5
            )
        except psycopg.OperationalError:
            self._away_until = time.monotonic() + _BACK_OFF_SECONDS
            raise


class _Log:
    """Says each kind of trouble at most once a minute."""

    def __init__(self) -> None:
        self._said: dict[str, float] = {}

    def say(self, what: str, error: psycopg.Error) -> None:
        """Write one line about `error` in `what`."""
        kind = f"{what}: {error.sqlstate or type(error).__name__}"
        now = time.monotonic()
        if now - self._said.get(kind, -math.inf) >= _LOG_EVERY_SECONDS:
            self._said[kind] = now
            print(f"{time.strftime('%H:%M:%S')} {kind} {str(error).strip().splitlines()[0][:200]}", flush=True)


class Engine:
    """Runs the flows of `traffic`, whose files lie in `folder`, on the database of `dsn`, until it is cancelled."""

    def __init__(self, traffic: Traffic, folder: Path, dsn: str) -> None:
        self._traffic = traffic
        self._dice = random.Random()  # noqa: S311 - nobody's secret
        self._connections = _Connections(dsn)
        self._log = _Log()
        self._texts = {action.file: _text(folder, action) for action in _actions(traffic)}
        self._tasks: set[asyncio.Task[None]] = set()
        self._present: frozenset[str] = frozenset()
        self._users: list[Parameters] = []

    async def run(self) -> None:
        """Survey and act for ever."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_surveying())
                for flow in self._traffic.flows:
                    group.create_task(self._keep_starting(flow))
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._connections.close()

    async def _keep_surveying(self) -> None:
        """See every few seconds what exists and who may act: a migration comes and goes while we run."""
        query = resources.files("tui.demo").joinpath("present.sql").read_text(encoding="utf-8")
        names = sorted({name for flow in self._traffic.flows for name in (*flow.requires, *flow.unless)})
        users = self._traffic.users
        while True:
            try:
                found = await self._connections.rows(Action("", self._traffic.login), query, {"names": names})
                self._present = frozenset(str(row["name"]) for row in found)
                self._users = await self._connections.rows(users, self._texts[users.file], {})
            except psycopg.Error as error:
                self._users = []
                self._log.say("survey", error)
            await asyncio.sleep(_SURVEY_SECONDS)

    async def _keep_starting(self, flow: Flow) -> None:
        """Start runs of one flow at random moments, with a slow tide (high at first) and now and then a burst."""
        begun = time.monotonic()
        while True:
            tide = 1 + 0.5 * math.cos(2 * math.pi * (time.monotonic() - begun) / _TIDE_SECONDS)
            await asyncio.sleep(self._dice.expovariate(flow.per_minute * tide / 60))
            burst = _BURST_SIZE if self._dice.random() < _BURST_CHANCE else 1
            for _ in range(burst):
                if self._may_start(flow):
                    task = asyncio.create_task(self._go_through(flow))
                    self._tasks.add(task)
                    task.add_done_callback(self._tasks.discard)

    def _may_start(self, flow: Flow) -> bool:
        return (
            bool(self._users)
            and not self._connections.away
            and len(self._tasks) < _IN_FLIGHT
            and self._present.issuperset(flow.requires)
            and self._present.isdisjoint(flow.unless)
        )

    async def _go_through(self, flow: Flow) -> None:
        """One run of a flow from start to finish; whatever the database answers ends at most this run."""
        try:
            parameters = {**self._dice.choice(self._users), "name": self._dice.choice(flow.names)}
            row = await self._act(flow.start, parameters)
            if row is None and flow.prepare:
                await self._act(flow.prepare, parameters)
                row = await self._act(flow.start, parameters)
            if flow.finish and row:
                await self._work(flow, flow.finish, {**parameters, **row})
        except psycopg.Error as error:
            self._log.say(flow.name, error)

    async def _work(self, flow: Flow, finish: Action, parameters: Parameters) -> None:
        """The while between start and finish: log-normal, as the run times of real jobs are."""
        median, most = flow.seconds
        seconds = min(most, max(0.05, self._dice.lognormvariate(math.log(median), 1.0)))
        status = self._dice.choices([*flow.outcomes], [*flow.outcomes.values()])[0]
        failed = status in flow.troubles
        parameters |= {"status": status, "error": self._dice.choice(self._traffic.errors) if failed else None}
        steps = self._dice.randint(*flow.steps)
        for step in range(1, steps + 1):
            await asyncio.sleep(seconds / steps)
            last_failed = failed and step == steps
            if flow.step:
                level = "error" if last_failed else "info"
                moment = {"step": step, "steps": steps, "level": level, "ms": round(seconds * 1000 / steps)}
                await self._try(flow, flow.step, parameters | moment)
        if not steps:
            await asyncio.sleep(seconds)
        for _ in range(_FINISH_ATTEMPTS):
            if await self._try(flow, finish, parameters):
                break
            await asyncio.sleep(_BACK_OFF_SECONDS)
        if failed and flow.trouble:
            await self._try(flow, flow.trouble, parameters)

    async def _try(self, flow: Flow, action: Action, parameters: Parameters) -> bool:
        """Whether the database took it: a job whose log is refused still goes on, as a worker's would."""
        try:
            await self._act(action, parameters)
        except psycopg.Error as error:
            self._log.say(f"{flow.name}, {action.file}", error)
            return False
        return True

    async def _act(self, action: Action, parameters: Parameters) -> Parameters | None:
        return await self._connections.run(action, self._texts[action.file], parameters | {"roll": self._dice.random()})


def _actions(traffic: Traffic) -> list[Action]:
    found = [traffic.users]
    for flow in traffic.flows:
        found += [action for action in (flow.prepare, flow.start, flow.step, flow.finish, flow.trouble) if action]
    return found


def _text(folder: Path, action: Action) -> str:
    return (folder / action.file).read_text(encoding="utf-8")


async def _until_told(engine: Engine) -> None:
    """Run the engine until standard input ends or a signal says so."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()

    def hear() -> None:
        if not os.read(0, 4096):
            loop.remove_reader(0)
            told.set()

    loop.add_reader(0, hear)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    running = asyncio.create_task(engine.run())
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    for task in (running, waiting):
        task.cancel()
    with suppress(asyncio.CancelledError):
        await running


def main() -> int:
    """Run the traffic; returns its exit status."""
    parser = argparse.ArgumentParser(prog="tui.demo.traffic")
    parser.add_argument("--home", type=Path, required=True, help="names the demo this process belongs to")
    parser.add_argument("--demo", type=Path, required=True)
    parser.add_argument("--dsn", required=True, help="without a password: it names a password file")
    arguments = parser.parse_args()
    traffic = load_manifest(arguments.demo).traffic
    if traffic is None:
        return 0
    asyncio.run(_until_told(Engine(traffic, arguments.demo, arguments.dsn)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
