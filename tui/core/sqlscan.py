"""The words of SQL text, by the rules of psql's scanner (src/fe_utils/psqlscan.l): lexing only, nothing is parsed.

Assumes standard_conforming_strings = on, the server's default since 9.1; a script that turns it off is refused in
`tui.core.one_transaction`. Linear in the text: every repetition below is possessive or can not be entered twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, cast

TokenKind = Literal["word", "quoted", "string", "number", "mark", "meta", "open"]


class Token(NamedTuple):
    """A piece of SQL that is not blank or comment; `start` and `end` are character offsets.

    word: an unquoted identifier or keyword. quoted: a "quoted identifier". string: any string constant, dollar-quoted
    ones too. number: a number or $1. mark: one character, or several of an operator, never more than one of `( ) ;`.
    meta: a backslash command of psql with the rest of its line. open: a quote or comment that never ends, to the end
    of the text.
    """

    kind: TokenKind
    start: int
    end: int


# What flex calls \200-\377 are the bytes of any character beyond ASCII.
_START = r"A-Za-z_\x80-\U0010ffff"
# A string goes on after blanks with a newline among them; only for E'' does that matter, as its escapes go on, too.
_GOES_ON = r"(?:[ \t\f\v]|--[^\n\r]*+)*+[\n\r](?:[ \t\n\r\f\v]|--[^\n\r]*+[\n\r])*+"
_ESCAPED = r"'[^'\\]*+(?:(?:\\.|'')[^'\\]*+)*+'"
_DOLLAR = rf"\$(?:[{_START}][{_START}0-9]*+)?\$"

_PIECE = re.compile(
    rf"""
    (?P<blank>(?:[ \t\n\r\f\v]++|--[^\n\r]*+)++)
    |(?P<comment>/\*)
    |(?P<string>(?:[bBxXnN]|[uU]&)?'[^']*+(?:''[^']*+)*+'|[eE]{_ESCAPED}(?:{_GOES_ON}{_ESCAPED})*+)
    |(?P<quoted>(?:[uU]&)?"[^"]*+(?:""[^"]*+)*+")
    |(?P<open>(?:[bBxXnNeE]|[uU]&)?'|(?:[uU]&)?")
    |(?P<word>[{_START}][{_START}0-9$]*+)
    |(?P<dollar>{_DOLLAR})
    |(?P<number>[0-9][{_START}0-9.]*+|\.[0-9][{_START}0-9]*+|\$[0-9]++)
    |(?P<meta>\\[^\n\r]*+)
    |(?P<mark>[-+*/<>=~!@\#%^&|`?:,.\[\]](?:(?!--|/\*)[-+*/<>=~!@\#%^&|`?:,])*+|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")


def scan(text: str, at: int = 0) -> Iterator[Token]:
    """The tokens of `text` from offset `at` on. Never raises: what never ends is one last token of kind `open`."""
    while piece := _PIECE.match(text, at):
        kind, end = piece.lastgroup, piece.end()
        if kind == "comment":
            end = _comment_end(text, end)
        elif kind == "dollar":
            closing = text.find(piece[0], end)
            kind, end = "string", closing + len(piece[0]) if closing >= 0 else -1
        if kind == "open" or end < 0:
            yield Token("open", at, len(text))
            return
        if kind not in ("blank", "comment"):
            yield Token(cast(TokenKind, kind), at, end)
        at = end


def _comment_end(text: str, at: int) -> int:
    """The offset after the block comment whose opening ends at `at`, or -1. Block comments nest."""
    depth = 1
    for edge in _COMMENT_EDGE.finditer(text, at):
        depth += 1 if edge[0] == "/*" else -1
        if not depth:
            return edge.end()
    return -1


def folded(text: str, token: Token) -> str:
    """A word in lower case as the server folds it: ASCII letters only. Any other token as it is written."""
    written = text[token.start : token.end]
    if token.kind != "word":
        return written
    return written.lower() if written.isascii() else re.sub("[A-Z]+", lambda run: run[0].lower(), written)
