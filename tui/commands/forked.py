"""A process beside this one, forked from it early: what it loads and waits for costs this one no time.

Loading the driver takes as long as the first frame of the dashboard, or all the rest of a glance. This module itself
loads next to nothing, so that the fork comes before all that is loaded on either side.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
from collections.abc import Callable, Coroutine
from contextlib import suppress
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

GULP = 1 << 16
HEAD = 4
"""Bytes of the length before each value."""
GRACE = 0.4
"""Seconds that the other process has to cancel what a server works on for it."""


class Channel:
    """One end of a line between two processes, for values that pickle, each whole. For one event loop."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._received = bytearray()
        line.setblocking(False)

    async def send(self, what: object) -> None:
        """Send it; that nobody receives any more is no error."""
        from asyncio import get_running_loop

        with suppress(OSError):
            await get_running_loop().sock_sendall(self._line, _framed(what))

    def post(self, what: object) -> None:
        """Send it without an event loop; it should be small, as this waits until there is room for it."""
        with suppress(OSError):
            self._line.setblocking(True)
            self._line.sendall(_framed(what))
            self._line.setblocking(False)

    async def receive(self) -> Any:
        """What the other end sends next, None when it has gone, or this end is closed."""
        from asyncio import get_running_loop

        while self._line.fileno() >= 0:
            size = int.from_bytes(self._received[:HEAD])
            if size and len(self._received) >= HEAD + size:
                sent = bytes(self._received[HEAD : HEAD + size])
                del self._received[: HEAD + size]
                return pickle.loads(sent)  # noqa: S301 - by this very program
            try:
                more = await get_running_loop().sock_recv(self._line, GULP)
            except OSError:
                more = b""
            if not more:
                break
            self._received += more
        return None

    def close(self) -> None:
        """Send and receive nothing any more."""
        self._line.close()


def _framed(what: object) -> bytes:
    document = pickle.dumps(what)
    return len(document).to_bytes(HEAD) + document


Work = Callable[[Channel], Coroutine[Any, Any, None]]
"""What the other process does. It is to end when it receives None: nobody listens any more."""


class Forked:
    """The process that does `work`, as a context manager: at its end nothing of it is left.

    It has no screen and no exit code: what it finds it sends, and what fails in it is for this process to find again
    and to tell. Where there is no room for another process this is one that has ended already.
    """

    def __init__(self, work: Work) -> None:
        ours, theirs = socket.socketpair()
        self.busy = False
        """Whether a server may be at work for it, which it has to end."""
        self._pid = 0
        with suppress(OSError):
            self._pid = os.fork()
            if self._pid == 0:
                ours.close()
                _live(work, theirs)
        theirs.close()
        self.channel = Channel(ours)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End it; safe to call twice."""
        self.channel.close()
        until = monotonic() + (GRACE if self.busy else 0)
        while self._pid and monotonic() < until:
            if os.waitpid(self._pid, os.WNOHANG)[0]:
                self._pid = 0
            else:
                sleep(0.002)
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = 0


def leave_terminal() -> None:
    """Let nothing of this process reach the terminal, or keep it open, from now on."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):
        os.dup2(nowhere, number)


def _live(work: Work, line: socket.socket) -> None:
    """The other process, from its beginning to its end."""
    try:
        from tui import loop

        loop.run(work(Channel(line)))
    finally:
        if isinstance(error := sys.exception(), Exception):
            # A defect, and nobody here to tell it to: the file that a crash leaves has it.
            from tui.crash import record

            record(error)
        # Not a step further: what this process was copied from has its own end, its own exit code.
        os._exit(0)
