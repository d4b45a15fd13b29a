"""Drift: what has changed since the last recorded run, the recorded and the live definition beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.core.drift import Drift, drift_said, drift_state
from tui.core.surface import Change
from tui.core.text import one_line, redact, visible
from tui.screens.context import Context
from tui.screens.titled import TitledScreen
from tui.store import Part
from tui.theme import Role
from tui.widgets.band import WIDE
from tui.widgets.frame import Frame
from tui.widgets.lines import Line, Lines, Span, clip, line, wrap
from tui.widgets.pair import paired
from tui.widgets.reader import Reader
from tui.widgets.table import Column, LineTable, Row

COLUMNS = (Column("", 1), Column("change", 7), Column("object", 0))
ROLES: Mapping[str, Role] = {"created": "warn", "altered": "warn", "dropped": "bad"}


class DriftScreen(TitledScreen):
    """The changes above, both definitions of the marked one below."""

    CSS_PATH = "proof.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.back", "Back", tooltip="Back to the dashboard"),
        Binding("v,r", "app.compare", "Compare again", tooltip="Compare with the record again now"),
        Binding("y", "copy", "Copy", tooltip="Copy the recorded and the live definition"),
        Binding("tab,shift+tab", "app.focus_next", "Definitions", tooltip="Between changes and definitions"),
        Binding("q", "app.quit", "Quit", tooltip="Leave; nothing is changed by leaving"),
    ]
    SILENT = frozenset(("choose",))
    FOOTER_ORDER = ("app.focus_next",)
    AUTO_FOCUS = "#drift-changes"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it for instances
        (0, "-narrow"),
        (WIDE, "-wide"),
    ]

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        glyphs = context.glyphs
        self.summary = Lines(id="proof-summary")
        self.table = LineTable(COLUMNS, glyphs, header=False, id="drift-changes")
        self.reader = Reader(glyphs, id="drift-pair")
        self.list_frame = Frame("Changed since the record", id="proof-list")
        self.pair_frame = Frame("", id="proof-detail")
        self._changes: dict[str, Change] = {}

    def content(self) -> ComposeResult:
        """The run it is compared with, the changes, the definitions."""
        yield self.summary
        with self.list_frame:
            yield self.table
        with self.pair_frame:
            yield self.reader

    def on_mount(self) -> None:
        """Show what is known."""
        self._show_drift()

    def changed(self, parts: frozenset[Part]) -> None:
        """Another comparison; the marked change stays marked."""
        self.show_title()
        if parts & {"drift", "look"} and self.is_mounted:
            self._show_drift()

    def on_resize(self, _: events.Resize) -> None:
        """Definitions stand beside each other where there is room."""
        self.call_after_refresh(self._show_drift)

    def on_line_table_moved(self) -> None:
        """Other definitions."""
        self._show_pair(from_top=True)

    def on_line_table_chosen(self) -> None:
        """On to the definitions, which may be longer than their frame."""
        self.reader.focus()

    def reason_against(self, action: str) -> str:
        """There is nothing to copy where nothing has changed."""
        return "no change is marked" if action == "copy" and self.table.key is None else ""

    def action_copy(self) -> None:
        """Copy both definitions, cleaned and without secrets."""
        change = self._changes.get(self.table.key or "")
        if change is None:
            self.say(f"nothing to copy: {self.reason_against('copy')}", "warn")
            return
        parts = [f"-- {change.kind}: {change.object}"]
        parts += [f"-- recorded\n{change.before}"] if change.before else []
        parts += [f"-- live\n{change.after}"] if change.after else []
        self.app.copy_to_clipboard("\n".join(redact(visible(part, newlines=True)) for part in parts))
        self.say(f"copied: {one_line(change.object, 80)}")

    def _show_drift(self) -> None:
        known, drift = self.store.drift_known, self.store.drift
        cells = self.size.width - 2
        if cells > 0:
            self.summary.show(self._summary(drift, cells) if known else (line(("comparing", "live")),))
        self._changes = {change.object: change for change in drift.changes} if drift else {}
        empty = drift_said(drift) if known else ""
        self.table.set_rows([self._row(change) for change in self._changes.values()], empty=empty)
        self.list_frame.broken(drift_state(drift) == "drifted")
        self._show_pair(from_top=False)
        self.refresh_footer()

    def _summary(self, drift: Drift | None, cells: int) -> tuple[Line, Line]:
        number = len(drift.changes) if drift else 0
        signs: dict[str, Span] = {
            "none": (f"{self.glyphs.ok} NO DRIFT", "ok!"),
            "drifted": (f"{self.glyphs.bad} DRIFTED {number}", "bad!"),
            "not_proven": (f"{self.glyphs.warn} NOT PROVEN", "warn!"),
        }
        sign = signs[drift_state(drift)]
        if drift is None:
            # What that means stands below it, where the changes would be.
            return Line((sign,)), Line()
        head = Line(clip((sign, ("   ", "text"), (drift_said(drift), "text")), cells))
        run = drift.action if drift.action == "apply" else f"{drift.action} ({drift.mode})"
        when = drift.finished_at.replace("T", " ")[:16]
        said = f"recorded by {run} of {one_line(drift.operator, 40) or 'somebody'}, {one_line(when, 30)} UTC"
        return head, line(*wrap(((said, "dim"),), cells)[0])

    def _row(self, change: Change) -> Row:
        role = ROLES.get(change.kind, "text")
        sign = self.glyphs.bad if role == "bad" else self.glyphs.warn
        return Row(
            key=change.object,
            cells=((sign, role), (change.kind, role), (one_line(change.object, 300), "text")),
            search=change.object.lower(),
            failing=True,
        )

    def _show_pair(self, *, from_top: bool) -> None:
        change = self._changes.get(self.table.key or "")
        self.pair_frame.title(one_line(change.object, 120) if change else "")
        wide = self.wide

        def lines(cells: int) -> list[Line]:
            if change is None:
                return []
            return paired(("recorded", "live"), (change.before, change.after), cells, beside=wide)

        self.reader.read(lines, from_top=from_top)
