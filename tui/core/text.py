"""The one way for outside text to reach a screen, a log or a file: cleaned, cut to size, without secrets.

Text from a database can hold escape sequences that write to the clipboard, move the cursor over a word such as
"verified", or turn the reading direction round; Textual and Rich pass all of them on (facts: textual 4.2). Here each
becomes visible. Numbers and marks (`tui.core.figures`) and secrets (`tui.core.redaction`) are offered here as well.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable
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
_HARMFUL = re.compile(f"{_PRESENTATION}|[\0-\x1f{_INVISIBLE}]")
_HARMFUL_BUT_NEWLINE = re.compile(f"{_PRESENTATION}|[\0-\x09\x0b-\x1f{_INVISIBLE}]")
_MAY_BE_MARK = re.compile("[\u0300-\U0010ffff]")
_BLANKS = re.compile("[ \t\r\n]+")
# Those of width 0 that no character around them gets its width from, as rich.cells measures them.
_WIDTHLESS = re.compile(
    "[\0-\x1f\x7f-\x9f\u061c\u180e\u200b\u200c\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_WIDE_OR_UNSURE = re.compile("[\u200d\ufe0e\ufe0f]")


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
    return _cut(text, limit, _clean_lines if newlines else _clean, lambda more: f"… ({more} more)")


def one_line(text: str, limit: int) -> str:
    """`text` cleaned as by `visible` on one line of at most `limit` characters: runs of blanks are one, a run with a
    line break is ` ⏎ `, and what is cut ends in `…`.
    """
    if len(text) <= limit and text.isascii() and text.isprintable() and "  " not in text:
        return text.strip(" ")
    text = _BLANKS.sub(lambda run: " ⏎ " if "\n" in run[0] or "\r" in run[0] else " ", text.strip(" \t\r\n"))
    return _cut(text, limit, _clean, lambda _: "…")


def strip_controls(text: str) -> str:
    """`text` without characters that have no width but an effect on a terminal: the last filter before it is drawn.

    Width-neutral by rich.cells, as the layout is done by then. Half a surrogate pair, which no terminal can be sent,
    becomes `?`, and a soft hyphen `-`: both measure one cell.
    """
    if text.isascii() and text.isprintable():
        return text
    return re.sub("[\ud800-\udfff]", "?", _WIDTHLESS.sub("", text)).replace("\xad", "-")


def fit(text: str, cells: int) -> str:
    """`text` on exactly `cells` terminal cells, as rich.cells measures them: cut with `…`, or filled up with blanks."""
    return _sized(text, cells, str.ljust)


def fit_right(text: str, cells: int) -> str:
    """As `fit`, but set to the right."""
    return _sized(text, cells, str.rjust)


def _clean(text: str) -> str:
    return _tame_marks(_HARMFUL.sub(_escape, text))


def _clean_lines(text: str) -> str:
    return _tame_marks(_HARMFUL_BUT_NEWLINE.sub(_escape, text))


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


def _tame_marks(text: str) -> str:
    """Combining marks only on a character of their own line, and no more of them than a script needs."""
    if text.isascii() or not _MAY_BE_MARK.search(text):
        return text
    kept: list[str] = []
    run, bare = 0, True
    for character in text:
        if character < "\u0300" or category(character) not in ("Mn", "Me"):
            run, bare = 0, character == "\n"
            kept.append(character)
            continue
        run += 1
        if bare:
            # Without a character before it, it would land on whatever the screen shows to the left.
            kept.append("◌")
            bare = False
        if run <= MARKS_LIMIT:
            kept.append(character)
        elif run == MARKS_LIMIT + 1:
            kept.append("…")
    return "".join(kept)


def _cut(text: str, limit: int, clean: Callable[[str], str], ending: Callable[[int], str]) -> str:
    """`text` cleaned, or as much of its beginning as fits into `limit` together with what says how much is missing."""
    head = text[: max(0, limit)]
    whole = clean(head)
    if len(head) == len(text) and len(whole) <= limit:
        return whole
    room = limit - len(ending(len(text)))
    if room < 0:
        return "…"[: max(0, limit)]
    # Cleaning never shortens a longer beginning, so the longest one that fits can be searched for; an escape stays
    # whole, since it is the input that is cut.
    size = bisect_right(range(len(head) + 1), room, key=lambda length: len(clean(head[:length]))) - 1
    return clean(head[:size]) + ending(len(text) - size)


def _sized(text: str, cells: int, fill: Callable[[str, int], str]) -> str:
    if cells <= 0:
        return ""
    if text.isascii() and text.isprintable():
        return fill(text, cells) if len(text) <= cells else text[: cells - 1] + "…"
    size = cell_len(text)
    if size <= cells:
        blanks = " " * (cells - size)
        return text + blanks if fill is str.ljust else blanks + text
    shown = set_cell_size(text, cells - 1) + "…"
    # Text that was not cleaned can hold joiners, which swallow what is put after them.
    return shown if cell_len(shown) == cells else _sized(_WIDE_OR_UNSURE.sub("", text), cells, fill)
