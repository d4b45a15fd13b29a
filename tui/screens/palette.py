"""The palette: everything that can be done now, or be chosen, found by typing a part of its name.

Textual's own palette parses markup in what it lists and shows a loading indicator that sends 51 kB/s (facts: textual
3.3), so this one is a filtered table.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input

from tui.core.text import Glyphs
from tui.widgets.frame import Frame
from tui.widgets.lines import Line, Lines, wrap
from tui.widgets.table import Column, LineTable, Row

COLUMNS = (Column("name", 20), Column("what", 0), Column("key", 9, "right"))


class Command(msgspec.Struct, frozen=True):
    """Something that can be done: the action it runs, its name, what it does, its key."""

    action: str
    name: str
    what: str
    key: str


class Palette(ModalScreen[str | None]):
    """Type, move, enter. Dismisses with the action, None on escape."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Back", tooltip="Close the palette"),
        Binding("up", "move(-1)", "Up", show=False, priority=True),
        Binding("down", "move(1)", "Down", show=False, priority=True),
    ]
    AUTO_FOCUS = "#palette-input"

    def __init__(
        self,
        glyphs: Glyphs,
        commands: Sequence[Command],
        *,
        title: str = "Palette",
        ask: str = "what to do",
        empty: str = "nothing of that name can be done now",
        columns: Sequence[Column] = COLUMNS,
    ) -> None:
        """`ask` stands in the line while nothing is typed, `empty` in the list when nothing fits; `columns`: three."""
        super().__init__()
        self._commands, self._title, self._empty = tuple(commands), title, empty
        self._input = Input(id="palette-input", placeholder=ask, compact=True)
        self._input.cursor_blink = False
        self._table = LineTable(columns, glyphs, header=False, id="palette-table")
        self._whole = Lines(id="palette-whole")

    def compose(self) -> ComposeResult:
        """A line to type in above what fits it."""
        with Frame(self._title, id="palette-frame"):
            yield self._input
            yield self._table
            yield self._whole

    def on_mount(self) -> None:
        """List everything."""
        self._table.can_focus = False
        self._list("")

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list down."""
        event.stop()
        self._list(event.value.strip().lower())
        self._table.narrow(event.value)
        self._table.action_edge(-1)

    def on_input_submitted(self) -> None:
        """Do what is marked."""
        if self._table.key is not None:
            self.dismiss(self._table.key)

    def on_line_table_moved(self) -> None:
        """What the marked one does, whole: in its row there may be no room for it."""
        self._show_whole()

    def on_resize(self) -> None:
        """Another width has another room."""
        self.call_after_refresh(self._show_whole)

    def _show_whole(self) -> None:
        cells = self._whole.content_size.width
        what = next((one.what for one in self._commands if one.action == self._table.key), "")
        self._whole.show([Line(part) for part in wrap(((what, "dim"),), cells)] if cells else ())

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        """Do what was clicked."""
        self.dismiss(event.key)

    def _list(self, words: str) -> None:
        """Everything; first what is called so, then what is called something with it, then what does something so."""
        ranked = sorted(
            self._commands, key=lambda one: (not one.name.lower().startswith(words), words not in one.name.lower())
        )
        self._table.set_rows(
            [
                Row(
                    key=command.action,
                    cells=((command.name, "text"), (command.what, "dim"), (command.key, "live")),
                    search=f"{command.name} {command.what}".lower(),
                )
                for command in ranked
            ],
            empty=self._empty,
            unmatched=self._empty,
        )

    def action_move(self, step: int) -> None:
        """Move the mark while the line keeps the keys."""
        self._table.action_move(step)

    def action_leave(self) -> None:
        """Do nothing."""
        self.dismiss(None)
