"""What a patch on big tables can do outside its transaction, without keeping anybody from writing.

Beforehand: indexes on tables that exist, built CONCURRENTLY; the patch's own `create index if not exists` then finds
them. Afterwards: constraints that it left NOT VALID are validated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set

import msgspec

from tui.core.bundle import Bundle
from tui.core.catalog import Catalog, Table
from tui.core.statements import Statement

_HEAD = re.compile(r"create\s+(?P<unique>unique\s+)?index\s+(?=if\s+not\s+exists\b)", re.IGNORECASE)
_WORD = re.compile(r"[a-z_][a-z0-9_$]*")

BUILD_ROW = 2e-6
"""Seconds per row of a concurrent build: it reads the table twice (facts: migrations C5 for one pass)."""


class Size(msgspec.Struct, frozen=True):
    """How big a table is, as statistics know it."""

    rows: float
    bytes: float


class Build(msgspec.Struct, frozen=True):
    """An index to be built beforehand: `sql` is the patch's own statement with CONCURRENTLY, `line` its place there."""

    name: str
    table: str
    sql: str
    line: int
    rows: float

    @property
    def seconds(self) -> float:
        """About how long it takes."""
        return self.rows * BUILD_ROW


class Validation(msgspec.Struct, frozen=True):
    """A constraint to be validated afterwards."""

    name: str
    table: str


def builds(bundle: Bundle, live: Catalog, sizes: Mapping[str, Size]) -> tuple[Build, ...]:
    """The indexes worth building before the patch runs, in its order.

    Those that are missing, or there and invalid, on a table above the manifest's threshold, whose columns exist already
    and whose statement in the patch would leave an index of that name alone.
    """
    limit = bundle.manifest.online
    found: list[Build] = []
    for statement in bundle.patch.statements:
        size = sizes.get(statement.on)
        table = live.table(statement.on)
        if statement.kind != "create index" or size is None or table is None:
            continue
        if size.rows < limit.rows and size.bytes < limit.megabytes * 2**20:
            continue
        there = next((index for index in table.indexes if index.name == statement.object), None)
        if (there is not None and there.valid) or _lacks_column(statement, table, bundle):
            continue
        sql, replaced = _HEAD.subn(lambda head: head[0] + "concurrently ", statement.text, count=1)
        if replaced and statement.text.lower().startswith("create"):
            found.append(Build(statement.object, statement.on, sql, statement.line, max(size.rows, 0.0)))
    return tuple(found)


def validations(bundle: Bundle, live: Catalog) -> tuple[Validation, ...]:
    """The patch's constraints that are there and NOT VALID, by table."""
    return tuple(
        Validation(constraint.name, table.name)
        for expected in bundle.expectation.tables
        if (table := live.table(expected.name)) is not None
        for constraint in table.constraints
        if not constraint.validated and constraint.name in {wanted.name for wanted in expected.constraints}
    )


def as_if_validated(bundle: Bundle, live: Catalog) -> Catalog:
    """`live` as it is once `validations` are done: by that a run is judged and recorded that validates after COMMIT."""
    names = {(step.table, step.name) for step in validations(bundle, live)}
    if not names:
        return live
    return msgspec.structs.replace(live, tables=tuple(_validated(table, names) for table in live.tables))


def _validated(table: Table, names: Set[tuple[str, str]]) -> Table:
    constraints = tuple(
        msgspec.structs.replace(one, validated=True, definition=one.definition.removesuffix(" NOT VALID"))
        if (table.name, one.name) in names
        else one
        for one in table.constraints
    )
    return msgspec.structs.replace(table, constraints=constraints)


def _lacks_column(statement: Statement, table: Table, bundle: Bundle) -> bool:
    """Whether the index is on a column that the patch itself is to add."""
    expected = next((one for one in bundle.expectation.tables if one.name == table.name), None)
    here = {column.name for column in table.columns}
    to_come = {column.name for column in expected.columns} - here if expected else set()
    after_table = statement.text.lower().rpartition(table.name.rpartition(".")[2])[2]
    return bool(to_come & set(_WORD.findall(after_table)))
