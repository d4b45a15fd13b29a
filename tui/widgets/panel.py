"""What the two live panels have in common: a head of two lines above rows, and what an empty one says."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from textual.app import ComposeResult

from tui.core.panels import Bucket, ErrorsPanel, ExecutionsPanel, Scope
from tui.core.text import Glyphs, duration, one_line, spark
from tui.theme import Ground, Role
from tui.widgets.frame import Frame
from tui.widgets.lines import Groups, Line, Lines, Spans, keep_whole
from tui.widgets.table import Column, LineTable, Row

AnyPanel = ExecutionsPanel | ErrorsPanel
MIN_BARS = 8
ROOMY = 62
"""Cells from which a head has room for its groups, whatever the numbers: it may not change with a digit."""


class LivePanel(Frame):
    """A frame with two head lines and a table whose newest or greatest row is on top."""

    COLUMNS: tuple[Column, ...] = ()
    ORDERS: tuple[str, ...] = ()
    """The orders that the rows can be shown in, in words; the first is the one they begin with."""

    def __init__(self, title: str, window: int, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002 - Textual's name
        """`title` and `window` as the first answer will most likely have them: another title redraws the frame."""
        super().__init__(heading(title, window), id=id)
        self.glyphs = glyphs
        self.order = self.ORDERS[0]
        self.head = Lines(classes="panel-head")
        self.table = LineTable(self.COLUMNS, glyphs, header=False, tail=True, id=f"{id}-table")
        self._groups: Groups = ()
        self._brief: Groups = ()
        self._panel: AnyPanel | None = None
        self._stale = False

    def compose(self) -> ComposeResult:
        """The head above the rows."""
        yield self.head
        yield self.table

    def on_resize(self) -> None:
        """The head depends on the width."""
        self._head()

    @property
    def heading(self) -> str:
        """What the panel shows, of which time and of whom, in which order: what its frame says, where it has one."""
        return self._title if self._ordered else f"{self._title} · {self.order}"

    @property
    def _ordered(self) -> bool:
        return self.order == self.ORDERS[0]

    def sort(self) -> str:
        """Show the rows in the next order; a mark on the first row stays there. Returns the order in words."""
        table = self.table
        first = bool(table.listed) and table.key == table.listed[0].key
        self.order = self.ORDERS[(self.ORDERS.index(self.order) + 1) % len(self.ORDERS)]
        self.fill()
        if first:
            table.action_edge(-1)
        return self.order

    @abstractmethod
    def fill(self) -> None:
        """Show what was last given."""

    def _put(
        self, panel: AnyPanel | None, groups: Groups, rows: Sequence[Row], *, stale: bool, brief: Groups = ()
    ) -> None:
        """Show `rows` below a head of `groups` and the panel's course; None while nothing was answered yet. `brief` are
        the same groups for a panel that is not roomy.
        """
        self._panel, self._groups, self._stale, self._brief = panel, groups, stale, brief or groups
        if panel is None:
            self.table.set_rows((), empty="no answer yet")
            return
        self.title(heading(panel.title, panel.window, panel.scoped, panel.scope))
        self.foot(one_line(panel.note, 60) if self._ordered else self.order)
        self._head()
        self.table.set_rows(rows, empty=empty_text(panel), stale=stale or bool(panel.problem))

    def _head(self) -> None:
        panel = self._panel
        if panel is None or panel.waits_for:
            self.head.show(())
            return
        cells = self.head.content_size.width
        stale = self._stale or bool(panel.problem)
        second: Spans
        if panel.problem:
            second = keep_whole((((f"{self.glyphs.warn} {one_line(panel.problem, 300)}", "warn"),),), cells)
        else:
            role: Role = "live" if isinstance(panel, ExecutionsPanel) else "bad"
            second = course(panel.buckets, panel.window, cells, self.glyphs, role)
        ground: Ground = "stale" if stale else "plain"
        self.head.show(
            (
                Line(keep_whole(self._groups if cells >= ROOMY else self._brief, cells, gap=2), ground),
                Line(second, "stale" if self._stale else "plain"),
            )
        )


def heading(title: str, window: int, scoped: str = "", scope: Scope | None = None) -> str:
    """What a panel shows: of how many seconds, and of whom where that is not everybody."""
    whose = f" · {one_line(scoped, 20)} {one_line(scope.label, 40)}" if scope else ""
    return f"{one_line(title, 40)} · last {duration(window)}{whose}"


def course(buckets: tuple[Bucket, ...], window: int, cells: int, glyphs: Glyphs, role: Role) -> Spans:
    """Bars in one style (a style per bar costs ten times the bytes, facts: terminal-costs 9), and what a bar stands
    for. Empty when there is no room for bars that say something.
    """
    if not buckets:
        return ()
    unit = f"per {duration(window / len(buckets))}"
    width = min(len(buckets), cells - len(unit) - 2)
    if width < MIN_BARS:
        return ()
    bars = spark([bucket.total for bucket in buckets][-width:], width, ascii=glyphs.ascii)
    return ((bars, role), (f"  {unit}", "dim"))


def empty_text(panel: AnyPanel) -> str:
    """What a panel without rows says."""
    if panel.problem:
        return ""
    if panel.waits_for:
        return one_line(panel.waits_for, 300)
    what = "nothing started" if isinstance(panel, ExecutionsPanel) else "no errors"
    return f"{what} in the last {duration(panel.window)}"
