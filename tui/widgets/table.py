"""A table of keyed rows whose cursor is a key, not a number: it survives refresh, sorting and filtering.

Enter therefore always acts on the row the operator sees marked, however the rows move underneath (facts: textual 4.7).
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import ClassVar, Literal

import msgspec
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from tui.core.text import Glyphs, count, fit, fit_right
from tui.theme import Ground
from tui.widgets.lines import Line, Lines, Span, line

GAP = "  "


class Column(msgspec.Struct, frozen=True):
    """A column; `width` in cells, 0 takes what the others leave (one column at most)."""

    title: str
    width: int
    align: Literal["left", "right"] = "left"


class Row(msgspec.Struct, frozen=True):
    """A row: what identifies it, one span per column, what the filter looks at, and whether it counts as failing.

    With fewer cells than columns the last one takes the room of those that are missing.
    """

    key: str
    cells: tuple[Span, ...]
    search: str = ""
    failing: bool = False


class LineTable(Lines, can_focus=True):
    """Rows with a cursor, a header, a filter and a scroll mark. Posts `Moved` and `Chosen` with the row's key."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "Up", show=False, tooltip="Move up one row"),
        Binding("down,j", "move(1)", "Down", show=False, tooltip="Move down one row"),
        Binding("pageup,ctrl+u", "page(-1)", "Page up", show=False, tooltip="Move up one page"),
        Binding("pagedown,ctrl+d", "page(1)", "Page down", show=False, tooltip="Move down one page"),
        Binding("home,g", "edge(-1)", "First", show=False, tooltip="Go to the first row"),
        Binding("end,G", "edge(1)", "Last", show=False, tooltip="Go to the last row"),
        Binding("enter", "choose", "Detail", tooltip="Open the marked row"),
    ]

    class Moved(Message):
        """The cursor is on another row, None when there is none."""

        def __init__(self, table: LineTable, key: str | None) -> None:
            super().__init__()
            self.table, self.key = table, key

        @property
        def control(self) -> LineTable:
            """The table it happened in."""
            return self.table

    class Chosen(Moved):
        """Enter or a click on the marked row."""

    def __init__(
        self,
        columns: Sequence[Column],
        glyphs: Glyphs,
        *,
        header: bool = True,
        tail: bool = False,
        id: str | None = None,  # noqa: A002 - Textual's name
    ) -> None:
        """`tail`: while the keys act elsewhere, a cursor on the first row stays on the first row as new ones come, and
        is not marked.
        """
        super().__init__(id=id)
        self._columns, self._glyphs, self._header, self._tail = tuple(columns), glyphs, header, tail
        self._rows: tuple[Row, ...] = ()
        self._listed: tuple[Row, ...] = ()
        self.words = ""
        self.failing_only = False
        self._key: str | None = None
        self._left: str | None = None
        """The row that narrowing took the cursor from, until the operator moves it."""
        self._index = 0
        self._top = 0
        self._empty = self._unmatched = ""
        self._stale = False

    @property
    def key(self) -> str | None:
        """The key of the marked row, None without rows."""
        return self._key

    @property
    def listed(self) -> tuple[Row, ...]:
        """The rows that pass the filter, in order."""
        return self._listed

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every row, filtered out or not."""
        return self._rows

    def set_columns(self, columns: Sequence[Column]) -> None:
        """Other columns; the rows that follow must fit them."""
        self._columns = tuple(columns)

    def set_rows(self, rows: Sequence[Row], *, empty: str = "", unmatched: str = "", stale: bool = False) -> None:
        """Show these rows; `empty` is what a table without any says, `unmatched` one whose rows are all filtered out,
        `stale` greys everything.
        """
        self._rows, self._empty, self._unmatched, self._stale = tuple(rows), empty, unmatched, stale
        self._arrange()

    def narrow(self, words: str | None = None, *, failing_only: bool | None = None) -> None:
        """Show only rows that hold each of the `words`, and, with `failing_only`, fail; None leaves as it is."""
        self.words = self.words if words is None else words.lower()
        self.failing_only = self.failing_only if failing_only is None else failing_only
        self._arrange()

    @property
    def narrowed(self) -> str:
        """What narrows the rows down, in words; "" when all are shown."""
        return " ".join(
            filter(None, ("failing only" if self.failing_only else "", f'"{self.words}"' if self.words else ""))
        )

    def go(self, key: str) -> None:
        """Put the cursor on the row of that key; nothing happens when it is not listed."""
        index = next((index for index, row in enumerate(self._listed) if row.key == key), None)
        if index is not None:
            self._goto(index)

    def go_failing(self, step: int) -> bool:
        """Put the cursor on the next (1) or previous (-1) failing row, round and round. Returns if there is one."""
        failing = [index for index, row in enumerate(self._listed) if row.failing]
        if not failing:
            return False
        beyond = [index for index in failing if (index - self._index) * step > 0]
        self._goto((beyond or failing)[0 if step > 0 else -1])
        return True

    def action_move(self, step: int) -> None:
        """Move the cursor by `step` rows."""
        self._goto(self._index + step)

    def action_page(self, step: int) -> None:
        """Move the cursor by `step` pages."""
        self._goto(self._index + step * max(1, self._page - 1))

    def action_edge(self, side: int) -> None:
        """Move the cursor to the first (-1) or last (1) row."""
        self._goto(0 if side < 0 else len(self._listed) - 1)

    def action_choose(self) -> None:
        """Open the marked row."""
        if self._key is not None:
            self._left = None
            self.post_message(self.Chosen(self, self._key))

    def on_resize(self) -> None:
        """Another size needs other lines."""
        self._follow()
        self._draw()

    def watch_has_focus(self, focused: bool) -> None:
        """The cursor is where the keys act, and rests elsewhere. `on_focus` would run before `has_focus` is true."""
        super().watch_has_focus(focused)
        self._draw()

    def on_click(self, event: events.Click) -> None:
        """A click marks a row; a click on the marked row opens it."""
        index = self._top + event.y - self._header
        if event.y < self._header or index >= len(self._listed):
            return
        if index == self._index and event.chain > 1:
            self.action_choose()
        else:
            self._goto(index)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Scroll down three rows, the cursor comes along."""
        event.stop()
        self._goto(self._index + 3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Scroll up three rows, the cursor comes along."""
        event.stop()
        self._goto(self._index - 3)

    @property
    def _page(self) -> int:
        return max(1, self.content_size.height - self._header)

    def _goto(self, index: int) -> None:
        if not self._listed:
            return
        self._index = max(0, min(index, len(self._listed) - 1))
        key = self._listed[self._index].key
        moved = key != self._key
        self._key, self._left = key, None
        self._follow()
        self._draw()
        if moved:
            self.post_message(self.Moved(self, key))

    def _arrange(self) -> None:
        """Apply the filter and find the cursor's row again; when it is gone, the row that took its place, until it is
        listed again.
        """
        self._listed = tuple(row for row in self._rows if self._passes(row))
        before = self._key
        if self._tail and not self._index and not self.has_focus:
            self._key = self._listed[0].key if self._listed else None
        places = {row.key: index for index, row in enumerate(self._listed)}
        if self._left in places:
            self._key = self._left
        if self._left in places or not self.narrowed:
            self._left = None
        if self._key in places:
            self._index = places[self._key]
        else:
            if self.narrowed and self._left is None:
                self._left = self._key
            self._index = max(0, min(self._index, len(self._listed) - 1))
            self._key = self._listed[self._index].key if self._listed else None
        self._follow()
        self._draw()
        if self._key != before:
            self.post_message(self.Moved(self, self._key))

    def _passes(self, row: Row) -> bool:
        return (row.failing or not self.failing_only) and all(word in row.search for word in self.words.split())

    def _follow(self) -> None:
        page = self._page
        self._top = min(self._top, self._index)
        self._top = max(self._top, self._index - page + 1)
        self._top = max(0, min(self._top, len(self._listed) - page))

    def _widths(self, cells: int) -> list[int]:
        fixed = sum(column.width for column in self._columns) + len(GAP) * (len(self._columns) - 1)
        return [column.width or max(1, cells - fixed) for column in self._columns]

    def _draw(self) -> None:
        width, height = self.content_size
        if width and height:
            self.show(self._drawn(width, self._page))

    def _drawn(self, width: int, page: int) -> list[Line]:
        overflow = len(self._listed) > page and (self.has_focus or not self._tail)
        cells = width - 2 if overflow else width
        widths = self._widths(cells)
        lines: list[Line] = []
        if self._header:
            titles: list[Span] = [(column.title, "dim") for column in self._columns]
            lines.append(self._line(titles, widths, "plain", ""))
        for at, row in enumerate(self._listed[self._top : self._top + page]):
            mark = self._scroll_mark(at, page) if overflow else ""
            lines.append(self._line(row.cells, widths, self._ground(self._top + at), mark))
        if not self._listed:
            lines += [line((fit(text, cells), "dim")) for text in textwrap.wrap(self._why_none(), cells)[:page]]
        return lines

    def _why_none(self) -> str:
        """That nothing passes the filter is not that there is nothing."""
        if not self._rows:
            return self._empty
        hidden = f"{count(len(self._rows))} {'row is' if len(self._rows) == 1 else 'rows are'} hidden"
        return self._unmatched or f"nothing here is {self.narrowed}: {hidden}"

    def _ground(self, index: int) -> Ground:
        # A table that can not have the keys is moved in by whoever has them: its cursor is where they act.
        if index == self._index and (self.has_focus or not self.can_focus):
            return "cursor"
        if index == self._index and not self._tail:
            return "resting"
        return "stale" if self._stale else "plain"

    def _line(self, cells: Sequence[Span], widths: Sequence[int], ground: Ground, mark: str) -> Line:
        spans: list[Span] = []
        last = len(cells) - 1
        if last + 1 < len(widths):
            rest = widths[last:]
            widths = [*widths[:last], sum(rest) + len(GAP) * (len(rest) - 1)]
        for at, ((text, role), width, column) in enumerate(zip(cells, widths, self._columns, strict=False)):
            shown = fit_right(text, width) if column.align == "right" else fit(text, width)
            spans.append((shown if at == last else shown + GAP, role))
        if mark:
            spans.append((f" {mark}", "faint"))
        return Line(tuple(spans), ground)

    def _scroll_mark(self, at: int, page: int) -> str:
        total = len(self._listed)
        size = max(1, page * page // total)
        start = (page - size) * self._top // max(1, total - page)
        return self._glyphs.thumb if start <= at < start + size else self._glyphs.track
