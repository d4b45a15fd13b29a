"""The wire by itself: memory that does not grow with the file, notices that keep their statement, waits that end."""

from __future__ import annotations

import resource
import sys
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from time import monotonic

import psycopg
import pytest

from tests.support import Cluster, MakeDatabase
from tui.db.batch import Command, LineLost
from tui.db.pipeline import pipe

pytestmark = pytest.mark.parametrize("cluster", ["pg18"], indirect=True)

STATEMENTS = 50_000
TEXT = "select '" + "x" * 400 + "'"
"""So that the file is 20 MB, and its results the same again."""


@pytest.fixture
async def connection(cluster: Cluster, make_database: MakeDatabase) -> AsyncIterator[psycopg.AsyncConnection]:
    dsn = make_database("bare").dsn
    opened = await psycopg.AsyncConnection.connect(dsn, autocommit=True, prepare_threshold=None)
    yield opened
    await opened.close()


def resident() -> int:
    """The most memory this process has had so far, in bytes: libpq's buffers are not Python's."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


async def test_fifty_thousand_statements_in_bounded_memory(connection: psycopg.AsyncConnection) -> None:
    def file() -> Iterator[Command]:
        yield Command("begin")
        for number in range(STATEMENTS):
            yield Command(f"{TEXT} || {number}")
        yield Command("rollback")

    # The first batch brings what any batch costs.
    assert [reply.index async for reply in pipe(connection.pgconn, [Command("select 1")], silence=10)] == [0]
    before, last = resident(), -1
    tracemalloc.start()
    async for reply in pipe(connection.pgconn, file(), silence=30):
        assert reply.index == last + 1
        last = reply.index
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert last == STATEMENTS + 1
    assert peak < 2 * 2**20, f"{peak / 2**20:.1f} MiB of Python objects at once"
    grown = resident() - before
    assert grown < 24 * 2**20, f"the process grew by {grown / 2**20:.1f} MiB"


async def test_notices_keep_their_statement_in_a_long_batch(connection: psycopg.AsyncConnection) -> None:
    def file() -> Iterator[Command]:
        for number in range(3_000):
            speaks = number % 7 == 0
            yield Command(f"do $$ begin raise notice 'n{number}'; end $$" if speaks else "select 1")

    async for reply in pipe(connection.pgconn, file(), silence=30):
        expected = [f"n{reply.index}"] if reply.index % 7 == 0 else []
        assert [notice.message for notice in reply.notices] == expected


@pytest.mark.parametrize("route", ["direct"])
async def test_a_server_that_stops_reading_is_a_wait_that_ends(connection: psycopg.AsyncConnection) -> None:
    """While it works on one statement nobody takes the rest: the deadline holds for sending as well."""

    def file() -> Iterator[Command]:
        yield Command("select pg_sleep(20)")
        while True:
            yield Command("select '" + "x" * 100_000 + "'")

    began = monotonic()
    with pytest.raises(LineLost):
        async for _ in pipe(connection.pgconn, file(), silence=0.5):
            pass
    assert monotonic() - began < 5
