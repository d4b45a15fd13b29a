"""One connection: open it, send batches, count round trips, cancel, close; every failure becomes a `Problem`.

The driver takes longer to load than all the rest of a look: the first connection loads it, not this module.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing, suppress
from fcntl import ioctl
from socket import SHUT_RDWR, socket
from sys import byteorder
from termios import TIOCOUTQ
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tui.core.deck import Problem, ProblemKind
from tui.core.text import one_line, redact
from tui.db.batch import Command, LineLost, Reply, StatementError
from tui.db.target import Target

if TYPE_CHECKING:
    from tui.db.driver import PGconn

LOOK_SILENCE = 15.0
"""Seconds without a byte after which a look or a tick is given up."""

CLOSE_GRACE = 0.3

KNOCK = 1.2
"""Seconds for the TCP handshake of every connection but the first: the first packet and the one that follows it after a
second. libpq would wait on with ever longer pauses, and hear of a network's return seconds late.
"""

NO_PASSWORD = "no password supplied"  # noqa: S105 - what libpq says when the server wants one and there is none

_MEANINGS: tuple[tuple[str, ProblemKind, bool, str], ...] = (
    # (what the server or pooler says, kind, harmless to try again, what to do); facts: migrations G.
    ("password authentication failed", "auth", False, "check the password; it is not tried again by itself"),
    ("SASL authentication failed", "auth", False, "check the password; it is not tried again by itself"),
    (NO_PASSWORD, "auth", False, "give it by PGPASSWORD, a .pgpass file or the prompt"),
    ("(ECIRCUITBREAKER)", "auth", False, "too many wrong passwords: wait two minutes, then try once"),
    ("(ENOTFOUND)", "refused", False, "check the user (postgres.PROJECT_REF) and the region in the host name"),
    ("(ENOIDENTIFIER)", "refused", False, "the pooler needs the user as postgres.PROJECT_REF"),
    ("(EADDRNOTALLOWED)", "refused", False, "this address is not in the project's network restrictions"),
    ("(ESSLREQUIRED)", "refused", False, "add sslmode=require"),
    ("(EMAXCONN", "refused", True, "the pooler is full: wait, or use the other port"),
    ("too many clients already", "refused", True, "the server is full: end a session, or wait"),
    ("too many connections for", "refused", True, "this role or database has all the connections it may have"),
    ("remaining connection slots are reserved", "refused", True, "the server is full: end a session, or wait"),
    ("no more connections allowed", "refused", True, "the pooler is full: wait, or use the other port"),
    ("(ECHECKOUTTIMEOUT)", "timeout", True, "every backend of the pool is busy; nothing was run"),
    ("unsupported startup parameter", "refused", False, "take `options` out of the DSN: poolers refuse it"),
    ("certificate verify failed", "refused", False, "the server's certificate is not signed by sslrootcert"),
    ("does not exist", "refused", False, "check the database and role names in the DSN"),
    ("no pg_hba.conf entry", "refused", False, "the server does not let this address, role or TLS mode in"),
    ("server does not support SSL", "refused", False, "the server has no TLS; only sslmode=disable reaches it"),
    ("Connection refused", "unreachable", True, "nothing listens there: check host and port"),
    ("could not translate host name", "unreachable", True, "the host name does not resolve"),
    ("Name or service not known", "unreachable", True, "the host name does not resolve"),
    ("timeout expired", "unreachable", True, "no answer in time; connect_timeout in the DSN allows more"),
)


class Reached(NamedTuple):
    """What a connection says of itself.

    `startup_pid`: the process id the server announced at startup; a pooler announces one of its own (facts: embedded).
    `tls`: the sslmode in force, "off" where the line to the server or pooler is not encrypted; `tls_verified`: a server
    with another certificate would have been refused. `rtt`: seconds to the first reply of the last batch, a round trip
    and a trivial statement.
    """

    startup_pid: int = 0
    tls: str = "off"
    tls_verified: bool = False
    rtt: float = 0.0


class Line(Protocol):
    """A connection as a look needs it; `Link` says what each of these is."""

    @property
    def is_open(self) -> bool: ...
    @property
    def reached(self) -> Reached: ...
    async def open(self) -> None: ...
    async def batch(self, commands: Iterable[Command]) -> list[Reply]: ...
    async def run(self, sql: str, *parameters: str | None) -> Reply: ...
    async def close(self) -> None: ...


class Link:
    """One connection to a target. Not for concurrent use: a batch holds it until its end."""

    def __init__(self, target: Target, *, application: str = "patchdeck") -> None:
        self._target, self._application = target, application
        self._pgconn: PGconn | None = None
        self._busy = asyncio.Lock()
        self._again = False
        self._ended = asyncio.Event()
        self._last_words = ""
        self.round_trips = 0
        """Batches that waited for the server since this object was made; the handshake is not counted."""
        self.rtt = 0.0
        """Seconds to the first reply of the last batch: one round trip and a trivial statement."""

    @property
    def is_open(self) -> bool:
        """Whether the connection is there as far as this side knows."""
        return self._live is not None

    @property
    def _live(self) -> PGconn | None:
        """The connection, while it is open."""
        return self._pgconn if self._pgconn is not None and _is_open(self._pgconn) else None

    @property
    def reached(self) -> Reached:
        """What it says of itself; nothing of the server while it is closed."""
        pgconn = self._live
        if pgconn is None:
            return Reached(rtt=self.rtt)
        encrypted = bool(pgconn.ssl_in_use)
        return Reached(
            startup_pid=pgconn.backend_pid,
            tls=self._target.tls_mode if encrypted else "off",
            tls_verified=encrypted and self._target.tls_verified,
            rtt=self.rtt,
        )

    @property
    def unsent(self) -> int:
        """Bytes that the kernel holds because the other side has not taken them; 0 where it does not say."""
        pgconn = self._live
        if pgconn is None:
            return 0
        count = bytearray(4)
        with suppress(OSError):
            ioctl(pgconn.socket, TIOCOUTQ, count)
        return int.from_bytes(count, byteorder)

    async def open(self) -> None:
        """Connect; does nothing when connected. Raises Problem."""
        if self.is_open:
            return
        if self._again:
            await self._knock()
        self._again = True
        given = self._target.parameters(self._application)
        try:
            self._pgconn = await self._connect(given)
        except Problem as problem:
            if NO_PASSWORD not in problem.message or not self._target.supply(given):
                raise
            self._pgconn = await self._connect(self._target.parameters(self._application))

    async def _knock(self) -> None:
        """Raise Problem when nobody answers at all. Any other reason is left to the connection, which has the words."""
        door = self._target.door
        if door is None:
            return
        try:
            async with asyncio.timeout(KNOCK):
                _, writer = await asyncio.open_connection(*door)
        except TimeoutError:
            raise Problem("unreachable", f"no answer from {self._target.destination.host} port {door[1]}") from None
        except OSError:
            return
        writer.close()

    async def _connect(self, parameters: Mapping[str, str | int]) -> PGconn:
        from tui.db.connecting import connect
        from tui.db.driver import Error

        try:
            pgconn = await connect(parameters)
        except Error as error:
            raise self._unconnected(str(error)) from None
        except OSError as error:
            raise self._unconnected(error.strerror or "the network is unreachable") from None
        self._ended.clear()
        self._last_words = ""
        return pgconn

    def _unconnected(self, message: str) -> Problem:
        """Why there is no connection; what is wrong with the address comes before what the words alone mean."""
        problem, advice = _problem(message), self._target.advice(message)
        return Problem(problem.kind, problem.message, advice, retry=problem.retry) if advice else problem

    async def batch(
        self, commands: Iterable[Command], *, silence: float = LOOK_SILENCE, streamed: bool = True
    ) -> list[Reply]:
        """All replies of one batch, in order. Raises StatementError, or Problem when the connection is lost."""
        try:
            return [reply async for reply in self.stream(commands, silence=silence, streamed=streamed)]
        except LineLost as lost:
            raise _problem(lost.message, lost=True) from None

    async def stream(
        self, commands: Iterable[Command | None], *, silence: float = LOOK_SILENCE, streamed: bool = True
    ) -> AsyncGenerator[Reply]:
        """The replies of one batch as they arrive. Raises StatementError, LineLost or Silence (see `pipe`)."""
        async with self._busy:
            pgconn = self._live
            if pgconn is None:
                raise LineLost(0, "the connection is closed")
            from tui.db.pipeline import pipe

            self.round_trips += 1
            first = True
            self._listen(pgconn, False)
            try:
                async with aclosing(pipe(pgconn, commands, silence=silence, streamed=streamed)) as replies:
                    async for reply in replies:
                        if first:
                            self.rtt, first = reply.seconds, False
                        yield reply
            finally:
                self._listen(pgconn, True)

    async def run(self, sql: str, *parameters: str | None, silence: float = LOOK_SILENCE) -> Reply:
        """One statement in a batch of its own. Raises StatementError or Problem."""
        replies = await self.batch([Command(sql, parameters)], silence=silence)
        return replies[0]

    async def cancel(self) -> None:
        """Ask the server to stop the running statement; a request that does not get through is not an error."""
        if (pgconn := self._live) is not None:
            # The statement's own deadline and the closed connection are the second net.
            await _cancel(pgconn, 5.0)

    def give_up(self) -> None:
        """End the line under a batch that nobody answers: its reader gets a LineLost instead of waiting on."""
        if (pgconn := self._live) is not None:
            with suppress(OSError), socket(fileno=os.dup(pgconn.socket)) as line:
                line.shutdown(SHUT_RDWR)

    async def hung_up(self) -> Problem:
        """Wait until the other end closes the line while nothing is asked on it; returns what it said.

        Without that a server that went away would be noticed with the next question only.
        """
        if not self.is_open:
            self._ended.clear()
        await self._ended.wait()
        return _problem(self._last_words, lost=True)

    def _listen(self, pgconn: PGconn, idle: bool) -> None:
        """Hear what comes while nothing is asked, or leave the line to those who ask."""
        if not _is_open(pgconn):
            return
        loop, socket_number = asyncio.get_running_loop(), pgconn.socket
        if idle:
            loop.add_reader(socket_number, self._heard, pgconn, socket_number)
        else:
            loop.remove_reader(socket_number)

    def _heard(self, pgconn: PGconn, socket_number: int) -> None:
        """Something came that nobody asked for: news of a parameter, or the end."""
        from tui.db.driver import Error

        try:
            pgconn.consume_input()
            # Takes in what has come; libpq closes the line when it reads that there is nothing more to come.
            pgconn.is_busy()
        except Error as error:
            self._last_words = str(error)
        if not _is_open(pgconn):
            asyncio.get_running_loop().remove_reader(socket_number)
            self._last_words = self._last_words or "the server closed the connection"
            self._ended.set()

    async def close(self) -> None:
        """Close; a statement still running is cancelled first so that no lock outlives us. Safe to call twice."""
        pgconn, self._pgconn = self._live, None
        if pgconn is None:
            return
        self._listen(pgconn, False)
        if self._busy.locked():
            await _cancel(pgconn, CLOSE_GRACE)
        pgconn.finish()


def _is_open(pgconn: PGconn) -> bool:
    # libpq's CONNECTION_OK: a connection that was made has but one other state, CONNECTION_BAD.
    return pgconn.status == 0


async def _cancel(pgconn: PGconn, timeout: float) -> None:
    from tui.db.connecting import cancel
    from tui.db.driver import Error

    with suppress(Error):
        await cancel(pgconn, timeout)


def query_problem(error: StatementError) -> Problem:
    """A statement of ours that the server refused, as a Problem: the line itself is fine."""
    hint = "the connected role lacks a right that looking needs" if error.sqlstate == "42501" else ""
    return Problem("query", redact(one_line(f"{error.message} ({error.sqlstate})", 300)), hint)


def lost_problem(lost: LineLost) -> Problem:
    """A lost line as a Problem."""
    return _problem(lost.message, lost=True)


def _problem(message: str, *, lost: bool = False) -> Problem:
    text = redact(one_line(message.strip(), 300))
    for said, kind, retry, hint in _MEANINGS:
        if said in message:
            return Problem("lost" if lost and retry else kind, text, hint, retry=retry)
    return Problem("lost" if lost else "unreachable", text, "", retry=True)
