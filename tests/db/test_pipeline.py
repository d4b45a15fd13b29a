"""The piped batch on real servers: streaming, errors, notices, deadlines, lost lines; direct and through PgBouncer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from time import monotonic

import psycopg
import pytest

from tests.conftest import MakeDatabase
from tui.db.batch import Command, LineLost, Reply, Silence, StatementError
from tui.db.pipeline import pipe


@pytest.fixture
async def connection(make_database: MakeDatabase) -> AsyncIterator[psycopg.AsyncConnection]:
    database = make_database("bare")
    opened = await psycopg.AsyncConnection.connect(database.dsn, autocommit=True, prepare_threshold=None)
    yield opened
    await opened.close()


async def batch(connection: psycopg.AsyncConnection, *sql: str, silence: float = 10) -> list[Reply]:
    return [reply async for reply in pipe(connection.pgconn, [Command(text) for text in sql], silence=silence)]


async def test_every_command_answers_in_order_with_rows_as_text(connection: psycopg.AsyncConnection) -> None:
    commands = [Command("select $1::int + 1, null, 'ä'", ("41",)), Command("select 1 where false"), Command("select")]
    replies = [reply async for reply in pipe(connection.pgconn, commands, silence=10)]
    assert [reply.index for reply in replies] == [0, 1, 2]
    assert replies[0].rows == (("42", None, "ä"),)
    assert replies[0].value == "42"
    assert replies[1].rows == ()
    assert replies[1].value == ""
    assert replies[2].rows == ((),)


async def test_results_stream_before_the_batch_has_ended(connection: psycopg.AsyncConnection) -> None:
    began = monotonic()
    commands = [Command("select 1"), Command("select pg_sleep(0.6)")]
    arrivals = [monotonic() - began async for _ in pipe(connection.pgconn, commands, silence=10)]
    assert arrivals[0] < 0.3
    assert arrivals[1] >= 0.6


async def test_an_error_names_its_command_and_place_and_skips_the_rest(connection: psycopg.AsyncConnection) -> None:
    with pytest.raises(StatementError) as caught:
        await batch(connection, "begin", "create table public.kept_not (a int)", "select 'é', nosuch", "commit")
    assert (caught.value.index, caught.value.sqlstate, caught.value.position) == (2, "42703", 13)
    assert connection.pgconn.transaction_status == psycopg.pq.TransactionStatus.INERROR
    await batch(connection, "rollback")
    assert (await batch(connection, "select to_regclass('public.kept_not')"))[0].value == ""


async def test_a_notice_belongs_to_the_command_that_raised_it(connection: psycopg.AsyncConnection) -> None:
    speak = "do $$ begin raise notice '%s'; end $$"
    replies = await batch(connection, "select 1", speak % "one", "select 2", speak % "two")
    assert [[notice.message for notice in reply.notices] for reply in replies] == [[], ["one"], [], ["two"]]


async def test_silence_has_an_end(connection: psycopg.AsyncConnection) -> None:
    began = monotonic()
    with pytest.raises(Silence) as caught:
        await batch(connection, "select 1", "select pg_sleep(5)", silence=0.3)
    assert caught.value.confirmed == 1
    assert monotonic() - began < 2
    assert connection.closed


async def test_a_terminated_backend_is_a_lost_line_that_says_why(connection: psycopg.AsyncConnection) -> None:
    with pytest.raises(LineLost) as caught:
        await batch(connection, "begin", "select 1", "select pg_terminate_backend(pg_backend_pid())", "commit")
    assert caught.value.sqlstate == "57P01"
    assert caught.value.confirmed <= 2


async def test_a_reader_that_leaves_early_leaves_no_half_read_line(connection: psycopg.AsyncConnection) -> None:
    stream = pipe(connection.pgconn, [Command("select 1"), Command("select pg_sleep(5)")], silence=10)
    async for _ in stream:
        break
    await stream.aclose()
    assert connection.closed


async def test_a_cancelled_reader_leaves_no_half_read_line(connection: psycopg.AsyncConnection) -> None:
    reading = asyncio.create_task(batch(connection, "select pg_sleep(5)"))
    await asyncio.sleep(0.2)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert connection.closed


async def test_commands_are_taken_only_as_fast_as_they_are_sent(connection: psycopg.AsyncConnection) -> None:
    """A long file must not be queued whole in memory: with the server busy, the source is not drained."""
    taken = 0

    def endless() -> Iterator[Command]:
        nonlocal taken
        yield Command("select pg_sleep(0.5)")
        for _ in range(20_000):
            taken += 1
            yield Command("select '" + "x" * 2000 + "'")

    high_water = None
    async for reply in pipe(connection.pgconn, endless(), silence=10):
        high_water = taken if high_water is None else high_water
        last = reply.index
    assert last == 20_000
    assert high_water is not None
    assert high_water < 10_000


async def test_what_hangs_on_a_reply_is_sent_as_soon_as_that_was_read(connection: psycopg.AsyncConnection) -> None:
    """The server goes on with what it has meanwhile, and the end of the batch waits for what was held back."""
    chosen: list[Command] = []

    def commands() -> Iterator[Command | None]:
        yield Command("select 41")
        yield Command("select pg_sleep(0.3)")
        while not chosen:
            yield None
        yield from chosen

    replies = []
    async for reply in pipe(connection.pgconn, commands(), silence=10):
        replies.append(reply)
        if reply.index == 0:
            chosen.append(Command("select $1::int + 1", (reply.value,)))
    assert [reply.value for reply in replies] == ["41", "", "42"]


async def test_what_is_held_back_is_not_asked_for_after_a_failure(connection: psycopg.AsyncConnection) -> None:
    def commands() -> Iterator[Command | None]:
        yield Command("select 1 / 0")
        while True:
            yield None

    with pytest.raises(StatementError) as caught:
        _ = [reply async for reply in pipe(connection.pgconn, commands(), silence=10)]
    assert caught.value.sqlstate == "22012"
    assert (await batch(connection, "select 1"))[0].value == "1"
