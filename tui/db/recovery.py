"""Runs of this machine whose end was never heard: the server is asked before anything is offered."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tui.core.run import Outcome
from tui.db.commit import resolve
from tui.db.journal import Unfinished, finish, unfinished
from tui.db.target import Target


@dataclass(frozen=True, slots=True)
class Recovered:
    """An unfinished run and what the server says of it now; UNKNOWN stays unfinished and is asked again next time."""

    entry: Unfinished
    outcome: Outcome


async def recover(target: Target, journals: Path | None = None) -> tuple[Recovered, ...]:
    """Resolve every unfinished run on this database; nothing is asked when there is none.

    Costs no connection in the ordinary case. An answer that can not be written down is asked for again next time.
    """
    found = []
    for entry in unfinished(target.destination, journals):
        outcome = await resolve(target, entry.run_id, entry.xid)
        if outcome is not Outcome.UNKNOWN:
            with suppress(OSError):
                finish(entry, str(outcome))
        found.append(Recovered(entry, outcome))
    return tuple(found)
