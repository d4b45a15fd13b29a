"""Lines of styled text that send only the cells that changed: what every live part of the screen is drawn with.

Textual's stock widgets repaint themselves wholly when one cell changes: 11,760 B for one cell of a DataTable (facts:
terminal-costs 9). Here a widget is given its lines as plain values; equal lines cost nothing, a changed one costs its
changed columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec
from rich.cells import cell_len, chop_cells
from rich.segment import Segment
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.core.text import fit
from tui.theme import Ground, Role, grounds, styles

Span = tuple[str, Role]
Spans = tuple[Span, ...]
Groups = tuple[Spans, ...]
"""Spans that are shown whole or not at all, the most important first."""

_WORDS = re.compile(r"\s+|\S+")


class Line(msgspec.Struct, frozen=True):
    """One line of the screen: texts with their meaning, and the ground they lie on."""

    spans: Spans = ()
    ground: Ground = "plain"


def line(*spans: Span, ground: Ground = "plain") -> Line:
    """A line of the spans given, without empty ones."""
    return Line(tuple(span for span in spans if span[0]), ground)


def width_of(spans: Iterable[Span]) -> int:
    """Terminal cells that the spans take."""
    return sum(cell_len(text) for text, _ in spans)


def clip(spans: Sequence[Span], cells: int) -> Spans:
    """The spans cut to at most `cells` cells; what is cut ends in an ellipsis."""
    kept: list[Span] = []
    left = cells
    for text, role in spans:
        size = cell_len(text)
        if size > left:
            if left > 0:
                kept.append((fit(text, left), role))
            break
        kept.append((text, role))
        left -= size
    return tuple(kept)


def justify(left: Sequence[Span], right: Sequence[Span], cells: int) -> Spans:
    """`left` and `right` at the two ends of `cells` cells. `right` stays whole, `left` is cut when both do not fit."""
    tail = clip(right, cells)
    head = clip(left, max(0, cells - width_of(tail) - 1))
    gap = cells - width_of(head) - width_of(tail)
    return (*head, (" " * gap, "text"), *tail) if gap > 0 else (*head, *tail)


def keep_whole(groups: Sequence[Sequence[Span]], cells: int, gap: int = 3) -> Spans:
    """As many whole groups as fit into `cells`, in order, `gap` blanks between them: nothing is cut in a word."""
    kept: list[Span] = []
    used = 0
    for group in groups:
        size = width_of(group)
        if not size:
            continue
        if used and used + gap + size > cells:
            break
        if used:
            kept.append((" " * gap, "text"))
            used += gap
        kept += group
        used += size
    return clip(kept, cells)


def wrap(spans: Sequence[Span], cells: int) -> list[Spans]:
    """The spans as lines of at most `cells` cells, broken at blanks where possible; a newline in a text breaks, too."""
    lines: list[list[Span]] = [[]]
    used = 0
    for text, role in spans:
        for number, part in enumerate(text.split("\n")):
            if number:
                lines.append([])
                used = 0
            for word in _WORDS.findall(part):
                size = cell_len(word)
                if used + size > cells and used:
                    lines.append([])
                    used = 0
                    if word.isspace():
                        continue
                for piece in chop_cells(word, cells) if size > cells else (word,):
                    if used + cell_len(piece) > cells:
                        lines.append([])
                        used = 0
                    lines[-1].append((piece, role))
                    used += cell_len(piece)
    return [_joined(one) for one in lines]


def _joined(spans: Sequence[Span]) -> Spans:
    joined: list[Span] = []
    for text, role in spans:
        if joined and joined[-1][1] == role:
            joined[-1] = (joined[-1][0] + text, role)
        else:
            joined.append((text, role))
    return tuple(joined)


def changed_until(old: Line, new: Line, cells: int) -> int:
    """The column up to which `new` has to be sent again on a widget of `cells` cells, 0 when it is as `old`.

    Only the end matters: Textual sends a changed line from the widget's left edge (facts: terminal-costs 9), so that
    what changes most belongs to the left and what rests to the right.
    """
    if old == new:
        return 0
    if old.ground != new.ground:
        return cells
    before = set(_placed(old, cells))
    changed = [start + cell_len(text) for start, text, role in _placed(new, cells) if (start, text, role) not in before]
    return min(cells, max(changed, default=0))


def _placed(shown: Line, cells: int) -> list[tuple[int, str, Role]]:
    places: list[tuple[int, str, Role]] = []
    at = 0
    for text, role in shown.spans:
        if at >= cells:
            break
        places.append((at, text, role))
        at += cell_len(text)
    if at < cells:
        places.append((at, " " * (cells - at), "text"))
    return places


class Lines(Widget):
    """A widget that shows lines from its top; what has no line is blank."""

    DEFAULT_CSS = "Lines { height: 1fr; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes, markup=False)
        self._shown: tuple[Line, ...] = ()

    @property
    def shown(self) -> tuple[Line, ...]:
        """The lines as last given."""
        return self._shown

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines instead; only columns that differ are sent to the terminal."""
        old, new = self._shown, tuple(lines)
        self._shown = new
        width, height = self.content_size
        if old == new or not width:
            return
        blank = Line()
        regions = [
            Region(0, y, until, 1)
            for y in range(min(height, max(len(old), len(new))))
            if (until := changed_until(old[y] if y < len(old) else blank, new[y] if y < len(new) else blank, width))
        ]
        if regions:
            self.refresh(*regions)

    def render_line(self, y: int) -> Strip:
        """The strip of one line (Textual's line API)."""
        width = self.content_size.width
        base = self.rich_style
        if y >= len(self._shown):
            return Strip.blank(width, base)
        shown = self._shown[y]
        app = self.app
        roles = styles(app.theme)
        ground = grounds(app.theme, app.no_color)[shown.ground]
        segments = [Segment(text, base + roles[role] + ground) for text, role in shown.spans]
        return Strip(segments).adjust_cell_length(width, base + ground).simplify()
