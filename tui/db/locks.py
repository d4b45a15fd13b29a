"""Who holds and who waits for locks on a bundle's tables, who is in a run's way, and the way to end one who is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from tui.core.bundle import Bundle, LockMode
from tui.core.deck import Problem
from tui.core.locks import Ended, Ending, LockPicture, decode_picture, watched
from tui.core.run import Blocker
from tui.core.text import duration, one_line, redact, visible
from tui.db.batch import Command, StatementError, set_local
from tui.db.link import Line, Link, query_problem
from tui.db.probe import LOOK_LIMITS
from tui.db.queries import query
from tui.db.target import Target

Lock = tuple[str, LockMode]

LOCK_TIMEOUT = "55P03"
"""lock_not_available: of a look, that it waited for a table as long as it may."""

NAMED = 3
"""Sessions that one sentence names."""


async def find_blockers(link: Line, locks: Sequence[Lock], *, ignore_pid: int = 0) -> tuple[Blocker, ...]:
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
            application=redact(visible(application or "")),
            state=visible(state or ""),
            age=float(age or 0),
            query=redact(one_line(text or "", 500)),
            mode=visible(mode or ""),
            blocks=visible(relation or ""),
            waits_for=tuple(json.loads(waits_for or "[]")),
        )
        for pid, user, application, state, age, text, mode, relation, waits_for in reply.rows
    )


async def look_refused(link: Line, error: StatementError, bundle: Bundle) -> Problem:
    """Why a look was refused: the server's words or, where it waited in vain for a lock, who is in the way of reading
    the bundle's tables. The transaction of `link` is rolled back. Raises Problem when the line is lost.
    """
    await link.run("rollback")
    if error.sqlstate != LOCK_TIMEOUT:
        return query_problem(error)
    in_the_way = await find_blockers(link, [(name, "ACCESS SHARE") for name in watched(bundle)])
    holders = {blocker.pid: blocker for blocker in reversed(in_the_way) if blocker.blocks}
    if not holders:
        message = f"a table that is read here was locked, by whom is not known ({LOCK_TIMEOUT})"
        return Problem("query", message, "the view Locks (patchdeck, key l) shows who holds what")
    said = []
    for pid, holder in sorted(holders.items())[:NAMED]:
        tables = [one.blocks for one in in_the_way if one.pid == pid]
        more = f" and {len(tables) - 1} more" if len(tables) > 1 else ""
        behind = f", which itself waits for process {holder.waits_for[0]}" if holder.waits_for else ""
        said.append(f"{tables[0]}{more} is locked by {_described(holder)}{behind}")
    hint = "wait until that has ended, or end it: the view Locks (patchdeck, key l) shows who holds what"
    return Problem("query", one_line("; ".join(said), 600), hint)


def _described(blocker: Blocker) -> str:
    """A session in one phrase, as far as the role may see it."""
    who = [blocker.application, f"role {blocker.user}" if blocker.user else "", blocker.state]
    if blocker.age:
        who.append(f"its transaction began {duration(int(blocker.age))} ago")
    name = f"process {blocker.pid}" if blocker.pid else "a prepared transaction"
    known = ", ".join(one_line(text, 60) for text in who if text)
    return f"{name} ({known})" if known else name


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
