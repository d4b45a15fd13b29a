"""One connection of ours on a real server: what ends it while nobody asks, and how a refusal differs from silence."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from time import monotonic

import pytest

from tests.support import Database, MakeDatabase, ask
from tui.core.deck import Problem
from tui.db import link as of_link
from tui.db.link import Link
from tui.db.target import resolve

real = pytest.mark.parametrize(("cluster", "route"), [("pg18", "direct")], indirect=True)


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    return make_database("bare")


@pytest.fixture
async def link(database: Database) -> AsyncIterator[Link]:
    made = Link(resolve(database.dsn, environ={}))
    yield made
    await made.close()


@real
async def test_the_end_of_an_idle_line_is_heard_at_once(database: Database, link: Link) -> None:
    await link.open()
    listening = asyncio.create_task(link.hung_up())
    for _ in range(3):
        await link.run("select 1")
    assert not listening.done()
    began = monotonic()
    await asyncio.to_thread(ask, database.admin_dsn, f"select pg_terminate_backend({link.reached.startup_pid})")
    problem = await asyncio.wait_for(listening, 5)
    assert monotonic() - began < 1
    assert (problem.kind, problem.retry, link.is_open) == ("lost", True, False)
    await link.open()
    assert (await link.run("select 1")).value == "1"
    again = asyncio.create_task(link.hung_up())
    await asyncio.sleep(0)
    assert not again.done(), "an end is told once"
    again.cancel()


@real
async def test_a_full_database_declines_and_is_no_silence(database: Database, link: Link) -> None:
    ask(database.admin_dsn, f"alter database {database.name} connection limit 0")
    with pytest.raises(Problem, match="too many connections") as declined:
        await link.open()
    assert (declined.value.kind, declined.value.retry) == ("refused", True)


async def test_nobody_answers_is_known_soon_from_the_second_time_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_link, "KNOCK", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        port = deaf.getsockname()[1]
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:  # the queue of a server that takes nobody is full: what comes now is dropped
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        link = Link(resolve(f"postgresql://x@127.0.0.1:{port}/x?connect_timeout=2&sslmode=disable", environ={}))
        for _ in range(2):
            began = monotonic()
            with pytest.raises(Problem) as silent:
                await link.open()
            assert (silent.value.kind, silent.value.retry) == ("unreachable", True)
        assert monotonic() - began < 1.5
        assert f"no answer from 127.0.0.1 port {port}" in str(silent.value)
        for one in waiting:
            one.close()
