"""Runs of this machine whose end was never heard: the server is asked before anything is offered."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from tui.core.earlier import Earlier, Fate
from tui.core.run import Outcome
from tui.db import commit
from tui.db.journal import Unfinished, finish, unfinished
from tui.db.target import Target

_FATES: dict[Outcome, Fate] = {Outcome.COMMITTED: "committed", Outcome.ROLLED_BACK: "rolled_back"}


async def recover(target: Target, journals: Path | None = None, *, within: float | None = None) -> tuple[Earlier, ...]:
    """Resolve every unfinished run on this database, each `within` seconds; nothing is asked when there is none.

    Costs no connection in the ordinary case. What is not known yet, or can not be written down, is asked again next
    time.
    """
    found = []
    for entry in unfinished(target.destination, journals):
        outcome = await commit.resolve(target, entry.run_id, entry.xid, within)
        if outcome is not Outcome.UNKNOWN:
            with suppress(OSError):
                finish(entry, str(outcome))
        found.append(_earlier(entry, outcome))
    return tuple(found)


def _earlier(entry: Unfinished, outcome: Outcome) -> Earlier:
    try:
        at = datetime.fromisoformat(entry.at)
    except ValueError:
        # A line that somebody wrote over; its transaction was asked for all the same.
        at = datetime.fromtimestamp(0, UTC)
    return Earlier(entry.action, at, entry.xid, _FATES.get(outcome, "unknown"))
