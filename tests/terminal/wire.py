"""The line of the fault campaign in a thread of its own, so that a test can watch a terminal while it carries bytes."""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType

from tests.faults.line import Chunk, Fate, Line, line_to

NAME = b"application_name\0"


class Wire:
    """What stands between a program and a port of this machine. Use as a context manager.

    It can be cut (connections end, none is let in), fall silent (nothing is lost, nothing arrives) and be mended.
    `rtt`: its round trip in seconds.
    """

    _loop: asyncio.AbstractEventLoop
    _over: asyncio.Event
    _flowing: asyncio.Event
    _line: Line

    def __init__(self, host: str, port: int, *, rtt: float = 0.0) -> None:
        self.port = 0
        """Where it listens."""
        self._target, self._rtt = (host, port), rtt
        self._names: list[str] = []
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Wire:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    def applications(self) -> list[str]:
        """The names of every connection made so far, in order."""
        return list(self._names)

    def lead_to(self, port: int) -> None:
        """New connections go to another port."""
        self._line.target = (self._target[0], port)

    def cut(self) -> None:
        """End every connection and let none in."""
        self._line.closed = True
        self._loop.call_soon_threadsafe(self._line.cut)

    def silence(self) -> None:
        """Hold everything back that either side sends, as a network that lost its way does."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def mend(self) -> None:
        """As if nothing had been; what was held back goes on its way."""
        self._line.closed = False
        self._loop.call_soon_threadsafe(self._flowing.set)

    async def _serve(self) -> None:
        self._loop, self._over, self._flowing = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        self._flowing.set()
        async with line_to(*self._target, rtt=self._rtt) as line:
            line.decide = self._decide
            self._line, self.port = line, line.port
            self._ready.set()
            await self._over.wait()
            self._flowing.set()
        # What is cancelled by the end of the loop would be told of as an error.
        if left := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(left, timeout=1.0)

    async def _decide(self, chunk: Chunk) -> Fate:
        if chunk.side == "client" and NAME in chunk.data:
            self._names.append(chunk.data.partition(NAME)[2].partition(b"\0")[0].decode())
        await self._flowing.wait()
        return Fate.PASS
