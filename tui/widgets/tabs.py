"""The tabs of the narrow dashboard: a number, a word, and a mark on the tab that holds bad news."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from textual import events
from textual.message import Message

from tui.core.text import Glyphs
from tui.theme import Role
from tui.widgets.lines import Line, Lines, Span, Spans, width_of


class Tab(msgspec.Struct, frozen=True):
    """A tab: its id, its word, what stands behind the word, e.g. a number of errors, and a shorter word for a line
    that is too short for all of them.
    """

    id: str
    word: str
    news: str = ""
    role: Role = "dim"
    short: str = ""


class Tabs(Lines):
    """One line of tabs; a click or a number key chooses."""

    DEFAULT_CSS = "Tabs { height: 1; }"

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, tab: str) -> None:
            super().__init__()
            self.tab = tab

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._glyphs = glyphs
        self._ends: tuple[tuple[int, str], ...] = ()

    def put(self, tabs: Sequence[Tab], active: str) -> None:
        """Show the tabs; the active one stands in brackets, so that it is seen without colour."""
        forms = (
            _spelled(tabs, active),
            _spelled(tabs, active, tight=True),
            _spelled(tabs, active, tight=True, short=True),
        )
        chosen = next((form for form in forms if sum(map(width_of, form)) < self.size.width), forms[-1])
        at = 1
        ends: list[tuple[int, str]] = []
        for tab, part in zip(tabs, chosen, strict=True):
            at += width_of(part)
            ends.append((at, tab.id))
        self._ends = tuple(ends)
        self.show((Line(((" ", "text"), *(span for part in chosen for span in part))),))

    def on_click(self, event: events.Click) -> None:
        """Choose the tab under the pointer."""
        for end, tab in self._ends:
            if event.x < end:
                self.post_message(self.Chosen(tab))
                return


def _spelled(tabs: Sequence[Tab], active: str, *, tight: bool = False, short: bool = False) -> list[Spans]:
    """Every tab's spans; `tight` leaves out blanks around them, `short` takes shorter words where there are any."""
    spelled: list[Spans] = []
    for number, tab in enumerate(tabs, 1):
        here = tab.id == active
        left, right = ("[", "]") if here else ("", "") if tight else (" ", " ")
        role: Role = "live!" if here else "dim"
        parts: list[Span] = [(f"{left}{number} {(short and tab.short) or tab.word}", role)]
        if tab.news:
            parts.append((f" {tab.news}", tab.role))
        spelled.append((*parts, (f"{right} ", role)))
    return spelled
