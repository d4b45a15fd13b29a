"""The isolation matrix as a table: a row a command on a table, a column a persona, one cell marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec
from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.message import Message

from tui.core.isolation import Cell, CellState
from tui.core.proof_words import UNTRIED, Grid, GridRow
from tui.core.text import Glyphs, one_line
from tui.theme import Ground, Role
from tui.widgets.checklist import bare
from tui.widgets.lines import Line, Span
from tui.widgets.table import GAP, Column, LineTable, Row

COMMAND = 8
TABLE_MIN, TABLE_MAX = 14, 30
LEADING = 3
"""Columns before those of the personas: mark, table, command."""


class Look(msgspec.Struct, frozen=True):
    """How a state is shown: the name of its mark, a short and a long word, its meaning."""

    mark: str
    short: str
    long: str
    role: Role


LOOKS: Mapping[CellState, Look] = {
    "allowed": Look("dot", "all", "allowed", "text"),
    "own rows only": Look("todo", "own", "own rows", "text"),
    "denied": Look("none", "no", "denied", "dim"),
    "LEAK": Look("bad", "LEAK", "LEAK", "bad!"),
    "LOST": Look("bad", "LOST", "LOST", "bad"),
    "differs": Look("warn", "diff", "differs", "warn"),
    "not probed": Look("unknown", "?", "untried", "warn"),
}


class MatrixTable(LineTable):
    """The matrix with a marked cell. Posts `Moved` of the table for another row, `Turned` for another persona."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "persona(-1)", "Left", show=False, tooltip="The persona to the left"),
        Binding("right", "persona(1)", "Right", show=False, tooltip="The persona to the right"),
    ]

    class Turned(Message):
        """Another persona is marked."""

    def __init__(self, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__((Column("", 1), Column("table", 0), Column("command", COMMAND)), glyphs, id=id)
        self._grid = Grid((), ())
        self._cells: dict[str, GridRow] = {}
        self._persona = self._first = self._visible = 0
        self._words = ("", False)

    @property
    def persona(self) -> str:
        """The marked persona, "" when there is none."""
        return self._grid.personas[self._persona] if self._grid.personas else ""

    @property
    def cell(self) -> Cell | None:
        """The marked cell, None where nobody asks or nothing is shown."""
        row = self._cells.get(self.key or "")
        return row.cells.get(self.persona) if row else None

    @property
    def hidden(self) -> int:
        """How many personas have no room; the arrows bring them."""
        return len(self._grid.personas) - self._visible

    def put(self, grid: Grid, *, empty: str, stale: bool) -> None:
        """Show this matrix; the marked cell stays marked."""
        self._grid = grid
        self._cells = {f"{row.command} {row.table}": row for row in grid.rows}
        self._persona = min(self._persona, max(0, len(grid.personas) - 1))
        self._words = (empty, stale)
        self._arrange_personas()

    def go_wrong(self, step: int) -> bool:
        """Mark the next (1) or previous (-1) row with a cell that is wrong, and that cell. Returns if there is one."""
        if not self.go_failing(step):
            return False
        row = self._cells[self.key or ""]
        wrong = next(who for who in self._grid.personas if who in row.cells and _is_wrong(row.cells[who]))
        self._turn(self._grid.personas.index(wrong))
        return True

    def action_persona(self, step: int) -> None:
        """Mark another persona."""
        self._turn(max(0, min(self._persona + step, len(self._grid.personas) - 1)))

    def on_resize(self) -> None:
        """Another width has room for more personas or fewer."""
        self._arrange_personas()

    def _turn(self, persona: int) -> None:
        if persona != self._persona:
            self._persona = persona
            self._arrange_personas()
            self.post_message(self.Turned())

    def _arrange_personas(self) -> None:
        """Choose the personas that fit, the marked one among them, with long words where all fit with these."""
        cells = self.content_size.width - 2
        table = max((cell_len(bare(row.table)) for row in self._grid.rows), default=TABLE_MIN)
        table = max(TABLE_MIN, min(table, TABLE_MAX))
        room = cells - 1 - COMMAND - 3 * len(GAP)
        long = sum(self._widths_of(long=True)) <= room - table
        widths = self._widths_of(long=long)
        self._first = min(self._first, self._persona)
        while widths and self._first + _fitting(widths[self._first :], room - TABLE_MIN) <= self._persona:
            self._first += 1
        self._visible = _fitting(widths[self._first :], room - TABLE_MIN)
        shown = slice(self._first, self._first + self._visible)
        table = max(TABLE_MIN, min(table, room - sum(widths[shown])))
        columns = [Column("", 1), Column("table", table), Column("command", COMMAND)]
        personas = self._grid.personas[shown]
        columns += [
            Column(f" {one_line(who, 20)}", width - len(GAP))
            for who, width in zip(personas, widths[shown], strict=True)
        ]
        # The last column takes what is left over, so that a wide screen has no gap in the middle of a row.
        self.set_columns([*columns[:-1], Column(columns[-1].title, 0)])
        empty, stale = self._words
        heads = {row.table: key for key, row in reversed(self._cells.items())}
        firsts = set(heads.values())
        rows = [self._row(key, personas, first=key in firsts, long=long) for key in self._cells]
        self.set_rows(rows, empty=empty, stale=stale)

    def _widths_of(self, *, long: bool) -> list[int]:
        """Cells of each persona's column with the gap; in front of a marked cell stands a mark."""
        words = [look.long if long else look.short for look in LOOKS.values()]
        least = max(map(cell_len, words)) + 3
        return [max(cell_len(one_line(who, 20)) + 1, least) + len(GAP) for who in self._grid.personas]

    def _row(self, key: str, personas: Sequence[str], *, first: bool, long: bool) -> Row:
        row = self._cells[key]
        wrong = [cell for cell in row.cells.values() if _is_wrong(cell)]
        leak = any(cell.state == "LEAK" for cell in wrong)
        mark: Span = (self._glyphs.bad if wrong else " ", "bad!" if leak else "bad")
        cells = tuple(self._cell(row.cells.get(who), long=long) for who in personas)
        return Row(
            key=key,
            cells=(mark, (one_line(bare(row.table), 80), "text" if first else "dim"), (row.command, "dim"), *cells),
            search=f"{row.table} {row.command}".lower(),
            failing=bool(wrong),
        )

    def _cell(self, cell: Cell | None, *, long: bool) -> Span:
        if cell is None:
            return (f" {UNTRIED}", "dim")
        look = LOOKS[cell.state]
        return (f" {getattr(self._glyphs, look.mark)} {look.long if long else look.short}", look.role)

    def _line(self, cells: Sequence[Span], widths: Sequence[int], ground: Ground, mark: str) -> Line:
        at = LEADING + self._persona - self._first
        if ground in ("cursor", "resting") and at < len(cells):
            text, role = cells[at]
            marked: Span = (f"{self._glyphs.now}{text[1:]}", "strong" if role in ("text", "dim") else role)
            cells = (*cells[:at], marked, *cells[at + 1 :])
        return super()._line(cells, widths, ground, mark)


def _is_wrong(cell: Cell) -> bool:
    return cell.state in ("LEAK", "LOST", "differs")


def _fitting(widths: Sequence[int], room: int) -> int:
    """How many of the columns fit from the first on: at least one, if there is any."""
    number = min(1, len(widths))
    while number < len(widths) and sum(widths[: number + 1]) <= room:
        number += 1
    return number
