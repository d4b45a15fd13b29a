"""The event loop that databases are asked on: asyncio's own, except that leaving it never waits for a name server."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
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
        return await in_thread(lambda: socket.getaddrinfo(host, port, family, type, proto, flags))


async def in_thread(work: Callable[[], T]) -> T:
    """What `work` returns, done in a thread that ends with the process if not before; raises what it raises.

    As `asyncio.to_thread`, whose threads are waited for at the end of the loop.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def tell(act: Callable[[], None]) -> None:
        if not answer.done():
            act()

    def do() -> None:
        try:
            found = work()
            act = partial(answer.set_result, found)
        except Exception as error:  # noqa: BLE001 - for who waits for it
            act = partial(answer.set_exception, error)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, act)

    Thread(target=do, name=in_thread.__name__, daemon=True).start()
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
