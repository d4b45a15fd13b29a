"""What a script must not hold when it is to run as one transaction on a pooled connection, and why.

What a routine's body does when it is called is not looked into; the body of a DO block runs at once and is, for calls
with an effect on the session. The reasons come from runs against Postgres and PgBouncer (facts: migrations B4, C2).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from tui.core.sqlscan import Token, folded, scan


class Piece(Protocol):
    """What is looked at of a statement."""

    @property
    def text(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def object(self) -> str: ...


class Objection(NamedTuple):
    """`number`: the 0-based statement; `at`: the character offset inside it; `reason`: why, and what to do."""

    number: int
    at: int
    reason: str


_CONTROL = (
    "would end or divide the one transaction that everything runs in: delete it, begin and commit are sent for you"
)
_OUTSIDE = "can not run inside a transaction, so nothing could be undone: take it out and run it on its own"
_SESSION = "would outlive the transaction and reach the pooler's next client"
_PREPARED = f"{_SESSION}: write the statement itself instead"

_WHOLE = {
    **dict.fromkeys(("begin", "start transaction", "commit", "end", "rollback", "abort"), _CONTROL),
    **dict.fromkeys(("savepoint", "release", "prepare transaction", "commit prepared", "rollback prepared"), _CONTROL),
    **dict.fromkeys(("vacuum", "alter system", "create database", "drop database"), _OUTSIDE),
    **dict.fromkeys(("create tablespace", "drop tablespace"), _OUTSIDE),
    **dict.fromkeys(("prepare", "execute", "deallocate"), _PREPARED),
    **dict.fromkeys(("listen", "unlisten", "load"), f"{_SESSION}: delete it"),
    **dict.fromkeys(("reset", "discard"), f"{_SESSION}: delete it and use SET LOCAL, which ends with the transaction"),
}
_CONCURRENT = frozenset(("create index", "drop index", "reindex", "alter table"))
_WITHOUT_TRANSACTION = frozenset(("database", "system", "schema"))
_RUNS_NOW = frozenset(("select", "with", "values", "insert", "update", "delete", "merge", "call", "explain", "do"))
_SESSION_LOCK = re.compile(r"pg_(?:try_)?advisory_lock(?:_shared)?")
_UNTRUE = frozenset(("false", "'false'", "'f'", "'off'", "'no'", "'0'"))
_READS_ALIKE = {
    "standard_conforming_strings": "would change where the quotes of this file end: delete it, E'...' has escapes",
    "client_encoding": "would change what the bytes of this file mean: delete it, the file is read and sent as UTF-8",
}
_NO_TEXT = re.compile("[\0\ud800-\udfff]")
_DOLLAR = re.compile(r"\$[^$]*\$")
_OPENED = {
    "/": "this comment is never closed: add */ (comments nest)",
    "$": "this dollar quote is never closed: add the same tag where the text ends",
    "'": "this quote is never closed: add the missing '",
    '"': 'this quoted name is never closed: add the missing "',
}


def objections(pieces: Sequence[Piece]) -> Iterator[Objection]:
    """Every objection to the statements of one script, in order of place; none when it can run as one transaction."""
    labels = _NewLabels()
    for number, piece in enumerate(pieces):
        words = _Words(piece.text)
        found = [*_about_text(words), *_about_kind(words, piece.kind), *labels.used(words), *_calls(words, piece.kind)]
        labels.learn(words, piece)
        for at, reason in sorted(found):
            yield Objection(number, at, reason)


def reads_standard_input(text: str) -> bool:
    """Whether a COPY takes its rows from the lines that follow it."""
    return _Words(text).run_of("from", "stdin") >= 0


class _Words:
    """The tokens of one statement, and each folded."""

    def __init__(self, text: str, offset: int = 0) -> None:
        self.text, self.offset = text, offset
        self.tokens: tuple[Token, ...] = tuple(scan(text))
        self.words: tuple[str, ...] = tuple(folded(text, token) for token in self.tokens)

    def at(self, index: int) -> int:
        """The offset in the statement of a token by its index."""
        return self.offset + self.tokens[index].start

    def word(self, index: int) -> str:
        """A token by its index, "" beyond the end."""
        return self.words[index] if index < len(self.words) else ""

    def run_of(self, *wanted: str) -> int:
        """The index of the first place where these words follow each other, -1 where there is none."""
        size = len(wanted)
        places = (i for i, word in enumerate(self.words) if word == wanted[0] and self.words[i : i + size] == wanted)
        return next(places, -1)


_Found = Iterator[tuple[int, str]]


def _about_text(words: _Words) -> _Found:
    """What can not be sent, or never ends."""
    if odd := _NO_TEXT.search(words.text):
        name = "a NUL character" if odd[0] == "\0" else "half a surrogate pair"
        yield odd.start(), f"{name} can not be sent to the server: remove it"
    last = words.tokens[-1]
    if last.kind == "open":
        opening = words.text[last.start : last.start + 3].lstrip("bBxXnNeEuU&")[0]
        yield last.start, _OPENED[opening]
        return
    opened: list[int] = []
    for index, word in enumerate(words.words):
        if word == "(":
            opened.append(words.at(index))
        elif word == ")" and opened:
            opened.pop()
    if opened:
        yield opened[0], "this parenthesis is never closed, so no ; after it ends the statement: add the missing )"


def _about_kind(words: _Words, kind: str) -> _Found:
    """What the kind of statement, or a word in its head, makes impossible."""
    if kind == "psql":
        command = words.text.split(maxsplit=1)[0]
        yield 0, f"{command} is a command of psql, not SQL: write out what it stands for, or delete it"
    elif kind in _WHOLE:
        yield 0, f"{kind.upper()} {_WHOLE[kind]}"
    elif kind == "copy":
        yield from _copy(words)
    elif kind == "set":
        yield from _set(words)
    elif kind in _CONCURRENT and "concurrently" in words.words:
        yield words.at(words.run_of("concurrently")), f"CONCURRENTLY {_OUTSIDE}, or build it without CONCURRENTLY"
    elif kind == "reindex" and not _WITHOUT_TRANSACTION.isdisjoint(words.words[1:6]):
        yield 0, f"REINDEX of more than a table {_OUTSIDE}"
    elif kind == "cluster" and len(words.words) == 1:
        yield 0, f"CLUSTER of every table {_OUTSIDE}"
    elif kind == "declare" and words.run_of("with", "hold") >= 0:
        yield words.at(words.run_of("with", "hold")), f"a cursor WITH HOLD {_SESSION}: leave out WITH HOLD"
    else:
        yield from _temporary(words, kind)


def _copy(words: _Words) -> _Found:
    if (at := words.run_of("from", "stdin")) >= 0:
        yield words.at(at), "COPY FROM STDIN takes its rows from psql, not from SQL: write them as INSERT ... VALUES"
    if (at := words.run_of("to", "stdout")) >= 0:
        yield words.at(at), "COPY TO STDOUT sends rows that nobody reads here: delete it"


def _set(words: _Words) -> _Found:
    match words.words[1:2]:
        case ("local",):
            if reason := _READS_ALIKE.get(words.word(2), ""):
                yield words.at(2), f"{words.word(2)} {reason}"
        case ("constraints",):
            pass
        case ("transaction",):
            yield 0, "SET TRANSACTION comes too late, the one transaction has begun and done work by then: delete it"
        case _:
            name = words.word(2) if words.word(1) == "session" else words.word(1)
            if name in _READS_ALIKE:
                yield 0, f"{name} {_READS_ALIKE[name]}"
            else:
                yield 0, f"SET without LOCAL {_SESSION}: write SET LOCAL, which ends with the transaction"


def _temporary(words: _Words, kind: str) -> _Found:
    """Temporary objects stay with the server's session, which is the pooler's; a table can end with the transaction."""
    at = -1
    if kind in ("create table", "create view", "create sequence"):
        noun = words.run_of(kind.partition(" ")[2])
        said = (i for i in range(noun) if words.words[i] in ("temp", "temporary"))
        at = next(said, words.run_of("pg_temp", "."))
    elif kind in ("select", "with"):
        at = max(words.run_of("into", "temp"), words.run_of("into", "temporary"))
    if at >= 0 and words.run_of("on", "commit", "drop") < 0:
        advice = "add ON COMMIT DROP" if kind == "create table" else "use a table with ON COMMIT DROP"
        yield words.at(at), f"a temporary object {_SESSION}: {advice}"


def _calls(words: _Words, kind: str) -> _Found:
    """Calls that run at once and have an effect on the session."""
    if kind not in _RUNS_NOW:
        return
    called: list[int] = []
    for index, word in enumerate(words.words):
        if kind == "do" and (tag := _DOLLAR.match(word)):
            size = len(tag[0])
            yield from _calls(_Words(word[size:-size], words.at(index) + size), "call")
        elif word == "(":
            called.append(index - 1)
        elif word == ")" and called:
            name = called.pop()
            if (
                words.words[name] == "set_config"
                and words.words[index - 2] == ","
                and words.words[index - 1] in _UNTRUE
            ):
                yield words.at(name), f"set_config with false at the end {_SESSION}: say true there"
        elif _SESSION_LOCK.fullmatch(word) and words.word(index + 1) == "(":
            yield words.at(index), f"{word} {_SESSION}: use the pg_..._xact_... function of the same name"


class _NewLabels:
    """Enum labels the script adds to a type it did not create: they can not be used before the commit (55P04).

    Only a label cast to its very type is certain to be such a use; the server finds the others in the rehearsal.
    """

    def __init__(self) -> None:
        self._created: set[str] = set()
        self._added: dict[str, str] = {}

    def learn(self, words: _Words, piece: Piece) -> None:
        if piece.kind == "create type":
            self._created.add(piece.object)
        at = words.run_of("add", "value") if piece.kind == "alter type" else -1
        if at >= 0 and piece.object not in self._created:
            label = next((word for word in words.words[at + 2 :] if word.startswith("'")), "")
            self._added[label] = piece.object.rpartition(".")[2]

    def used(self, words: _Words) -> _Found:
        for index, word in enumerate(words.words if self._added else ()):
            if word not in self._added or words.word(index + 1) != "::":
                continue
            last = index + 4 if words.word(index + 3) == "." else index + 2
            if words.word(last).strip('"') == self._added[word]:
                yield (
                    words.at(index),
                    f"{word} was added to its type in this script and can not be used before the commit: "
                    "add the value in a migration before this one",
                )
