"""The checklist: one row per table and per other object of the bundle, and the checks of the marked row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from textual.app import ComposeResult

from tui.core.check import Check
from tui.core.checklist import TableSummary
from tui.core.text import Glyphs, fit, one_line
from tui.theme import Role
from tui.widgets.frame import Frame
from tui.widgets.lines import Line, Lines, Span, clip, line
from tui.widgets.table import Column, LineTable, Row

Sort = Literal["expected", "name", "worst"]
SORTS: tuple[Sort, ...] = ("expected", "name", "worst")
SORT_WORDS = {"expected": "order of the bundle", "name": "by name", "worst": "worst first"}

WIDE_COLUMNS = (
    Column("", 1),
    Column("table", 0),
    Column("columns", 7, "right"),
    Column("RLS", 3),
    Column("policies", 8, "right"),
    Column("idx", 5, "right"),
    Column("trig", 4, "right"),
)
NARROW_COLUMNS = (
    Column("", 1),
    Column("table", 0),
    Column("cols", 5, "right"),
    Column("RLS", 3),
    Column("pol", 4, "right"),
    Column("idx", 5, "right"),
    Column("trg", 4, "right"),
)

KIND_WORDS = {"publication": "realtime"}

OUTCOME_WORDS = {
    "ok": "holds",
    "missing": "missing",
    "differs": "differs",
    "unexpected": "unexpected",
    "finding": "finding",
    "leak": "LEAK",
    "not_proven": "not proven",
}
"""Outcomes in the words a person reads."""


def mark(outcome: str, glyphs: Glyphs, *, calm: bool = False) -> Span:
    """The mark of an outcome with its meaning; `calm`: what fails is only still to do."""
    if outcome == "ok":
        return (glyphs.ok, "ok")
    if outcome == "not_proven":
        return (glyphs.unknown, "warn")
    return (glyphs.todo, "dim") if calm else (glyphs.bad, "bad")


def bare(name: str) -> str:
    """A qualified name without the schema everything is in."""
    return name.removeprefix("public.")


def summary_row(summary: TableSummary, glyphs: Glyphs, *, calm: bool) -> Row:
    """One object as a row: counts that are complete are quiet, a lacking one is in the broken colour.

    `calm`: nothing of the migration is there yet, so that a lack is not a fault but what is still to do.
    """
    failing = summary.problems > 0
    name: Role = "strong" if failing and not calm else "text" if summary.exists else "dim"
    sign = mark(summary.outcome, glyphs, calm=calm)
    title = one_line(bare(summary.name), 120)
    if summary.kind != "table":
        kind = "" if summary.kind == "function" else f" · {KIND_WORDS.get(summary.kind, summary.kind)}"
        cells: tuple[Span, ...] = (sign, (title + kind, name))
    else:
        shares = (summary.columns, summary.policies, summary.indexes, summary.triggers)
        columns, *others = [_share(pair, glyphs, calm=calm) for pair in shares]
        cells = (sign, (title, name), columns, _rls(summary, glyphs, calm=calm), *others)
    return Row(key=f"{summary.kind} {summary.name}", cells=cells, search=summary.name.lower(), failing=failing)


def _rls(summary: TableSummary, glyphs: Glyphs, *, calm: bool) -> Span:
    if summary.rls is None:
        return (glyphs.none, "dim")
    return ("on", "text") if summary.rls else ("off", "dim" if calm else "bad!")


def _share(pair: tuple[int, int], glyphs: Glyphs, *, calm: bool) -> Span:
    held, expected = pair
    if not expected:
        return (glyphs.none, "dim")
    return (f"{held}/{expected}", "text" if held == expected else "dim" if calm else "bad!")


def arrange(summaries: Sequence[TableSummary], sort: Sort) -> tuple[TableSummary, ...]:
    """The summaries in the order asked for."""
    if sort == "name":
        return tuple(sorted(summaries, key=lambda summary: bare(summary.name)))
    if sort == "worst":
        return tuple(sorted(summaries, key=lambda summary: -summary.problems))
    return tuple(summaries)


def checks_of(checks: Sequence[Check], summary: TableSummary) -> tuple[Check, ...]:
    """The checks behind a row: a table's own and all that hang on it, or those of the one object."""
    return tuple(
        check
        for check in checks
        if check.table == summary.name or (check.object == summary.kind and check.name == summary.name)
    )


def check_lines(check: Check, cells: int, glyphs: Glyphs, *, calm: bool = False) -> list[Line]:
    """A check in one line, and below it, when it fails, what a miss means."""
    sign, role = mark(check.outcome, glyphs, calm=calm)
    said = check.actual if check.outcome == "unexpected" else check.expected
    head: list[Span] = [
        (f"{sign} ", role),
        (fit(check.object, 11), "dim"),
        (f"{one_line(bare(check.name), 60)}  ", "text"),
    ]
    if check.ok:
        head.append((one_line(said, 300), "dim"))
        return [Line(clip(head, cells))]
    head.append((OUTCOME_WORDS[check.outcome], role))
    why = one_line(check.why, 400)
    return [Line(clip(head, cells)), *([line((fit(f"  {why}", cells), "dim"))] if why and not calm else ())]


class Checklist(Frame):
    """The checklist with its frame."""

    def __init__(self, tables: int, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(_title(tables, 0), id=id)
        self._glyphs = glyphs
        self.table = LineTable(WIDE_COLUMNS, glyphs, id="checklist-table")
        self.summaries: tuple[TableSummary, ...] = ()

    def compose(self) -> ComposeResult:
        """The table alone."""
        yield self.table

    def show(
        self, summaries: Sequence[TableSummary], sort: Sort, *, empty: str, stale: bool, calm: bool, roomy: bool
    ) -> None:
        """Show these summaries; `roomy` spells the headings out, `calm` as for a row."""
        self.summaries = arrange(summaries, sort)
        self.table.set_columns(WIDE_COLUMNS if roomy else NARROW_COLUMNS)
        rows = [summary_row(one, self._glyphs, calm=calm) for one in self.summaries]
        self.table.set_rows(rows, empty=empty, stale=stale)
        tables = sum(summary.kind == "table" for summary in summaries)
        failing = sum(summary.problems > 0 for summary in summaries)
        if tables:
            self.title(_title(tables, 0 if calm else failing))

    def summary(self, key: str | None) -> TableSummary | None:
        """The summary of a row."""
        return next((one for one in self.summaries if f"{one.kind} {one.name}" == key), None)


def _title(tables: int, failing: int) -> str:
    return f"Checklist · {tables} tables" + (f" · {failing} failing" if failing else "")


class Checks(Frame):
    """The checks of the marked row, failures first."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__("", id=id)
        self._glyphs = glyphs
        self.lines = Lines(id="checks-lines")
        self._checks: tuple[Check, ...] = ()
        self._stale = self._calm = False
        self.foot("enter: expected and live side by side")

    def compose(self) -> ComposeResult:
        """Lines only: keys act on the checklist."""
        yield self.lines

    def show(self, name: str, checks: Sequence[Check], *, stale: bool, calm: bool) -> None:
        """Show the checks of `name`."""
        self._checks, self._stale, self._calm = tuple(sorted(checks, key=_failures_first)), stale, calm
        failing = any(check.failed for check in checks)
        self.title(one_line(bare(name), 48))
        self.broken(failing and not stale and not calm)
        self._draw()

    def on_resize(self) -> None:
        """Other widths cut elsewhere."""
        self._draw()

    def _draw(self) -> None:
        width, height = self.lines.content_size
        if not width or not height:
            return
        shown: list[Line] = []
        for check in self._checks:
            shown += check_lines(check, width, self._glyphs, calm=self._calm)
            if len(shown) >= height:
                break
        if self._stale:
            shown = [Line(one.spans, "stale") for one in shown]
        self.lines.show(shown[:height])


def _failures_first(check: Check) -> int:
    return 0 if check.failed else 2 if check.ok else 1
