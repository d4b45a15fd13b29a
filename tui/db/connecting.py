"""From parameters to a connection, on libpq's calls that do not wait: every host, every address, a deadline for each.

libpq tries several hosts by itself, but then without a deadline, and its look-up of a name blocks: so each address is
an attempt of our own here (PostgreSQL manual, 34.1.1.3 "Specifying Multiple Hosts", and 34.1 PQconnectPoll).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from ipaddress import ip_address
from typing import TypeVar

from tui.db.driver import OperationalError, PGcancelConn, PGconn, pq
from tui.db.libpq import conninfo, stated
from tui.loop import in_thread

WITHOUT_TIMEOUT = 130
"""Seconds of an attempt where `connect_timeout` sets no end: about as long as Linux waits for an answer to its SYN."""
LEAST_TIMEOUT = 2
"""Seconds that an attempt has at least, as with libpq."""

FINAL = ("authentication failed", "(ECIRCUITBREAKER)")
"""Words after which no other address is tried, as libpq does: a server or pooler counts wrong passwords."""

T = TypeVar("T")

_READING, _WRITING = pq.PollingStatus.READING, pq.PollingStatus.WRITING


async def connect(parameters: Mapping[str, str | int]) -> PGconn:
    """A connection to the first place that lets us in, in non-blocking mode; after the handshake nothing is sent on it.

    What `parameters` do not say the environment does, as with libpq. Raises OperationalError: why each place that was
    tried did not let us in, or why the one did where others are not tried. Its words are libpq's and the server's.
    """
    given = stated() | {key: str(value) for key, value in parameters.items()}
    timeout = _timeout(given.get("connect_timeout", ""))
    reasons: list[str] = []
    async with aclosing(_places(given, timeout, reasons)) as places:
        async for place in places:
            pgconn = pq.PGconn.connect_start(conninfo({**parameters, **place}))
            made = False
            try:
                async with asyncio.timeout(timeout):
                    made = await _made(pgconn, pgconn.connect_poll)
                if made:
                    pgconn.nonblocking = 1
                    return pgconn
                reason = _named(pgconn.get_error_message(), place)
                if pgconn.needs_password or any(words in reason for words in FINAL):
                    raise OperationalError(reason)
                reasons.append(reason)
            except TimeoutError:
                reasons.append(f"{_called(pgconn)} failed: timeout expired")
            finally:
                if not made:
                    pgconn.finish()
    raise OperationalError(_told(reasons))


async def cancel(pgconn: PGconn, timeout: float) -> None:
    """Ask the server, within `timeout` seconds, to stop what runs on `pgconn`; that it was asked is all that is known.

    Raises OperationalError when the request did not get through.
    """
    try:
        async with asyncio.timeout(timeout):
            # What asks in clear about an encrypted connection, and waits, is the only way before libpq 17.
            if min(pq.version(), pq.__build_version__) < 170_000:
                await in_thread(pgconn.get_cancel().cancel)
            else:
                await _cancel(pgconn.cancel_conn())
    except TimeoutError:
        raise OperationalError("the request to cancel did not get through in time") from None


async def _cancel(request: PGcancelConn) -> None:
    try:
        request.start()
        if not await _made(request, request.poll):
            raise OperationalError(request.get_error_message())
    finally:
        request.finish()


async def _made(connection: PGconn | PGcancelConn, poll: Callable[[], int]) -> bool:
    """Whether a connection that was started comes about."""
    if connection.status == pq.ConnStatus.BAD:
        return False
    loop, state = asyncio.get_running_loop(), int(_WRITING)
    while state in (_READING, _WRITING):
        # Asked for again each time: libpq goes from one socket to another where it tries with TLS, then without.
        number, ready = connection.socket, asyncio.Event()
        listen, leave = (
            (loop.add_reader, loop.remove_reader) if state == _READING else (loop.add_writer, loop.remove_writer)
        )
        listen(number, ready.set)
        try:
            await ready.wait()
        finally:
            leave(number)
        state = poll()
    return state == pq.PollingStatus.OK


def attempts(given: Mapping[str, str]) -> list[dict[str, str]]:
    """What the lists of hosts, addresses and ports in `given` come to: `host`, `hostaddr` and `port` of each attempt,
    without what is not given.

    Paired as by libpq: a single port is everybody's, an empty item is the default. Lists that can not be paired stay
    what they are, in one attempt: libpq refuses it and has the words.
    """
    lists = {key: given[key].split(",") for key in ("host", "hostaddr", "port") if given.get(key)}
    number = max((len(lists[key]) for key in ("host", "hostaddr") if key in lists), default=1)
    if len(lists.get("port", ())) == 1:
        lists["port"] *= number
    if any(len(items) != number for items in lists.values()):
        return [{}]
    return [{key: items[at] for key, items in lists.items()} for at in range(number)]


async def _places(given: Mapping[str, str], timeout: float, reasons: list[str]) -> AsyncGenerator[dict[str, str]]:
    """The parameters in which attempts differ, one address each. A name is looked up when its turn comes; one that can
    not be found goes to `reasons`.
    """
    order = _shuffled if given.get("load_balance_hosts") == "random" else list
    # All of them are asked for a standby before any is taken as it is; libpq would do that for each alone.
    standby = {"target_session_attrs": "standby"} if given.get("target_session_attrs") == "prefer-standby" else {}
    found: list[dict[str, str]] = []
    for attempt in order(attempts(given)):
        host, addresses = attempt.get("host", ""), [""]
        if not attempt.get("hostaddr") and _is_name(host):
            try:
                async with asyncio.timeout(timeout):
                    addresses = await _addresses(host)
            except (OSError, UnicodeError) as error:  # TimeoutError among them, which has no words
                why = getattr(error, "strerror", None) or str(error) or "timeout expired"
                reasons.append(f'could not translate host name "{host}" to address: {why}')
                continue
        for address in order(addresses):
            found.append({**attempt, "hostaddr": address} if address else attempt)
            yield found[-1] | standby
    for place in found if standby else ():
        yield place | {"target_session_attrs": "any"}


def _shuffled(items: list[T]) -> list[T]:
    from random import sample  # few want it, and it takes as long to load as to connect

    return sample(items, len(items))


def _is_name(host: str) -> bool:
    """Whether it has to be looked up: not a socket's folder, an abstract socket or an address."""
    if not host or host.startswith(("/", "@")):
        return False
    try:
        ip_address(host)
    except ValueError:
        return True
    return False


async def _addresses(host: str) -> list[str]:
    found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    # A link-local address of IPv6 leads nowhere without its interface, which comes last.
    return list(dict.fromkeys(f"{at[0]}%{at[3]}" if len(at) == 4 and at[3] else str(at[0]) for *_, at in found))


def _timeout(text: str) -> float:
    """Seconds that each attempt may take. Raises OperationalError when `text` is no number."""
    try:
        seconds = int(text or 0)
    except ValueError:
        raise OperationalError(f'invalid integer value "{text}" for connection option "connect_timeout"') from None
    return max(seconds, LEAST_TIMEOUT) if seconds > 0 else WITHOUT_TIMEOUT


def _named(reason: str, place: Mapping[str, str]) -> str:
    """libpq's words with the name of the host, as it has them itself where it looked up the name."""
    host, address = place.get("host"), place.get("hostaddr")
    return reason.replace(f'server at "{address}"', f'server at "{host}" ({address})') if host and address else reason


def _called(pgconn: PGconn) -> str:
    """An attempt as libpq calls it."""
    host, address, port = (part.decode(errors="replace") for part in (pgconn.host, pgconn.hostaddr, pgconn.port))
    if host.startswith(("/", "@")):
        return f'connection to server on socket "{host}/.s.PGSQL.{port}"'
    return f'connection to server at "{host}"{f" ({address})" if address not in ("", host) else ""}, port {port}'


def _told(reasons: list[str]) -> str:
    """Why there is no connection. Of several attempts each in one line, without libpq's hints, which are indented."""
    if len(reasons) == 1:
        return reasons[0]
    lines = (" ".join(line for line in reason.splitlines() if not line.startswith("\t")) for reason in reasons)
    return "; ".join(dict.fromkeys(lines))
