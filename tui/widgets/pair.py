"""Two texts with the words marked in which they differ: beside each other where there is room, else below."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import zip_longest

from tui.core.text import fit, redact, visible
from tui.widgets.lines import Line, Span, Spans, line, width_of, wrap

WHOLE = 100_000
"""Characters of a text that are shown; what is cut says how much."""
COMPARED = 8_000
"""Characters of a text up to which words are compared: that takes time with the square of their number."""

_TOKENS = re.compile(r"\w+|\s+|[^\w\s]")


def paired(
    titles: tuple[str, str], texts: tuple[str, str], cells: int, *, beside: bool, nothing: str = "nothing"
) -> list[Line]:
    """Both texts below their titles, cleaned and without secrets, in lines of at most `cells` cells; an empty one says
    `nothing`.
    """
    one, other = differences(*(redact(visible(text, limit=WHOLE, newlines=True)) for text in texts))
    left, right = one or ((nothing, "dim"),), other or ((nothing, "dim"),)
    if not beside:
        above = [line((titles[0], "dim")), *(Line(part) for part in wrap(left, cells)), Line()]
        return [*above, line((titles[1], "dim")), *(Line(part) for part in wrap(right, cells))]
    half = (cells - 3) // 2
    lines = [line((fit(titles[0], half + 3), "dim"), (titles[1], "dim"))]
    for first, second in zip_longest(wrap(left, half), wrap(right, half), fillvalue=()):
        lines.append(Line((*first, (" " * (half + 3 - width_of(first)), "text"), *second)))
    return lines


def differences(one: str, other: str) -> tuple[Spans, Spans]:
    """Both texts with the words that differ marked, unless they are too long for that."""
    if not one or not other or max(len(one), len(other)) > COMPARED:
        return (((one, "text"),) if one else (), ((other, "text"),) if other else ())
    left, right = _TOKENS.findall(one), _TOKENS.findall(other)
    mine: list[Span] = []
    theirs: list[Span] = []
    for tag, a0, a1, b0, b1 in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            mine.append(("".join(left[a0:a1]), "text"))
            theirs.append(("".join(right[b0:b1]), "text"))
            continue
        mine += _changed(left[a0:a1])
        theirs += _changed(right[b0:b1])
    return tuple(mine), tuple(theirs)


def _changed(tokens: Sequence[str]) -> list[Span]:
    return [("".join(tokens), "changed")] if tokens else []
