"""A TCP line that keeps chunks as they are and can be slow, be counted, be cut, and lead to another place later."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Literal

Side = Literal["client", "server"]

GULP = 1 << 18

BATCH_ENDS = b"Z\0\0\0\5T"
"""ReadyForQuery inside a transaction: the last of the server's answers before that to COMMIT."""


class Fate(Enum):
    """What happens to a chunk. HOLD: it and everything after it that this side sends stays where it is, unheard of and,
    once the buffers between are full, with its sender.
    """

    PASS = "pass"
    CUT_BEFORE = "cut before"
    CUT_AFTER = "cut after"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Chunk:
    """Bytes that one side sent at once; `number` counts those of its side over all connections, from 1."""

    side: Side
    number: int
    data: bytes


Decide = Callable[[Chunk], Awaitable[Fate]]


async def pass_on(_: Chunk) -> Fate:
    """The line without a fault."""
    return Fate.PASS


class Line:
    """`decide` is asked for every chunk just before it is delivered; `rtt` is in seconds, half of it each way."""

    def __init__(self, host: str, port: int, *, rtt: float = 0.0) -> None:
        self.target = (host, port)
        self.rtt = rtt
        self.decide: Decide = pass_on
        self.gulp = GULP
        """The longest chunk, in bytes: what is sent at once is cut into such pieces."""
        self.closed = False
        """A closed line takes no new connection; those that are open live on."""
        self.turns = 0
        """Round trips: how often a client spoke after its server had (or first), over all connections."""
        self.sent: dict[Side, int] = {"client": 0, "server": 0}
        self.bytes: dict[Side, int] = {"client": 0, "server": 0}
        self.port = 0
        self._open: set[asyncio.StreamWriter] = set()

    def reset(self) -> None:
        """A line as new, with no connection on it."""
        self.cut()
        self.decide, self.gulp, self.closed, self.turns = pass_on, GULP, False, 0
        self.sent = {"client": 0, "server": 0}
        self.bytes = {"client": 0, "server": 0}

    def cut(self) -> None:
        """End every connection without a word; what is on the way is lost."""
        for writer in self._open:
            writer.transport.abort()
        self._open.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client's connection, to its end."""
        if self.closed:
            writer.transport.abort()
            return
        try:
            upstream, upwriter = await asyncio.open_connection(*self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, upwriter}
        last: list[Side] = ["server"]
        await asyncio.gather(
            self._pump("client", reader, upwriter, last),
            self._pump("server", upstream, writer, last),
        )
        self._open -= {writer, upwriter}

    async def _pump(
        self, side: Side, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, last: list[Side]
    ) -> None:
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        delivery = asyncio.create_task(self._deliver(side, queue, writer))
        with suppress(OSError):
            while not delivery.done() and (data := await reader.read(self.gulp)):
                if side == "client" and last[0] == "server":
                    self.turns += 1
                last[0] = side
                self.bytes[side] += len(data)
                queue.put_nowait((loop.time() + self.rtt / 2, data))
        queue.put_nowait((0.0, b""))
        await delivery

    async def _deliver(
        self, side: Side, queue: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter
    ) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while True:
                due, data = await queue.get()
                if (wait := due - loop.time()) > 0:
                    await asyncio.sleep(wait)
                if not data:
                    break
                self.sent[side] += 1
                fate = await self.decide(Chunk(side, self.sent[side], data))
                if fate is Fate.HOLD:
                    return
                if fate is Fate.CUT_BEFORE:
                    break
                writer.write(data)
                await writer.drain()
                if fate is Fate.CUT_AFTER:
                    break
            if data:
                self.cut()
        writer.close()


@asynccontextmanager
async def line_to(host: str, port: int, *, rtt: float = 0.0) -> AsyncIterator[Line]:
    """A line that listens on 127.0.0.1 at its `port` for as long as the context lasts."""
    line = Line(host, port, rtt=rtt)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    try:
        yield line
    finally:
        line.closed = True
        line.cut()
        server.close()
