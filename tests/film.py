"""A walk through screens as one picture that moves: an SVG whose frames are shown in turn by CSS, and by nothing else.

A browser shows it inside of <img>; what knows no animation, or was asked for less motion, shows the first frame. A line
that several frames share is written once: twenty frames of 80x24 are about 100 kB.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style

CELL, LINE, SIZE = 8.4, 18, 13.95
"""A cell's width, a line's height, the font's size; a monospaced font is about 0.602 of its size wide."""
EDGE = 12
CAPTION = 34
"""Height of the strip below the screen that says which key was pressed."""
GROUND, TEXT, DIM, KEY = "#11131a", "#c8d0e8", "#5d6785", "#7aa2f7"

Row = tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """What the screen showed, row by row, for how many seconds it is shown, and the key that led here, in words."""

    rows: tuple[Row, ...]
    seconds: float
    key: str = ""
    said: str = ""


@dataclass(frozen=True, slots=True)
class _Run:
    """Cells that look the same."""

    at: int
    text: str
    style: Style

    @property
    def width(self) -> float:
        return round(cell_len(self.text) * CELL, 2)


def film(frames: Sequence[Frame], title: str) -> str:
    """The SVG."""
    columns = max(sum(cell_len(one.text) for one in row) for frame in frames for row in frame.rows)
    width = round(columns * CELL) + 2 * EDGE
    height = len(frames[0].rows) * LINE + 2 * EDGE + CAPTION
    looks: dict[str, str] = {}
    rows: dict[str, str] = {}
    shown = [_frame(frame, number, rows, looks, width, height) for number, frame in enumerate(frames)]
    styles = "".join(f".{name}{{{look}}}" for look, name in looks.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img">\n'
        f"<title>{html.escape(title)}</title>\n"
        f"<style>text{{font:{SIZE}px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:{TEXT};"
        f"white-space:pre}}{styles}\n{_timing(frames)}</style>\n"
        f'<rect width="{width}" height="{height}" rx="8" fill="{GROUND}"/>\n'
        f"<defs>{''.join(rows.values())}</defs>\n" + "".join(shown) + "</svg>\n"
    )


def _timing(frames: Sequence[Frame]) -> str:
    """Each frame is there in its part of the whole; without animation only the first is."""
    whole = sum(frame.seconds for frame in frames)
    rules = [f".f{{visibility:hidden;animation:{whole:g}s step-end infinite}}#f0{{visibility:visible}}"]
    at = 0.0
    for number, frame in enumerate(frames):
        begin, at = 100 * at / whole, at + frame.seconds
        before = "" if number == 0 else "0%{visibility:hidden}"
        end = "" if number == len(frames) - 1 else f"{100 * at / whole:.2f}%{{visibility:hidden}}"
        rules.append(f"@keyframes k{number}{{{before}{begin:.2f}%{{visibility:visible}}{end}}}")
        rules.append(f"#f{number}{{animation-name:k{number}}}")
    return "".join((*rules, "@media(prefers-reduced-motion:reduce){.f{animation:none}}"))


def _frame(frame: Frame, number: int, rows: dict[str, str], looks: dict[str, str], width: int, height: int) -> str:
    parts = []
    for at, row in enumerate(frame.rows):
        drawn = "".join(_row(row, looks))
        if drawn:
            name = f"r{list(rows).index(drawn) if drawn in rows else len(rows)}"
            rows.setdefault(drawn, f'<g id="{name}">{drawn}</g>')
            parts.append(f'<use href="#{name}" x="{EDGE}" y="{EDGE + at * LINE}"/>')
    base = height - EDGE
    caption = (
        f'<path d="M{EDGE} {height - CAPTION}H{width - EDGE}" stroke="{DIM}" stroke-opacity=".4"/>'
        f'<text x="{EDGE}" y="{base}"><tspan style="fill:{KEY};font-weight:bold">{html.escape(frame.key)}</tspan>'
        f'<tspan dx="10">{html.escape(frame.said)}</tspan></text>'
    )
    return f'<g class="f" id="f{number}">{"".join(parts)}{caption}</g>\n'


def _row(row: Row, looks: dict[str, str]) -> Iterator[str]:
    """The grounds of a row, then its texts, each at its cell: many viewers trim blanks and know other widths."""
    runs = list(_runs(row))
    for run in runs:
        ground = _colour(run.style, ground=True)
        if ground and ground != GROUND:
            yield f'<rect x="{run.at * CELL:g}" width="{run.width:g}" height="{LINE}" class="{_look(looks, ground)}"/>'
    for run in runs:
        look = _look(looks, _colour(run.style, ground=False) or TEXT, bold=bool(run.style.bold))
        for part in re.finditer(r"\S+(?: \S+)*", run.text):
            at = run.at + cell_len(run.text[: part.start()])
            yield (
                f'<text x="{at * CELL:g}" y="13" textLength="{cell_len(part[0]) * CELL:g}" '
                f'class="{look}">{html.escape(part[0], quote=False)}</text>'
            )


def _runs(row: Row) -> Iterator[_Run]:
    at = 0
    for text, style, _ in row:
        yield _Run(at, text, style or Style.null())
        at += cell_len(text)


def _colour(style: Style, *, ground: bool) -> str:
    """The colour as it is drawn, "" where it is the terminal's own."""
    colour = style.bgcolor if ground != bool(style.reverse) else style.color
    return colour.triplet.hex if colour is not None and colour.triplet is not None else ""


def _look(looks: dict[str, str], colour: str, *, bold: bool = False) -> str:
    """The class of a colour."""
    return looks.setdefault(f"fill:{colour}{';font-weight:bold' if bold else ''}", f"c{len(looks)}")
