"""Locks a run takes before its first statement, who is in the way of them, and the way to end one who is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from itertools import groupby

from psycopg import sql

from tui.core.bundle import Bundle, LockMode
from tui.core.catalog import Catalog
from tui.core.deck import Problem
from tui.core.locks import Ended, Ending, LockPicture, decode_picture, watched
from tui.core.run import Action, Blocker
from tui.core.text import one_line, visible
from tui.db.link import Link, query_problem
from tui.db.pipeline import Command, StatementError
from tui.db.probe import LOOK_LIMITS, set_local
from tui.db.queries import query
from tui.db.target import Target

Lock = tuple[str, LockMode]


def wanted_locks(bundle: Bundle, live: Catalog, action: Action, more: Iterable[str] = ()) -> tuple[Lock, ...]:
    """What has to be locked on this database, sorted by relation: the prerequisites' locks and, where the patch's own
    tables exist already, those too, since replacing a policy needs them alone. `more` are tables a restore changes.
    """
    locks: dict[str, LockMode] = {name: mode for name, mode in bundle.locks() if live.table(name)}
    expected = {table.name for table in bundle.expectation.tables} | set(more)
    if action == "rollback":
        locks = {name: mode for name, mode in locks.items() if name in expected}
    for name in expected:
        if live.table(name):
            locks[name] = "ACCESS EXCLUSIVE"
    return tuple(sorted(locks.items()))


def lock_commands(locks: Sequence[Lock]) -> list[Command]:
    """LOCK TABLE ... NOWAIT, one statement for each run of relations with the same mode, in sorted order.

    NOWAIT: a waiting ACCESS EXCLUSIVE would make every reader behind it wait as well (decision 20).
    """
    commands = []
    for mode, group in groupby(locks, key=lambda lock: lock[1]):
        names = ", ".join(_quoted(name) for name, _ in group)
        commands.append(Command(f"lock table {names} in {mode.lower()} mode nowait"))
    return commands


async def find_blockers(link: Link, locks: Sequence[Lock], *, ignore_pid: int = 0) -> tuple[Blocker, ...]:
    """The sessions that hold a conflicting lock now, and those that these wait for; none when the line is gone."""
    document = json.dumps(dict(locks))
    try:
        reply = await link.run(query("blockers"), document, str(ignore_pid))
    except (StatementError, Problem):
        return ()
    return tuple(
        Blocker(
            pid=int(pid or 0),
            user=visible(user or ""),
            application=visible(application or ""),
            state=visible(state or ""),
            age=float(age or 0),
            query=one_line(text or "", 500),
            mode=visible(mode or ""),
            blocks=visible(relation or ""),
            waits_for=tuple(json.loads(waits_for or "[]")),
        )
        for pid, user, application, state, age, text, mode, relation, waits_for in reply.rows
    )


class LockWatch:
    """Looks at the locks on a bundle's tables and ends sessions, on a connection of its own: what is asked while the
    database hangs must not wait behind a look.
    """

    def __init__(self, target: Target, bundle: Bundle) -> None:
        self._link = Link(target, application="patchdeck locks")
        self._read_only = target.read_only
        self._tables = json.dumps(watched(bundle))
        self._busy = asyncio.Lock()

    async def picture(self) -> LockPicture:
        """Who holds and who waits now, in one round trip. Raises Problem."""
        commands = [
            Command("begin read only"),
            set_local(LOOK_LIMITS),
            Command(query("lock_tree"), (self._tables,)),
            Command("rollback"),
        ]
        async with self._busy:
            await self._link.open()
            try:
                replies = await self._link.batch(commands)
            except StatementError as error:
                await self._link.run("rollback")
                raise query_problem(error) from None
        return decode_picture(replies[2].value)

    async def end(self, pid: int, token: str, how: Ending) -> Ended:
        """Cancel or terminate the session whose transaction `token` names. Raises Problem, also when it may not."""
        if self._read_only:
            raise Problem("refused", "this session is read-only: nothing was sent", retry=False)
        async with self._busy:
            await self._link.open()
            try:
                reply = await self._link.run(query("end_session"), str(pid), token, how)
            except StatementError as error:
                problem = query_problem(error)
                if error.sqlstate == "42501":
                    problem.hint = "it takes membership in pg_signal_backend or in the session's role"
                raise problem from None
        return "ended" if reply.value == "ended" else "asked" if reply.value == "asked" else "gone"

    async def close(self) -> None:
        """Close the connection; safe to call twice."""
        await self._link.close()


def _quoted(qualified: str) -> str:
    """`schema.name` as SQL identifiers."""
    return sql.Identifier(*qualified.split(".", 1)).as_string(None)
