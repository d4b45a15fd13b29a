"""Who holds and who waits for locks on the migration's tables: sessions, and the tree of who is behind whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, Literal, Protocol, TypeVar

import msgspec

from tui.core.bundle import Bundle
from tui.core.facts import Runner
from tui.core.text import one_line, redact, visible

Ending = Literal["cancel", "terminate"]
"""Stop the running statement, or end the whole session."""

Ended = Literal["ended", "asked", "gone"]
"""`asked`: the signal was sent and its effect not yet seen. `gone`: that transaction had ended by then; nothing was
sent."""


class Waiting(Protocol):
    """What the tree looks at: a session and those it waits for."""

    @property
    def pid(self) -> int: ...
    @property
    def waits_for(self) -> tuple[int, ...]: ...


class LockHeld(msgspec.Struct, frozen=True):
    """A lock of a session on one of the tables, held or, with `granted` false, waited for."""

    relation: str
    mode: str
    granted: bool


class LockSession(msgspec.Struct, frozen=True):
    """A session that holds or waits for a lock, or that one of those waits for. Process 0 is a prepared transaction.

    `age` is its transaction's in seconds, None where the role may not see it. `token` names the transaction: through a
    pooler the same process serves somebody else a moment later. `may_end`: whether the role may signal it.
    """

    pid: int
    token: str
    user: str
    application: str
    state: str
    age: float | None
    query: str
    locks: tuple[LockHeld, ...]
    waits_for: tuple[int, ...]
    superuser: bool
    may_end: bool

    @property
    def active(self) -> bool:
        """Whether a statement is running, which alone can be cancelled."""
        return self.state == "active"


class LockPicture(msgspec.Struct, frozen=True):
    """All sessions concerned at one moment, and the run of patchdeck that is under way, if there is one."""

    sessions: tuple[LockSession, ...]
    runner: Runner | None = None


T = TypeVar("T", bound=Waiting)


class Node(msgspec.Struct, Generic[T], frozen=True):
    """A session in the tree: below the one it waits for. `also`: others it waits for; `behind`: how many wait for it,
    directly or not.
    """

    session: T
    depth: int
    also: tuple[int, ...]
    behind: int


def tree(sessions: Sequence[T]) -> tuple[Node[T], ...]:
    """The sessions from the top down: first those that most others are behind, each followed by who waits for it.

    Every session is there once, whatever waits for whom; a deadlock that the server has not yet broken hangs below the
    first of its members.
    """
    known = {session.pid: session for session in sessions}
    waiters: dict[int, list[T]] = {pid: [] for pid in known}
    for session in known.values():
        for pid in set(session.waits_for) & (known.keys() - {session.pid}):
            waiters[pid].append(session)
    behind = {pid: _behind(pid, waiters) for pid in known}
    order = sorted(known.values(), key=lambda session: -behind[session.pid])
    seen: set[int] = set()

    def below(session: T, depth: int, above: int | None) -> Iterator[Node[T]]:
        # A stack of its own: a chain may be longer than Python's.
        pending = [(session, depth, above)]
        while pending:
            one, deep, over = pending.pop()
            if one.pid in seen:
                continue
            seen.add(one.pid)
            also = tuple(sorted(pid for pid in set(one.waits_for) if pid not in (over, one.pid)))
            yield Node(one, deep, also, behind[one.pid])
            next_ones = sorted(waiters[one.pid], key=lambda waiter: -behind[waiter.pid])
            pending += [(waiter, deep + 1, one.pid) for waiter in reversed(next_ones)]

    roots = [session for session in order if not set(session.waits_for) & (known.keys() - {session.pid})]
    return tuple(node for session in (*roots, *order) if session.pid not in seen for node in below(session, 0, None))


def _behind(pid: int, waiters: dict[int, list[T]]) -> int:
    found: set[int] = set()
    pending = [pid]
    while pending:
        for waiter in waiters[pending.pop()]:
            if waiter.pid not in found and waiter.pid != pid:
                found.add(waiter.pid)
                pending.append(waiter.pid)
    return len(found)


def why_not(session: LockSession, how: Ending, *, read_only: bool) -> str:
    """Why a session can not be cancelled or terminated from here, in one sentence; "" when it can."""
    if read_only:
        return "this session is read-only"
    if not session.pid:
        return "it is a prepared transaction: commit it or roll it back by its name (pg_prepared_xacts)"
    if session.superuser and not session.may_end:
        return "it belongs to a superuser: only a superuser may end it"
    if not session.may_end:
        return f"it takes membership in pg_signal_backend or in role {one_line(session.user, 60)}"
    if how == "cancel" and not session.active:
        state = one_line(session.state, 40) or "not visible"
        return f"it runs no statement that could be cancelled (it is {state}): only ending the session lets go"
    return ""


def decode_picture(document: str | bytes) -> LockPicture:
    """The answer of `lock_tree.sql`, its texts fit to be shown, without secrets. Raises msgspec.ValidationError."""
    picture = msgspec.json.decode(document, type=LockPicture)
    return msgspec.structs.replace(picture, sessions=tuple(_cleaned(session) for session in picture.sessions))


def watched(bundle: Bundle) -> tuple[str, ...]:
    """The tables whose locks are looked at: the bundle's own and those it builds on, sorted."""
    names = {table.name for table in bundle.expectation.tables}
    return tuple(sorted(names | {table.name for table in bundle.manifest.prerequisites.tables}))


def _cleaned(session: LockSession) -> LockSession:
    return msgspec.structs.replace(
        session,
        user=visible(session.user),
        application=redact(visible(session.application)),
        state=visible(session.state),
        query=redact(one_line(session.query, 500)),
        locks=tuple(msgspec.structs.replace(lock, relation=visible(lock.relation)) for lock in session.locks),
    )
