"""Numbers and states as people read them at a glance: counts, durations, ages, bars, marks. One cell a mark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import msgspec


class Glyphs(msgspec.Struct, frozen=True):
    """The marks of every screen, each one cell wide; none is drawn as an emoji, whose width is not certain."""

    ascii: bool
    ok: str
    bad: str
    warn: str
    unknown: str
    none: str
    wait: str
    dot: str
    now: str
    todo: str
    times: str
    more: str
    track: str
    thumb: str


_UNICODE = Glyphs(
    ascii=False,
    ok="✓",
    bad="✗",
    warn="!",
    unknown="?",
    none="–",
    wait="◌",
    dot="●",
    now="▸",
    todo="○",
    times="×",
    more="…",
    track="│",
    thumb="█",
)
_ASCII = Glyphs(
    ascii=True,
    ok="+",
    bad="x",
    warn="!",
    unknown="?",
    none="-",
    wait=".",
    dot="*",
    now=">",
    todo="o",
    times="x",
    more="~",
    track="|",
    thumb="#",
)
_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-:=+*#"
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def glyphs(ascii: bool) -> Glyphs:  # noqa: A002 - the word of the command's option
    """The marks for a terminal that can show Unicode, or for one that can not."""
    return _ASCII if ascii else _UNICODE


def count(number: int) -> str:
    """A number in groups of three: `4 211`. A plain blank between them: --ascii knows no other."""
    return f"{number:,}".replace(",", " ")


def duration(seconds: float) -> str:
    """A time span in at most two units: `412 ms`, `1.2 s`, `15 s`, `3 min 4 s`, `2 h 5 min`; `?` when not a number."""
    if not math.isfinite(seconds):
        return "?"
    if seconds < 0:
        return f"-{duration(-seconds)}"
    milliseconds = round(seconds * 1000)
    if milliseconds < 1000:
        return f"{milliseconds} ms" if milliseconds or not seconds else "<1 ms"
    if milliseconds < 9_950:
        return f"{seconds:.1f}".removesuffix(".0") + " s"
    whole = round(seconds)
    for (unit, size), (smaller, part) in pairwise(_UNITS):
        if whole >= size:
            rest = whole % size // part
            return f"{count(whole // size)} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def age(seconds: float) -> str:
    """How long ago, in one unit: `4 s ago`, `2 min ago`; `just now` below a second or when clocks differ."""
    if not seconds >= 1:
        return "just now"
    if math.isinf(seconds):
        return "long ago"
    unit, size = next((unit, size) for unit, size in _UNITS if seconds >= size)
    return f"{count(int(seconds // size))} {unit} ago"


def spark(values: Sequence[float], width: int, ascii: bool = False) -> str:  # noqa: A002 - as above
    """One bar a value, oldest first, scaled to the largest; at most `width` cells.

    When there are more values than cells, neighbours share a bar that shows their largest: a peak is never lost. What
    is not zero is never drawn as zero.
    """
    if width <= 0 or not values:
        return ""
    size = min(width, len(values))
    edges = [index * len(values) // size for index in range(size + 1)]
    shown = [max(_finite(value) for value in values[a:b]) for a, b in pairwise(edges)]
    top, bars = max(shown), _ASCII_BARS if ascii else _BARS
    steps = len(bars) - 1
    return "".join(bars[max(1, round(value / top * steps)) if value > 0 else 0] for value in shown)


def _finite(value: float) -> float:
    return value if math.isfinite(value) and value > 0 else 0.0
