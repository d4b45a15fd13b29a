"""A policy's expression as a tree of conditions, read from the server's own deparsed text.

`pg_get_expr` gives every operator, every AND and every OR parentheses of its own, writes keywords in capitals and, with
an empty search_path, qualifies every function that is not the server's. Nothing else is relied upon, and these hold
from PostgreSQL 15 to 18; an expression of another shape is a leaf that is only searched for names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

import msgspec

Kind = Literal["name", "keyword", "string", "number", "sign"]


class Token(msgspec.Struct, frozen=True):
    """One word or sign; a quoted identifier has lost its quotes, so that equal names are equal."""

    kind: Kind
    text: str


class Group(msgspec.Struct, frozen=True):
    """What stands between brackets."""

    items: tuple[Item, ...]

    @property
    def is_query(self) -> bool:
        """Whether this is a sub-select."""
        return bool(self.items) and self.items[0] in _QUERY_STARTS


Item = Token | Group
Items = tuple[Item, ...]


class Leaf(msgspec.Struct, frozen=True):
    """A condition without AND, OR or NOT of its own."""

    items: Items


class Not(msgspec.Struct, frozen=True):
    """A negated condition."""

    node: Node


class Any(msgspec.Struct, frozen=True):
    """Conditions joined by OR: each is a way in of its own."""

    nodes: tuple[Node, ...]


class All(msgspec.Struct, frozen=True):
    """Conditions joined by AND: each closes the way for the others."""

    nodes: tuple[Node, ...]


Node = Leaf | Not | Any | All

_TOKEN = re.compile(
    r"""(?P<string>E'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*')
      | (?P<quoted>"(?:[^"]|"")*")
      | (?P<number>\d[\w.]*)
      | (?P<word>[^\W\d][\w$]*)
      | (?P<bracket>[()\[\]])
      | (?P<sign>::|[-+*/<>=~!@\#%^&|`?]+|\S)""",
    re.VERBOSE | re.DOTALL,
)

_QUERY_STARTS = (Token("keyword", "SELECT"), Token("keyword", "WITH"), Token("keyword", "VALUES"))
_AND, _OR, NOT = Token("keyword", "AND"), Token("keyword", "OR"), Token("keyword", "NOT")
FROM = Token("keyword", "FROM")
EQUAL, UNEQUAL = Token("sign", "="), Token("sign", "<>")
_DISTINCT_FROM = (Token("keyword", "IS"), Token("keyword", "DISTINCT"), FROM)

_KEPT = 512
"""Expressions kept in parsed form: every rule asks the same ones, and so does every later look."""


@lru_cache(maxsize=_KEPT)
def parse(text: str) -> Node:
    """The condition in `text`, as `pg_get_expr` wrote it. Never fails: what is not understood is a leaf."""
    return _condition(items_of(text))


def leaves(node: Node) -> Iterator[Leaf]:
    """Every leaf, left to right."""
    if isinstance(node, Leaf):
        yield node
    elif isinstance(node, Not):
        yield from leaves(node.node)
    else:
        for child in node.nodes:
            yield from leaves(child)


@lru_cache(maxsize=_KEPT)
def items_of(text: str) -> Items:
    """The text as a tree of brackets; a bracket too many ends it, one too few is closed at the end."""
    stack: list[list[Item]] = [[]]
    for found in _TOKEN.finditer(text):
        kind, word = found.lastgroup, found[0]
        if word in "([":
            stack.append([])
        elif word in ")]":
            if len(stack) > 1:
                closed = Group(tuple(stack.pop()))
                stack[-1].append(closed)
        else:
            stack[-1].append(_token(kind or "", word))
    while len(stack) > 1:
        closed = Group(tuple(stack.pop()))
        stack[-1].append(closed)
    return tuple(stack[0])


def _token(kind: str, word: str) -> Token:
    if kind == "quoted":
        return Token("name", word[1:-1].replace('""', '"'))
    if kind == "word":
        return Token("keyword" if word.isupper() else "name", word)
    if kind == "string":
        return Token("string", word)
    return Token("number" if kind == "number" else "sign", word)


def _condition(items: Items) -> Node:
    items = _undistinguished(unwrapped(items))
    for joint, join in ((_OR, Any), (_AND, All)):
        if joint in items:
            return join(tuple(_condition(part) for part in _split(items, joint)))
    if items[:1] == (NOT,):
        inner = _condition(items[1:])
        if isinstance(inner, Leaf) and UNEQUAL in inner.items:
            return Leaf(tuple(EQUAL if item == UNEQUAL else item for item in inner.items))
        return Not(inner)
    return Leaf(items)


def unwrapped(items: Items) -> Items:
    """What the outermost brackets hold, unless it is a sub-select."""
    while len(items) == 1 and isinstance(items[0], Group) and not items[0].is_query:
        items = items[0].items
    return items


def _undistinguished(items: Items) -> Items:
    """With `IS DISTINCT FROM` as the inequality it is."""
    for at in range(len(items) - 2):
        if items[at : at + 3] == _DISTINCT_FROM:
            return (*items[:at], UNEQUAL, *items[at + 3 :])
    return items


def _split(items: Items, joint: Token) -> Iterator[Items]:
    part: list[Item] = []
    for item in items:
        if item == joint:
            yield tuple(part)
            part = []
        else:
            part.append(item)
    yield tuple(part)
