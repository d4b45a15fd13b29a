"""History: the runs that the database remembers, newest first, the marked one in full, and each one's report."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.core.look import LEDGER_SAID, Look, RunRecord
from tui.core.text import age, count, duration, fit, one_line
from tui.screens.context import Context
from tui.screens.report import ReportScreen
from tui.screens.titled import TitledScreen
from tui.store import Part
from tui.theme import Role
from tui.widgets.band import WIDE, local
from tui.widgets.frame import Frame
from tui.widgets.lines import Line, Span, line, wrap
from tui.widgets.reader import Reader
from tui.widgets.table import Column, LineTable, Row

LABEL = 12
COLUMNS = (
    Column("", 1),
    Column("when", 16),
    Column("run", 25),
    Column("outcome", 9),
    Column("took", 7, "right"),
    Column("patch", 8),
    Column("by", 0),
)
NARROW = tuple(Column("run", 8) if column.title == "run" else column for column in COLUMNS if column.title != "patch")
SHORT = 96
"""Below so many cells the list has no patch and a run is named by its action alone: the text below has both."""
LIMIT = 50
"""Runs that one look reads (queries/ledger_read.sql)."""


class HistoryScreen(TitledScreen):
    """The runs above, the marked one below."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.back", "Back", tooltip="Back to the dashboard"),
        Binding("y", "copy", "Copy", tooltip="Copy the marked run's id, for patchdeck report"),
        Binding("r", "app.look", "Look again", show=False, tooltip="Read the recorded runs again now"),
        Binding("tab,shift+tab", "app.focus_next", "Run", tooltip="Between the runs and the marked one"),
        Binding("q", "app.quit", "Quit", tooltip="Leave; nothing is changed by leaving"),
    ]
    WORDS: ClassVar[Mapping[str, str]] = {"choose": "Report"}
    AUTO_FOCUS = "#history-runs"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it for instances
        (0, "-narrow"),
        (WIDE, "-wide"),
    ]

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.table = LineTable(COLUMNS, context.glyphs, id="history-runs")
        self.reader = Reader(context.glyphs, id="history-text")
        self.list_frame = Frame("History", id="history-list")
        self.text_frame = Frame("Run", id="history-run")
        self._runs: dict[str, RunRecord] = {}

    def content(self) -> ComposeResult:
        """Two frames, one above the other."""
        with self.list_frame:
            yield self.table
        with self.text_frame:
            yield self.reader

    def on_mount(self) -> None:
        """Show what is known."""
        self._show()

    def changed(self, parts: frozenset[Part]) -> None:
        """Another look may bring another run; the marked one stays marked."""
        self.show_title()
        if parts & {"look", "connection"} and self.is_mounted:
            self._show()

    def on_resize(self, _: events.Resize) -> None:
        """Another width has other columns."""
        self.call_after_refresh(self._show)

    def resting_hint(self) -> tuple[str, Role]:
        """What the marks mean for the next step."""
        if self.store.notice is not None:
            words = f"{one_line(self.store.notice.text, 300)}  {one_line(self.store.notice.hint, 200)}"
            return (f"{self.glyphs.warn} {words}", "warn")
        if len(self._runs) >= LIMIT:
            return (f"the newest {LIMIT} runs; `patchdeck report RUN` finds older ones by their id", "dim")
        return ("enter opens the report of the marked run" if self._runs else "", "dim")

    def reason_against(self, action: str) -> str:
        """There is nothing to open or copy before there is a run."""
        return "no run is marked" if action in ("choose", "copy") and self._marked is None else ""

    def on_line_table_moved(self) -> None:
        """The text below follows the cursor."""
        self._show_marked(from_top=True)

    def on_line_table_chosen(self, event: LineTable.Chosen) -> None:
        """Open the report of the run that was marked."""
        self.open(ReportScreen(self.context, event.key or ""))

    def action_copy(self) -> None:
        """Copy the marked run's id."""
        run = self._marked
        if run is None:
            self.say(f"nothing to copy: {self.reason_against('copy')}", "warn")
        else:
            self.app.copy_to_clipboard(one_line(run.run_id, 64))
            self.say(f"copied {one_line(run.run_id, 64)}: patchdeck report takes it, or how it begins")

    @property
    def _marked(self) -> RunRecord | None:
        return self._runs.get(self.table.key or "")

    def _show(self) -> None:
        look = self.store.look
        short = self.size.width < SHORT
        self.table.set_columns(NARROW if short else COLUMNS)
        self._runs = {run.run_id: run for run in look.runs} if look else {}
        stale = self.context.look_age() is not None or self.context.age() is not None
        rows = [
            Row(key, self._cells(run, short=short), search=f"{run.name} {run.operator}".lower())
            for key, run in self._runs.items()
        ]
        self.table.set_rows(rows, empty=self._empty(look), stale=stale)
        number = len(rows)
        self.list_frame.title(f"History · {count(number)} {'run' if number == 1 else 'runs'}" if look else "History")
        self._show_marked(from_top=False)
        self.refresh_footer()
        self.rest()

    def _empty(self, look: Look | None) -> str:
        bundle = one_line(self.context.deck.bundle.name, 60)
        if look is None:
            return "nothing is known yet of this database"
        return f"{LEDGER_SAID[look.ledger]} ({bundle})" if look.ledger == "read" else LEDGER_SAID[look.ledger]

    def _cells(self, run: RunRecord, *, short: bool) -> tuple[Span, ...]:
        good = run.outcome == "committed"
        sign: Span = (self.glyphs.ok, "ok") if good else (self.glyphs.warn, "warn")
        cells: dict[str, Span] = {
            "": sign,
            "when": (f"{local(run.finished_at):%Y-%m-%d %H:%M}", "text"),
            "run": (one_line(run.action if short else run.name, 40), "strong"),
            "outcome": (one_line(run.outcome, 20), sign[1]),
            "took": (duration(run.seconds), "text"),
            "patch": (one_line(run.checksum[:8], 8), "dim"),
            "by": (_who(run), "text"),
        }
        return tuple(cells[column.title] for column in (NARROW if short else COLUMNS))

    def _show_marked(self, *, from_top: bool) -> None:
        run, look = self._marked, self.store.look
        self.text_frame.title(f"Run {one_line(run.run_id, 64)}" if run else "Run")
        self.reader.read(lambda cells: _full(run, look, cells) if run and look else [], from_top=from_top)


def _who(run: RunRecord) -> str:
    return one_line(f"{run.operator or 'somebody'}@{run.client_host or 'somewhere'}", 80)


def _full(run: RunRecord, look: Look, cells: int) -> list[Line]:
    """Everything that the ledger says of one run, apart from what it changed."""
    ended = local(run.finished_at)
    ago = age(max(0.0, (look.taken_at - run.finished_at).total_seconds()))
    held = f"locks held {duration(run.lock_seconds)}"
    fields: tuple[tuple[str, str, Role], ...] = (
        ("run", f"{run.name}: {run.outcome}", "strong"),
        ("by", _who(run), "text"),
        ("ended", f"{ended:%Y-%m-%d %H:%M:%S %z}, {ago}", "text"),
        ("took", f"{duration(run.seconds)}, {count(run.statements)} statements, {held}", "text"),
        ("bundle", f"{run.bundle} {run.version}", "text"),
        ("patch", run.checksum, "text"),
        ("server", f"PostgreSQL {run.server_version}", "dim"),
        ("id", run.run_id, "dim"),
    )  # fmt: skip
    return [one for label, text, role in fields for one in _field(label, one_line(text, 300), cells, role)]


def _field(label: str, text: str, cells: int, role: Role) -> list[Line]:
    parts = wrap(((text, role),), max(8, cells - LABEL))
    return [line((fit("" if number else label, LABEL), "dim"), *part) for number, part in enumerate(parts)]
