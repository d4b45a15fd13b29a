"""The executions panel: totals, their course over the window, and the newest rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tui.core.panels import Bucket, Execution, ExecutionsPanel
from tui.core.text import Glyphs, count, duration, one_line
from tui.theme import Role
from tui.widgets.band import local
from tui.widgets.lines import Groups, Spans
from tui.widgets.panel import LivePanel
from tui.widgets.table import Column, Row

STATUS_ROLES: Mapping[str, Role] = {"ok": "text", "failed": "bad", "running": "live"}
"""What is as it should be is quiet: a failure is seen the sooner, and a row costs a third fewer bytes."""


class Executions(LivePanel):
    """The panel with its frame."""

    COLUMNS = (
        Column("time", 8),
        Column("kind", 8),
        Column("name", 0),
        Column("status", 9),
        Column("took", 6, "right"),
    )
    ORDERS = ("newest first", "longest first", "failed first", "by name")

    def __init__(self, title: str, window: int, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(title, window, glyphs, id=id)
        self._data: ExecutionsPanel | None = None
        self._old = False

    def show(self, panel: ExecutionsPanel | None, *, stale: bool) -> None:
        """Show the panel as it is now; None while nothing was answered yet."""
        self._data, self._old = panel, stale
        self.fill()

    def fill(self) -> None:
        """Show what was last given, in the order that was chosen."""
        panel = self._data
        groups = totals_groups(panel.totals) if panel else ()
        brief = totals_groups(panel.totals, brief=True) if panel else ()
        rows = in_order(panel.rows, self.order) if panel else ()
        self._put(panel, groups, [execution_row(row) for row in rows], stale=self._old, brief=brief)

    def execution(self, key: str) -> Execution | None:
        """The execution of a row."""
        rows = self._data.rows if self._data else ()
        return next((row for row in rows if row.id == key), None)


def totals_groups(totals: Bucket, *, brief: bool = False) -> Groups:
    """Running, ok, failed with its share, and the two percentiles, most important first; `brief`: of what failed the
    share alone.
    """
    share = f"{100 * totals.failed / totals.total:.1f} %" if totals.failed and totals.total else "0 %"
    failed: Role = "bad!" if totals.failed else "text"
    groups: list[Spans] = [
        (("run " if brief else "running ", "dim"), (count(totals.running), "live!" if totals.running else "text")),
        (("ok ", "dim"), (count(totals.ok), "text")),
        (("fail ", "dim"), (share, failed))
        if brief
        else (("failed ", "dim"), (count(totals.failed), failed), (f" ({share})" if totals.failed else "", "dim")),
    ]
    for word, milliseconds in (("p50", totals.p50_ms), ("p95", totals.p95_ms)):
        if milliseconds is not None:
            groups.append(((f"{word} ", "dim"), (duration(milliseconds / 1000), "text")))
    return tuple(groups)


def in_order(rows: Sequence[Execution], order: str) -> Sequence[Execution]:
    """Rows, newest first, in one of the panel's orders; what is still running counts as the longest."""
    if order == "longest first":
        return sorted(rows, key=lambda row: (row.duration_ms is not None, -(row.duration_ms or 0.0)))
    if order == "failed first":
        return sorted(rows, key=lambda row: row.status != "failed")
    return sorted(rows, key=lambda row: row.name.casefold()) if order == "by name" else rows


def brief(seconds: float) -> str:
    """A duration in one unit, at most six cells below a hundred days: `412 ms`, `1.2 s`, `3 min`, `5 h`."""
    if seconds < 60:
        return duration(seconds)
    return duration(
        seconds // 60 * 60
        if seconds < 3600
        else seconds // 3600 * 3600
        if seconds < 86400
        else seconds // 86400 * 86400
    )


def execution_row(execution: Execution) -> Row:
    """One execution as a row of the table."""
    took = "" if execution.duration_ms is None else brief(execution.duration_ms / 1000)
    return Row(
        key=execution.id,
        cells=(
            (f"{local(execution.started_at):%H:%M:%S}", "dim"),
            (one_line(execution.kind, 40), "dim"),
            (one_line(execution.name, 200), "text"),
            (one_line(execution.status, 40), STATUS_ROLES.get(execution.status, "warn")),
            (took, "text"),
        ),
        search=f"{execution.name} {execution.kind} {execution.status} {execution.scope}".lower(),
        failing=execution.status == "failed",
    )
