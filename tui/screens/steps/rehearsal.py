"""Step 4, the rehearsal: everything for real in a transaction that is rolled back."""

from __future__ import annotations

from tui.core.aftermath import counted
from tui.core.text import duration, one_line
from tui.screens.steps.progress import run_lines
from tui.screens.steps.step import Promise, Standing, Step, paragraph
from tui.widgets.lines import Line

SKIPPED = (
    "The rehearsal is skipped. Not known therefore: whether every statement runs on this database, whether the result "
    "passes every check, and how long the locks are held. The run itself still checks everything before COMMIT, and "
    "rolls back when anything does not hold."
)


class RehearsalStep(Step):
    """Required before the confirmation, or skipped on purpose."""

    NAME = "Rehearsal"

    def promise(self) -> Promise:
        """The one step before the last that takes locks."""
        return Promise(
            "runs every statement, checks, rolls back",
            "keep anything, make others queue for a lock",
            "c cancels; p back, esc leaves: nothing is kept",
            self.walk.rehearsed_in,
        )

    def standing(self) -> Standing:
        """Whether it is known that it works."""
        run = self.walk.rehearsal
        if run is not None and run.live and run.end is None:
            return self.busy("running")
        match self.walk.rehearsed:
            case "worked":
                return self.well("works")
            case "skipped":
                return self.careful("skipped")
            case _:
                return self.bad("failed") if run is not None else self.ahead()

    def offers(self, action: str) -> bool:
        """Start, start again, skip, cancel: as it stands."""
        run = self.walk.rehearsal
        live = run is not None and run.live
        if self.walk.settled:
            return False
        match action:
            case "rehearse":
                return not live and not self.walk.rehearsed
            case "repeat":
                return not live and self.walk.rehearsed == "worked"
            case "skip":
                return not live and not self.walk.rehearsed
            case "cancel":
                return live
            case "statements":
                return not live
            case _:
                return False

    def against_next(self) -> str:
        """Only what was rehearsed is confirmed, or what was skipped on purpose."""
        if self.walk.live is not None:
            return "the rehearsal is running: c cancels it"
        if self.walk.rehearsed or self.walk.settled:
            return ""
        return "enter rehearses; x goes on without a rehearsal"

    def write(self, cells: int) -> list[Line]:
        """What it is, how far it is, or how it went."""
        run = self.walk.rehearsal
        if self.walk.rehearsed == "skipped":
            return paragraph(f"{self.glyphs.warn} {SKIPPED}", cells, "warn")
        if run is None:
            return self._before(cells)
        return run_lines(run, cells, self.glyphs)

    def _before(self, cells: int) -> list[Line]:
        plan = self.walk.plan
        what = f"{counted(len(plan.statements), 'statement')} of {one_line(plan.files, 80)}"
        lines = paragraph(f"enter runs {what} for real, inside one transaction.", cells, "strong")
        proves = plan.action == "apply" and plan.bundle.isolation is not None
        then = " and then, as each role, who can reach which rows," if proves else ""
        lines += paragraph(f"The result is checked there, object by object,{then} and all of it is rolled back.", cells)
        lines.append(Line())
        long = "as long, and for that proof" if proves else "as long"
        lines += paragraph(
            f"It takes the same locks as the real run, for {long}. A lock that is not free at once is let go and tried "
            f"again for {duration(plan.patience)}, so that nobody queues behind it.",
            cells,
        )
        lines.append(Line())
        return lines + paragraph(
            "x goes on without it. Then it is not known beforehand whether it works here.", cells, "dim"
        )
