"""The real app over a scripted deck that moves beneath a walkthrough, and whose runs wait for a lock until stopped.

`python -m tests.terminal.walk_standin FILE`: FILE is made when a run was closed, whatever closed it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from tests.ui.support import NOON, errors, executions, panels
from tests.ui.test_walkthrough import BLOCKER, WalkDeck, finished
from tui.app import Settings, run_dashboard
from tui.core.deck import Control
from tui.core.panels import Panels, Scope
from tui.core.run import Attempt, Event, Outcome, Plan, WaitingForLock
from tui.poller import Pace

RETRY = 0.25
CLOSED = Path(sys.argv[-1])


class WaitingDeck(WalkDeck):
    """Every tick brings one more execution; every run tries for its lock four times a second."""

    ticks = 0

    async def tick(self, window: int, scope: Scope | None = None) -> Panels:
        self.ticks += 1
        at = NOON + timedelta(seconds=2 * self.ticks)
        self.panels_now = panels(executions(12, at=at, first=self.ticks), errors(at=NOON), at=at)
        return await super().tick(window, scope)


async def waits(plan: Plan, control: Control) -> AsyncIterator[Event]:
    """Tries again and again, as the engine does."""
    number = 0
    try:
        while not control.cancelled:
            number += 1
            yield Attempt(number)
            yield WaitingForLock((BLOCKER,), number * RETRY, 0.1 + 0.1 * (number % 3))
            await asyncio.sleep(RETRY)
        yield finished(plan, Outcome.ROLLED_BACK, reason="Cancelled by the operator.")
    finally:
        _closed()


def _closed() -> None:
    CLOSED.touch()


if __name__ == "__main__":
    sys.exit(run_dashboard(WaitingDeck(waits), Settings(pace=Pace(refresh=0.5, look_every=1.0))))
