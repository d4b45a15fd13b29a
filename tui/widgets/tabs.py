"""The tabs of the narrow dashboard: a number, a word, and a mark on the tab that holds bad news."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.message import Message

from tui.core.text import Glyphs
from tui.theme import Role
from tui.widgets.lines import Line, Lines, Span


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab: its id, its word, and what stands behind the word, e.g. a number of errors."""

    id: str
    word: str
    news: str = ""
    role: Role = "dim"


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
        spans: list[Span] = [(" ", "text")]
        ends: list[tuple[int, str]] = []
        at = 1
        for number, tab in enumerate(tabs, 1):
            here = tab.id == active
            left, right = ("[", "]") if here else (" ", " ")
            parts: list[Span] = [(f"{left}{number} {tab.word}", "live!" if here else "dim")]
            if tab.news:
                parts.append((f" {tab.news}", tab.role))
            parts.append((f"{right} ", "live!" if here else "dim"))
            spans += parts
            at += sum(cell_len(text) for text, _ in parts)
            ends.append((at, tab.id))
        self._ends = tuple(ends)
        self.show((Line(tuple(spans)),))

    def on_click(self, event: events.Click) -> None:
        """Choose the tab under the pointer."""
        for end, tab in self._ends:
            if event.x < end:
                self.post_message(self.Chosen(tab))
                return
