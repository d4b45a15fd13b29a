"""The event loop that databases are asked on: asyncio's own, except that leaving it never waits for a name server."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from threading import Thread
from typing import Any, TypeVar

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What asks a command to end: Ctrl+C, `kill`, a terminal that has gone."""

T = TypeVar("T")
Addresses = list[Any]  # of the tuples that `socket.getaddrinfo` gives


class Loop(asyncio.SelectorEventLoop):
    """Resolves names in threads that end with the process. Those of asyncio's pool are waited for at its end, and a
    resolver that nobody answers takes half a minute (resolv.conf(5): 5 s a server and try).
    """

    async def getaddrinfo(
        self,
        host: bytes | str | None,
        port: bytes | str | int | None,
        *,
        family: int = 0,
        type: int = 0,  # noqa: A002 - asyncio's name
        proto: int = 0,
        flags: int = 0,
    ) -> Addresses:
        """As `socket.getaddrinfo`. Raises what that raises: OSError, UnicodeError for what is no name."""
        answer: asyncio.Future[Addresses] = self.create_future()

        def tell(found: Addresses, error: Exception | None) -> None:
            if answer.done():
                return
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)

        def resolve() -> None:
            found, failed = [], None
            try:
                found = socket.getaddrinfo(host, port, family, type, proto, flags)
            except (OSError, UnicodeError) as error:
                failed = error
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self.call_soon_threadsafe(tell, found, failed)

        Thread(target=resolve, name="resolver", daemon=True).start()
        return await answer


def run(main: Coroutine[Any, Any, T]) -> T:
    """As `asyncio.run`, on a `Loop`."""
    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(main)


@contextmanager
def at_signal(act: Callable[[], object], *numbers: signal.Signals) -> Iterator[None]:
    """`act`, on the loop that runs, at each of these signals; without any, at those of ENDING."""
    loop, heard = asyncio.get_running_loop(), numbers or ENDING
    for number in heard:
        loop.add_signal_handler(number, act)
    try:
        yield
    finally:
        for number in heard:
            loop.remove_signal_handler(number)


async def meanwhile(modules: Sequence[str]) -> None:
    """Load `modules` one after the other; in between comes whatever a server has sent."""
    for module in modules:
        import_module(module)
        await asyncio.sleep(0)
