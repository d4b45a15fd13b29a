"""Step 3, the plan: what will become of every object here, what goes away in full, and which rows are touched."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Sequence
from typing import get_args

from rich.cells import cell_len

from tui.core.aftermath import counted
from tui.core.plan import Count, PlanItem, PlanVerb, Preview
from tui.core.restore import Loss, Restore
from tui.core.restore_words import meaning
from tui.core.text import count, fit, fit_right, one_line
from tui.screens.steps.step import NOTHING_YET, Promise, Standing, Step, behind, cleaned, heading, paragraph
from tui.theme import Role
from tui.widgets.checklist import bare
from tui.widgets.lines import Line, Span, line

VERBS: tuple[PlanVerb, ...] = get_args(PlanVerb)
ROLES: dict[PlanVerb, Role] = {"create": "ok", "alter": "warn", "replace": "warn", "leave": "dim", "drop": "bad"}
COLUMN = 8
ELSEWHERE = "(not of a table)"


class PlanStep(Step):
    """Per table how much, and in full what goes away."""

    NAME = "Plan"
    OFFERS = frozenset({"repeat", "statements"})

    def promise(self) -> Promise:
        """Nothing is executed."""
        return Promise("compares the statements with the live catalog", "execute any of them", NOTHING_YET)

    def arrive(self) -> Awaitable[None] | None:
        """Asked once; r asks again."""
        return None if self.walk.preview.asked else self.walk.preview.ask()

    def repeat(self) -> Awaitable[None] | None:
        """Compare again."""
        return self.walk.preview.ask()

    def standing(self) -> Standing:
        """How much there is to do."""
        asked = self.walk.preview
        if asked.problem is not None:
            return self.bad("not known")
        if asked.answer is None:
            return self.busy("comparing")
        dropped = len(asked.answer.of("drop"))
        done = len(asked.answer.items) - len(asked.answer.of("leave"))
        return self.careful(f"drops {count(dropped)}") if dropped else self.well(f"{count(done)} changes")

    def against_next(self) -> str:
        """An unknown plan is not rehearsed; a read-only session ends here."""
        asked = self.walk.preview
        if asked.answer is None:
            return "the plan is not known: r tries again" if asked.problem else "still comparing"
        if asked.answer.obstacle:
            return "there is no way back in this mode: p goes back, to another one"
        if self.walk.deck.destination.read_only:
            return "this session is read-only: start without --read-only to rehearse and run"
        return ""

    def write(self, cells: int) -> list[Line]:
        """Totals, what is dropped or replaced, per table, rows."""
        asked = self.walk.preview
        if asked.problem is not None:
            return self.problem_lines(asked.problem, cells)
        if asked.answer is None:
            return paragraph(f"{self.glyphs.wait} comparing", cells, "live")
        plan = self.walk.plan
        if asked.answer.obstacle:
            return paragraph(f"{self.glyphs.bad} {one_line(asked.answer.obstacle, 4000)}", cells, "bad")
        lines = [self._totals(asked.answer)]
        lines += paragraph(
            f"{counted(len(plan.statements), 'statement')} of {one_line(plan.files, 80)}; s lists them",
            cells,
            "dim",
        )
        if plan.restore is not None:
            lines += self._restore(plan.restore, cells)
        lines += self._going(asked.answer, "drop", "What is dropped", cells)
        lines += count_lines(asked.answer.counts, cells)
        lines += self._going(asked.answer, "replace", "What is replaced, as it is now", cells)
        lines += self._by_table(asked.answer.items, cells)
        return lines

    def _restore(self, restore: Restore, cells: int) -> list[Line]:
        """What it means, and what does not come back as it was: that has to be known before anything is confirmed."""
        lines = [Line(), *(part for said in meaning(restore) for part in paragraph(said, cells))]
        parts: tuple[tuple[str, Role, tuple[Loss, ...]], ...] = (
            ("What can not be put back", "bad", restore.losses),
            ("What is kept back on purpose", "warn", restore.withheld),
        )
        for title, role, losses in parts:
            if losses:
                lines += [Line(), heading(f"{title}: {count(len(losses))}")]
            for loss in losses:
                lines += paragraph(one_line(loss.object, 300), cells, role)
                lines += paragraph(one_line(loss.reason, 1000), cells, "dim", indent=4)
        return lines

    def _totals(self, preview: Preview) -> Line:
        spans: list[Span] = []
        for verb in VERBS:
            number = len(preview.of(verb))
            spans.append((f"{verb} {count(number)}   ", ROLES[verb] if number else "dim"))
        return line(*spans)

    def _going(self, preview: Preview, verb: PlanVerb, title: str, cells: int) -> list[Line]:
        items = [item for item in preview.of(verb) if item.definition or verb == "drop"]
        if not items:
            return []
        lines = [Line(), heading(f"{title}: {count(len(items))}")]
        for item in items:
            lines += paragraph(f"{verb} {one_line(item.object, 300)}", cells, ROLES[verb])
            lines += paragraph(cleaned(item.definition), cells, "dim", indent=4) if item.definition else []
        return lines

    def _by_table(self, items: Sequence[PlanItem], cells: int) -> list[Line]:
        tables: dict[str, Counter[PlanVerb]] = {}
        for item in items:
            tables.setdefault(item.table or ELSEWHERE, Counter())[item.verb] += 1
        if not tables:
            return []
        width = max(12, min(40, cells - COLUMN * len(VERBS)))
        titles = "".join(fit_right(verb, COLUMN) for verb in VERBS)
        lines = [Line(), line((fit("table", width) + titles, "dim"))]
        for table, verbs in tables.items():
            numbers: list[Span] = [
                (
                    fit_right(count(verbs[verb]) if verbs[verb] else self.glyphs.none, COLUMN),
                    ROLES[verb] if verbs[verb] else "dim",
                )
                for verb in VERBS
            ]
            lines.append(line((fit(one_line(bare(table), 200), width), "text"), *numbers))
        return lines


def count_lines(counts: Sequence[Count], cells: int) -> list[Line]:
    """The bundle's counts: how many rows of what, with the note that belongs to them."""
    lines: list[Line] = []
    titles = list(dict.fromkeys(row.title for row in counts))
    for title in titles:
        lines += [Line(), heading(one_line(title, 200))]
        for row in counts:
            if row.title == title:
                lines += _count(row, cells)
    return lines


def _count(row: Count, cells: int) -> list[Line]:
    """One count; its note behind it where there is room, else below."""
    label, note = one_line(row.label, 200), one_line(row.note, 400)
    head: tuple[Span, ...] = ((fit_right(count(row.rows), COLUMN) + "  ", "strong" if row.rows else "dim"),)
    if COLUMN + 2 + cell_len(label) + 2 + cell_len(note) <= cells:
        return [line(*head, (label, "text"), (f"  {note}" if note else "", "dim"))]
    return [*behind(head, label, cells), *(paragraph(note, cells, "dim", indent=COLUMN + 2) if note else [])]
