"""The proof beyond the structure: the isolation matrix with what each cell tried, and the findings of the lint."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.core.isolation import unproven
from tui.core.proof_words import grid, standing
from tui.core.safety import Finding
from tui.core.text import count, one_line, visible
from tui.screens.context import Context
from tui.screens.titled import TitledScreen
from tui.store import Part
from tui.theme import Role
from tui.widgets.band import WIDE
from tui.widgets.checklist import bare
from tui.widgets.frame import Frame
from tui.widgets.lines import Line, Lines, Span
from tui.widgets.matrix import MatrixTable
from tui.widgets.proofs import (
    cell_lines,
    cost,
    finding_lines,
    findings_summary,
    matrix_summary,
    reproduction,
    unprobed_lines,
)
from tui.widgets.reader import Reader
from tui.widgets.table import Column, LineTable, Row
from tui.widgets.tabs import Tab, Tabs

NARROW_FINDINGS = (Column("", 1), Column("code", 4), Column("level", 5), Column("object", 0), Column("", 5))
WIDE_FINDINGS = (
    Column("", 1), Column("code", 4), Column("level", 5), Column("object", 46), Column("what", 0), Column("", 5),
)  # fmt: skip


class ProofScreen(TitledScreen):
    """Two tabs over one proof: who reaches which rows, and what the lint found. Opening it proves once."""

    CSS_PATH = "proof.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.back", "Back", tooltip="Back to the dashboard"),
        Binding("v,r", "app.prove", "Prove again", tooltip="Try and lint again now; everything is rolled back"),
        Binding("y", "copy", "Copy", tooltip="Copy what reproduces the marked cell, or mends the marked finding"),
        Binding("n", "problem(1)", "Next problem", tooltip="Go to the next cell or finding that fails"),
        Binding("N,upper_n", "problem(-1)", "Previous problem", show=False, tooltip="Go to the one before that fails"),
        Binding("f", "failing", "Failing", tooltip="Show only what fails, or everything again"),
        Binding("1", "tab('matrix')", "Isolation", show=False, tooltip="Who reaches which rows"),
        Binding("2", "tab('findings')", "Findings", show=False, tooltip="What the safety lint found"),
        Binding("tab,shift+tab", "app.focus_next", "Text", tooltip="Between the list and the text"),
        Binding("q", "app.quit", "Quit", tooltip="Leave; nothing is changed by leaving"),
    ]
    SILENT = frozenset(("choose",))
    FOOTER_ORDER = ("app.prove", "copy", "problem(1)", "app.focus_next", "failing")
    AUTO_FOCUS = "#proof-matrix"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it for instances
        (0, "-narrow"),
        (WIDE, "-wide"),
    ]

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        glyphs = context.glyphs
        self.tabs = Tabs(glyphs, id="proof-tabs")
        self.summary = Lines(id="proof-summary")
        self.matrix = MatrixTable(glyphs, id="proof-matrix")
        self.findings = LineTable(NARROW_FINDINGS, glyphs, id="proof-findings")
        self.reader = Reader(glyphs, id="proof-text")
        self.list_frame = Frame("", id="proof-list")
        self.text_frame = Frame("", id="proof-detail")
        self._tab = "matrix"
        self._found: dict[str, Finding] = {}

    def content(self) -> ComposeResult:
        """Tabs and the summary above the list, the marked row's text below it."""
        yield self.tabs
        yield self.summary
        with self.list_frame:
            yield self.matrix
            yield self.findings
        with self.text_frame:
            yield self.reader

    def on_mount(self) -> None:
        """Show what is known, and prove: it was asked for by opening this."""
        self.findings.display = False
        self._show_proof()
        self.call_later(self.app.run_action, "app.prove")

    def changed(self, parts: frozenset[Part]) -> None:
        """A new proof, or one under way."""
        self.show_title()
        if "proof" in parts and self.is_mounted:
            self._show_proof()

    def tick(self) -> None:
        """Its age moves."""
        super().tick()
        if self.is_mounted:
            self._show_summary()

    def on_resize(self, _: events.Resize) -> None:
        """Another width has other columns."""
        self.call_after_refresh(self._show_proof)

    def resting_hint(self) -> tuple[str, Role]:
        """Where the marked cell is, what narrows the list down, what has no room."""
        if self._table.failing_only:
            return ("failing only · f shows all", "live")
        if self._tab == "matrix" and self.matrix.hidden > 0:
            return (f"{self.matrix.hidden} more personas: left and right bring them", "dim")
        return ("left and right choose the persona", "dim") if self._tab == "matrix" else ("", "dim")

    def action_tab(self, name: str) -> None:
        """Show the matrix or the findings."""
        self._tab = name
        self.matrix.display, self.findings.display = name == "matrix", name == "findings"
        self._table.focus()
        self._show_proof()

    def action_problem(self, step: int) -> None:
        """Go to the next thing that fails."""
        found = self.matrix.go_wrong(step) if self._tab == "matrix" else self.findings.go_failing(step)
        if found:
            return
        if self.store.proving.proof is None:
            self.say("nothing is proven here yet", "warn")
        else:
            self.say("nothing fails here", "ok")

    def action_failing(self) -> None:
        """Show only what fails, or everything again."""
        self._table.narrow(failing_only=not self._table.failing_only)
        self.rest()

    def action_copy(self) -> None:
        """Copy, cleaned: the statements with role and claims of a cell, or how to mend a finding."""
        cell, finding = self.matrix.cell, self._found.get(self.findings.key or "")
        if self._tab == "matrix" and cell is not None:
            self.app.copy_to_clipboard(reproduction(cell))
            self.say(f"copied: what {one_line(cell.persona, 30)} sent for {cell.command}, with role and claims")
        elif self._tab == "findings" and finding is not None:
            self.app.copy_to_clipboard(f"-- {visible(finding.key)}: {finding.rule.title}\n{finding.rule.mend}")
            self.say(f"copied: how to mend {finding.rule.code}")

    def on_tabs_chosen(self, event: Tabs.Chosen) -> None:
        """A click on a tab."""
        self.action_tab(event.tab)

    def on_line_table_moved(self) -> None:
        """Another row, another text."""
        self._show_text(from_top=True)

    def on_matrix_table_turned(self) -> None:
        """Another persona, another text."""
        self._show_text(from_top=True)

    def on_line_table_chosen(self) -> None:
        """On to the text, which may be longer than its frame."""
        self.reader.focus()

    @property
    def _table(self) -> LineTable:
        return self.matrix if self._tab == "matrix" else self.findings

    def _show_proof(self) -> None:
        proving = self.store.proving
        proof = proving.proof
        matrix = proof.matrix if proof and proof.matrix else unproven()
        self._show_tabs()
        self._show_summary()
        stale = proving.running or proving.outdated or proving.trouble is not None
        empty = "" if proof is None else "nothing was tried: " + " ".join(matrix.reasons)
        self.matrix.put(grid(matrix), empty=empty, stale=stale)
        found = proof.findings if proof else ()
        self._found = {f"{finding.rule.code} {finding.key}": finding for finding in found}
        self.findings.set_columns(WIDE_FINDINGS if self.wide else NARROW_FINDINGS)
        rows = [self._finding_row(key, finding) for key, finding in self._found.items()]
        self.findings.set_rows(rows, empty="the lint found nothing" if proof else "", stale=stale)
        on_matrix = self._tab == "matrix"
        self.list_frame.title("Who reaches which rows" if on_matrix else "What the lint found")
        self.list_frame.foot(cost(matrix) if on_matrix and self.wide else "")
        self.list_frame.broken(any(row.failing for row in self._table.rows))
        self._show_text(from_top=False)
        self.rest()

    def _show_tabs(self) -> None:
        proof = self.store.proving.proof
        wrong = len(proof.matrix.failures()) if proof and proof.matrix else 0
        failing = sum(finding.fails for finding in proof.findings) if proof else 0
        tabs = [Tab("matrix", "Isolation", count(wrong) if wrong else "", "bad")]
        tabs.append(Tab("findings", "Findings", count(failing) if failing else "", "bad"))
        self.tabs.put(tabs, self._tab)

    def _show_summary(self) -> None:
        cells = self.size.width - 2
        if cells > 0:
            summarise = matrix_summary if self._tab == "matrix" else findings_summary
            self.summary.show(summarise(self.store.proving, self.context.monotonic(), cells, self.glyphs))

    def _finding_row(self, key: str, finding: Finding) -> Row:
        level = finding.rule.level
        roles: dict[str, tuple[str, Role]] = {
            "error": (self.glyphs.bad, "bad!"),
            "warn": (self.glyphs.warn, "warn!"),
            "info": (self.glyphs.dot, "dim"),
        }
        sign, role = roles[level] if finding.fails or level == "info" else (self.glyphs.ok, "dim")
        what: tuple[Span, ...] = ((finding.rule.title, "dim"),) if self.wide else ()
        word = standing(finding)
        return Row(
            key=key,
            cells=(
                (sign, role), (finding.rule.code, "text"), (level, role), (one_line(bare(finding.key), 200), "text"),
                *what, (word, "warn" if word == "new" else "dim"),
            ),
            search=f"{key} {finding.rule.title}".lower(),
            failing=finding.fails,
        )  # fmt: skip

    def _show_text(self, *, from_top: bool) -> None:
        if self._tab == "findings":
            self._show_finding(self._found.get(self.findings.key or ""), from_top=from_top)
            return
        cell, proof, glyphs = self.matrix.cell, self.store.proving.proof, self.glyphs
        if cell is not None:
            self.text_frame.title(one_line(f"{cell.persona} · {cell.command} · {cell.table}", 120))
            self.text_frame.broken(cell.state in ("LEAK", "LOST", "differs"))
            shown = cell
            self.reader.read(lambda cells: cell_lines(shown, cells, glyphs), from_top=from_top)
            return
        self.text_frame.title("No such case" if self.matrix.key else "")
        self.text_frame.broken(False)
        matrix = proof.matrix if proof else None
        self.reader.read(lambda cells: unprobed_lines(matrix, cells) if matrix else (), from_top=from_top)

    def _show_finding(self, finding: Finding | None, *, from_top: bool) -> None:
        self.text_frame.title(one_line(f"{finding.rule.code} · {finding.key}", 120) if finding else "")
        self.text_frame.broken(finding is not None and finding.fails)
        none: tuple[Line, ...] = ()
        self.reader.read(lambda cells: finding_lines(finding, cells) if finding else none, from_top=from_top)
