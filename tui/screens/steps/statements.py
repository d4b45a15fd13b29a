"""The statements of a run as a list: each with its number, its line in the file, and below it its whole text."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.core.aftermath import counted
from tui.core.run import Plan
from tui.core.statements import title
from tui.core.text import Glyphs, one_line, redact, visible
from tui.screens.base import DeckScreen
from tui.screens.steps.step import cleaned, hanging
from tui.store import Store
from tui.widgets.frame import Frame
from tui.widgets.lines import Line
from tui.widgets.reader import Reader
from tui.widgets.table import Column, LineTable, Row

TEXT_LIMIT = 20_000


class StatementsScreen(DeckScreen):
    """The list above, the marked statement below."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,s", "app.back", "Back", tooltip="Back to the walkthrough"),
        Binding("y", "copy", "Copy", tooltip="Copy the marked statement"),
        Binding("tab,shift+tab", "app.focus_next", "Text", tooltip="Between the list and the text"),
    ]
    KEYS_STAY = True
    AUTO_FOCUS = "#statements-table"

    def __init__(self, store: Store, glyphs: Glyphs, plan: Plan) -> None:
        super().__init__(store, glyphs)
        self._plan = plan
        digits = len(str(len(plan.statements)))
        last = max(statement.line for statement in plan.statements)
        columns = (
            Column("k", max(2, digits), "right"),
            Column("line", max(4, len(str(last))), "right"),
            Column("statement", 0),
        )
        self._table = LineTable(columns, glyphs, id="statements-table")
        self._reader = Reader(glyphs, id="statements-text")
        self._list = Frame(
            f"{one_line(plan.files, 80)} · {counted(len(plan.statements), 'statement')}", id="statements-list"
        )
        self._text = Frame("", id="statements-frame")

    def compose(self) -> ComposeResult:
        """One above the other."""
        with self._list:
            yield self._table
        with self._text:
            yield self._reader
        yield self.hint
        yield self.footer

    def on_mount(self) -> None:
        """Show all of them."""
        self._table.set_rows(
            [
                Row(str(index), ((str(index + 1), "dim"), (str(statement.line), "dim"), (title(statement), "text")))
                for index, statement in enumerate(self._plan.statements)
            ]
        )

    def on_line_table_moved(self) -> None:
        """Another text."""
        index = int(self._table.key or 0)
        statement = self._plan.statements[index]
        self._text.title(
            f"{index + 1} of {len(self._plan.statements)} · {one_line(self._plan.source(index), 60)}:{statement.line}"
        )
        digits = len(str(statement.line + statement.text.count("\n")))

        def write(cells: int) -> list[Line]:
            # A number is a line of the file; what is longer goes on below itself. Nor masked beyond a line's end.
            return [
                part
                for at, text in enumerate(visible(statement.text, limit=TEXT_LIMIT, newlines=True).split("\n"))
                for part in hanging((f"{statement.line + at:>{digits}}  ", "dim"), redact(text), cells)
            ]

        self._reader.read(write)

    def on_line_table_chosen(self) -> None:
        """Read the text."""
        self._reader.focus()

    def action_copy(self) -> None:
        """Copy the statement, cleaned and without secrets."""
        index = int(self._table.key or 0)
        self.app.copy_to_clipboard(cleaned(self._plan.statements[index].text, TEXT_LIMIT).rstrip("\n"))
        self.say(f"copied statement {index + 1}")
