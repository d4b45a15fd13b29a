"""Step 7, the verification: a fresh look at what is in force now, and what it proves beyond the structure."""

from __future__ import annotations

from collections.abc import Awaitable

from tui.core.proof import BEYOND_STRUCTURE, layer_state
from tui.core.run import Outcome
from tui.core.text import count, one_line
from tui.screens.steps.progress import failed_checks
from tui.screens.steps.proof import proof_lines
from tui.screens.steps.run import UNRESOLVED
from tui.screens.steps.step import Promise, Standing, Step, field, heading, paragraph
from tui.screens.steps.walk import Verification
from tui.theme import Role
from tui.widgets.lines import Line, line

SHOWN = 20


class VerifyStep(Step):
    """Whether what was meant is so; after a run that changed nothing, whether nothing changed."""

    NAME = "Verify"
    OFFERS = frozenset({"repeat"})

    def promise(self) -> Promise:
        """Nothing is kept."""
        does = "looks again, lints, and tries who reaches which rows" if self.walk.proves else "looks again"
        return Promise(f"{does}, on another connection", "keep anything", "p shows the run again, esc leaves")

    def arrive(self) -> Awaitable[None] | None:
        """Asked once; r asks again."""
        return None if self.walk.verifying.asked else self.walk.verify()

    def repeat(self) -> Awaitable[None] | None:
        """Look and prove again."""
        return self.walk.verify()

    def standing(self) -> Standing:
        """Whether it holds."""
        asked = self.walk.verifying
        if asked.problem is not None:
            return self.bad("not done")
        if asked.answer is None:
            return self.busy("looking")
        found = asked.answer
        if self._outcome is Outcome.UNKNOWN:
            return self.careful("see status")
        if self._outcome is not Outcome.COMMITTED:
            return self.careful("changed") if found.changes else self.well("unchanged")
        held = f"{len(found.checks) - len(found.failed)}/{len(found.checks)}"
        return self.bad(held) if found.failed else self._proof_standing(held)

    def against_next(self) -> str:
        """The report waits for the look and the proof, not for their success."""
        asked = self.walk.verifying
        if asked.answer is None and asked.problem is None:
            return "still looking"
        return "still proving" if self.walk.proving.busy else ""

    def write(self, cells: int) -> list[Line]:
        """The verdict of now, and what does not hold."""
        asked = self.walk.verifying
        if asked.problem is not None:
            return self._blind(cells)
        if asked.answer is None:
            return paragraph(f"{self.glyphs.wait} looking", cells, "live")
        found = asked.answer
        verdict = found.look.verdict
        lines = field("now", one_line(f"{verdict.headline}. {verdict.sentence}", 500), cells, "strong")
        lines.append(Line())
        if self._outcome is Outcome.UNKNOWN:
            return lines + paragraph(UNRESOLVED, cells, "warn")
        if self._outcome is not Outcome.COMMITTED:
            return lines + self._unchanged(found, cells)
        held = len(found.checks) - len(found.failed)
        mark, role = self._mark(not found.failed)
        what = "checks pass" if self.walk.action == "apply" else "objects are as the rollback says"
        lines.append(line((f"{mark} {count(held)} of {count(len(found.checks))} {what}", role)))
        lines += failed_checks(found.failed, cells, self.glyphs)
        return lines + self._proof(cells) if self.walk.proves else lines

    def _proof_standing(self, held: str) -> Standing:
        """Of a structure that holds: whether the rest does."""
        if not self.walk.proves:
            return self.well(held)
        asked = self.walk.proving
        if asked.answer is None:
            return self.careful("not proven") if asked.problem else self.busy("proving")
        states = {layer_state(asked.answer.of(layer)) for layer in BEYOND_STRUCTURE}
        if "failed" in states:
            return self.bad("proof fails")
        return self.careful("not proven") if "not_proven" in states else self.well("proven")

    def _proof(self, cells: int) -> list[Line]:
        """The layers beyond the structure, each with what does not hold."""
        asked = self.walk.proving
        if asked.problem is not None:
            said = f"{self.glyphs.warn} Beyond the structure nothing is proven: {one_line(asked.problem.message, 300)}"
            return paragraph(f"{said}. r tries again.", cells, "warn")
        if asked.answer is None:
            return paragraph(f"{self.glyphs.wait} proving: the safety lint, and who reaches which rows", cells, "live")
        return proof_lines(asked.answer, cells, self.glyphs)

    @property
    def _outcome(self) -> Outcome | None:
        return self.walk.run.outcome if self.walk.run else None

    def _mark(self, good: bool) -> tuple[str, Role]:
        return (self.glyphs.ok, "ok!") if good else (self.glyphs.bad, "bad!")

    def _unchanged(self, found: Verification, cells: int) -> list[Line]:
        """Nothing was committed: the catalog is compared with the one from before."""
        if not found.changes:
            return paragraph(f"{self.glyphs.ok} The catalog is the same as before, object by object.", cells, "ok")
        lines = paragraph(f"{self.glyphs.warn} Nothing was committed here, but somebody else changed:", cells, "warn")
        for change in found.changes[:SHOWN]:
            lines += paragraph(f"{change.kind} {one_line(change.object, 300)}", cells, indent=2)
        return lines

    def _blind(self, cells: int) -> list[Line]:
        problem, run = self.walk.verifying.problem, self.walk.run
        if problem is None or run is None or run.end is None:
            return []
        lines = [line((f"{self.glyphs.bad} The database could not be looked at: ", "bad!"))]
        lines += paragraph(one_line(problem.message, 500), cells)
        lines += [Line(), heading("What the run said at its end")]
        lines += field("now", one_line(run.end.state, 500), cells)
        return lines + field("next", one_line(problem.hint, 300) or "r looks again.", cells, "live")
