"""The locks a run takes, when it takes them, and in which strength: nobody is made to queue behind it (decision 20)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec
from psycopg import sql

from tui.core.bundle import Bundle, LockMode
from tui.core.catalog import Catalog
from tui.core.run import Action
from tui.db.batch import Command
from tui.db.locks import Lock
from tui.db.queries import query

TRIES = 0.1
"""Seconds in which the first locks are tried again on the server, before the operator is told who is in the way. A busy
table is free for a moment every few milliseconds, and a try that fails blocks nobody."""

LATE_TRIES = 0.4
"""The same for the late locks, which a transaction in the middle of its work asks for: giving up costs all of it."""

LATE_WAIT = "10ms"
"""How long readers may queue behind one late lock. A late lock has to wait a little: what waits already for a weaker
lock of ours makes NOWAIT fail on servers before 17, and who waits with a lock in hand goes first."""


class RunLocks(msgspec.Struct, frozen=True):
    """`wanted` is every lock in its full strength, sorted by relation; what is not in `late` is held from the start,
    what is in it from the file's own LOCK TABLE statement on, and in `early` strength before.
    """

    wanted: tuple[Lock, ...]
    early: tuple[Lock, ...] = ()
    late: tuple[Lock, ...] = ()

    def first_commands(self) -> list[Command]:
        """Before the first statement: all locks are had at once, or the run ends here without having held anything.

        Late ones are given back right away, by a savepoint: they are asked for so that a table that is not to be had
        is known before any work is done, and before a single reader or writer could notice.
        """
        if not self.wanted:
            return []
        if not self.late:
            return _take(self.wanted, nowait=True, seconds=TRIES)
        return [
            Command("savepoint patchdeck_locks"),
            *_take(self.wanted, nowait=True, seconds=TRIES),
            Command("rollback to savepoint patchdeck_locks"),
            *_take(self.early, nowait=True, seconds=TRIES),
        ]

    def late_commands(self) -> list[Command]:
        """Right before the file's LOCK TABLE statement, which then has nothing to wait for."""
        return _take(self.late, nowait=False, seconds=LATE_TRIES) if self.late else []


def run_locks(bundle: Bundle, live: Catalog, action: Action, more: Iterable[str] = ()) -> RunLocks:
    """What has to be locked on this database: the prerequisites' locks and, where the patch's own tables exist already,
    those too, since replacing a policy needs them alone. `more` are tables a restore changes.
    """
    locks: dict[str, LockMode] = {name: mode for name, mode in bundle.locks() if live.table(name)}
    expected = {table.name for table in bundle.expectation.tables} | set(more)
    if action == "rollback":
        locks = {name: mode for name, mode in locks.items() if name in expected}
    for name in expected:
        if live.table(name):
            locks[name] = "ACCESS EXCLUSIVE"
    wanted = tuple(sorted(locks.items()))
    early = bundle.early_locks() if action == "apply" else {}
    return RunLocks(
        wanted,
        early=tuple((name, early.get(name, mode)) for name, mode in wanted),
        late=tuple(lock for lock in wanted if lock[0] in early),
    )


def _take(locks: Sequence[Lock], *, nowait: bool, seconds: float) -> list[Command]:
    """One LOCK TABLE for each run of relations with the same mode, in sorted order."""
    statements = []
    for mode, group in groupby(locks, key=lambda lock: lock[1]):
        names = ", ".join(sql.Identifier(*name.split(".", 1)).as_string(None) for name, _ in group)
        statements.append(f"lock table {names} in {mode.lower()} mode{' nowait' if nowait else ''}")
    wish = {"statements": statements, "wait": "0" if nowait else LATE_WAIT, "seconds": seconds}
    return [
        Command("select set_config('patchdeck.locks', $1, true)", (json.dumps(wish),)),
        Command(query("take_locks")),
    ]
