"""One error in full: its message, its course over the window, its occurrences and the executions they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.core.opened import OCCURRENCES, Occurrence, OpenedError
from tui.core.panels import ErrorGroup, ErrorsPanel
from tui.core.text import count, duration, one_line
from tui.screens.context import Context
from tui.screens.execution_detail import ExecutionDetail
from tui.screens.full_text import FullText, field_lines, message_lines
from tui.store import Part
from tui.theme import Role
from tui.widgets.band import local
from tui.widgets.errors import last_seen
from tui.widgets.frame import Frame
from tui.widgets.lines import Line, Span
from tui.widgets.panel import course
from tui.widgets.table import Column, LineTable, Row

COLUMNS = (Column("time", 8), Column("of", 16), Column("source", 14), Column("message", 0))
SCOPED = 90
"""Cells from which there is room for whose an occurrence is; the text above has it in any case."""


class ErrorDetail(FullText):
    """One group of errors: the marked occurrence in full above the list of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab,shift+tab", "app.focus_next", "Text", tooltip="Between the list and the text"),
    ]
    WORDS: ClassVar[Mapping[str, str]] = {"choose": "Execution"}
    CSS = """
    #occurrences { height: 2fr; min-height: 6; }
    ErrorDetail #full-frame { height: 3fr; }
    """

    def __init__(self, context: Context, group: ErrorGroup) -> None:
        super().__init__(context, one_line(group.kind, 60) or "Error")
        self._group = group
        self._opened: OpenedError | None = None
        self.frame.add_class("-broken")
        self.table = LineTable(COLUMNS, context.glyphs, header=False, id="occurrences-table")
        self.list_frame = Frame("Occurrences", id="occurrences")
        panels = context.deck.bundle.manifest.panels
        self._listed = any(source.occurrences for panel in panels for source in panel.sources)

    def content(self) -> ComposeResult:
        """The text, and the list where the bundle has one."""
        yield from super().content()
        self.list_frame.display = self._listed
        with self.list_frame:
            yield self.table

    def on_mount(self) -> None:
        """The keys act in the list, where there is one."""
        self.table.set_rows((), empty="asking for them")
        if self._listed:
            self.table.focus()

    def on_resize(self, _: events.Resize) -> None:
        """Another width has room for more or less."""
        self.call_after_refresh(self.show)

    def changed(self, parts: frozenset[Part]) -> None:
        """More of the same may come in while it is read."""
        self.show_title()
        panel = self.store.errors
        if "errors" not in parts or panel is None:
            return
        fresh = next((one for one in panel.groups if one.fingerprint == self._group.fingerprint), None)
        if fresh is not None and fresh != self._group:
            self._group = fresh
            self.show()
            self.action_again()

    async def ask(self) -> None:
        """The same error over the panel's window, of whom the panel shows."""
        panel = self._panel
        self._opened = await self.context.deck.open_error(self._group.fingerprint, panel.window, panel.scope)

    def show(self) -> None:
        """The list, then the text, which is of the row that is marked in it."""
        if not self.is_mounted:
            return
        opened, wide = self._opened, self.size.width >= SCOPED and bool(self._panel.scoped)
        self.table.set_columns([column for column in COLUMNS if wide or column.title != "of"])
        if opened is not None:
            rows = [_row(one, wide=wide) for one in opened.occurrences]
            empty = f"none in the last {duration(opened.window)}"
            self.table.set_rows(rows, empty=empty, stale=self.problem is not None)
            cut = "the newest " if len(rows) == OCCURRENCES else ""
            self.list_frame.title(f"Occurrences · {cut}{count(len(rows))}")
        elif self.problem is not None:
            self.table.set_rows((), empty="they could not be asked for")
        super().show()

    def lines(self, cells: int) -> list[Line]:
        """How often, how lately and when, then the marked occurrence with its whole message."""
        group, panel, opened = self._group, self._panel, self._opened
        seen = last_seen(group.last_at, self.context.server_time())
        fields: list[tuple[str, str, Role]] = [
            ("kind", group.kind, "strong"),
            ("times", f"{count(group.total)} in the last {duration(panel.window)}, the last {seen}", "bad"),
        ]
        lines = field_lines(fields, cells)
        if opened is not None and (bars := course(opened.buckets, opened.window, cells, self.glyphs, "bad")):
            lines.append(Line(bars))
        if self._marked is not None:
            lines += field_lines(_fields(self._marked), cells)
        return [*lines, *message_lines(self._message, cells)]

    def text(self) -> str:
        """The message."""
        return self._message

    def on_line_table_moved(self) -> None:
        """The text follows the cursor."""
        self.reader.read(self.lines)

    def on_line_table_chosen(self) -> None:
        """Open the execution that the marked occurrence belongs to."""
        marked = self._marked
        if marked is None or not marked.execution:
            self.say("this one names no execution", "dim")
            return
        panel = self.store.executions
        known = next((row for row in panel.rows if row.id == marked.execution), None) if panel else None
        self.open(ExecutionDetail(self.context, known, key=marked.execution))

    @property
    def _panel(self) -> ErrorsPanel:
        return self.store.errors or ErrorsPanel("", window=self.context.window)

    @property
    def _marked(self) -> Occurrence | None:
        known: Sequence[Occurrence] = self._opened.occurrences if self._opened else ()
        return next((one for one in known if one.id == self.table.key), None)

    @property
    def _message(self) -> str:
        marked = self._marked
        return marked.message if marked is not None else self._group.message


def _fields(one: Occurrence) -> list[tuple[str, str, Role]]:
    """What is known of an occurrence beside its message."""
    known = ", ".join(filter(None, (f"{local(one.at):%Y-%m-%d %H:%M:%S}", one.source, one.scope)))
    if not one.execution:
        return [("this one", known, "text"), ("execution", "names none", "dim")]
    return [("this one", known, "text"), ("execution", f"{one.execution}  enter opens it", "text")]


def _row(one: Occurrence, *, wide: bool) -> Row:
    cells: tuple[Span, ...] = (
        (f"{local(one.at):%H:%M:%S}", "dim"),
        (one_line(one.scope, 60), "text"),
        (one_line(one.source, 60), "text"),
        (one_line(one.message, 400), "dim"),
    )
    return Row(one.id, cells if wide else (cells[0], *cells[2:]))
