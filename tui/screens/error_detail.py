"""One error or one execution in full: what the panel's row had no room for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.core.panels import ErrorGroup, ErrorRow, Execution
from tui.core.text import count, duration, fit, one_line, visible
from tui.screens.context import Context
from tui.screens.titled import TitledScreen
from tui.store import Part
from tui.theme import Role
from tui.widgets.band import local
from tui.widgets.errors import last_seen
from tui.widgets.executions import STATUS_ROLES
from tui.widgets.frame import Frame
from tui.widgets.lines import Line, line, wrap
from tui.widgets.reader import Reader

LABEL = 12
WHOLE = 100_000
"""Characters of a text that are shown here: as many as the panels keep."""


class FullText(TitledScreen):
    """A framed text; what is in it is `lines`."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.back", "Back", tooltip="Back to the dashboard"),
        Binding("enter", "app.back", "Back", show=False),
        Binding("y", "copy", "Copy", tooltip="Copy the message"),
        Binding("q", "app.quit", "Quit", tooltip="Leave; nothing is changed by leaving"),
    ]
    AUTO_FOCUS = "#full-text"

    def __init__(self, context: Context, title: str, message: str) -> None:
        super().__init__(context)
        self._message = message
        self.frame = Frame(title, id="full-frame")
        self.reader = Reader(context.glyphs, id="full-text")

    def content(self) -> ComposeResult:
        """The text in its frame."""
        with self.frame:
            yield self.reader

    def on_mount(self) -> None:
        """Show the text from its top."""
        self.reader.read(self.lines)

    @abstractmethod
    def lines(self, cells: int) -> list[Line]:
        """The text for a width in cells."""

    def action_copy(self) -> None:
        """Copy the message, cleaned."""
        self.app.copy_to_clipboard(visible(self._message, limit=WHOLE, newlines=True).rstrip("\n"))
        self.say("copied the message")


class ExecutionDetail(FullText):
    """One execution."""

    def __init__(self, context: Context, execution: Execution) -> None:
        super().__init__(context, f"Execution {one_line(execution.id, 40)}", execution.message or execution.name)
        self._execution = execution

    def changed(self, parts: frozenset[Part]) -> None:
        """A running execution may end while it is read."""
        self.show_title()
        panel = self.store.executions
        fresh = next((row for row in panel.rows if row.id == self._execution.id), None) if panel else None
        if "executions" in parts and fresh is not None and fresh != self._execution:
            self._execution = fresh
            self.reader.read(self.lines, from_top=False)

    def lines(self, cells: int) -> list[Line]:
        """Every field, then the message."""
        one = self._execution
        took = "still running" if one.duration_ms is None else duration(one.duration_ms / 1000)
        fields: list[tuple[str, str, Role]] = [
            ("name", one.name, "strong"),
            ("kind", one.kind, "text"),
            ("status", one.status, STATUS_ROLES.get(one.status, "warn")),
            ("started", f"{local(one.started_at):%Y-%m-%d %H:%M:%S}", "text"),
            ("took", took, "text"),
            ("tenant", one.tenant or "none", "text"),
            ("id", one.id, "dim"),
        ]
        return [*_fields(fields, cells), *_message(one.message, cells)]


class ErrorDetail(FullText):
    """One group of errors with its occurrences."""

    def __init__(self, context: Context, group: ErrorGroup) -> None:
        super().__init__(context, one_line(group.kind, 60) or "Error", group.message)
        self._group = group
        self.frame.add_class("-broken")

    def changed(self, parts: frozenset[Part]) -> None:
        """More of the same may come in while it is read."""
        self.show_title()
        if "errors" not in parts or self.store.errors is None:
            return
        fresh = next(
            (group for group in self.store.errors.groups if group.fingerprint == self._group.fingerprint), None
        )
        if fresh is not None:
            self._group = fresh
        self.reader.read(self.lines, from_top=False)

    def lines(self, cells: int) -> list[Line]:
        """How often and how lately, the whole message, the occurrences that are known."""
        group = self._group
        now = self.context.server_time()
        window = self.store.errors.window if self.store.errors else 0
        fields: list[tuple[str, str, Role]] = [
            ("kind", group.kind, "strong"),
            ("times", f"{count(group.total)} in the last {duration(window)}", "bad"),
            ("last", f"{local(group.last_at):%H:%M:%S}, {last_seen(group.last_at, now)}", "text"),
        ]
        rows = [row for row in (self.store.errors.rows if self.store.errors else ()) if row.kind == group.kind]
        return [*_fields(fields, cells), *_message(group.message, cells), *self._occurrences(rows, cells)]

    def _occurrences(self, rows: Sequence[ErrorRow], cells: int) -> list[Line]:
        if not rows:
            return []
        lines = [Line(), line((f"newest of this kind ({len(rows)})", "dim"))]
        for row in rows:
            head = f"{local(row.at):%H:%M:%S}  {fit(one_line(row.source, 24), 24)}  "
            lines.append(line((head, "dim"), (fit(one_line(row.message, 400), max(1, cells - len(head))), "text")))
        return lines


def _fields(fields: Sequence[tuple[str, str, Role]], cells: int) -> list[Line]:
    """A field a line; a text that is longer goes on below itself, for here is where nothing is cut."""
    lines: list[Line] = []
    for label, text, role in fields:
        parts = wrap(((visible(text, limit=WHOLE), role),), max(1, cells - LABEL))
        for number, part in enumerate(parts):
            lines.append(line((fit("" if number else label, LABEL), "dim"), *part))
    return lines


def _message(message: str, cells: int) -> list[Line]:
    if not message:
        return []
    text = visible(message, limit=WHOLE, newlines=True)
    return [Line(), line(("message", "dim")), *(Line(part) for part in wrap(((text, "text"),), cells))]
