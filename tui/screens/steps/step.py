"""What every step of a walkthrough is: a name, a standing, a promise, lines to read, and what its keys do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import ClassVar

import msgspec

from tui.core.deck import Problem
from tui.core.text import Glyphs, fit, one_line, redact, visible
from tui.screens.steps.walk import Walk
from tui.theme import Role
from tui.widgets.lines import Line, Span, line, wrap

FIELD = 11
"""Cells of a field's name."""


class Standing(msgspec.Struct, frozen=True):
    """How a step stands, in a mark, a word and a meaning."""

    mark: str
    word: str
    role: Role


class Promise(msgspec.Struct, frozen=True):
    """What a step does, what it does not do, the way back from it, and how long it took in the rehearsal, where it has
    a part of that.
    """

    does: str
    does_not: str
    back: str
    rehearsed: str = ""


NOTHING_YET = "p back, esc leaves: nothing was changed"


class Step(ABC):
    """One step. Subclasses say what it shows; none of them draws by itself or waits for anything."""

    NAME: ClassVar[str]
    OFFERS: ClassVar[frozenset[str]] = frozenset()
    """Actions of the screen that work in this step, beside going on, back and away."""

    def __init__(self, walk: Walk, glyphs: Glyphs) -> None:
        self.walk, self.glyphs = walk, glyphs

    @property
    def name(self) -> str:
        """What the step is called."""
        return self.NAME

    @abstractmethod
    def promise(self) -> Promise:
        """What it does, what it does not do, the way back, and what is known of its time."""

    @abstractmethod
    def standing(self) -> Standing:
        """How it stands, once it was reached."""

    @abstractmethod
    def write(self, cells: int) -> list[Line]:
        """Its text for a width."""

    def arrive(self) -> Awaitable[None] | None:
        """What is to be asked when the step is entered, None when nothing is."""
        return None

    def repeat(self) -> Awaitable[None] | None:
        """What is to be asked again on request."""
        return None

    def against_next(self) -> str:
        """Why the next step is not open yet, "" when it is."""
        return ""

    def offers(self, action: str) -> bool:
        """Whether the action does something here and now."""
        return action in self.OFFERS

    # Standings and lines that many steps use

    def ahead(self) -> Standing:
        """Not done yet."""
        return Standing(self.glyphs.todo, "", "dim")

    def busy(self, word: str) -> Standing:
        """Under way."""
        return Standing(self.glyphs.wait, word, "live")

    def well(self, word: str) -> Standing:
        """Done and good."""
        return Standing(self.glyphs.ok, word, "ok")

    def careful(self, word: str) -> Standing:
        """Done, with something to think of."""
        return Standing(self.glyphs.warn, word, "warn")

    def bad(self, word: str) -> Standing:
        """In the way."""
        return Standing(self.glyphs.bad, word, "bad")

    def problem_lines(self, problem: Problem, cells: int) -> list[Line]:
        """Why the database could not be asked: what happened, what state it is in, what to do."""
        return ending_lines(
            (f"{self.glyphs.bad} ", "bad!"),
            one_line(problem.message, 500),
            "Nothing was changed: it was only being asked.",
            one_line(problem.hint, 300) or "r asks again.",
            cells,
        )


def paragraph(text: str, cells: int, role: Role = "text", *, indent: int = 0) -> list[Line]:
    """A text wrapped to the width, indented by some cells."""
    blank: Span = (" " * indent, "text")
    wrapped = wrap(((text, role),), max(8, cells - indent))
    return [line(blank, *part) if indent else Line(part) for part in wrapped]


def hanging(head: Span, text: str, cells: int, role: Role = "text") -> list[Line]:
    """A text whose first line follows `head` and whose others are indented by it."""
    return behind((head,), text, cells, role)


def behind(head: tuple[Span, ...], text: str, cells: int, role: Role = "text") -> list[Line]:
    """As `hanging`, behind a head of several spans of one cell per character."""
    indent = sum(len(part) for part, _ in head)
    first, *rest = wrap(((text, role),), max(8, cells - indent)) or [()]
    return [Line((*head, *first)), *(Line(((" " * indent, "text"), *part)) for part in rest)]


def field(name: str, text: str, cells: int, role: Role = "text") -> list[Line]:
    """A named fact."""
    return hanging((fit(name, FIELD), "dim"), text, cells, role)


def heading(text: str) -> Line:
    """The title of a part, below the empty line that separates it."""
    return line((text, "strong"))


def cleaned(text: str, limit: int = 4096) -> str:
    """Outside text of several lines for a screen, without secrets."""
    return redact(visible(text, limit=limit, newlines=True))


def ending_lines(mark: Span, reason: str, state: str, onward: str, cells: int) -> list[Line]:
    """The three things every failure says: what happened, what state the database is in now, what to do next."""
    lines = hanging(mark, reason, cells)
    lines += field("now", state, cells)
    return lines + (field("next", onward, cells, "live") if onward else [])
