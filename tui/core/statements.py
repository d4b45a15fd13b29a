"""A script as its statements: where one ends and the next begins, where an error is, and what must not be in it."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from tui.core.one_transaction import objections, reads_standard_input
from tui.core.sqlhead import read_head
from tui.core.sqlscan import Token, folded, scan
from tui.core.text import one_line, redact

TITLE_LIMIT = 100
"""Characters of a statement's title."""


class Statement(msgspec.Struct, frozen=True):
    """One statement of a script.

    `text` is as written, without what leads it and without its final `;`. `offset` is the character offset of its first
    character in the script, `line` and `column` the same counted from 1 (a byte order mark has no column). `kind`,
    `object` and `on` are those of `tui.core.sqlhead.Head`; a psql command has the kind `psql`.
    """

    text: str
    offset: int
    line: int
    column: int
    kind: str
    object: str = ""
    on: str = ""


class Refusal(msgspec.Struct, frozen=True):
    """Why a script can not be run: the place, and one sentence with the reason and what to do."""

    line: int
    column: int
    reason: str


_BREAK = re.compile(r"\r\n?|\n")
_END_OF_DATA = re.compile(r"^\\\.[ \t]*\r?$", re.MULTILINE)
_ROUTINE = re.compile(r"create(?: or replace)? (?:function|procedure)\b")


def split(sql: str) -> tuple[Statement, ...]:
    """The statements of a script, in order, as psql would send them; what is empty or only comment is left out.

    Never raises: nothing is parsed, so wrong SQL is split like any other and the server can say where it is wrong. A
    psql command is a statement of its own. The data lines after a COPY FROM STDIN are left out, as psql does.
    """
    return _Splitter(sql).run()


def place(statement: Statement, position: int | None) -> tuple[int, int]:
    """The (line, column) in the script of the server's error position: the 1-based character inside the statement.

    None or a position outside the statement (the server may count in a query of its own) is the statement's beginning.
    """
    if position is None or not 1 <= position <= len(statement.text) + 1:
        return statement.line, statement.column
    breaks = [found.end() for found in _BREAK.finditer(statement.text) if found.end() < position]
    if not breaks:
        return statement.line, statement.column + position - 1
    return statement.line + len(breaks), position - breaks[-1]


def title(statement: Statement) -> str:
    """The first line of a statement for the display of progress: cleaned, short, without secrets."""
    return redact(one_line(_BREAK.split(statement.text, maxsplit=1)[0], TITLE_LIMIT))


def check_script(statements: Iterable[Statement]) -> tuple[Refusal, ...]:
    """What would break the one transaction, outlive it on the connection, or can not be sent; in order of place."""
    given = tuple(statements)
    return tuple(Refusal(*place(given[found.number], found.at + 1), found.reason) for found in objections(given))


class _Splitter:
    """psql's rules for where a statement ends, over the tokens of one script."""

    def __init__(self, sql: str) -> None:
        self._sql = sql
        self._found: list[Statement] = []
        # The line is counted on from the statement before: counting from the top each time would be quadratic.
        self._line, self._line_start, self._counted = 1, int(sql.startswith("\ufeff")), 0
        # Once there is no end of data further down, there is none to look for again.
        self._data_follow = True
        self._begin_statement()

    def run(self) -> tuple[Statement, ...]:
        at = self._line_start
        while (at := self._run_from(at)) >= 0:
            pass
        return tuple(self._found)

    def _run_from(self, at: int) -> int:
        """Split from offset `at`; returns the offset to go on from after COPY data, or -1 at the end."""
        for token in scan(self._sql, at):
            if token.kind == "meta":
                self._end_statement()
                self._start, self._end = token.start, token.end
                self._end_statement()
            elif self._ends_here(token):
                if resume := self._end_statement(token.end):
                    return resume
            else:
                self._start = token.start if self._start < 0 else self._start
                self._end = token.end
        self._end_statement()
        return -1

    def _begin_statement(self) -> None:
        self._start = self._end = -1
        self._parentheses = self._blocks = 0
        self._words: list[str] = []
        self._routine = False
        self._last = ""

    def _ends_here(self, token: Token) -> bool:
        """Whether the token is a `;` that ends the statement: outside parentheses and BEGIN ATOMIC ... END."""
        if token.kind == "word":
            self._count_blocks(folded(self._sql, token))
        elif token.kind == "mark":
            match self._sql[token.start]:
                case ";":
                    return not self._parentheses and not self._blocks
                case "(":
                    self._parentheses += 1
                case ")":
                    self._parentheses = max(0, self._parentheses - 1)
                case _:
                    pass
        if token.kind != "word":
            self._last = ""
        return False

    def _count_blocks(self, word: str) -> None:
        """The body of an SQL-standard routine holds statements of its own; a CASE in it has an END of its own.

        psql counts any BEGIN here; only BEGIN ATOMIC opens a body, and a routine may well be called `begin`.
        """
        if len(self._words) < 4:
            self._words.append(word)
            self._routine = bool(_ROUTINE.match(" ".join(self._words)))
        if self._routine and not self._parentheses:
            if word == "atomic" and self._last == "begin":
                self._blocks = self._blocks or 1
            elif self._blocks:
                self._blocks += (word == "case") - (word == "end")
        self._last = word

    def _end_statement(self, after: int = -1) -> int:
        """Keep what was gathered, if anything. Returns where to go on when COPY data follow offset `after`, else 0."""
        start, end = self._start, self._end
        self._begin_statement()
        if start < 0:
            return 0
        for found in _BREAK.finditer(self._sql, self._counted, start):
            self._line, self._line_start = self._line + 1, found.end()
        self._counted = start
        text = self._sql[start:end]
        head = read_head(text)
        self._found.append(Statement(text, start, self._line, start - self._line_start + 1, *head))
        if after < 0 or not self._data_follow or head.kind != "copy" or not reads_standard_input(text):
            return 0
        data = _END_OF_DATA.search(self._sql, after)
        self._data_follow = data is not None
        return data.end() if data else 0
