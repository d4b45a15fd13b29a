"""The dashboard's panels: all beside each other where there is room, else one of them at a time behind tabs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from tui.core.bundle import Bundle
from tui.core.check import Check
from tui.core.checklist import TableSummary
from tui.core.panels import ErrorsPanel, ExecutionsPanel
from tui.core.text import Glyphs, count
from tui.widgets.band import TALL, WIDE
from tui.widgets.checklist import SORT_WORDS, SORTS, Checklist, Checks, Sort, checks_of
from tui.widgets.errors import Errors
from tui.widgets.executions import Executions
from tui.widgets.panel import LivePanel
from tui.widgets.table import LineTable
from tui.widgets.tabs import Tab, Tabs

PANELS = ("checklist", "executions", "errors")
ROOMY = 140
"""Columns from which the checklist can spell its headings out."""
AROUND = 7
"""Lines around the panels where the band is framed: title, band, hint, footer."""
CHECKS_MIN = 8
"""Lines that the checks of the marked row keep, frame included."""


class Body(Vertical):
    """The panels. `active` is the one the keys act in."""

    DEFAULT_CSS = "Body { height: 1fr; }"

    def __init__(self, bundle: Bundle, window: int, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002 - Textual's name
        """What is known of `bundle` decides titles and heights, so that nothing moves when the first answer is there;
        `window` in seconds is how far back the panels look.
        """
        super().__init__(id=id)
        expected = bundle.expectation
        titles = {panel.kind: panel.title for panel in bundle.manifest.panels}
        self._objects = sum(
            len(kind)
            for kind in (
                expected.tables,
                expected.views,
                expected.functions,
                expected.publications,
                expected.schemas,
            )
        )
        self._glyphs = glyphs
        self.tabs = Tabs(glyphs, id="tabs")
        self.checklist = Checklist(len(expected.tables), glyphs, id="checklist")
        self.checks = Checks(glyphs, id="checks")
        self.executions = Executions(titles.get("executions", "Executions"), window, glyphs, id="executions")
        self.errors = Errors(titles.get("errors", "Errors"), window, glyphs, id="errors")
        self.left, self.right = Vertical(id="left"), Vertical(id="right")
        self.active = PANELS[0]
        self._sort: Sort = SORTS[0]
        self._summaries: tuple[TableSummary, ...] = ()
        self._look: tuple[Check, ...] = ()
        self._stale = self._calm = False
        self._checklist_height = 0

    def compose(self) -> ComposeResult:
        """Tabs above two columns; what of it is there at which size is decided in `place`."""
        yield self.tabs
        with Horizontal(id="columns"):
            with self.left:
                yield self.checklist
                yield self.checks
            with self.right:
                yield self.executions
                yield self.errors

    @property
    def table(self) -> LineTable:
        """The rows of the active panel."""
        return self._table_of(self.active)

    @property
    def summary(self) -> TableSummary | None:
        """The marked row of the checklist."""
        return self.checklist.summary(self.checklist.table.key)

    def show_checks(
        self, checks: tuple[Check, ...], summaries: Sequence[TableSummary], *, empty: str, stale: bool, calm: bool
    ) -> None:
        """Show a look's checks; `empty` is what stands there before the first one, `calm` as for a checklist's row."""
        self._look, self._summaries, self._stale, self._calm = checks, tuple(summaries), stale, calm
        roomy = self.screen.size.width >= ROOMY
        self.checklist.show(self._summaries, self._sort, empty=empty, stale=stale, calm=calm, roomy=roomy)
        self._show_marked()

    def show_executions(self, panel: ExecutionsPanel | None, *, stale: bool) -> None:
        """Show the executions."""
        self.executions.show(panel, stale=stale)

    def show_errors(self, panel: ErrorsPanel | None, *, now: datetime | None, stale: bool) -> None:
        """Show the errors; `now` is the server's clock."""
        self.errors.show(panel, now=now, stale=stale)

    def show_tabs(self, errors: int) -> None:
        """Show the tabs with what is bad behind them."""
        failing = 0 if self._calm else sum(summary.problems > 0 for summary in self._summaries)
        self.tabs.put(
            (
                Tab("checklist", "Checklist", f"{self._glyphs.bad}{failing}" if failing else "", "bad"),
                Tab("executions", "Executions", short="Exec"),
                Tab("errors", "Errors", count(errors) if errors else "", "bad"),
                Tab("locks", "Locks"),
                Tab("history", "History"),
            ),
            self.active,
        )

    @property
    def live(self) -> LivePanel | None:
        """The active panel, when it is a live one."""
        return {"executions": self.executions, "errors": self.errors}.get(self.active)

    def sort(self) -> str:
        """Order the active panel otherwise; the marked row stays marked. Returns which panel and which order."""
        if self.live is not None:
            return f"{self.active}: {self.live.sort()}"
        self._sort = SORTS[(SORTS.index(self._sort) + 1) % len(SORTS)]
        self.show_checks(self._look, self._summaries, empty="", stale=self._stale, calm=self._calm)
        return f"checklist: {SORT_WORDS[self._sort]}"

    def go(self, panel: str) -> None:
        """Make a panel the active one, and give it the keys."""
        self.active = panel
        self.place()
        self.table.focus()

    def step(self, step: int) -> None:
        """Go to the next panel or the one before."""
        self.go(PANELS[(PANELS.index(self.active) + step) % len(PANELS)])

    def follow_focus(self) -> bool:
        """Make the panel that has the keys the active one. Returns whether it is another."""
        for panel in PANELS:
            if self._table_of(panel).has_focus and panel != self.active:
                self.active = panel
                return True
        return False

    def place(self) -> None:
        """Narrow: only the active panel is there. Wide: all are, and the marked row's checks where they fit."""
        size = self.screen.size
        wide = size.width >= WIDE
        tall = size.height >= TALL
        for part, there in (
            (self.left, wide or self.active == "checklist"),
            (self.right, wide or self.active != "checklist"),
            (self.executions, wide or self.active == "executions"),
            (self.errors, wide or self.active == "errors"),
            (self.checks, wide and tall),
        ):
            if part.display != there:  # setting the same again would lay everything out again
                part.display = there
        # The checklist takes the height of its rows while the checks below it keep a few lines.
        height = min(self._objects + 3, size.height - AROUND - CHECKS_MIN) if wide and tall else 0
        if height != self._checklist_height:
            self._checklist_height = height
            self.checklist.styles.height = height or "1fr"

    def on_line_table_moved(self, event: LineTable.Moved) -> None:
        """The checks follow the checklist's cursor."""
        if event.table is self.checklist.table:
            self._show_marked()

    def _show_marked(self) -> None:
        summary = self.summary
        if summary is not None:
            self.checks.show(summary.name, checks_of(self._look, summary), stale=self._stale, calm=self._calm)

    def _table_of(self, panel: str) -> LineTable:
        if panel == "executions":
            return self.executions.table
        return self.errors.table if panel == "errors" else self.checklist.table
