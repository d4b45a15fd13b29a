"""Piped statements: one Sync, a Flush after each, results streamed as they arrive, a deadline on every wait.

Works on libpq's calls, not through psycopg's own pipeline mode, which hands results over only at the end of the block
(facts: migrations 0.3, F1). One batch is one round trip however many statements it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from time import monotonic

from tui.db.batch import Command, LineLost, Reply, Row, ServerNotice, Silence, StatementError
from tui.db.driver import OperationalError, PGconn, PGresult, pq

CHUNK = 16_384
"""Bytes handed to the socket at once. A packet a statement would fill the window of a new or idle line (ten packets),
and the rest would wait for round trips."""

END = Command("")
"""Stands for the end of the commands."""

FRAMING = 40
"""Bytes that a command takes on the wire beside its text: Parse, Bind, Describe, Execute, Flush."""

_DIAGNOSTICS = pq.DiagnosticField


async def pipe(
    pgconn: PGconn, commands: Iterable[Command | None], *, silence: float, streamed: bool = True
) -> AsyncGenerator[Reply]:
    """Send `commands` as one batch and yield each result as it arrives.

    `silence` is the longest time, in seconds, to wait for the next byte. Commands are taken from the iterable only as
    fast as the socket takes them, so a file of any length needs bounded memory. A None in it says that what comes next
    hangs on a reply: a Sync goes out, from which the server bounds its wait, and the iterable is asked again after each
    reply, or not at all once one has failed. Not `streamed`, replies but for the first come together, in fewer packets:
    for what is asked once a second each of them costs more than the wait. Raises StatementError after the batch
    has ended cleanly (the connection is usable, its transaction aborted), LineLost or Silence when it has not (the
    connection is finished). A caller that stops listening early leaves the connection closed, never half-read.
    """
    batch = _Batch(pgconn, iter(commands), silence, streamed)
    try:
        async with aclosing(batch.replies()) as replies:
            async for reply in replies:
                yield reply
    finally:
        batch.end()
    if batch.failure is not None:
        raise batch.failure


class _Batch:
    """The state of one batch on one connection."""

    def __init__(self, pgconn: PGconn, commands: Iterator[Command | None], silence: float, streamed: bool) -> None:
        self._pgconn, self._commands, self._silence, self._streamed = pgconn, commands, silence, streamed
        self._sent = self._received = 0
        self._syncs = 0
        self._all_sent = self._held_back = False
        self._unsynced = False
        self._notices: list[ServerNotice] = []
        self._began = monotonic()
        self.failure: StatementError | None = None

    async def replies(self) -> AsyncGenerator[Reply]:
        pgconn = self._pgconn
        pgconn.nonblocking = 1
        pgconn.notice_handler = self._on_notice
        try:
            pgconn.enter_pipeline_mode()
            while not self._ended:
                unsent = self._feed()
                while (self._syncs or self._sent > self._received) and not pgconn.is_busy():
                    reply = self._take(pgconn.get_result())
                    if reply is not None:
                        yield reply
                    # Fed after each reply, a long file would pile up in the buffers between.
                    if self._held_back:
                        unsent = self._feed()
                if not self._ended:
                    await self._wait(unsent)
                    pgconn.consume_input()
        except OperationalError as error:
            # The server's own last word (57P01 and the like) says more than libpq's "closed unexpectedly".
            if self.failure is not None:
                raise LineLost(self.failure.index, self.failure.message, self.failure.sqlstate) from None
            raise LineLost(self._received, _first_line(str(error))) from None

    @property
    def _ended(self) -> bool:
        return self._all_sent and not self._syncs

    def end(self) -> None:
        """Leave pipeline mode; a batch that did not reach its end closes the connection instead."""
        self._pgconn.notice_handler = None
        if self._ended:
            self._pgconn.exit_pipeline_mode()
        else:
            self._pgconn.finish()

    def _feed(self) -> bool:
        """Hand over commands while the socket takes them; True when something is left to write."""
        self._held_back = False
        while self._pgconn.flush() == 0:
            if self._all_sent or self._held_back:
                return False
            self._queue()
        return True

    def _queue(self) -> None:
        """About CHUNK bytes of commands into libpq's buffer, and the Sync after the last."""
        room = CHUNK
        while room > 0:
            command = next(self._commands, END)
            if command is None or command is END:
                if self._unsynced:
                    self._pgconn.pipeline_sync()
                    self._syncs += 1
                    self._unsynced = False
                self._held_back = command is None and self.failure is None
                self._all_sent = not self._held_back
                return
            sql = command.sql.encode()
            parameters = [None if value is None else value.encode() for value in command.parameters]
            self._pgconn.send_query_params(sql, parameters or None)
            if self._streamed or not self._sent:
                # Without a Flush the server keeps its results until Sync: no progress to show, no round trip to tell.
                self._pgconn.send_flush_request()
            self._sent += 1
            self._unsynced = True
            room -= FRAMING + len(sql) + sum(len(value) for value in parameters if value is not None)

    async def _wait(self, unsent: bool) -> None:
        """Until the socket is readable (or writable while something is unsent), at most `silence` seconds."""
        loop, woken = asyncio.get_running_loop(), asyncio.Event()
        socket = self._pgconn.socket
        loop.add_reader(socket, woken.set)
        if unsent:
            loop.add_writer(socket, woken.set)
        try:
            async with asyncio.timeout(self._silence):
                await woken.wait()
        except TimeoutError:
            raise Silence(self._received, f"no answer for {self._silence:g} s") from None
        finally:
            loop.remove_reader(socket)
            if unsent:
                loop.remove_writer(socket)

    def _take(self, result: PGresult | None) -> Reply | None:
        """Digest one result; a Reply when it completes a command."""
        if result is None:
            # libpq ends every command's results with a None.
            return None
        status = result.status
        if status == pq.ExecStatus.PIPELINE_SYNC:
            self._syncs -= 1
            return None
        if status in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE):
            fields = _fields(result)
            sqlstate = fields.get("sqlstate", "")
            if self._pgconn.status == pq.ConnStatus.BAD or not sqlstate:
                raise LineLost(self._received, _first_line(fields.get("message", "connection lost")), sqlstate)
            if self.failure is None:
                self.failure = StatementError(self._received, fields, self._drain_notices())
        self._received += 1
        if self.failure is not None:
            return None
        rows: tuple[Row, ...] = ()
        if status == pq.ExecStatus.TUPLES_OK:
            columns = range(result.nfields)
            rows = tuple(tuple(_text(result.get_value(row, at)) for at in columns) for row in range(result.ntuples))
        tag = _text(result.command_status) or ""
        return Reply(self._received - 1, tag, rows, monotonic() - self._began, self._drain_notices())

    def _on_notice(self, result: PGresult) -> None:
        # libpq parses the stream in order and stops at each result, so a notice belongs to the command in front.
        fields = _fields(result)
        self._notices.append(ServerNotice(fields.get("severity", "NOTICE"), fields.get("message", "")))

    def _drain_notices(self) -> tuple[ServerNotice, ...]:
        notices, self._notices = tuple(self._notices), []
        return notices


def _fields(result: PGresult) -> dict[str, str]:
    wanted = {
        "severity": _DIAGNOSTICS.SEVERITY_NONLOCALIZED,
        "sqlstate": _DIAGNOSTICS.SQLSTATE,
        "message": _DIAGNOSTICS.MESSAGE_PRIMARY,
        "detail": _DIAGNOSTICS.MESSAGE_DETAIL,
        "hint": _DIAGNOSTICS.MESSAGE_HINT,
        "position": _DIAGNOSTICS.STATEMENT_POSITION,
        "context": _DIAGNOSTICS.CONTEXT,
    }
    found = {name: _text(result.error_field(code)) for name, code in wanted.items()}
    fields = {name: value for name, value in found.items() if value}
    if "message" not in fields and (text := _text(result.error_message)):
        fields["message"] = text
    return fields


def _text(value: bytes | None) -> str | None:
    return None if value is None else bytes(value).decode("utf-8", errors="replace")


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "the connection was closed"
