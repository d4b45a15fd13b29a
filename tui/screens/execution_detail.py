"""One execution in full: what the panel's row says, its message, what it logged, every column of its row."""

from __future__ import annotations

from tui.core.opened import LogLine, OpenedExecution, Value
from tui.core.panels import Execution
from tui.core.text import count, duration, fit, one_line, visible
from tui.screens.context import Context
from tui.screens.full_text import WHOLE, FullText, field_lines, message_lines
from tui.store import Part
from tui.theme import Role
from tui.widgets.band import local
from tui.widgets.executions import STATUS_ROLES
from tui.widgets.lines import Line, line, wrap

EVERY = 2.0
"""Seconds between two readings of an execution that runs, at least."""

LEVEL = 7
LEVEL_ROLES: dict[str, Role] = {"error": "bad", "fatal": "bad", "critical": "bad", "warning": "warn", "warn": "warn"}
NAMES = 16
"""Cells for the names of columns, unless one needs more; at most NAMES_MOST."""
NAMES_MOST = 30


class ExecutionDetail(FullText):
    """One execution."""

    def __init__(self, context: Context, execution: Execution | None, *, key: str = "") -> None:
        """`execution` as a panel knows it; None where only its id, `key`, is known."""
        self._key = execution.id if execution else key
        super().__init__(context, f"Execution {one_line(self._key, 40)}")
        self._execution = execution
        self._opened: OpenedExecution | None = None

    def on_mount(self) -> None:
        """An execution that runs is read again and again: it logs, and it ends."""
        self.set_interval(max(EVERY, self.context.refresh), self._follow)

    def changed(self, parts: frozenset[Part]) -> None:
        """A running execution may end while it is read."""
        self.show_title()
        panel = self.store.executions
        fresh = next((row for row in panel.rows if row.id == self._key), None) if panel else None
        if "executions" in parts and fresh is not None and fresh != self._execution:
            self._execution = fresh
            self.show()
            self.action_again()

    async def ask(self) -> None:
        """The execution as it is now."""
        self._opened = await self.context.deck.open_execution(self._key)
        self._execution = self._opened.execution or self._execution

    def lines(self, cells: int) -> list[Line]:
        """Every field, the message, the log, then the row."""
        one, opened = self._execution, self._opened
        lines = field_lines(self._fields(one), cells) if one else []
        if one is None:
            asked = opened is not None or self.problem is not None
            lines = [line(("there is no such execution any more" if asked else "asking for it", "dim"))]
        lines += message_lines(one.message if one else "", cells)
        if opened is not None:
            lines += _log_lines(opened, cells) + _value_lines(opened.values, cells)
        return lines

    def text(self) -> str:
        """All that is shown, unwrapped."""
        return "\n".join("".join(text for text, _ in one.spans).rstrip() for one in self.lines(10 * WHOLE))

    def _fields(self, one: Execution) -> list[tuple[str, str, Role]]:
        panel = self.store.executions
        scoped = panel.scoped if panel else ""
        took = "still running" if one.duration_ms is None else duration(one.duration_ms / 1000)
        fields: list[tuple[str, str, Role]] = [
            ("name", one.name, "strong"),
            ("kind", one.kind, "text"),
            ("status", one.status, STATUS_ROLES.get(one.status, "warn")),
            ("started", f"{local(one.started_at):%Y-%m-%d %H:%M:%S}", "text"),
            ("took", took, "text"),
        ]
        if scoped or one.scope:
            fields.append((one_line(scoped, 20) or "of", one.scope or "none", "text"))
        return [*fields, ("id", one.id, "dim")]

    def _follow(self) -> None:
        running = self._execution is not None and self._execution.duration_ms is None
        if running and not self.store.paused and self.context.age() is None:
            self.action_again()


def _log_lines(opened: OpenedExecution, cells: int) -> list[Line]:
    """What was logged, oldest first; a line that is longer goes on below itself."""
    if opened.log is None:
        return []
    if not opened.log:
        return [Line(), line(("it logged nothing", "dim"))]
    cut = ", the newest; there are older ones" if opened.log_cut else ""
    lines = [Line(), line((f"log, {count(len(opened.log))} {'line' if len(opened.log) == 1 else 'lines'}{cut}", "dim"))]
    for one in opened.log:
        lines += _log_line(one, cells)
    return lines


def _log_line(one: LogLine, cells: int) -> list[Line]:
    level = visible(one.level)
    role: Role = LEVEL_ROLES.get(level.lower(), "dim")
    short = len(level) <= LEVEL
    head = f"{local(one.at):%H:%M:%S}  {fit(level if short else '', LEVEL)}  "
    said = ": ".join(filter(None, ("" if short else level, one.step, one.message)))
    took = "" if one.ms is None else f"  {duration(one.ms / 1000)}"
    parts = wrap(
        ((visible(said, limit=WHOLE, newlines=True), "text"), (took, "dim")), max(8, cells - len(head))
    )  # fmt: skip
    return [line((" " * len(head) if number else head, role), *part) for number, part in enumerate(parts)]


def _value_lines(values: tuple[Value, ...], cells: int) -> list[Line]:
    """Every column of the row, as it is in the table."""
    if not values:
        return []
    label = min(NAMES_MOST, max(NAMES, *(len(one.name) + 2 for one in values)), cells // 2)
    fields: list[tuple[str, str, Role]] = []
    for one in values:
        rest = f" ({count(one.missing)} more characters)" if one.missing else ""
        role: Role = "dim" if one.text is None else "text"
        fields.append((one_line(one.name, 60), "null" if one.text is None else one.text + rest, role))
    return [Line(), line(("row", "dim")), *field_lines(fields, cells, label, newlines=True)]
