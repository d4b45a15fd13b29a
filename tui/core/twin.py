"""Twins: the expected objects as statements that make them on throw-away temporary relations.

Expressions differ in text from what was typed and between server versions, so the server itself is made to deparse both
sides (decision 27). Twins carry the names of what they stand for, live in the session's temporary schema, and are made
in a transaction that is rolled back, so nothing is left in a pooled connection.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import TypeVar

import msgspec

from tui.core.catalog import Catalog, Constraint, Index, Policy, Table, Trigger
from tui.core.expectation import (
    Expectation,
    ExpectedColumn,
    ExpectedPolicy,
    ExpectedTable,
    ExpectedTrigger,
    ExpectedView,
)

_QUOTED = re.compile(r'("(?:[^"]|"")*")')


class TwinStatement(msgspec.Struct, frozen=True):
    """One statement of `twin.sql`'s input. A `key` that begins with `table ` or `view ` begins a group; what follows it
    up to the next such key hangs on that relation.
    """

    key: str
    sql: str


def quote_ident(name: str) -> str:
    """`name` as a quoted SQL identifier. Raises ValueError for a NUL, which no identifier can hold."""
    if "\0" in name:
        raise ValueError("an identifier can not hold a NUL character")
    return '"' + name.replace('"', '""') + '"'


def twin_key(kind: str, relation: str, name: str = "") -> str:
    """The key of an object's twin, e.g. `policy docs_select on app.docs`, or `table app.docs`."""
    return f"{kind} {name} on {relation}" if name else f"{kind} {relation}"


def twin_statements(expectation: Expectation, only: Collection[str] | None = None) -> tuple[TwinStatement, ...]:
    """The statements that make the twin of every table and view of `expectation`, each relation's in one group.

    `only` limits them to those keys and the tables they hang on. Foreign keys are left out: a temporary table can not
    refer to a permanent one; they are compared as text. So are grants and flags, which need no deparser.
    """
    groups = [tuple(_table(table)) for table in expectation.tables]
    groups += [(_view(view),) for view in expectation.views]
    if only is not None:
        groups = [_part(group, only) for group in groups]
    return tuple(statement for group in groups for statement in group)


def overlay(kept: Catalog, fresh: Catalog) -> Catalog:
    """The twins in `kept` with those in `fresh` added to them: an object made later stands beside what was there."""
    tables = {table.name: table for table in kept.tables}
    for table in fresh.tables:
        old = tables.get(table.name)
        tables[table.name] = table if old is None else _joined(old, table)
    views = {view.name: view for view in (*kept.views, *fresh.views)}
    return Catalog(
        tables=tuple(tables[name] for name in sorted(tables)), views=tuple(views[name] for name in sorted(views))
    )


def is_foreign_key(definition: str) -> bool:
    """Whether a constraint definition is a foreign key's."""
    return definition.lstrip().upper().startswith("FOREIGN KEY")


def trigger_tail(trigger: ExpectedTrigger, relation: str) -> str:
    """A trigger's definition from the timing word on, as pg_get_triggerdef would print it but for expressions."""
    when = f" WHEN ({trigger.when})" if trigger.when else ""
    return (
        f"{_in_capitals(trigger.fires)} ON {relation} FOR EACH {trigger.each.upper()}{when}"
        f" EXECUTE FUNCTION {trigger.function}"
    )


def _in_capitals(words: str) -> str:
    """Key words as the server prints them; a quoted column of UPDATE OF keeps its case."""
    return "".join(part if at % 2 else part.upper() for at, part in enumerate(_QUOTED.split(words)))


def _part(group: tuple[TwinStatement, ...], only: Collection[str]) -> tuple[TwinStatement, ...]:
    """The head of a group and the wanted of the rest; nothing when none of it is wanted."""
    rest = tuple(statement for statement in group[1:] if statement.key in only)
    return (group[0], *rest) if rest or group[0].key in only else ()


def _joined(old: Table, new: Table) -> Table:
    return msgspec.structs.replace(
        new,
        constraints=_by_name(old.constraints, new.constraints),
        indexes=_by_name(old.indexes, new.indexes),
        policies=_by_name(old.policies, new.policies),
        triggers=_by_name(old.triggers, new.triggers),
    )


N = TypeVar("N", Constraint, Index, Policy, Trigger)


def _by_name(old: Iterable[N], new: Iterable[N]) -> tuple[N, ...]:
    found: dict[str, N] = {}
    for items in (old, new):
        found.update((item.name, item) for item in items)
    return tuple(found[name] for name in sorted(found))


def _table(table: ExpectedTable) -> Iterator[TwinStatement]:
    relation = _temporary(table.name)
    columns = ", ".join(_column(column) for column in table.columns)
    yield TwinStatement(twin_key("table", table.name), f"create table {relation} ({columns})")
    for constraint in table.constraints:
        if not is_foreign_key(constraint.definition):
            yield TwinStatement(
                twin_key("constraint", table.name, constraint.name),
                f"alter table {relation} add constraint {quote_ident(constraint.name)} {constraint.definition}",
            )
    for index in table.indexes:
        yield TwinStatement(
            twin_key("index", table.name, index.name),
            f"create index {quote_ident(index.name)} on {relation} using {index.definition}",
        )
    for policy in table.policies:
        yield TwinStatement(twin_key("policy", table.name, policy.name), _policy(policy, relation))
    for trigger in table.triggers:
        yield TwinStatement(
            twin_key("trigger", table.name, trigger.name),
            f"create trigger {quote_ident(trigger.name)} {trigger_tail(trigger, relation)}",
        )


def _view(view: ExpectedView) -> TwinStatement:
    options = " with (security_invoker = true)" if view.security_invoker else ""
    sql = f"create temporary view {quote_ident(_bare(view.name))}{options} as {view.definition.rstrip().rstrip(';')}"
    return TwinStatement(twin_key("view", view.name), sql)


def _column(column: ExpectedColumn) -> str:
    # The type and the default are the bundle's own SQL; a bundle is as trusted as its PATCH.sql.
    default = f" default {column.default}" if column.default is not None else ""
    return f"{quote_ident(column.name)} {column.type}{default}{' not null' if column.not_null else ''}"


def _policy(policy: ExpectedPolicy, relation: str) -> str:
    roles = ", ".join("public" if role == "public" else quote_ident(role) for role in policy.roles)
    using = f" using ({policy.using})" if policy.using is not None else ""
    check = f" with check ({policy.check})" if policy.check is not None else ""
    return (
        f"create policy {quote_ident(policy.name)} on {relation} as {policy.kind} for {policy.command}"
        f" to {roles}{using}{check}"
    )


def _bare(qualified: str) -> str:
    return qualified.partition(".")[2]


def _temporary(qualified: str) -> str:
    return f"pg_temp.{quote_ident(_bare(qualified))}"
