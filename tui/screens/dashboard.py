"""The dashboard: is this database healthy, what is wrong with it, and what is going on in it now."""

from __future__ import annotations

import re
from typing import ClassVar, Literal

from rich.cells import cell_len
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Input

from tui.core.checklist import TableSummary, by_table
from tui.core.text import one_line
from tui.core.verdict import ActionName, allowed_actions
from tui.screens.base import WalkRequested, key_word
from tui.screens.context import Context
from tui.screens.scopes import choose_scope, narrowable
from tui.screens.titled import TitledScreen
from tui.store import ALL_PARTS, AuthFailed, Connected, Part, Reconnecting, Stopped
from tui.theme import Role
from tui.widgets.band import TALL, WIDE, Verdict, cause, headline, migration_lines, narrow_lines, tally
from tui.widgets.body import Body
from tui.widgets.checklist import OUTCOME_WORDS, bare, checks_of
from tui.widgets.frame import Frame
from tui.widgets.lines import Groups
from tui.widgets.table import LineTable
from tui.widgets.tabs import Tabs

WALKS: dict[str, ActionName] = {"walk('apply')": "apply", "walk('rollback')": "rollback"}
VIEWS = {"locks": "app.locks", "history": "history"}
"""Tabs that open a view of their own."""
LOCKS_TOOLTIP = "Who holds or waits for locks on the migration's tables"
HISTORY_TOOLTIP = "The runs that the database remembers, and their reports"
ASKING = frozenset((*WALKS, "app.verify", "app.retry", "app.window", "report", "scope"))
"""Actions that take a database to ask."""
PANEL_KEYS = (("app.window", "window"), ("scope", "whose"), ("sort", "order"), ("app.pause", "pause"))
WALK_TOOLTIP = "nothing changes before its step 6"


class FilterInput(Input):
    """The filter's line; escape gives the keys back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.filter_done", "Keep", tooltip="Keep the filter and go back to the rows"),
        Binding("escape", "screen.escape", "Clear", tooltip="Clear the filter"),
    ]


class Dashboard(TitledScreen):
    """The first screen."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "walk('apply')", "Apply", tooltip=f"Walk through applying the migration; {WALK_TOOLTIP}"),
        Binding("b", "walk('rollback')", "Roll back", tooltip=f"Walk through rolling it back; {WALK_TOOLTIP}"),
        Binding("v", "app.verify", "Verify", tooltip="Look again now, lint, and try who reaches which rows"),
        Binding("i", "isolation", "Isolation", tooltip="Who reaches which rows: tried now, nothing is kept"),
        Binding("d", "drift", "Drift", tooltip="What has changed since the last recorded run"),
        Binding("l", "app.locks", "Locks", tooltip=LOCKS_TOOLTIP),
        Binding("h", "history", "History", tooltip=HISTORY_TOOLTIP),
        Binding("o", "report", "Report", tooltip="Open the last run's report, and write it to files of yours"),
        Binding("f", "failing", "Failing", tooltip="Show only what fails, or everything again"),
        Binding("slash", "filter", "Filter", tooltip="Show only rows whose name holds what you type"),
        Binding("n", "problem(1)", "Next problem", show=False, tooltip="Go to the next row that fails"),
        Binding("N,upper_n", "problem(-1)", "Previous problem", show=False, tooltip="Go to the row before that fails"),
        Binding("s", "sort", "Sort", show=False, tooltip="Show the rows of this panel in another order"),
        Binding("t", "scope", "Whose", show=False, tooltip="Whose executions and errors to show: one tenant's, say"),
        Binding("tab", "panel(1)", "Next panel", show=False, tooltip="Go to the next panel"),
        Binding("shift+tab", "panel(-1)", "Previous panel", show=False, tooltip="Go to the panel before"),
        Binding("1", "go('checklist')", "Checklist", show=False, tooltip="Go to the checklist"),
        Binding("2", "go('executions')", "Executions", show=False, tooltip="Go to the executions"),
        Binding("3", "go('errors')", "Errors", show=False, tooltip="Go to the errors"),
        Binding("4", "app.locks", "Locks", show=False, tooltip=LOCKS_TOOLTIP),
        Binding("5", "history", "History", show=False, tooltip=HISTORY_TOOLTIP),
        Binding(
            "w", "app.window", "Window", show=False, tooltip="How far back the panels look: 5 min, 15 min, 1 h, 6 h"
        ),
        Binding("space", "app.pause", "Pause", show=False, tooltip="Let everything stand still, or go on"),
        Binding("r", "app.retry", "Try now", tooltip="While not connected: connect again now, whatever was waited for"),
        Binding("escape", "escape", "Show all", show=False, tooltip="Clear the filter"),
        Binding("ctrl+p", "app.palette", "Palette", tooltip="Everything that can be done now, by name"),
        Binding("q", "app.quit", "Quit", tooltip="Leave; nothing is changed by leaving"),
    ]
    FOOTER_ORDER = (
        "app.skip(-10)",
        "app.skip(10)",
        "app.trouble(1)",
        "app.retry",
        "walk('apply')",
        "walk('rollback')",
        "app.verify",
        "isolation",
        "drift",
        "app.locks",
        "history",
        "report",
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

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.verdict = Verdict(id="verdict")
        self.migration = Frame("Migration", id="migration")
        self.body = Body(context.deck.bundle, context.window, context.glyphs, id="body")
        self.filter_input = FilterInput(id="filter", compact=True, select_on_focus=False)
        self.filter_input.cursor_blink = False
        self._summaries: tuple[TableSummary, ...] = ()
        self._tally: Groups = ()
        self._was_stale = self._checks_were_stale = False
        panels = context.deck.bundle.manifest.panels
        self._scoped = any(source.scopes for panel in panels for source in panel.sources)

    def content(self) -> ComposeResult:
        """The layout; what is shown of it at which size is the style sheet's and the body's."""
        with self.migration:
            yield self.verdict
        yield self.body
        yield self.filter_input

    def on_mount(self) -> None:
        """Paint what is known at once; the database answers later."""
        self.body.go("checklist")
        self.changed(ALL_PARTS)

    def on_resize(self, _: events.Resize) -> None:
        """Another size shows the same things in other places; the marked row stays marked."""
        self.body.place()
        self.call_after_refresh(self.changed, ALL_PARTS)

    def changed(self, parts: frozenset[Part]) -> None:
        """Show the parts that differ."""
        if not self.is_mounted:
            return
        stale, checks_stale = self._staleness()
        if (stale, checks_stale) != (self._was_stale, self._checks_were_stale):
            self._was_stale, self._checks_were_stale, parts = stale, checks_stale, ALL_PARTS
        store, look = self.store, self.store.look
        if "look" in parts:
            self._summaries = by_table(look.checks, self.context.deck.bundle.expectation) if look else ()
            self._tally = tally(look) if look else ()
        self._show_band()
        if parts & {"look", "connection"}:
            host = one_line(self.context.deck.destination.host, 80)
            empty = "" if look else f"nothing is known yet of the database on {host}"
            checks = look.checks if look else ()
            self.body.show_checks(checks, self._summaries, empty=empty, stale=checks_stale, calm=self._calm)
        if parts & {"executions", "connection"}:
            self.body.show_executions(store.executions, stale=stale)
        if parts & {"errors", "connection"}:
            self.body.show_errors(store.errors, now=self.context.server_time(), stale=stale)
        self.body.show_tabs(store.errors.total if store.errors else 0)
        self.refresh_footer()
        self.rest()

    def tick(self) -> None:
        """A second has passed: ages move where something has one."""
        self.clock.tick(self.context.now())
        if self._staleness() != (self._was_stale, self._checks_were_stale):
            self.changed(ALL_PARTS)
        else:
            self._show_band()
            self.body.show_errors(self.store.errors, now=self.context.server_time(), stale=self._was_stale)

    def resting_hint(self) -> tuple[str, Role]:
        """Bad news first, then what the verdict means."""
        store, table = self.store, self.body.table
        if isinstance(store.connection, Reconnecting | AuthFailed | Stopped):
            # The narrow band has no room for it, and what the verdict means is not known to hold any more.
            words = f"{one_line(cause(store.connection.reason), 300)}  {one_line(store.connection.hint, 200)}"
            return (f"{self.glyphs.bad} {words}", "bad")
        if store.notice is not None:
            words = f"{one_line(store.notice.text, 300)}  {one_line(store.notice.hint, 200)}"
            return (f"{self.glyphs.warn} {words}", "warn")
        if store.look is not None and store.look.earlier:
            return (f"{self.glyphs.warn} {one_line(store.look.earlier[-1].said, 400)}", "warn")
        if table.narrowed:
            return (f"{table.narrowed} · {len(table.listed)} of {len(table.rows)} · esc shows all", "live")
        if not self.wide and self.body.live is not None:
            # Without its frame the panel has no title.
            return (f"{self.body.live.heading}{self._panel_keys()}", "dim")
        summary = self.body.summary
        if store.look is None:
            return ("", "dim")
        narrow = not self.wide and self.body.active == "checklist"
        if narrow and summary is not None and summary.problems and not self._calm:
            failing = next(check for check in checks_of(store.look.checks, summary) if check.failed)
            what = f"{failing.object} {one_line(bare(failing.name), 60)} {OUTCOME_WORDS[failing.outcome]}"
            return (f"{self.glyphs.bad} {what}: {one_line(failing.why, 300)}", "bad")
        return (whole_sentences(one_line(store.look.verdict.sentence, 300), self.size.width - 2), "dim")

    def reason_against(self, action: str) -> str:
        """Why an action does not work now, in one sentence; "" when it does."""
        if self.context.off and action in ASKING:
            return self.context.off
        if action not in WALKS and action != "scope":
            return ""
        if not isinstance(self.store.connection, Connected):
            return "not connected to the database"
        if action == "scope":
            return "" if narrowable(self.store) else "what the panels read here belongs to nobody in particular"
        verdict = self.store.look.verdict if self.store.look else None
        return allowed_actions(verdict, self.context.read_only, False)[WALKS[action]]

    def offers(self, action: str) -> bool:
        """Trying to connect is offered while there is no connection, and nothing that a replay can not do."""
        if self.context.off and action in ASKING:
            return False
        if action == "filter":
            return not self.filter_input.has_focus
        return action != "app.retry" or not isinstance(self.store.connection, Connected)

    def action_walk(self, action: Literal["apply", "rollback"]) -> None:
        """Open a walkthrough, or say why not."""
        reason = self.reason_against(f"walk('{action}')")
        if reason:
            self.say(f"{'Apply' if action == 'apply' else 'Roll back'} is off: {reason}", "warn")
        else:
            self.post_message(WalkRequested(action))

    def action_panel(self, step: int) -> None:
        """Go to the next panel or the one before."""
        self.body.step(step)
        self._moved_panel()

    def action_go(self, panel: str) -> None:
        """Go to a panel: its tab when narrow, its rows in any case."""
        self.body.go(panel)
        self._moved_panel()

    def action_isolation(self) -> None:
        """Prove who reaches which rows, and show it."""
        from tui.screens.isolation import ProofScreen

        self.open(ProofScreen(self.context))

    def action_drift(self) -> None:
        """Show what has changed since the last recorded run."""
        from tui.screens.drift import DriftScreen

        self.open(DriftScreen(self.context))

    def action_history(self) -> None:
        """Show the recorded runs."""
        from tui.screens.history import HistoryScreen

        self.open(HistoryScreen(self.context))

    def action_report(self) -> None:
        """Open the report of the newest recorded run, and write it."""
        from tui.screens.report import ReportScreen

        self.open(ReportScreen(self.context, write=True))

    def action_sort(self) -> None:
        """Order this panel otherwise; the marked row stays marked."""
        self.say(self.body.sort())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """No key for choosing among scopes where the bundle knows none."""
        return action != "scope" or self._scoped

    def action_scope(self) -> None:
        """Choose whose executions and errors are shown."""
        reason = self.reason_against("scope")
        if reason:
            self.say(f"nobody to choose: {reason}", "warn")
        else:
            self.run_worker(choose_scope(self), name="scopes", group="scopes", exclusive=True, exit_on_error=False)

    def action_failing(self) -> None:
        """Show only what fails in this panel, or everything again."""
        self.body.table.narrow(failing_only=not self.body.table.failing_only)
        self.rest()

    def action_filter(self) -> None:
        """Type a filter for this panel."""
        self.filter_input.value = self.body.table.words
        self.add_class("-filtering")
        self.filter_input.focus()

    def action_filter_done(self) -> None:
        """Keep the filter and give the keys back to the rows."""
        self.body.table.focus()
        self.rest()

    def action_escape(self) -> None:
        """Show everything again."""
        self.body.table.narrow("", failing_only=False)
        self.action_filter_done()

    def action_problem(self, step: int) -> None:
        """Go to the next row that fails, round and round."""
        if self.body.table.go_failing(step):
            return
        if {"checklist": self.store.look, "executions": self.store.executions}.get(self.body.active, self.store.errors):
            self.say("nothing fails here", "ok")
        else:
            self.say("nothing is known here yet", "warn")

    def on_input_changed(self, event: Input.Changed) -> None:
        """The filter works while it is typed."""
        event.stop()
        if self.filter_input.has_focus:
            self.body.table.narrow(event.value)

    async def on_tabs_chosen(self, event: Tabs.Chosen) -> None:
        """A click on a tab."""
        if event.tab in VIEWS:
            await self.run_action(VIEWS[event.tab])
        else:
            self.action_go(event.tab)

    def on_descendant_focus(self) -> None:
        """A click into another panel makes it the active one, and away from the filter's line closes that."""
        self.set_class(self.filter_input.has_focus, "-filtering")
        if self.body.follow_focus():
            self._moved_panel()

    def on_line_table_moved(self) -> None:
        """Another row, another hint."""
        self.rest()

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        """Open the detail of the row."""
        key, body = event.key or "", self.body
        if event.table is body.checklist.table and (summary := body.checklist.summary(key)):
            from tui.screens.detail import DetailScreen

            self.open(DetailScreen(self.context, summary))
        elif event.table is body.executions.table and (execution := body.executions.execution(key)):
            from tui.screens.execution_detail import ExecutionDetail

            self.open(ExecutionDetail(self.context, execution))
        elif event.table is body.errors.table and (group := body.errors.group(key)):
            from tui.screens.error_detail import ErrorDetail

            self.open(ErrorDetail(self.context, group))

    def _staleness(self) -> tuple[bool, bool]:
        """Whether the panels are old, and whether the checks are."""
        stale = self.context.age() is not None
        return stale, stale or self.context.look_age() is not None

    @property
    def _calm(self) -> bool:
        """Whether nothing of the migration is there yet: what it lacks is then no fault."""
        return self.store.look is not None and self.store.look.verdict.state == "not_applied"

    def _panel_keys(self) -> str:
        """The keys of a live panel, which has no others and for which the footer has no room; as many as fit."""
        bound = {one.binding.action: key_word(one.binding.key) for one in self.active_bindings.values()}
        scoped = one_line(self.store.executions.scoped, 20) if self.store.executions else ""
        words = [
            f"{bound[action]} {scoped or word if action == 'scope' else word}"
            for action, word in PANEL_KEYS
            if action in bound and not self.reason_against(action)
        ]
        room = self.size.width - 2 - cell_len(self.body.live.heading if self.body.live else "")
        said = ""
        for word in words:
            longer = f"{said}{'  ' if said else '   '}{word}"
            said = longer if cell_len(longer) <= room else said
        return said

    def _moved_panel(self) -> None:
        self.body.show_tabs(self.store.errors.total if self.store.errors else 0)
        self.rest()

    def _show_band(self) -> None:
        band = self.context.band(self._tally)
        self.show_title(band)
        framed = self.wide and self.size.height >= TALL
        if framed:
            self.verdict.show(migration_lines(band, self.size.width - 4, self.glyphs))
        else:
            self.verdict.show(narrow_lines(band, self.size.width - 1, self.glyphs))
        self.migration.broken(headline(band, self.glyphs).broken)


def whole_sentences(text: str, cells: int) -> str:
    """As many sentences as there is room for: one more word of the next says nothing. At least the first."""
    said = ""
    for sentence in re.split(r"(?<=\.) ", text):
        longer = f"{said} {sentence}" if said else sentence
        if said and cell_len(longer) > cells:
            break
        said = longer
    return said
