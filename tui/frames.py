"""What a frame sends: only the cells that differ from what the terminal shows.

Textual sends a changed line from its widget's left edge on, each piece with its whole style: a table in which every row
moves on by a line costs all its cells. Most of a row's cells are those of the row that was there before it; a copy of
the screen tells which (facts: terminal-costs 0.2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import COLOR_SYSTEMS, Console, RenderableType
from textual._compositor import ChopsUpdate, Compositor, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

Cell = tuple[str, str]
"""A character that is one cell wide, and its style as the terminal is told it."""

BRIDGE = 4
"""As many cells of one style that stay as they are, between two that do not, are sent again: to move over them takes
as many bytes.
"""

CODE = re.compile(r"(?P<fore>38;5;\d+|38;2;\d+;\d+;\d+|[39]\d)|(?P<back>48;5;\d+|48;2;\d+;\d+;\d+|4\d|10\d)|\d+")
"""One thing that a style says: its colour, its ground, or an attribute."""


class Frames:
    """The terminal's screen as the frames so far left it; None is a cell of which that is not known."""

    def __init__(self) -> None:
        self._rows: list[list[Cell | None]] = []

    def thrifty(self, frame: RenderableType | None) -> RenderableType | None:
        """A frame of Textual's as one that shows the same and sends less. What it renders has to be sent."""
        if isinstance(frame, LayoutUpdate):
            return _Whole(self, frame)
        return _Part(self, frame) if isinstance(frame, ChopsUpdate) else frame

    def begin(self, width: int, height: int) -> None:
        """The screen is of this size, in cells, and everything is painted now."""
        self._rows = [[None] * width for _ in range(height)]

    def put(self, x: int, y: int, strip: Strip, cells: Sequence[Cell] | None) -> None:
        """The strip is sent as it is; `cells` are its own. None where one of them is not one cell wide: on a terminal
        of another opinion all that stands to its right may have been moved.
        """
        if y < len(self._rows):
            row = self._rows[y]
            row[x:] = [None] * (len(row) - x) if cells is None else [*cells, *row[x + len(cells) :]][: len(row) - x]

    def differing(self, x: int, y: int, new: Sequence[Cell]) -> list[tuple[int, list[Cell]]] | None:
        """The columns and cells to send where `new` is to be shown from column `x` on; None where all have to be."""
        old = self._rows[y][x : x + len(new)] if y < len(self._rows) else []
        if len(old) < len(new) or None in old:
            return None
        self._rows[y][x : x + len(new)] = new
        runs: list[tuple[int, list[Cell]]] = []
        end = 0
        for at, (before, now) in enumerate(zip(old, new, strict=True)):
            if before == now:
                continue
            if runs and at - end <= BRIDGE and all(look == runs[-1][1][-1][1] for _, look in new[end:at]):
                runs[-1][1].extend(new[end : at + 1])
            else:
                runs.append((x + at, [now]))
            end = at + 1
        return runs


def cells_of(strip: Strip, console: Console) -> list[Cell] | None:
    """The cells of a strip. None where a character is not one cell wide, or more than a character is sent for it: how
    wide the others are is a matter of opinion between terminals, and the whole strip is sent as Textual would.
    """
    system = COLOR_SYSTEMS[console.color_system] if console.color_system else ColorSystem.TRUECOLOR
    cells: list[Cell] = []
    for text, style, control in strip:
        if control or (style and style.link):
            return None
        if not text.isascii() and any(one > "\uffff" or cell_len(one) != 1 for one in text):
            return None
        look = Strip.render_ansi(style, system) if style else ""
        cells += [(one, look) for one in text]
    return cells


@lru_cache(maxsize=4096)
def turn(old: str, new: str) -> str:
    """What makes a terminal that writes in style `old` write in `new`; "" is no style at all."""
    before, after = parts(old), parts(new)
    if not before.keys() <= after.keys():
        return f"\x1b[0;{new}m" if new else "\x1b[0m"
    return f"\x1b[{';'.join(code for what, code in after.items() if before.get(what) != code)}m"


def parts(look: str) -> dict[str, str]:
    """The codes of a style by what they are for; of an attribute, that is itself."""
    return {found.lastgroup or found[0]: found[0] for found in CODE.finditer(look)}


class Composer(Compositor):
    """Textual's, which for one changed line of one widget asks every widget of the screen for all its lines, also those
    it lies upon: eight widgets for a second of the clock, half of what the second costs the processor (measured).
    """

    def _get_renders(self, crop: Region | None = None) -> Iterator[tuple[Region, Region, list[Strip]]]:
        """Of the widgets that show in `crop`, front to back: their regions, what clips them, and their lines."""
        for widget, (region, clip) in self.visible_widgets.items():
            shown = region.intersection(clip)
            if shown and (crop is None or crop.overlaps(shown)):
                yield region, clip, widget.render_lines(shown.translate(-region.offset))
                if crop is not None and shown.contains_region(crop):
                    # Nothing of what lies behind it shows.
                    return


class _Whole(LayoutUpdate):
    """A frame of everything."""

    def __init__(self, frames: Frames, frame: LayoutUpdate) -> None:
        super().__init__(frame.strips, frame.region)
        self._frames = frames

    def render_segments(self, console: Console) -> str:
        """As Textual's; from here on it is known what the screen shows."""
        self._frames.begin(self.region.right, self.region.bottom)
        for y, line in enumerate(self.strips, self.region.y):
            x = self.region.x
            for strip in line:
                self._frames.put(x, y, strip, cells_of(strip, console))
                x += strip.cell_length
        return super().render_segments(console)


class _Part(ChopsUpdate):
    """A frame of some spans of some lines."""

    def __init__(self, frames: Frames, frame: ChopsUpdate) -> None:
        super().__init__(frame.chops, frame.spans, frame.chop_ends)
        self._frames = frames

    def render_segments(self, console: Console) -> str:
        """The cells that differ, each style once for as long as it lasts."""
        sent: list[str] = []
        style = ""
        for x, y, strip in self._strips():
            cells = cells_of(strip, console)
            runs = None if cells is None else self._frames.differing(x, y, cells)
            if runs is None:
                self._frames.put(x, y, strip, cells)
                sent.append(f"\x1b[0m\x1b[{y + 1};{x + 1}H{strip.render(console)}")
                style = ""
                continue
            at = -1
            for column, run in runs:
                sent.append(f"\x1b[{y + 1};{column + 1}H" if at < 0 else f"\x1b[{column - at}C")
                for character, look in run:
                    if look != style:
                        sent.append(turn(style, look))
                        style = look
                    sent.append(character)
                at = column + len(run)
        return "".join([*sent, "\x1b[0m"] if style else sent)

    def _strips(self) -> Iterator[tuple[int, int, Strip]]:
        """The pieces of lines that the spans touch, from the left edges of their widgets: column, line, strip."""
        for y, first, last in self.spans:
            for end, (x, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                if strip is not None and x <= last and end > first:
                    yield x, y, strip.crop(0, min(end, last) - x) if end > last else strip
