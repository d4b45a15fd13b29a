"""The real dashboard over a scripted deck, for tests that look at a real terminal.

`python -m tests.terminal.standin MODE`.
"""

from __future__ import annotations

import signal
import sys
from datetime import timedelta

import msgspec
from msgspec.structs import replace

from tests.ui.support import (
    NOON,
    ScriptedDeck,
    checks,
    errors,
    executions,
    look,
    missing,
    nothing_there,
    panels,
)
from tui import app
from tui.app import Settings, run_dashboard
from tui.core.deck import Problem
from tui.core.panels import ErrorGroup, Panels, Scope
from tui.poller import Pace

HOSTILE = "\x1b]52;c;aGVsbG8=\x07\x1b[31mred\x9b2J\u202egnp\u2066\x00\x7f\x08[/] [@click=app.exit]z[/] \u200b\ufeff end"
"""Sets the clipboard, colours, clears, turns the text around, hides: all that data must not be able to do."""

ERROR = 'ERROR: relation "public.[x]" does not exist [SQLSTATE=42P01] [/]'

SECRET = "postgresql://dana:correct-horse@db.example.com/postgres"


class MovingDeck(ScriptedDeck):
    """Every tick brings one more execution."""

    ticks = 0

    async def tick(self, window: int, scope: Scope | None = None) -> Panels:
        self.ticks += 1
        at = NOON + timedelta(seconds=2 * self.ticks)
        self.panels_now = panels(executions(12, at=at, first=self.ticks), errors(at=NOON), at=at)
        return await super().tick(window, scope)


class FaultyDeck(ScriptedDeck):
    """A defect of ours in the third tick: raised in the worker that asks, or in what its answer is drawn with."""

    def __init__(self, *, drawn: bool) -> None:
        super().__init__()
        self._drawn, self._ticks = drawn, 0

    async def tick(self, window: int, scope: Scope | None = None) -> Panels:
        self._ticks += 1
        if self._ticks == 3 and not self._drawn:
            raise LookupError(SECRET)
        if self._ticks == 3:
            self.panels_now = panels(faults=replace(errors(), groups=(SECRET,)))  # type: ignore[arg-type]
        return await super().tick(window, scope)


def deck(mode: str) -> ScriptedDeck:
    """The deck of a mode."""
    if mode in ("moving", "deaf"):
        return MovingDeck()
    if mode in ("defect", "crash"):
        return FaultyDeck(drawn=mode == "crash")
    made = ScriptedDeck()
    if mode == "broken":
        made.look_now = look(checks(outcome=missing("flows_delete")))
    if mode == "legacy":
        made.look_now = look(checks(outcome=nothing_there))
    if mode == "error":
        made.fail["drift"] = Problem("query", ERROR)
        made.panels_now = panels(faults=replace(errors(), groups=(ErrorGroup("f", "error", ERROR, 1, NOON),)))
    if mode == "hostile":
        runs, faults = executions(), errors()
        rows = tuple(replace(row, name=HOSTILE, kind=HOSTILE, status=HOSTILE, message=HOSTILE) for row in runs.rows)
        groups = tuple(replace(group, kind=HOSTILE, message=HOSTILE) for group in faults.groups)
        made.panels_now = panels(replace(runs, rows=rows, note=HOSTILE), replace(faults, groups=groups, title=HOSTILE))
        spoilt = missing("flows_delete")
        found = [
            msgspec.structs.replace(one, expected=HOSTILE, actual=HOSTILE, why=HOSTILE)
            for one in checks(outcome=spoilt)
        ]
        made.look_now = look(found)
    return made


if __name__ == "__main__":
    pace = Pace(refresh=0.5, look_every=1.0)
    if sys.argv[1] == "deaf":
        # As below a shell or a make that takes the hangup for itself; busy enough to fill what waits to be written.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        app.TTY_CHECK_SECONDS = 3.0
        pace = Pace(refresh=0.02, look_every=1.0)
    sys.exit(run_dashboard(deck(sys.argv[1]), Settings(pace=pace)))
