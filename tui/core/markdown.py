"""Markdown that says what a text says: what a database or a file holds must not become markup, a link or a column."""

from __future__ import annotations

from tui.core.text import one_line, redact, visible

LIMIT = 1000
"""Characters of one cell or code span; a report is read by people."""
BLOCK_LIMIT = 20_000

_SPECIAL = "\\`*_[]<>|#~"


def cell(text: str) -> str:
    """Outside text for a sentence or a table's cell: one line, no secrets, every special character escaped."""
    escaped = redact(one_line(text, LIMIT))
    for character in _SPECIAL:
        escaped = escaped.replace(character, "\\" + character)
    return escaped


def code(text: str) -> str:
    """Outside text as a code span. A backtick would end it, and a bar ends a table's cell even inside one."""
    return "`" + redact(one_line(text, LIMIT)).replace("`", "'").replace("|", "\\|") + "`"


def block(text: str, language: str = "sql") -> list[str]:
    """Outside text as the lines of a fenced block; the fence is longer than any run of backticks inside."""
    body = redact(visible(text, limit=BLOCK_LIMIT, newlines=True)).rstrip("\n")
    fence = "```"
    while fence in body:
        fence += "`"
    return [fence + language, *body.split("\n"), fence]
