"""What a policy's condition asks: of the row, of its tenant, of the caller.

Inside a sub-select the server writes columns of the policy's table as `table.column` and renames an inner relation of
the same name, so that the row's own columns can be told from others without a parser of SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from tui.core.condition import (
    FROM,
    NOT,
    UNEQUAL,
    All,
    Any,
    Group,
    Items,
    Leaf,
    Node,
    Not,
    Token,
    items_of,
    leaves,
    unwrapped,
)


class Row(msgspec.Struct, frozen=True):
    """The policy's table: its bare name, its columns, those that are NOT NULL, and its tenant column ("" for none)."""

    table: str
    columns: frozenset[str]
    not_null: frozenset[str] = frozenset()
    tenant: str = ""


_IS_NULL = (Token("keyword", "IS"), Token("keyword", "NULL"))
_IS_NOT_NULL = (Token("keyword", "IS"), NOT, Token("keyword", "NULL"))
_IN, _DOT, _CAST = Token("keyword", "IN"), Token("sign", "."), Token("sign", "::")
_TRUE, _FALSE = Token("name", "true"), Token("name", "false")

_CALLER_KEYWORDS = frozenset({"CURRENT_USER", "SESSION_USER", "CURRENT_ROLE", "USER"})
_CALLER_SETTING = "current_setting"
_CALLER_SCHEMA = "auth"
CLAIMS = frozenset({"uid", "jwt", "role", "email"})
"""Functions of schema auth that answer from the caller's token (facts: supabase A3)."""


def truth(node: Node, not_null: frozenset[str] = frozenset()) -> bool | None:
    """True or False for a condition that is so for every row and caller, as far as can be seen; None when it depends.

    NULLs aside: `x = x` counts as true although it is not for a NULL x.
    """
    if isinstance(node, Leaf):
        return _leaf_truth(node.items, not_null)
    if isinstance(node, Not):
        inner = truth(node.node, not_null)
        return None if inner is None else not inner
    values = [truth(child, not_null) for child in node.nodes]
    decisive = isinstance(node, Any)
    if decisive in values or (decisive and _complementary(node.nodes)):
        return decisive
    return None if None in values else not decisive


def possible(node: Node, not_null: frozenset[str]) -> Node:
    """The condition without the sides of an OR that can never hold."""
    if isinstance(node, Leaf | Not):
        return node
    nodes = tuple(possible(child, not_null) for child in node.nodes)
    if isinstance(node, All):
        return All(nodes)
    kept = tuple(child for child in nodes if truth(child, not_null) is not False)
    return Any(kept or nodes)


def binds_row(node: Node, row: Row) -> bool:
    """Whether every way in depends on the row: a condition on one of its columns that is more than `is not null`."""

    def bound(leaf: Leaf) -> bool:
        return leaf.items[-3:] != _IS_NOT_NULL and any(columns(leaf.items, row))

    return _everywhere(node, bound)


def binds_tenant(node: Node, row: Row) -> bool:
    """Whether every way in fixes the row's tenant: compared for equality, looked up, handed to a function, or NULL.

    `is not null`, `<>` and NOT leave every other tenant open and bind nothing.
    """
    if isinstance(node, Not):
        return False
    if isinstance(node, Leaf):
        return fixes_tenant(node, row)
    join = any if isinstance(node, All) else all
    return join(binds_tenant(child, row) for child in node.nodes)


def fixes_tenant(leaf: Leaf, row: Row) -> bool:
    """Whether this one condition fixes the row's tenant."""
    items = leaf.items
    if items[-3:] == _IS_NOT_NULL or UNEQUAL in items or _leaf_truth(items, frozenset()) is not None:
        return False
    # A function that is given the whole row may look at its tenant.
    return bool(row.tenant) and not {row.tenant, "*"}.isdisjoint(columns(items, row))


def asks_caller(node: Node) -> bool:
    """Whether every way in depends on who calls: a claim, a setting, the role, or a function that may ask for them."""
    return _everywhere(node, lambda leaf: any(_asks(items) for items in _sequences(leaf.items)))


def fixed_tenants(node: Node, row: Row) -> bool:
    """Whether the tenant is compared with a constant anywhere."""

    def fixed(leaf: Leaf) -> bool:
        sequences = list(_sequences(leaf.items))
        constant = any(isinstance(item, Token) and item.kind == "string" for items in sequences for item in items)
        query = any(isinstance(item, Group) and item.is_query for items in sequences for item in items)
        only_tenant = set(columns(leaf.items, row)) == {row.tenant}
        return constant and only_tenant and not query and not any(_asks(items) for items in sequences)

    return bool(row.tenant) and any(fixed(leaf) for leaf in leaves(node))


def columns(items: Items, row: Row, *, in_query: bool = False) -> Iterator[str]:
    """The row's columns that are mentioned; `*` for the row as a whole."""
    for at, item in enumerate(items):
        if isinstance(item, Group):
            yield from columns(item.items, row, in_query=in_query or item.is_query)
            continue
        before = items[at - 1] if at else None
        after = items[at + 1] if at + 1 < len(items) else None
        if item.kind != "name" or before in (_DOT, _CAST):
            continue
        if after == _DOT and item.text == row.table:
            last = items[at + 2] if at + 2 < len(items) else None
            if isinstance(last, Token) and (last.text == "*" or last.text in row.columns):
                yield last.text
        elif not in_query and after != _DOT and not isinstance(after, Group) and item.text in row.columns:
            yield item.text


def claim_calls(text: str) -> tuple[int, int]:
    """(bare, wrapped) calls that read the caller's claims or a setting.

    Wrapped stands in a sub-select without FROM, which the planner runs once instead of once a row (facts: supabase C2).
    """
    counts = [0, 0]

    def count(items: Items, wrapped: bool) -> None:
        for at, item in enumerate(items):
            if isinstance(item, Group):
                count(item.items, wrapped or (item.is_query and FROM not in item.items))
            elif _claims_at(items, at):
                counts[wrapped] += 1

    count(items_of(text), False)
    return counts[0], counts[1]


def functions_per_row(text: str) -> tuple[str, ...]:
    """The functions of users (schema-qualified, not schema auth's) that are called once a row, sorted."""
    found: set[str] = set()

    def search(items: Items) -> None:
        for at, item in enumerate(items):
            if isinstance(item, Group):
                if not item.is_query:
                    search(item.items)
            elif (called := _called_at(items, at)) and called[0] != _CALLER_SCHEMA:
                found.add(".".join(called))

    search(items_of(text))
    return tuple(sorted(found))


def looks_up_in_query(text: str) -> bool:
    """Whether a value of the row is looked up by IN (select ...): a hashed filter over the whole table, never an index
    condition (facts: supabase D1).
    """

    def search(items: Items) -> bool:
        for at, item in enumerate(items):
            if isinstance(item, Group):
                if item.is_query and at and items[at - 1] == _IN:
                    return True
                if not item.is_query and search(item.items):
                    return True
        return False

    return search(items_of(text))


def compares_with_itself(text: str) -> bool:
    """Whether a sub-select compares a column with itself: an unqualified name meant the inner table, not the row's."""

    def search(items: Items, in_query: bool) -> bool:
        if in_query and _same_sides(items) and any(isinstance(item, Token) and item.kind == "name" for item in items):
            return True
        return any(isinstance(item, Group) and search(item.items, in_query or item.is_query) for item in items)

    return search(items_of(text), False)


def reads_user_metadata(text: str) -> bool:
    """Whether the expression reads what users can write about themselves."""
    tokens = [item for items in _sequences(items_of(text)) for item in items if isinstance(item, Token)]
    return any(
        (token.kind == "string" and "user_metadata" in token.text)
        or (token.kind == "name" and token.text == "raw_user_meta_data")
        for token in tokens
    )


def _everywhere(node: Node, holds: Callable[[Leaf], bool]) -> bool:
    """Whether no way in gets past the leaves for which `holds`: for OR all, for AND one."""
    if isinstance(node, Leaf):
        return holds(node)
    if isinstance(node, Not):
        return _everywhere(node.node, holds)
    join = any if isinstance(node, All) else all
    return join(_everywhere(child, holds) for child in node.nodes)


def _sides(items: Items) -> tuple[Items, str, Items] | None:
    """(left, operator, right) of a comparison."""
    for at, item in enumerate(items):
        if isinstance(item, Token) and item.text in ("=", "<>", "<", ">", "<=", ">="):
            return items[:at], item.text, items[at + 1 :]
    return None


def _same_sides(items: Items) -> bool:
    sides = _sides(items)
    return bool(sides and sides[0]) and sides is not None and sides[0] == sides[2]


def _leaf_truth(items: Items, not_null: frozenset[str]) -> bool | None:
    if items in ((_TRUE,), (_FALSE,)):
        return items == (_TRUE,)
    for test, answer in ((_IS_NOT_NULL, True), (_IS_NULL, False)):
        subject = unwrapped(items[: -len(test)])
        if items[-len(test) :] == test and len(subject) == 1:
            known = isinstance(subject[0], Token) and subject[0].kind == "name" and subject[0].text in not_null
            return answer if known else None
    sides = _sides(items)
    if sides and sides[0] and sides[0] == sides[2]:
        return sides[1] in ("=", "<=", ">=")
    return None


def _complementary(nodes: tuple[Node, ...]) -> bool:
    """Whether among these stands `x IS NULL` beside `x IS NOT NULL`."""

    def tested(test: Items) -> set[Items]:
        ends = [leaf.items for leaf in nodes if isinstance(leaf, Leaf) and leaf.items[-len(test) :] == test]
        return {items[: -len(test)] for items in ends}

    return bool(tested(_IS_NULL) & tested(_IS_NOT_NULL))


def _sequences(items: Items) -> Iterator[Items]:
    """These items and those of every group in them."""
    yield items
    for item in items:
        if isinstance(item, Group):
            yield from _sequences(item.items)


def _called_at(items: Items, at: int) -> tuple[str, str] | None:
    """(schema, function) of the qualified call that begins at `at`."""
    match items[at : at + 4]:
        case (Token("name", schema), Token("sign", "."), Token("name", function), Group()):
            return schema, function
    return None


def _claims_at(items: Items, at: int) -> bool:
    called = _called_at(items, at)
    if called:
        return called[0] == _CALLER_SCHEMA and called[1] in CLAIMS
    item = items[at]
    return item == Token("name", _CALLER_SETTING) and at + 1 < len(items) and isinstance(items[at + 1], Group)


def _asks(items: Items) -> bool:
    return any(
        _claims_at(items, at)
        or _called_at(items, at) is not None
        or (isinstance(item, Token) and item.kind == "keyword" and item.text in _CALLER_KEYWORDS)
        for at, item in enumerate(items)
    )
