"""What a statement is about, read off its first words: its kind and the object it names. Nothing is parsed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from tui.core.sqlscan import Token, TokenKind, folded, scan


class Head(NamedTuple):
    """`kind`: `create policy`; `object`: its name; `on`: the table a policy, trigger, index or rule belongs to.

    Names are as the catalog has them: unquoted, folded, cut to 63 bytes, with the schema where one is written. ""
    where there is none or it can not be read off.
    """

    kind: str
    object: str = ""
    on: str = ""


_MODIFIERS = frozenset(
    (
        "or",
        "replace",
        "global",
        "local",
        "temp",
        "temporary",
        "unlogged",
        "unique",
        "recursive",
        "constraint",
        "trusted",
        "procedural",
        "default",
    )
)
_PAIRS = {
    "access": ("method",),
    "default": ("privileges",),
    "event": ("trigger",),
    "foreign": ("table", "data"),
    "large": ("object",),
    "materialized": ("view",),
    "operator": ("class", "family"),
    "text": ("search",),
    "user": ("mapping",),
}
_THIRD = {"data": ("wrapper",), "search": ("configuration", "dictionary", "parser", "template")}
_BEFORE_NAME = frozenset(("concurrently", "if", "not", "exists", "only"))
_ON_A_TABLE = frozenset(("policy", "trigger", "rule", "index", "constraint"))
_VERB_AND_NOUN = frozenset(("create", "alter", "drop"))
_NAMED = {
    "insert": "into",
    "merge": "into",
    "delete": "from",
    "update": "",
    "truncate": "table",
    "lock": "table",
    "copy": "",
    "call": "",
    "analyze": "verbose",
}
_TWO_WORDS = {
    "start": ("transaction",),
    "prepare": ("transaction",),
    "commit": ("prepared",),
    "rollback": ("prepared",),
    "refresh": ("materialized",),
    "import": ("foreign",),
    "security": ("label",),
    "reassign": ("owned",),
}
_NOT_A_NAME = frozenset(
    ("as", "using", "on", "to", "from", "for", "in", "is", "with", "set", "authorization", "(", ";")
)


def read_head(text: str) -> Head:
    """The head of one statement, given without leading blanks. Reads no further than it has to. Never raises."""
    words = _Words(text)
    verb = words.take()
    if verb.startswith("\\"):
        return Head("psql", verb.split(maxsplit=1)[0])
    while verb == "(":
        verb = words.take()
    if not verb.isidentifier():
        return Head("")
    if verb in _VERB_AND_NOUN:
        return _object_head(verb, words)
    if verb == "comment":
        words.skip(frozenset(("on",)))
        return _object_head(verb, words)._replace(kind=verb)
    if verb in ("grant", "revoke"):
        return Head(verb, _granted(words))
    if verb in _NAMED:
        words.skip(_BEFORE_NAME | {_NAMED[verb]})
        return Head(verb, words.name())
    if words.peek() in _TWO_WORDS.get(verb, ()):
        verb = f"{verb} {words.take()}"
    if verb == "refresh materialized":
        words.skip(_BEFORE_NAME | {"view"})
        return Head("refresh materialized view", words.name())
    return Head(verb)


def _object_head(verb: str, words: _Words) -> Head:
    if verb == "create":
        # `create default conversion`, but `alter default privileges`; `create constraint trigger`, but a comment or
        # an alter on a constraint.
        words.skip(_MODIFIERS)
    noun = [words.take()]
    if words.peek() in _PAIRS.get(noun[0], ()):
        noun.append(words.take())
        if words.peek() in _THIRD.get(noun[1], ()):
            noun.append(words.take())
    kind = f"{verb} {' '.join(noun)}"
    if kind == "alter default privileges":
        return Head(kind)
    words.skip(_BEFORE_NAME)
    name = "" if words.peek() in _NOT_A_NAME else words.name()
    if noun[-1] not in _ON_A_TABLE or kind.endswith("event trigger"):
        return Head(kind, name)
    # A rule is `create rule NAME as on EVENT to TABLE`, everything else `... on TABLE`.
    found = words.until("to" if kind == "create rule" else "on")
    words.skip(frozenset(("only", "table", "domain")))
    return Head(kind, name, words.name() if found else "")


def _granted(words: _Words) -> str:
    """The object after the ON of a grant or revoke; "" when a role is granted."""
    if not words.until("on", "to", "from") or words.last != "on":
        return ""
    if words.peek() == "all":
        return ""
    # Any words may stand before the name to say what it names: the name is the last one.
    name = words.name()
    while name and words.peek() not in (",", "to", "from", "("):
        name = words.name()
    return name


class _Words:
    """The tokens of a statement one by one, folded, with names put together."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: Iterator[Token] = scan(text)
        self._next: Token | None = next(self._tokens, None)
        self.last = ""

    def peek(self) -> str:
        """The next token as `folded` has it, "" at the end."""
        return folded(self._text, self._next) if self._next else ""

    def take(self) -> str:
        """The next token, and on to the one after."""
        self.last = self.peek()
        self._next = next(self._tokens, None)
        return self.last

    def skip(self, words: frozenset[str]) -> None:
        """Past every following token that is one of `words`."""
        while self._next and self.peek() in words:
            self.take()

    def until(self, *words: str) -> bool:
        """Past the first of `words` that stands outside parentheses; whether there is one. `last` says which."""
        depth = 0
        while self._next:
            word = self.take()
            depth += (word == "(") - (word == ")")
            if not depth and word in words:
                return True
        return False

    def name(self) -> str:
        """The qualified name that follows, "" when there is none or it has Unicode escapes."""
        parts: list[str] = []
        while self._next and (part := _identifier(self._next.kind, self.peek())):
            parts.append(part)
            self.take()
            if self.peek() != ".":
                return ".".join(parts)
            self.take()
        return ""


def _identifier(kind: TokenKind, written: str) -> str:
    if kind == "quoted" and written.startswith('"'):
        written = written[1:-1].replace('""', '"')
    elif kind != "word":
        return ""
    # The server cuts names at NAMEDATALEN - 1 bytes, with no more than a notice.
    return written.encode(errors="replace")[:63].decode(errors="ignore")
