"""A lost answer to COMMIT: the line is really cut, and what we say about the database is true every time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.conftest import Database, MakeDatabase
from tests.db.test_applier import library, plan_for
from tui.core.deck import Control
from tui.core.run import Committing, Event, Finished, Outcome
from tui.db import applier, commit
from tui.db.journal import unfinished
from tui.db.recovery import recover
from tui.db.session import Session
from tui.db.target import Target, resolve


class Line:
    """A TCP line to a server that can be cut before the client's next bytes, or before the server's next answer."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self.cut_request = self.cut_rest = self.cut_answer = self.dead = False
        self._writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.dead:
            writer.close()
            return
        upstream, upwriter = await asyncio.open_connection(self._host, self._port)
        self._writers += [writer, upwriter]
        await asyncio.gather(self._pump(reader, upwriter, up=True), self._pump(upstream, writer, up=False))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, up: bool) -> None:
        try:
            while data := await reader.read(65536):
                if up and self.cut_request and b"commit\0" in data:
                    return self.cut()
                if not up and (self.cut_rest or (self.cut_answer and b"COMMIT\0" in data)):
                    return self.cut()
                writer.write(data)
                await writer.drain()
        except (ConnectionError, OSError):
            pass
        finally:
            writer.close()

    def cut(self) -> None:
        self.dead = True
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def line_to(database: Database) -> AsyncIterator[tuple[Line, Target]]:
    parts = urlsplit(database.dsn)
    line = Line(parts.hostname or "", parts.port or 0)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    passfile = parse_qs(parts.query)["passfile"][0]
    dsn = f"host=127.0.0.1 port={port} user=postgres dbname={database.name} passfile={passfile} sslmode=disable"
    try:
        yield line, resolve(dsn, environ={})
    finally:
        line.cut()
        server.close()


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    return make_database("bare")


async def run_and_cut(
    line: Line, target: Target, database: Database, journals: Path, *, answer: bool, back: bool
) -> Finished:
    """Apply; at COMMIT the line is cut before the request arrives, or after it and before its answer."""
    last: Event | None = None
    async for event in applier.run(target, plan_for(database), Control(), journals=journals):
        last = event
        if isinstance(event, Committing):
            line.cut_answer, line.cut_request = answer, not answer
            if back:
                asyncio.get_running_loop().call_later(0.5, revive, line)
    assert isinstance(last, Finished)
    return last


def revive(line: Line) -> None:
    line.dead = line.cut_answer = line.cut_rest = line.cut_request = False


@pytest.mark.parametrize("answer", [False, True], ids=["request lost", "answer lost"])
async def test_the_outcome_is_asked_for_and_told_truly(database: Database, tmp_path: Path, answer: bool) -> None:
    async with line_to(database) as (line, target):
        finished = await run_and_cut(line, target, database, tmp_path, answer=answer, back=True)
    assert finished.outcome is (Outcome.COMMITTED if answer else Outcome.ROLLED_BACK), finished
    session = Session(resolve(database.dsn, environ={}), library())
    assert (await session.look()).verdict.state == ("applied" if answer else "not_applied")
    await session.close()
    assert unfinished(target.destination, tmp_path) == ()


async def test_the_line_is_lost_while_the_server_does_what_comes_before_commit(
    database: Database, tmp_path: Path
) -> None:
    """COMMIT was sent, and none of the answers after that arrives: either end is possible, the true one is told."""
    async with line_to(database) as (line, target):
        last: Event | None = None
        async for event in applier.run(target, plan_for(database), Control(), journals=tmp_path):
            last = event
            if isinstance(event, Committing):
                line.cut_rest = True
                asyncio.get_running_loop().call_later(0.5, revive, line)
    assert isinstance(last, Finished)
    session = Session(resolve(database.dsn, environ={}), library())
    told = {Outcome.COMMITTED: "applied", Outcome.ROLLED_BACK: "not_applied"}
    assert (await session.look()).verdict.state == told[last.outcome]
    await session.close()
    assert unfinished(target.destination, tmp_path) == ()


@pytest.mark.parametrize("answer", [False, True], ids=["request lost", "answer lost"])
async def test_an_unknown_outcome_is_kept_and_resolved_before_the_next_run(
    database: Database, tmp_path: Path, answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "RESOLVE_WITHIN", 0.5)
    async with line_to(database) as (line, target):
        finished = await run_and_cut(line, target, database, tmp_path, answer=answer, back=False)
        assert finished.outcome is Outcome.UNKNOWN
        assert "status" in finished.next_step
        assert len(unfinished(target.destination, tmp_path)) == 1
        # Still no line: nothing is run, and nothing is claimed.
        refused = [event async for event in applier.run(target, plan_for(database), Control(), journals=tmp_path)][-1]
        assert isinstance(refused, Finished)
        assert (refused.outcome, refused.ran) == (Outcome.UNKNOWN, False)
        revive(line)
        recovered = await recover(target, tmp_path)
    assert [earlier.fate for earlier in recovered] == ["committed" if answer else "rolled_back"]
    assert unfinished(target.destination, tmp_path) == ()
