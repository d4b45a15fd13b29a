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
from types import TracebackType
from typing import Any, Self

GULP = 1 << 16
HEAD = 4
"""Bytes of the length before each thing said."""


class Ear:
    """One end of what two processes say to each other: values that pickle, each whole. For one event loop."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._received = bytearray()
        line.setblocking(False)

    async def say(self, what: object) -> None:
        """Say it; nobody who listens any more is no error."""
        from asyncio import get_running_loop

        document = pickle.dumps(what)
        try:
            await get_running_loop().sock_sendall(self._line, len(document).to_bytes(HEAD) + document)
        except OSError:
            return

    async def hear(self) -> Any:
        """What the other end says next, None when it has gone."""
        from asyncio import get_running_loop

        while True:
            size = int.from_bytes(self._received[:HEAD])
            if size and len(self._received) >= HEAD + size:
                said = bytes(self._received[HEAD : HEAD + size])
                del self._received[: HEAD + size]
                return pickle.loads(said)  # noqa: S301 - by this very program
            try:
                more = await get_running_loop().sock_recv(self._line, GULP)
            except OSError:
                more = b""
            if not more:
                return None
            self._received += more

    def close(self) -> None:
        """Say and hear nothing any more."""
        self._line.close()


Work = Callable[[Ear], Coroutine[Any, Any, None]]
"""What the other process does. It is to end when it hears that nobody listens any more."""


class Beside:
    """The process that does `work`, as a context manager: at its end nothing of it is left.

    It has no screen and no exit code: what it has to say it says on the line, and what fails in it is for this process
    to find and to tell.
    """

    def __init__(self, work: Work) -> None:
        ours, theirs = socket.socketpair()
        self._pid = os.fork()
        if self._pid == 0:
            ours.close()
            _live(work, theirs)
        theirs.close()
        self.ear = Ear(ours)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """End it; safe to call twice."""
        if self._pid:
            self.ear.close()
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

        loop.run(work(Ear(line)))
    finally:
        if isinstance(error := sys.exception(), Exception):
            # A defect, and nobody here to tell it to: the file that a crash leaves has it.
            from tui.crash import record

            record(error)
        # Not a step further: what this process was copied from has its own end, its own exit code.
        os._exit(0)
