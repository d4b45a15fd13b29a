"""The real app over a deck whose every text is hostile, raw, as if no door had cleaned it.

`python -m tests.terminal.hostile_standin FILE`: FILE says which batch of texts is served now, or `lost`.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from tests.terminal.hostile import long_texts, texts
from tests.ui.support import HERE, NOON, SERVER, checks, errors, executions, look, panels
from tests.ui.test_walkthrough import BLOCKER, WalkDeck, finished
from tui.app import Settings, run_dashboard
from tui.core.check import Check
from tui.core.deck import Control, Problem
from tui.core.look import Look
from tui.core.panels import ErrorGroup, ErrorRow, Execution, Panels, Scope
from tui.core.preflight import PreflightCheck
from tui.core.run import Attempt, Event, Failure, Notice, Outcome, Plan, StatementDone, StatementFailed, WaitingForLock
from tui.poller import Pace

NUMBER = 500
BATCH = 25
BATCHES = (
    *(texts(NUMBER)[start : start + BATCH] for start in range(0, NUMBER, BATCH)),
    *((one,) for one in long_texts()),
)


def rows(batch: tuple[str, ...], mark: str) -> tuple[Execution, ...]:
    """An execution per text, below one that says which batch it is and holds all of them in its message."""
    first = Execution("first", "agent", mark, batch[0], "ok", NOON + timedelta(hours=1), 1.0, "\n".join(batch))
    made = [first]
    for index, text in enumerate(batch):
        made.append(Execution(text, text, text, text, text, NOON - timedelta(seconds=index), 5.0, text))
    return tuple(made)


def found(batch: tuple[str, ...]) -> Look:
    """A look with a policy, an index and a table per text that nobody expects."""
    extra = [
        Check("structure", kind, table, text, "unexpected", text, text[::-1], text)
        for text in batch
        for kind, table in (("policy", "public.agents"), ("table", text))
    ]
    seen = look([*extra, *checks()], state="partial")
    some = (*batch, *texts(5))
    server = replace(SERVER, version=some[0], host=some[1], user=some[2], database=some[3], tls=some[4])
    run = replace(seen.runs[0], operator=some[0], client_host=some[1], bundle=some[2], version=some[3])
    return replace(seen, server=server, runs=(run,), verdict=replace(seen.verdict, sentence=some[2]))


async def fails(plan: Plan, control: Control) -> AsyncIterator[Event]:
    """A run that waits for a hostile session, hears hostile notices and fails with a hostile error."""
    some = texts(60)
    blocker = replace(BLOCKER, user=some[17], application=some[18], query=some[19], blocks=some[20], state=some[21])
    yield Attempt(1)
    yield WaitingForLock((blocker,), 0.25, 0.1)
    yield Attempt(2)
    yield StatementDone(0, 0.01, "OK", tuple(Notice("NOTICE", text) for text in some))
    failure = Failure(some[9], 1, "PATCH.sql", 2, 3, "42P01", "\n".join(some), some[12])
    yield StatementFailed(failure)
    yield finished(plan, Outcome.ROLLED_BACK, reason=some[13])


class HostileDeck(WalkDeck):
    """Serves the batch that the file names."""

    def __init__(self, control: Path) -> None:
        some = texts(80)
        place = replace(HERE, name=some[8], host=some[12], database=some[20], user=some[30])
        super().__init__(fails, destination=place)
        self._control = control
        self.preflight_now = tuple(PreflightCheck(text, "pass", text) for text in some)

    def _word(self) -> str:
        return self._control.read_text()

    async def look(self) -> Look:
        word = self._word()
        if word == "lost":
            raise Problem("lost", texts(20)[11], texts(20)[12])
        batch = BATCHES[int(word)]
        self.look_now = found(batch)
        self._server = self.look_now.server
        if int(word) % 2 and self.asked["look"] > 1:
            raise Problem("query", batch[0], batch[-1])
        return await super().look()

    async def tick(self, window: int, scope: Scope | None = None) -> Panels:
        word = self._word()
        if word == "lost":
            raise Problem("lost", texts(20)[11], texts(20)[12])
        batch = BATCHES[int(word)]
        runs, faults = executions(), errors()
        groups = tuple(ErrorGroup(text, text, text, 3, NOON) for text in batch)
        logged = tuple(ErrorRow(text, NOON, text, text, text, text) for text in batch)
        runs = replace(runs, rows=rows(batch, f"batch-{word}."), title=batch[0])
        return panels(runs, replace(faults, groups=groups, rows=logged, title=batch[-1], problem=""))


if __name__ == "__main__":
    pace = Pace(refresh=0.1, look_every=0.1)
    sys.exit(run_dashboard(HostileDeck(Path(sys.argv[1])), Settings(pace=pace)))
