"""What a patch does and `expected.toml` has no words for, so that nothing will verify it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tui.core.catalog import Catalog
from tui.core.statements import Statement

_SAYABLE = frozenset(
    f"{verb} {noun}"
    for verb in ("create", "alter", "drop")
    for noun in (
        "table", "policy", "index", "trigger", "function", "procedure", "view", "materialized view", "schema",
        "publication",
    )
) | {"grant", "revoke", "comment", "set", "lock", "do", "select", "with", "analyze"}  # fmt: skip
_ROWS = frozenset(("insert", "update", "delete", "merge", "truncate", "copy"))
_UNIQUE_INDEX = re.compile(r"\s*create\s+unique\b", re.IGNORECASE)
_FORCED = re.compile(r"(?<!\bno\s)\bforce\s+row\s+level\s+security\b", re.IGNORECASE)


class Gap(NamedTuple):
    """What `expected.toml` has no words for, and why; `line` is the statement's, None where none is to blame alone."""

    line: int | None
    what: str


def gaps(before: Catalog, after: Catalog, patch: Iterable[Statement]) -> Iterator[Gap]:
    """What `patch` did to `before` and an expectation can not say, so that nothing will verify it."""
    for table in after.tables:
        old = before.table(table.name)
        known = {column.name: column for column in old.columns} if old else {}
        for column in table.columns:
            was = known.get(column.name, column)
            if (was.not_null, was.default) != (column.not_null, column.default):
                what = f"column {table.name}.{column.name}: of a column from before only its type is verified"
                yield Gap(None, f"{what}, not its default and NOT NULL")
    for statement in patch:
        subject = f"{statement.kind} {statement.object}".strip()
        if statement.kind in _ROWS:
            yield Gap(statement.line, f"{subject}: rows are not verified; a count query can show them")
        elif statement.kind == "create index" and _UNIQUE_INDEX.match(statement.text):
            yield Gap(statement.line, f"{subject}: a unique index is verified as a UNIQUE constraint only")
        elif statement.kind == "alter table" and _FORCED.search(statement.text):
            yield Gap(statement.line, f"{subject}: FORCE ROW LEVEL SECURITY is not verified")
        elif statement.kind and statement.kind not in _SAYABLE:
            yield Gap(statement.line, f"{subject}: not verified")
