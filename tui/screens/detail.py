"""The detail of one checklist row: every check, and the expected and the live definition of the marked one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.core.aftermath import counted
from tui.core.check import Check
from tui.core.checklist import TableSummary
from tui.core.mend import mending
from tui.core.text import Glyphs, one_line, redact, visible
from tui.screens.context import Context
from tui.screens.titled import TitledScreen
from tui.store import Part
from tui.theme import Role
from tui.widgets.band import TALL, WIDE
from tui.widgets.checklist import OUTCOME_WORDS, bare, checks_of, mark
from tui.widgets.frame import Frame
from tui.widgets.lines import Line, line, wrap
from tui.widgets.pair import WHOLE, paired
from tui.widgets.reader import Reader
from tui.widgets.table import Column, LineTable, Row

COLUMNS = (Column("", 1), Column("kind", 11), Column("name", 0), Column("state", 10))
TITLE_LIMIT = 80
LIST_SHARE = 55
"""Percent of the screen that the list of checks takes at most."""
ASIDE_SHARE = 25
"""The same on a low screen while the definitions are read."""


class DetailScreen(TitledScreen):
    """Checks above, the marked check's definitions below."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.back", "Back", tooltip="Back to the dashboard"),
        Binding("y", "copy", "Copy", tooltip="Copy the statements that mend it, else both definitions"),
        Binding("n", "problem(1)", "Next problem", tooltip="Go to the next check that fails"),
        Binding(
            "N,upper_n", "problem(-1)", "Previous problem", show=False, tooltip="Go to the check before that fails"
        ),
        Binding("f", "failing", "Failing", tooltip="Show only what fails, or everything again"),
        Binding("tab,shift+tab", "app.focus_next", "Definitions", tooltip="Between checks and definitions"),
        Binding("q", "app.quit", "Quit", tooltip="Leave; nothing is changed by leaving"),
    ]
    SILENT = frozenset(("choose",))
    FOOTER_ORDER = ("app.focus_next",)
    AUTO_FOCUS = "#detail-checks"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it for instances
        (0, "-narrow"),
        (WIDE, "-wide"),
    ]

    def __init__(self, context: Context, summary: TableSummary) -> None:
        super().__init__(context)
        glyphs = context.glyphs
        self._summary = summary
        self._checks: dict[str, Check] = {}
        self._list_height = 0
        self.table = LineTable(COLUMNS, glyphs, header=False, id="detail-checks")
        self.reader = Reader(glyphs, id="detail-pair")
        self.list_frame = Frame(one_line(bare(summary.name), 80), id="detail-list")
        self.pair_frame = Frame("", id="detail-definitions")

    def content(self) -> ComposeResult:
        """Two frames, one above the other."""
        with self.list_frame:
            yield self.table
        with self.pair_frame:
            yield self.reader

    def on_mount(self) -> None:
        """Show the checks; the first that fails is marked."""
        self.changed(frozenset(("look",)))
        first = next((row.key for row in self.table.listed if row.failing), None)
        if first:
            self.table.go(first)

    def changed(self, parts: frozenset[Part]) -> None:
        """A new look brings new checks; the marked one stays marked."""
        self.show_title()
        look = self.store.look
        if "look" not in parts or look is None:
            return
        checks = checks_of(look.checks, self._summary)
        self._checks = {f"{check.object} {check.name}": check for check in checks}
        self.table.set_rows([self._row(key, check) for key, check in self._checks.items()])
        held = sum(check.ok for check in checks)
        self.list_frame.title(f"{one_line(bare(self._summary.name), 80)} · {held} of {len(checks)} hold")
        self.list_frame.broken(not self._calm and any(row.failing for row in self.table.rows))
        self._fit_list()
        self._show_pair(from_top=False)

    def on_line_table_chosen(self) -> None:
        """On to the definitions, which may be longer than their frame."""
        self.reader.focus()

    def on_line_table_moved(self) -> None:
        """Other definitions."""
        self._show_pair(from_top=True)
        self.rest()

    def on_resize(self, _: events.Resize) -> None:
        """Definitions stand beside each other where there is room, and get the room that the checks leave."""
        self._fit_list()
        self._show_pair(from_top=False)

    def on_descendant_focus(self) -> None:
        """What is read gets the room."""
        super().on_descendant_focus()
        self._fit_list()

    def _fit_list(self) -> None:
        share = ASIDE_SHARE if self.reader.has_focus and self.size.height < TALL else LIST_SHARE
        height = min(len(self._checks) + 2, self.size.height * share // 100)
        if height != self._list_height:
            self._list_height = height
            self.list_frame.styles.height = height

    def action_problem(self, step: int) -> None:
        """Go to the next check that fails."""
        if not self.table.go_failing(step):
            self.say("nothing fails here", "ok")

    def action_failing(self) -> None:
        """Show only what fails, or everything again."""
        self.table.narrow(failing_only=not self.table.failing_only)
        self.rest()

    def resting_hint(self) -> tuple[str, Role]:
        """What narrows the checks down, else what there is to copy."""
        if self.table.failing_only:
            return ("failing only · f shows all", "live")
        number = len(self._mending)
        return (f"y copies what mends it: {counted(number, 'statement')}" if number else "", "dim")

    def action_copy(self) -> None:
        """Copy what mends it, or both definitions; what is copied is cleaned, for pasting is not."""
        check = self._checks.get(self.table.key or "")
        if check is None:
            return
        name, mending = f"{check.object} {one_line(bare(check.name), 60)}", self._mending
        if mending:
            self.app.copy_to_clipboard(mending_text(check, mending))
            self.say(f"copied: {counted(len(mending), 'statement')} for {name}")
        else:
            self.app.copy_to_clipboard(pair_text(check))
            self.say(f"copied: {name}")

    @property
    def _mending(self) -> tuple[str, ...]:
        """Where nothing of the migration is there yet, applying it is what mends."""
        check = self._checks.get(self.table.key or "")
        return mending(check, self.context.deck.bundle.patch.statements) if check and not self._calm else ()

    def _row(self, key: str, check: Check) -> Row:
        sign = mark(check.outcome, self.glyphs, calm=self._calm)
        return Row(
            key=key,
            cells=(
                sign,
                (check.object, "dim"),
                (one_line(bare(check.name), 200), "text"),
                (OUTCOME_WORDS[check.outcome], sign[1]),
            ),
            search=check.name.lower(),
            failing=check.failed,
        )

    @property
    def _calm(self) -> bool:
        return self.store.look is not None and self.store.look.verdict.state == "not_applied"

    def _show_pair(self, *, from_top: bool) -> None:
        check = self._checks.get(self.table.key or "")
        if check is None:
            return
        self.pair_frame.title(f"{check.object} {one_line(bare(check.name), TITLE_LIMIT)}")
        wide = self.wide
        calm = self._calm
        self.reader.read(lambda cells: pair_lines(check, cells, self.glyphs, beside=wide, calm=calm), from_top=from_top)


def mending_text(check: Check, statements: Sequence[str]) -> str:
    """The statements as text to paste, below a comment that says what for."""
    head = visible(f"-- {check.object} {check.name}: {OUTCOME_WORDS[check.outcome]}", limit=WHOLE)
    return "\n".join((head, *(f"{redact(visible(one, limit=WHOLE, newlines=True))};" for one in statements)))


def pair_text(check: Check) -> str:
    """Both definitions as text to paste, without secrets."""
    # The name stands in a comment: a line break in it would begin a statement of its own where it is pasted.
    parts = [visible(f"-- {check.object} {check.name}: {OUTCOME_WORDS[check.outcome]}", limit=WHOLE)]
    for title, definition in (("expected", check.expected), ("live", check.actual)):
        parts += [f"-- {title}", redact(visible(definition, limit=WHOLE, newlines=True))] if definition else []
    return "\n".join(parts)


def pair_lines(check: Check, cells: int, glyphs: Glyphs, *, beside: bool, calm: bool) -> list[Line]:
    """What a miss means, then both definitions with their difference marked."""
    sign, role = mark(check.outcome, glyphs, calm=calm)
    lines = [line((f"{sign} {OUTCOME_WORDS[check.outcome]}", role))]
    name = visible(check.name, limit=WHOLE)
    if name != one_line(name, TITLE_LIMIT):
        # The frame's title has no room for it.
        lines += [Line(part) for part in wrap(((name, "text"),), cells)]
    if check.why:
        lines += [Line(part) for part in wrap(((visible(check.why, limit=WHOLE), "text"),), cells)]
    lines.append(Line())
    return [*lines, *paired(("expected", "live"), (check.expected, check.actual), cells, beside=beside)]
