"""Step 6, the run: how far it is, what it waits for, and how it ended."""

from __future__ import annotations

from tui.core.run import Outcome, Phase
from tui.screens.steps.progress import run_lines
from tui.screens.steps.step import Promise, Standing, Step, paragraph
from tui.widgets.lines import Line

UNRESOLVED = (
    "Until that is known nothing is offered here: run `patchdeck status` when the database can be reached again."
)


class RunStep(Step):
    """The only step that changes the database."""

    NAME = "Run"

    @property
    def name(self) -> str:
        """What it does."""
        return "Apply" if self.walk.action == "apply" else "Roll back"

    def promise(self) -> Promise:
        """Before COMMIT everything can be undone."""
        run = self.walk.run
        if run is not None and run.outcome is Outcome.COMMITTED and self.walk.action == "apply":
            back = "b on the dashboard: the rollback"
        elif run is not None and run.outcome is Outcome.COMMITTED:
            back = "a on the dashboard: apply it again"
        elif run is not None and run.outcome is not None:
            back = "none is needed" if run.outcome is not Outcome.UNKNOWN else "patchdeck status says what is so"
        else:
            back = "c cancels: everything is rolled back"
        return Promise(
            "runs all in one transaction, checks, commits",
            "commit unless every check passes",
            back,
            self.walk.rehearsed_in,
        )

    def standing(self) -> Standing:
        """How far, or how it ended."""
        run = self.walk.run
        if run is None:
            return self.ahead()
        if run.end is None:
            if run.state.phase is Phase.WAITING:
                return self.busy("waiting")
            return self.busy(f"{100 * run.state.done // max(1, run.state.total)} %")
        match run.end.outcome:
            case Outcome.COMMITTED:
                return self.well("committed" if run.end.ran else "nothing to do")
            case Outcome.UNKNOWN:
                return self.bad("not known")
            case _:
                return self.bad("refused" if run.end.outcome is Outcome.REFUSED else "undone")

    def offers(self, action: str) -> bool:
        """While it runs it can be cancelled, until COMMIT is sent."""
        run = self.walk.run
        return action == "cancel" and run is not None and run.live and run.state.phase is not Phase.COMMITTING

    def against_next(self) -> str:
        """Its end is waited for."""
        run = self.walk.run
        if run is None:
            return "not begun: p goes back to the confirmation"
        return "it is running: c cancels it, everything is then rolled back" if run.end is None else ""

    def write(self, cells: int) -> list[Line]:
        """The run."""
        run = self.walk.run
        if run is None:
            return paragraph("Not begun. p goes back to the confirmation.", cells, "dim")
        lines = run_lines(run, cells, self.glyphs)
        if run.outcome is Outcome.UNKNOWN:
            lines += [Line(), *paragraph(UNRESOLVED, cells, "warn")]
        return lines
