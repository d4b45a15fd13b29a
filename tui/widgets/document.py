"""A report's Markdown as lines to be read: its own words, without the signs that only a Markdown viewer needs.

It understands what `tui.core.report_markdown` writes and nothing more: headings, tables, lists, code, escaped signs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from tui.core.text import fit, visible
from tui.theme import Role
from tui.widgets.lines import Line, Span, Spans, line, wrap

LABEL = 16
WHOLE = 10_000_000
"""Characters that are shown: a report's texts were cut to size where it was made."""

_INLINE = re.compile(r"`([^`]*)`|\*\*((?:\\.|[^*\\])+)\*\*|\\(.)|([^`*\\]+|.)", re.DOTALL)
_CELLS = re.compile(r"(?<!\\)\|")
_RULE = re.compile(r"\|(?:\s*:?-+:?\s*\|)+")
_ITEM = re.compile(r"( *)- ")


def document_lines(markdown: str, cells: int) -> list[Line]:
    """The report as lines of at most `cells` cells, cleaned once more."""
    text = visible(markdown, limit=WHOLE, newlines=True)
    lines: list[Line] = []
    for kind, part in _blocks(text.split("\n")):
        if kind == "table":
            lines += _table(part, cells)
        elif kind == "code":
            lines += [one for row in part for one in _wrapped(((row, "live"),), cells, indent="  ")]
        else:
            lines += [one for row in part for one in _text(row, cells)]
    return lines


def _blocks(rows: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Rows by what they are: a table, code (without its fence), or text."""
    fence = ""

    def kind(row: str) -> str:
        nonlocal fence
        if fence:
            if row == fence:
                fence = ""
                return "fence"
            return "code"
        if row.startswith("```"):
            fence = row[: len(row) - len(row.lstrip("`"))]
            return "fence"
        if row.startswith("    ") and not _ITEM.match(row):
            return "code"
        return "table" if row.startswith("|") else "text"

    for name, part in groupby(rows, kind):
        if name != "fence":
            yield name, [row.removeprefix("    ") if name == "code" else row for row in part]


def _text(row: str, cells: int) -> list[Line]:
    if row.startswith("#"):
        words = "".join(text for text, _ in _inline(row.lstrip("#").strip()))
        return _wrapped(((words, "live!" if row.startswith("# ") else "strong"),), cells)
    item = _ITEM.match(row)
    if item:
        return _wrapped(_inline(row[item.end() :]), cells, first=f"{item[1]}- ", indent=f"{item[1]}  ")
    return _wrapped(_inline(row), cells)


def _table(rows: Sequence[str], cells: int) -> list[Line]:
    """A table of two columns as one field a line; a wider one as a heading with fields below it, row by row."""
    parsed = [[_inline(cell.strip()) for cell in _CELLS.split(row)[1:-1]] for row in rows if not _RULE.fullmatch(row)]
    if not parsed:
        return []
    titles, *body = parsed
    if len(titles) == 2:
        return [one for name, value in body for one in _field(name, value, cells)]
    lines: list[Line] = []
    for head, *rest in body:
        lines += _wrapped(tuple((text, "strong") for text, _ in head), cells)
        for title, value in zip(titles[1:], rest, strict=False):
            if value:
                lines += _field(title, value, cells, indent=2)
    return lines


def _field(name: Spans, value: Spans, cells: int, *, indent: int = 0) -> list[Line]:
    label = " " * indent + "".join(text for text, _ in name)
    return _wrapped(value, cells, first=fit(label, LABEL), indent=" " * LABEL)


def _wrapped(spans: Spans, cells: int, *, first: str = "", indent: str = "") -> list[Line]:
    """The spans wrapped, the first line after `first`, the others after `indent`."""
    parts = wrap(spans, max(8, cells - len(indent or first))) or [()]
    start = first or indent
    return [line((indent if number else start, "dim"), *part) for number, part in enumerate(parts)]


def _inline(text: str) -> Spans:
    spans: list[Span] = []
    for code, strong, escaped, plain in _INLINE.findall(text):
        role: Role = "live" if code else "strong" if strong else "text"
        shown = code.replace("\\|", "|") or "".join(one for one, _ in _inline(strong)) or escaped or plain
        if spans and spans[-1][1] == role:
            spans[-1] = (spans[-1][0] + shown, role)
        else:
            spans.append((shown, role))
    return tuple(span for span in spans if span[0])
