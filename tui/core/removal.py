"""What a rollback must leave: the catalog before it less what its DROP statements name, and nothing else changed."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from tui.core.catalog import Catalog, Table
from tui.core.checklist import Check, Outcome
from tui.core.statements import Statement
from tui.core.surface import Change, diff

_WHY = "a rollback removes what its file names and touches nothing else"


def predict(statements: Iterable[Statement], before: Catalog) -> Catalog:
    """The catalog that should stand after the DROP POLICY, DROP TRIGGER and DROP VIEW statements among `statements`."""
    dropped: dict[str, set[tuple[str, str]]] = {"drop policy": set(), "drop trigger": set(), "drop view": set()}
    for statement in statements:
        if statement.kind in dropped:
            dropped[statement.kind].add((statement.on, statement.object))
    return msgspec.structs.replace(
        before,
        tables=tuple(_without(table, dropped) for table in before.tables),
        views=tuple(view for view in before.views if ("", view.name) not in dropped["drop view"]),
    )


def removal_checks(statements: Iterable[Statement], before: Catalog, after: Catalog) -> tuple[Check, ...]:
    """One check per object that changed or should have, between what was predicted and what stands."""
    predicted = predict(statements, before)
    removed = (change.object for change in diff(before, predicted) if change.kind == "dropped")
    wrong = {change.object: change for change in diff(predicted, after) if change.kind != "unchanged"}
    checks = [_check(name, "ok", "absent", "absent", _WHY) for name in removed if name not in wrong]
    return (*checks, *(change_check(change, _WHY) for change in wrong.values()))


def change_check(change: Change, why: str) -> Check:
    """The difference between what should stand and what does as a check; `why` says why it matters."""
    match change.kind:
        case "created":
            return _check(change.object, "unexpected", "absent", change.after, why)
        case "dropped":
            return _check(change.object, "missing", change.before, "absent", why)
        case "altered":
            return _check(change.object, "differs", change.before, change.after, why)
        case _:
            return _check(change.object, "ok", change.before, change.after, why)


def _without(table: Table, dropped: dict[str, set[tuple[str, str]]]) -> Table:
    return msgspec.structs.replace(
        table,
        policies=tuple(p for p in table.policies if (table.name, p.name) not in dropped["drop policy"]),
        triggers=tuple(t for t in table.triggers if (table.name, t.name) not in dropped["drop trigger"]),
    )


def _check(label: str, outcome: Outcome, expected: str, actual: str, why: str) -> Check:
    kind, _, rest = label.partition(" ")
    name, _, table = rest.partition(" on ")
    return Check("structure", kind, table, name, outcome, expected, actual, why)
