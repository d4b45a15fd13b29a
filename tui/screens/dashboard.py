"""The dashboard: is this database healthy, what is wrong with it, and what is going on in it now."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Literal

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input

from tui.core.checklist import TableSummary, by_table
from tui.core.deck import Deck
from tui.core.text import Glyphs, count, one_line
from tui.core.verdict import ActionName, allowed_actions
from tui.screens.base import DeckScreen, WalkRequested
from tui.screens.detail import DetailScreen
from tui.screens.error_detail import ErrorDetail, ExecutionDetail
from tui.store import ALL_PARTS, Connected, Part, Store
from tui.theme import Role
from tui.widgets.band import (
    WIDE,
    Band,
    Clock,
    TitleBar,
    Verdict,
    headline,
    migration_lines,
    narrow_lines,
    tally,
    title_line,
)
from tui.widgets.checklist import OUTCOME_WORDS, SORT_WORDS, SORTS, Checklist, Checks, bare, checks_of
from tui.widgets.errors import Errors
from tui.widgets.executions import Executions
from tui.widgets.frame import Frame
from tui.widgets.lines import Groups
from tui.widgets.table import LineTable
from tui.widgets.tabs import Tab, Tabs

TALL = 28
ROOMY = 140
"""Columns from which the checklist can spell its headings out."""
STALE_TICKS = 3
CHECKS_MIN = 8
PANELS = ("checklist", "executions", "errors")


class FilterInput(Input):
    """The filter's line; escape gives the keys back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.filter_done", "Keep", tooltip="Keep the filter and go back to the rows"),
        Binding("escape", "screen.escape", "Clear", tooltip="Clear the filter"),
    ]


class Dashboard(DeckScreen):
    """The first screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "a",
            "walk('apply')",
            "Apply",
            tooltip="Walk through applying the migration; nothing changes before its last step",
        ),
        Binding(
            "b",
            "walk('rollback')",
            "Roll back",
            tooltip="Walk through rolling it back; nothing changes before its last step",
        ),
        Binding("v", "app.look_now", "Verify", tooltip="Look at the catalog again now"),
        Binding("f", "failing", "Failing", tooltip="Show only what fails, or everything again"),
        Binding("slash", "filter", "Filter", tooltip="Show only rows whose name holds what you type"),
        Binding("n", "problem(1)", "Next problem", show=False, tooltip="Go to the next row that fails"),
        Binding("N,upper_n", "problem(-1)", "Previous problem", show=False, tooltip="Go to the row before that fails"),
        Binding("s", "sort", "Sort", show=False, tooltip="Order of the checklist: the bundle's, by name, worst first"),
        Binding("tab", "panel(1)", "Next panel", show=False, tooltip="Go to the next panel"),
        Binding("shift+tab", "panel(-1)", "Previous panel", show=False, tooltip="Go to the panel before"),
        Binding("1", "go('checklist')", "Checklist", show=False, tooltip="Go to the checklist"),
        Binding("2", "go('executions')", "Executions", show=False, tooltip="Go to the executions"),
        Binding("3", "go('errors')", "Errors", show=False, tooltip="Go to the errors"),
        Binding("space", "app.pause", "Pause", show=False, tooltip="Stop asking the database, or go on"),
        Binding("r", "app.retry", "Reconnect", show=False, tooltip="Connect again now"),
        Binding("escape", "escape", "Clear", show=False, tooltip="Clear the filter"),
        Binding("ctrl+p", "app.palette", "Palette", tooltip="Everything that can be done now, by name"),
        Binding("q", "app.quit", "Quit", tooltip="Leave; nothing is changed by leaving"),
    ]
    FOOTER_ORDER: ClassVar = (
        "walk('apply')",
        "walk('rollback')",
        "app.look_now",
        "choose",
        "filter",
        "failing",
        "app.palette",
        "app.help",
        "app.quit",
    )
    AUTO_FOCUS = "#checklist-table"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it for instances
        (0, "-narrow"),
        (WIDE, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it for instances
        (0, "-short"),
        (TALL, "-tall"),
    ]

    def __init__(
        self,
        deck: Deck,
        store: Store,
        glyphs: Glyphs,
        *,
        read_only: bool,
        refresh: float,
        monotonic: Callable[[], float],
    ) -> None:
        super().__init__(store, glyphs)
        self._deck, self._read_only = deck, read_only
        self._refresh_seconds, self._monotonic = refresh, monotonic
        self.title_bar, self.clock = TitleBar(id="title"), Clock(id="clock")
        self.verdict = Verdict(id="verdict")
        self.migration = Frame("Migration", id="migration")
        self.tabs = Tabs(glyphs, id="tabs")
        self.checklist = Checklist(glyphs, id="checklist")
        self.checks = Checks(glyphs, id="checks")
        self.executions = Executions(glyphs, id="executions")
        self.errors = Errors(glyphs, id="errors")
        self.filter_input = FilterInput(id="filter", compact=True, select_on_focus=False)
        self.filter_input.cursor_blink = False
        self._active = "checklist"
        self._sort = 0
        self._summaries: tuple[TableSummary, ...] = ()
        self._tally: Groups = ()
        self._was_stale = False
        self._checklist_height = 0

    @property
    def wide(self) -> bool:
        """Whether everything is beside each other."""
        return self.size.width >= WIDE

    def compose(self) -> ComposeResult:
        """The layout; what is shown of it at which size is the style sheet's."""
        with Horizontal(id="title-row"):
            yield self.title_bar
            yield self.clock
        with self.migration:
            yield self.verdict
        yield self.tabs
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield self.checklist
                yield self.checks
            with Vertical(id="right"):
                yield self.executions
                yield self.errors
        yield self.filter_input
        yield self.hint
        yield self.footer

    def on_mount(self) -> None:
        """Paint what is known at once; the database answers later."""
        self.action_go("checklist")
        self.changed(ALL_PARTS)

    def on_resize(self, event: events.Resize) -> None:
        """Another size shows the same things in other places; the marked row stays marked."""
        super().on_resize(event)
        self._place()
        self.call_after_refresh(self.changed, ALL_PARTS)

    # What is shown

    def changed(self, parts: frozenset[Part]) -> None:
        """Show the parts that differ."""
        if not self.is_mounted:
            return
        stale = self._age is not None
        if stale != self._was_stale:
            self._was_stale, parts = stale, ALL_PARTS
        if "look" in parts and self.store.look is not None:
            self._summaries = by_table(self.store.look.checks, self._deck.bundle.expectation)
            self._tally = tally(self.store.look.checks)
        self._show_band()
        if parts & {"look", "connection"}:
            self._show_checklist()
        if parts & {"executions", "connection"}:
            self.executions.show(self.store.executions, stale=stale)
        if parts & {"errors", "connection"}:
            self._show_errors()
        self._show_tabs()
        self.refresh_footer()
        self.rest()

    def tick(self) -> None:
        """A second has passed: ages move where something has one."""
        if (self._age is not None) != self._was_stale:
            self.changed(ALL_PARTS)
        else:
            self._show_band()
            self._show_errors()

    @property
    def _age(self) -> int | None:
        """Seconds since the last answer when that is too long ago, or when nothing more is coming."""
        store = self.store
        if not store.panels_at:
            return None
        age = self._monotonic() - store.panels_at
        late = age > STALE_TICKS * self._refresh_seconds + 1
        return int(age) if late or not isinstance(store.connection, Connected) else None

    def _show_band(self) -> None:
        store = self.store
        band = Band(
            bundle=self._deck.bundle,
            destination=self._deck.destination,
            connection=store.connection,
            look=store.look,
            age=self._age,
            now=self._monotonic(),
            tally=self._tally,
            paused=store.paused,
            read_only=self._read_only,
        )
        self.title_bar.show((title_line(band, self.size.width - 9, self.glyphs, wide=self.wide),))
        framed = self.wide and self.size.height >= TALL
        make = migration_lines if framed else narrow_lines
        self.verdict.show(make(band, self.size.width - 4 if framed else self.size.width - 1, self.glyphs))
        self.migration.broken(headline(band, self.glyphs).broken)

    def _show_checklist(self) -> None:
        empty = "" if self.store.look else f"looking at {one_line(self._deck.destination.host, 80)} ..."
        self.checklist.show(
            self._summaries, SORTS[self._sort], empty=empty, stale=self._was_stale, roomy=self.size.width >= ROOMY
        )
        self._fit_checklist()
        self._show_checks()

    def _show_checks(self) -> None:
        summary = self.checklist.summary(self.checklist.table.key)
        look = self.store.look
        if summary is not None and look is not None:
            self.checks.show(summary.name, checks_of(look.checks, summary), stale=self._was_stale)

    def _show_errors(self) -> None:
        now = self.store.server_time(self._monotonic())
        self.errors.show(self.store.errors, now=now, stale=self._was_stale)

    def _show_tabs(self) -> None:
        broken = sum(summary.problems > 0 for summary in self._summaries)
        errors = self.store.errors.total if self.store.errors else 0
        self.tabs.put(
            (
                Tab("checklist", "Checklist", f"{self.glyphs.bad}{broken}" if broken else "", "bad"),
                Tab("executions", "Executions"),
                Tab("errors", "Errors", count(errors) if errors else "", "bad"),
            ),
            self._active,
        )

    def _fit_checklist(self) -> None:
        """Give the checklist the height of its rows while the checks of the marked row keep a few lines."""
        room = self.query_one("#left").size.height
        height = min(len(self._summaries) + 3, room - CHECKS_MIN)
        if self.checks.display and height != self._checklist_height and height > CHECKS_MIN:
            self._checklist_height = height
            self.checklist.styles.height = height

    def _place(self) -> None:
        """Narrow: only the active panel is there. Wide: all are."""
        wide = self.wide
        tall = self.size.height >= TALL
        self.query_one("#left").display = wide or self._active == "checklist"
        self.query_one("#right").display = wide or self._active != "checklist"
        self.executions.display = wide or self._active == "executions"
        self.errors.display = wide or self._active == "errors"
        self.checks.display = wide and tall
        if not self.checks.display:
            self._checklist_height = 0
            self.checklist.styles.height = "1fr"

    def resting_hint(self) -> tuple[str, Role]:
        """Bad news first, then what the verdict means."""
        store, table = self.store, self._table
        if store.notice is not None:
            return (
                f"{self.glyphs.warn} {one_line(store.notice.text, 300)}  {one_line(store.notice.hint, 200)}",
                "warn",
            )
        if table.narrowed:
            return (f"{table.narrowed} · {len(table.listed)} of {len(table.rows)} · esc shows all", "live")
        summary = self.checklist.summary(self.checklist.table.key)
        if not self.wide and self._active == "checklist" and summary is not None and summary.problems and store.look:
            failing = next(check for check in checks_of(store.look.checks, summary) if not check.ok)
            return (
                f"{self.glyphs.bad} {failing.object} {one_line(bare(failing.name), 60)} "
                f"{OUTCOME_WORDS[failing.outcome]}: {one_line(failing.why, 300)}",
                "bad",
            )
        return (one_line(store.look.verdict.sentence, 300), "dim") if store.look else ("", "dim")

    def reason_against(self, action: str) -> str:
        """Why an action does not work now, in one sentence; "" when it does."""
        name: ActionName
        match action:
            case "walk('apply')":
                name = "apply"
            case "walk('rollback')":
                name = "rollback"
            case _:
                return ""
        if not isinstance(self.store.connection, Connected):
            return "not connected to the database"
        verdict = self.store.look.verdict if self.store.look else None
        return allowed_actions(verdict, self._read_only, False)[name]

    # What keys do

    def action_walk(self, action: Literal["apply", "rollback"]) -> None:
        """Open a walkthrough, or say why not."""
        reason = self.reason_against(f"walk('{action}')")
        if reason:
            self.say(f"{'Apply' if action == 'apply' else 'Roll back'} is off: {reason}", "warn")
            return
        self.post_message(WalkRequested(action))

    def action_panel(self, step: int) -> None:
        """Go to the next panel or the one before."""
        self.action_go(PANELS[(PANELS.index(self._active) + step) % len(PANELS)])

    def action_go(self, panel: str) -> None:
        """Go to a panel: its tab when narrow, its rows in any case."""
        self._active = panel
        self._place()
        self._show_tabs()
        self._table.focus()
        self.rest()

    def action_sort(self) -> None:
        """Order the checklist otherwise; the marked row stays marked."""
        self._sort = (self._sort + 1) % len(SORTS)
        self._show_checklist()
        self.say(f"checklist: {SORT_WORDS[SORTS[self._sort]]}")

    def action_failing(self) -> None:
        """Show only what fails in this panel, or everything again."""
        self._table.narrow(failing_only=not self._table.failing_only)
        self.rest()

    def action_filter(self) -> None:
        """Type a filter for this panel."""
        self.filter_input.value = self._table.words
        self.set_class(True, "-filtering")
        self.filter_input.focus()

    def action_filter_done(self) -> None:
        """Keep the filter and give the keys back to the rows."""
        self.set_class(False, "-filtering")
        self._table.focus()
        self.rest()

    def action_escape(self) -> None:
        """Show everything again."""
        self._table.narrow("", failing_only=False)
        self.action_filter_done()

    def action_problem(self, step: int) -> None:
        """Go to the next row that fails, round and round."""
        if not self._table.go_failing(step):
            self.say("nothing fails here", "ok")

    def on_input_changed(self, event: Input.Changed) -> None:
        """The filter works while it is typed."""
        event.stop()
        if self.has_class("-filtering"):
            self._table.narrow(event.value)

    def on_tabs_chosen(self, event: Tabs.Chosen) -> None:
        """A click on a tab."""
        self.action_go(event.tab)

    def on_descendant_focus(self) -> None:
        """A click into another panel makes it the active one."""
        super().on_descendant_focus()
        for panel in PANELS:
            if self._table_of(panel).has_focus and panel != self._active:
                self._active = panel
                self.rest()

    def on_line_table_moved(self, event: LineTable.Moved) -> None:
        """The checks follow the checklist's cursor."""
        if event.table is self.checklist.table:
            self._show_checks()
            self.rest()

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        """Open the detail of the row."""
        key = event.key or ""
        if event.table is self.checklist.table:
            summary = self.checklist.summary(key)
            if summary is not None:
                self.app.push_screen(DetailScreen(self.store, self.glyphs, summary))
        elif event.table is self.executions.table:
            execution = self.executions.execution(key)
            if execution is not None:
                self.app.push_screen(ExecutionDetail(self.store, self.glyphs, execution))
        else:
            group = self.errors.group(key)
            if group is not None:
                self.app.push_screen(ErrorDetail(self.store, self.glyphs, group, self._monotonic))

    @property
    def _table(self) -> LineTable:
        return self._table_of(self._active)

    def _table_of(self, panel: str) -> LineTable:
        if panel == "executions":
            return self.executions.table
        return self.errors.table if panel == "errors" else self.checklist.table
