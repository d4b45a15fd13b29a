"""The footer: what works here and now, whole words only, as much as fits."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from rich.cells import cell_len
from textual import events
from textual.message import Message

from tui.theme import Role
from tui.widgets.lines import Line, Lines, Span

GAP = 2


class Entry(msgspec.Struct, frozen=True):
    """A key with its word. `off` when it does not work now (pressing it says why); `keep` when it must always fit."""

    key: str
    word: str
    action: str
    off: bool = False
    keep: bool = False

    @property
    def cells(self) -> int:
        """Terminal cells it takes."""
        return cell_len(self.key) + 1 + cell_len(self.word)


def choose(entries: Sequence[Entry], cells: int) -> tuple[Entry, ...]:
    """The entries that fit into `cells`, in order: those to keep first, then the others from the left."""
    room = cells - 2
    kept = {entry for entry in entries if entry.keep}
    used = sum(entry.cells + GAP for entry in kept) - GAP
    for entry in entries:
        if entry in kept:
            continue
        if used + GAP + entry.cells > room:
            break
        kept.add(entry)
        used += GAP + entry.cells
    return tuple(entry for entry in entries if entry in kept)


class Footer(Lines):
    """One line of keys; they can be clicked."""

    DEFAULT_CSS = "Footer { height: 1; dock: bottom; background: $deck-bar; }"

    class Pressed(Message):
        """An entry was clicked."""

        def __init__(self, action: str) -> None:
            super().__init__()
            self.action = action

    def __init__(self, *, id: str = "footer") -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._entries: tuple[Entry, ...] = ()
        self._ends: tuple[tuple[int, str], ...] = ()

    def put(self, entries: Sequence[Entry]) -> None:
        """Offer these entries."""
        self._entries = tuple(entries)
        self._draw()

    def on_resize(self) -> None:
        """Another width fits other entries."""
        self._draw()

    def on_click(self, event: events.Click) -> None:
        """Do what the entry under the pointer says."""
        for end, action in self._ends:
            if event.x < end:
                self.post_message(self.Pressed(action))
                return

    def _draw(self) -> None:
        spans: list[Span] = [(" ", "text")]
        ends: list[tuple[int, str]] = []
        at = 1
        for entry in choose(self._entries, self.size.width):
            key: Role = "dim" if entry.off else "live!"
            word: Role = "dim" if entry.off else "text"
            spans += [(entry.key, key), (f" {entry.word}{' ' * GAP}", word)]
            at += entry.cells + GAP
            ends.append((at, entry.action))
        self._ends = tuple(ends)
        self.show((Line(tuple(spans)),))
