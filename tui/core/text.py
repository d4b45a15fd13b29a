"""The one way for outside text to reach a screen, a log or a file: cleaned, cut to size, without secrets.

Text from a database can hold escape sequences that write to the clipboard, move the cursor over a word such as
"verified", or turn the reading direction round; Textual and Rich pass all of them on (facts: textual 4.2). Here each
becomes visible. Numbers and marks (`tui.core.figures`) and secrets (`tui.core.redaction`) are offered here as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from unicodedata import category

from rich.cells import cell_len, set_cell_size

from tui.core.figures import Glyphs, age, count, duration, glyphs, spark
from tui.core.redaction import redact

__all__ = [
    "Glyphs",
    "age",
    "count",
    "duration",
    "fit",
    "fit_right",
    "glyphs",
    "one_line",
    "redact",
    "spark",
    "strip_controls",
    "visible",
]

TAB = "    "
"""What a tab becomes: where it would stop depends on a column that is not known here."""

MARKS_LIMIT = 4
"""Combining marks kept on one character. Vietnamese needs two, Hebrew four; more climb over the lines around them."""

# Zero-width joiners are escaped, too: two names that differ by one must not look alike, and terminals disagree on how
# wide what they join is (facts: textual 4.3). Hence an emoji family reads as its members.
_INVISIBLE = (
    "\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ue000-\uf8ff\ufdd0-\ufdef\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U00013430-\U0001343f"
    "\U0001bca0-\U0001bcaf\U0001d173-\U0001d17a\U000e0000-\U000e0fff\U000f0000-\U0010ffff"
)
# The selector that asks for the coloured form of a symbol says nothing and makes its width uncertain: left out.
_PRESENTATION = "(?<=[\xa9\xae\u203c-\u3299\U0001f000-\U0001faff])(?P<presentation>[\ufe0e\ufe0f])"
# Said by what it is not: of a range as long as the other half `re` makes a table at every start.
_MAY_BE_MARK = re.compile("[^\0-\u02ff]")
_BLANKS = re.compile("[ \t\r\n]+")
# Those of width 0 that no character around them gets its width from, as rich.cells measures them.
_WIDTHLESS = (
    "[\0-\x1f\x7f-\x9f\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_JOINERS = re.compile("[\u200d\ufe0e\ufe0f]")


def visible(text: str, *, limit: int = 4096, newlines: bool = False) -> str:
    r"""`text` with everything that a terminal would obey, hide or misplace made visible, at most `limit` characters.

    Control, bidirectional, zero-width, private and other invisible characters become `\x1b`, `\u202e`, `\U000e0041`; a
    newline stays with `newlines` and is `\n` without; a tab is four blanks; a run of combining marks ends in `…`. What
    is cut ends in `… (N more)`, N in characters of `text`. A backslash is not doubled, so cleaning twice changes
    nothing, and `\x1b` in the result may have been those four characters before. Never raises.
    """
    if len(text) <= limit and text.isascii() and text.isprintable():
        return text
    if newlines and "\r" in text:
        text = text.replace("\r\n", "\n")
    return _clean(text, limit, _harmful(newlines=newlines), lambda more: f"… ({more} more)")


def one_line(text: str, limit: int) -> str:
    """`text` cleaned as by `visible` on one line of at most `limit` characters: runs of blanks are one, a run with a
    line break is ` ⏎ `, and what is cut ends in `…`.
    """
    if len(text) <= limit and text.isascii() and text.isprintable() and "  " not in text:
        return text.strip(" ")
    text = _BLANKS.sub(lambda run: " ⏎ " if "\n" in run[0] or "\r" in run[0] else " ", text.strip(" \t\r\n"))
    return _clean(text, limit, _harmful(newlines=False), lambda _: "…")


def strip_controls(text: str) -> str:
    """`text` without characters that have no width but an effect on a terminal: the last filter before it is drawn.

    Width-neutral by rich.cells, as the layout is done by then. Half a surrogate pair, which no terminal can be sent,
    becomes `?`, and a soft hyphen `-`: both measure one cell.
    """
    if text.isascii() and text.isprintable():
        return text
    return re.sub("[\ud800-\udfff]", "?", re.sub(_WIDTHLESS, "", text)).replace("\xad", "-")


def fit(text: str, cells: int) -> str:
    """`text` on exactly `cells` terminal cells, as rich.cells measures them: cut with `…`, or filled up with blanks."""
    return _sized(text, cells, str.ljust)


def fit_right(text: str, cells: int) -> str:
    """As `fit`, but set to the right."""
    return _sized(text, cells, str.rjust)


Edit = tuple[int, str]
"""The index of one character, and what takes its place."""


@cache
def _harmful(*, newlines: bool) -> re.Pattern[str]:
    """What is made visible, newlines only without `newlines`. Most commands end without having met any of it."""
    low = "\0-\x09\x0b-\x1f" if newlines else "\0-\x1f"
    return re.compile(f"{_PRESENTATION}|[{low}{_INVISIBLE}]")


def _clean(text: str, limit: int, harmful: re.Pattern[str], ending: Callable[[int], str]) -> str:
    """As much of `text`, cleaned, as fits into `limit`, with `ending` of how many characters are missing."""
    # The limit is that of the result, ending included: only so is what was cut once not cut again.
    head = text[: max(0, limit)]
    edits = _edits(head, harmful)
    shown, size = _apply(head, edits, limit)
    if size == len(text):
        return shown
    room = limit - len(ending(len(text)))
    if room < 0:
        return "…"[: max(0, limit)]
    shown, size = _apply(head, edits, room)
    return shown + ending(len(text) - size)


def _apply(text: str, edits: Sequence[Edit], room: int) -> tuple[str, int]:
    """The edited text, cut before `room` is exceeded and never inside an edit; and how much of `text` it shows."""
    kept: list[str] = []
    at = 0
    for place, new in edits:
        if place - at > room:
            break
        kept.append(text[at:place])
        room -= place - at
        at = place
        if len(new) > room:
            return "".join(kept), at
        kept.append(new)
        room -= len(new)
        at = place + 1
    end = max(at, min(len(text), at + room))
    return "".join((*kept, text[at:end])), end


def _edits(text: str, harmful: re.Pattern[str]) -> Sequence[Edit]:
    edits = [(found.start(), _escape(found)) for found in harmful.finditer(text)]
    if text.isascii() or not _MAY_BE_MARK.search(text):
        return edits
    return sorted((*edits, *_mark_edits(text, dict(edits))))


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character == "\t":
        return TAB
    if character in "\n\r":
        return "\\n" if character == "\n" else "\\r"
    if found.lastgroup == "presentation":
        return ""
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def _mark_edits(text: str, edits: Mapping[int, str]) -> Iterator[Edit]:
    """Combining marks only on a character of their own line, and no more of them than a script needs."""
    run, bare = 0, True
    for index, character in enumerate(text):
        if index in edits or character < "\u0300" or category(character) not in ("Mn", "Me"):
            if edits.get(index) != "":
                run, bare = 0, character == "\n" and index not in edits
            continue
        run += 1
        if run > MARKS_LIMIT:
            yield index, "…" if run == MARKS_LIMIT + 1 else ""
        elif bare:
            # Without a character before it, it would land on whatever the screen shows to the left.
            yield index, f"◌{character}"
            bare = False


def _sized(text: str, cells: int, fill: Callable[[str, int], str]) -> str:
    if cells <= 0:
        return ""
    if text.isascii() and text.isprintable():
        return fill(text, cells) if len(text) <= cells else text[: cells - 1] + "…"
    blanks = " " * (cells - cell_len(text))
    if cell_len(text) > cells:
        shown = set_cell_size(text, cells - 1) + "…"
    else:
        shown = text + blanks if fill is str.ljust else blanks + text
    # Text that was not cleaned can hold joiners, which swallow what is put after them.
    return shown if cell_len(shown) == cells else _sized(_JOINERS.sub("", text), cells, fill)
