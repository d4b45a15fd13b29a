"""Markdown that says what a text says: what a database or a file holds must not become markup, a link or a column."""

from __future__ import annotations

import re
from collections.abc import Iterable

from tui.core.text import one_line, redact, visible

LIMIT = 1000
"""Characters of one cell or code span; a report is read by people."""
BLOCK_LIMIT = 20_000

_CODE = re.compile(r"`([^`]+)`")
_SPECIAL = re.compile(r"[\\`*\[\]<>|#~]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
"""Between letters `_` begins no emphasis (CommonMark 6.2), and half of all names have one there."""


def cell(text: str) -> str:
    """Outside text for a sentence or a table's cell: one line, no secrets, every special character escaped. What it has
    between backticks stays code, in which nothing is markup.
    """
    parts = _CODE.split(redact(one_line(text, LIMIT)))
    return "".join(_span(part) if at % 2 else _SPECIAL.sub(r"\\\g<0>", part) for at, part in enumerate(parts))


def code(text: str) -> str:
    """Outside text as a code span. A backtick would end it, and a bar ends a table's cell even inside one."""
    return _span(redact(one_line(text, LIMIT)).replace("`", "'"))


def codes(names: Iterable[str]) -> str:
    """Names from outside as code spans, with commas between them."""
    return ", ".join(code(name) for name in names)


def _span(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


def block(text: str, language: str = "sql") -> list[str]:
    """Outside text as the lines of a fenced block; the fence is longer than any run of backticks inside."""
    body = redact(visible(text, limit=BLOCK_LIMIT, newlines=True)).rstrip("\n")
    fence = "```"
    while fence in body:
        fence += "`"
    return [fence + language, *body.split("\n"), fence]
