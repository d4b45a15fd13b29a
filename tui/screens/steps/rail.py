"""Where the operator is: the database in the band, the steps and how they stand, what this one promises."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.cells import cell_len

from tui.core.text import fit, one_line
from tui.screens.steps.step import Promise, Standing, Step, behind
from tui.screens.steps.walk import Walk
from tui.theme import Role
from tui.widgets.lines import Line, Span, justify

PROMISE = 10
"""Cells of the words before a promise."""


def band_text(walk: Walk, cells: int) -> str:
    """The first line: production or not, which database, what this walkthrough does."""
    place = walk.deck.destination
    kind = place.environment.upper()
    verb = "Apply" if walk.action == "apply" else "Roll back"
    right = f"{verb} {one_line(walk.plan.bundle.name, 40)} "
    room = max(1, cells - len(right) - 1)
    # The database's name is what will have to be typed: where there is little room it comes first.
    called = f"{place.name}: " if place.name != place.host else ""
    said = (
        f"{called}database {place.database} on {place.host}:{place.port}",
        f"database {place.database} on {place.name}",
        f"{place.database} on {place.name}",
    )
    lines = [f" {kind}  {one_line(where, 300)}" for where in said]
    return f"{fit(next((one for one in lines if cell_len(one) <= room), lines[-1]), room)} {right}"


class DrawnStep(msgspec.Struct, frozen=True):
    """One step as it is listed."""

    number: int
    name: str
    standing: Standing
    here: bool
    reached: bool

    def line(self, cells: int) -> Line:
        """Its line in the list."""
        name: Role = "strong" if self.here else "text" if self.reached else "dim"
        head: tuple[Span, ...] = ((f"{self.standing.mark} ", self.standing.role), (f"{self.number} {self.name}", name))
        word: tuple[Span, ...] = ((self.standing.word, self.standing.role),)
        return Line(justify(head, word, cells), "resting" if self.here else "plain")


class DrawnSteps(msgspec.Struct, frozen=True):
    """All steps, to be listed or, on a narrow screen, told in one line."""

    steps: tuple[DrawnStep, ...]

    def rail(self, cells: int) -> list[Line]:
        """A line a step."""
        return [step.line(cells) for step in self.steps]

    def one(self, cells: int) -> Line:
        """`step 3 of 8  Plan  drops 2`, and the marks of all."""
        here = next(step for step in self.steps if step.here)
        head: tuple[Span, ...] = (
            (f"step {here.number} of {len(self.steps)}  ", "dim"),
            (here.name, "strong"),
            (f"  {here.standing.word}", here.standing.role),
        )
        return Line(justify(head, tuple((step.standing.mark, step.standing.role) for step in self.steps), cells))


def draw_steps(steps: Sequence[Step], at: int, furthest: int) -> DrawnSteps:
    """The steps with `at` as the one shown; those after `furthest` were not reached yet."""
    return DrawnSteps(
        tuple(
            DrawnStep(
                number=index + 1,
                name=step.name,
                standing=step.standing() if index <= furthest else step.ahead(),
                here=index == at,
                reached=index <= furthest,
            )
            for index, step in enumerate(steps)
        )
    )


def promise_lines(promise: Promise, cells: int) -> list[Line]:
    """What the step does, what it does not do, how long it took in the rehearsal, and the way back."""
    said = (
        ("does", promise.does),
        ("does not", promise.does_not),
        ("rehearsed", promise.rehearsed),
        ("way back", promise.back),
    )
    return [one for word, text in said if text for one in behind(((fit(word, PROMISE), "dim"),), text, cells, "dim")]
