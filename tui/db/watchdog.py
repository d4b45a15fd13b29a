"""Whether a run's line still carries anything, asked of the server on another connection while nothing is heard.

In the middle of a batch nothing on the server bounds its wait for the rest: idle_in_transaction_session_timeout begins
with the batch's end. A line that stops there would leave the transaction, locks and all, for as long as it stands.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from time import monotonic

from tui.core.deck import Problem
from tui.db.batch import LineLost, Reply, StatementError
from tui.db.link import Link
from tui.db.queries import query

STEP = 0.5
"""Seconds between two questions, and of silence before the first."""


class Watchdog:
    """Listens along with the reader of one batch. `patience`: seconds of a standstill after which the line is given up,
    and with it the server's transaction, where it still waits.
    """

    def __init__(self, link: Link, watch: Link, patience: float) -> None:
        self._link, self._watch, self._patience = link, watch, patience
        self._since: float | None = None
        self._found = ""

    async def over(
        self, stream: AsyncGenerator[Reply], identity: Callable[[], tuple[int, str]]
    ) -> AsyncGenerator[Reply]:
        """The replies of `stream`. `identity`: process and transaction id, 0 and "" until they are known.

        Raises what the stream does; a LineLost says what was found out about the line.
        """
        watching = asyncio.create_task(self._watch_over(identity))
        try:
            while True:
                # While the reader is busy with a reply, nobody listens: that is no silence.
                self._since = monotonic()
                reply = await anext(stream, None)
                self._since = None
                if reply is None:
                    return
                yield reply
        except LineLost as lost:
            raise LineLost(lost.confirmed, self._found or lost.message, lost.sqlstate) from None
        finally:
            watching.cancel()
            await stream.aclose()

    async def _watch_over(self, identity: Callable[[], tuple[int, str]]) -> None:
        """Until the line is found to be dead: then it is cut on this side as well, and its reader hears of it."""
        still: tuple[float | None, int] | None = None
        began = 0.0
        while True:
            await asyncio.sleep(STEP)
            pid, xid = identity()
            now = (self._since, self._link.unsent)
            if now != still or self._since is None or not xid:
                still, began = now, monotonic()
                continue
            late = monotonic() - began >= self._patience - STEP
            state = await self._ask(pid, xid, "end" if late else "")
            if state == "working":
                began = monotonic()
            elif late and state in ("ended", "gone"):
                self._found = (
                    "the line stopped carrying the patch, and the server was told to roll back"
                    if state == "ended"
                    else "the server ended the transaction, and the line carried no word of it"
                )
                self._link.give_up()
                return

    async def _ask(self, pid: int, xid: str, how: str) -> str:
        """What `still_there.sql` says; "working" where it can not be asked: the batch has a deadline of its own."""
        if self._watch.is_open:
            with suppress(Problem, StatementError):
                return (await self._watch.run(query("still_there"), str(pid), xid, how, silence=STEP * 4)).value
        return "working"
