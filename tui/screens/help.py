"""Every key that works on the screen beneath: made from its bindings, so that it can not be out of date."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType

from tui.core.text import Glyphs, fit
from tui.screens.actions import HELP
from tui.screens.base import DeckScreen, key_word
from tui.store import Store
from tui.widgets.frame import Frame
from tui.widgets.lines import Line, line, wrap
from tui.widgets.reader import Reader

KEYS_WIDTH = 16
WORD_WIDTH = 18


def help_rows(active: Iterable[ActiveBinding]) -> tuple[tuple[str, str, str], ...]:
    """(keys, word, what it does) per action, in the order of the bindings; bindings without a tooltip are Textual's."""
    rows: dict[str, tuple[list[str], str, str]] = {}
    # A key that can be chosen stands before one that is the same for everybody, as a tab's number is.
    for one in sorted(active, key=lambda one: one.binding.id is None):
        if not one.binding.tooltip or not one.enabled:
            continue
        # An action of the app is the same from a screen's binding and from the app's own.
        action = one.binding.action.removeprefix("app.")
        keys, _, _ = rows.setdefault(action, ([], one.binding.description, one.binding.tooltip))
        word = one.binding.key_display or key_word(one.binding.key)
        if word not in keys:
            keys.append(word)
    return tuple((" ".join(keys), word, what) for keys, word, what in rows.values())


class HelpScreen(DeckScreen):
    """The keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.back", "Back", tooltip="Close the help"),
        Binding("question_mark", "app.back", "Back", id=HELP, show=False),
        Binding("q", "app.back", "Back", show=False),
    ]
    AUTO_FOCUS = "#help-text"

    def __init__(self, store: Store, glyphs: Glyphs, rows: Sequence[tuple[str, str, str]]) -> None:
        super().__init__(store, glyphs)
        self._rows = rows
        self.reader = Reader(glyphs, id="help-text")

    def compose(self) -> ComposeResult:
        """The keys in a frame."""
        with Frame("Keys", id="help-frame"):
            yield self.reader
        yield self.hint
        yield self.footer

    def on_mount(self) -> None:
        """Show them."""
        self.reader.read(self._lines)

    def _lines(self, cells: int) -> list[Line]:
        lines: list[Line] = []
        indent = KEYS_WIDTH + WORD_WIDTH
        for keys, word, what in self._rows:
            first, *rest = wrap(((what, "dim"),), max(10, cells - indent))
            lines.append(line((fit(keys, KEYS_WIDTH), "live!"), (fit(word, WORD_WIDTH), "text"), *first))
            lines += [Line(((" " * indent, "text"), *part)) for part in rest]
        return lines
