"""What a run would do to this database: read off the statements and the live catalog, nothing executed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from tui.core.catalog import Catalog, Policy
from tui.core.expectation import Expectation, ExpectedTable
from tui.core.grantchecks import column_grant_checks, grant_checks
from tui.core.restore import Restore
from tui.core.statements import Statement
from tui.core.surface import surface
from tui.core.tablechecks import policy_text

PlanVerb = Literal["create", "alter", "replace", "leave", "drop"]


class PlanItem(msgspec.Struct, frozen=True):
    """What becomes of one object. `statement` is the 0-based index of the statement that does it, None when a DO block
    does or several do.

    `object` is a label as in `tui.core.surface`, `table` the relation it belongs to ("" for functions and schemas).
    `definition` is what is there now when the item replaces, alters, leaves or drops it: an operator must see what goes
    away.
    """

    verb: PlanVerb
    object: str
    table: str
    statement: int | None = None
    definition: str = ""


class Count(msgspec.Struct, frozen=True):
    """A row of one of the bundle's count queries, e.g. rows that will be assigned to a tenant."""

    title: str
    label: str
    rows: int
    note: str = ""


class Preview(msgspec.Struct, frozen=True):
    """The whole plan."""

    items: tuple[PlanItem, ...]
    counts: tuple[Count, ...] = ()
    restore: Restore | None = None
    obstacle: str = ""
    """Why a restore has no way here; then nothing is in the plan."""

    def of(self, verb: PlanVerb) -> tuple[PlanItem, ...]:
        """The items of one verb, in order."""
        return tuple(item for item in self.items if item.verb == verb)


def preview(
    statements: Sequence[Statement], expectation: Expectation, live: Catalog, action: Literal["apply", "rollback"]
) -> tuple[PlanItem, ...]:
    """What each statement would do here: what is there is replaced, altered, left or dropped, what is not is created.

    What DO blocks do can not be read off, so for an apply the expectation says it: policies of strangers are dropped
    (listed first), and what is expected, lacking, and in no statement is created (listed last).
    """
    here = surface(live)
    items = list(_from_statements(statements, expectation, live, here))
    if action == "rollback":
        return tuple(items)
    dropped = [
        PlanItem("drop", f"policy {policy.name} on {table}", table, None, policy_text(policy))
        for table, policy in strangers(expectation, live)
        if f"policy {policy.name} on {table}" not in {item.object for item in items}
    ]
    said = {item.object for item in items}
    lacking = [item for item in _lacking(expectation, live, here) if item.object not in said]
    return (*dropped, *items, *lacking)


def restore_items(restore: Restore) -> tuple[PlanItem, ...]:
    """What becomes of every object in a restore, the rollback file's part included."""
    verbs: dict[str, PlanVerb] = {"created": "create", "altered": "replace", "dropped": "drop", "unchanged": "leave"}
    relations = {table.name for end in (restore.start, restore.result) for table in end.tables}
    relations |= {view.name for end in (restore.start, restore.result) for view in end.views}

    def relation(label: str) -> str:
        kind, _, name = label.partition(" ")
        target = name if kind in ("table", "view", "column") else name.rpartition(" on ")[2]
        return next((one for one in relations if target == one or target.startswith(f"{one}.")), "")

    return tuple(
        PlanItem(verbs[change.kind], change.object, relation(change.object), None, change.before)
        for change in restore.changes
    )


def strangers(expectation: Expectation, live: Catalog) -> tuple[tuple[str, Policy], ...]:
    """(table, policy) of every policy that is not the bundle's on a table from before it (decision 12)."""
    found: list[tuple[str, Policy]] = []
    for expected in expectation.tables:
        table = live.table(expected.name)
        if table is not None and expected.origin == "existing":
            known = {policy.name for policy in expected.policies}
            found += [(table.name, policy) for policy in table.policies if policy.name not in known]
    return tuple(found)


class _Deed(msgspec.Struct, frozen=True):
    """What one statement does to one object, before looking whether it is there."""

    verb: Literal["create", "alter", "drop"]
    label: str
    table: str
    statement: int
    replaces: bool = False
    if_exists: bool = False


def _from_statements(
    statements: Sequence[Statement], expectation: Expectation, live: Catalog, here: Mapping[str, str]
) -> Iterator[PlanItem]:
    deeds = [
        deed
        for number, statement in enumerate(statements)
        for deed in _deeds(number, statement, expectation, live, here)
    ]
    last = {deed.label: at for at, deed in enumerate(deeds)}
    dropped: set[str] = set()
    altered: set[str] = set()
    covered = set(expectation.relations()) | {function.name for function in expectation.functions}
    for at, deed in enumerate(deeds):
        now = here.get(deed.label, "")
        if deed.verb == "drop":
            if last[deed.label] > at:
                dropped.add(deed.label)
            elif now or not deed.if_exists or (deed.table or deed.label.partition(" ")[2]) not in covered:
                yield PlanItem("drop", deed.label, deed.table, deed.statement, now)
        elif deed.verb == "alter":
            if deed.label not in altered:
                altered.add(deed.label)
                yield PlanItem("alter", deed.label, deed.table, deed.statement, now)
        elif deed.label not in here:
            yield PlanItem("create", deed.label, deed.table, deed.statement)
        else:
            verb: PlanVerb = "replace" if deed.replaces or deed.label in dropped else "leave"
            yield PlanItem(verb, deed.label, deed.table, deed.statement, now)


def _deeds(
    number: int, statement: Statement, expectation: Expectation, live: Catalog, here: Mapping[str, str]
) -> Iterator[_Deed]:
    verb, _, noun = statement.kind.partition(" ")
    name = statement.object
    if statement.kind == "alter table":
        yield from _alterations(number, statement, live)
    elif verb in ("create", "drop") and name:
        head = " ".join(statement.text[:200].lower().split())
        label, table = _label(noun, statement, expectation, here)
        yield _Deed(
            "create" if verb == "create" else "drop",
            label,
            table,
            number,
            replaces=head.startswith("create or replace"),
            if_exists=" if exists " in f"{head} ",
        )
    elif verb == "alter" and name:
        yield _Deed("alter", f"{noun} {name}", "", number)
    elif verb in ("insert", "update", "delete", "merge", "truncate") and name:
        yield _Deed("alter", f"rows of {name}", name, number)
    elif verb in ("grant", "revoke"):
        # Where the expectation knows the outcome, it says what changes; see _lacking.
        if name not in set(expectation.relations()):
            yield _Deed("alter", f"grants on {name}" if name else "grants", "", number)
    elif verb == "comment" and name:
        yield _Deed("alter", f"comment on {name}", statement.on or name, number)


def _label(noun: str, statement: Statement, expectation: Expectation, here: Mapping[str, str]) -> tuple[str, str]:
    """The label of what a CREATE or DROP names, and the relation it belongs to."""
    name = statement.object
    if statement.on:
        return f"{noun} {name} on {statement.on}", statement.on
    match noun:
        case "table" | "view" | "materialized view":
            return f"{noun.split()[-1]} {name}", name
        case "function" | "procedure":
            full = next((f.name for f in expectation.functions if f.name.partition("(")[0] == name), name)
            return f"function {full}", ""
        case "index":
            # DROP INDEX does not say the table.
            start = f"index {name.rpartition('.')[2]} on "
            label = next((label for label in here if label.startswith(start)), f"index {name}")
            return label, label.partition(" on ")[2]
        case _:
            return f"{noun} {name}", ""


_ADD_COLUMN = re.compile(r'\badd\s+column\s+(?:if\s+not\s+exists\s+)?("(?:[^"]|"")+"|\w+)', re.IGNORECASE)
_ADD_CONSTRAINT = re.compile(r'\badd\s+constraint\s+("(?:[^"]|"")+"|\w+)', re.IGNORECASE)
_ENABLE_RLS = re.compile(r"\benable\s+row\s+level\s+security\b", re.IGNORECASE)


def _alterations(number: int, statement: Statement, live: Catalog) -> Iterator[_Deed]:
    """The deeds of one ALTER TABLE: columns, constraints and row level security by name, anything else as a whole."""
    table, text = statement.object, statement.text
    found = False
    for column in _ADD_COLUMN.findall(text):
        found = True
        yield _Deed("create", f"column {table}.{_name(column)}", table, number)
    for constraint in _ADD_CONSTRAINT.findall(text):
        found = True
        yield _Deed("create", f"constraint {_name(constraint)} on {table}", table, number)
    if _ENABLE_RLS.search(text):
        found = True
        now = live.table(table)
        if now is None or not now.rls:
            yield _Deed("alter" if now else "create", f"row level security on {table}", table, number)
    if not found:
        yield _Deed("alter", f"table {table}", table, number)


def _name(written: str) -> str:
    return written[1:-1].replace('""', '"') if written.startswith('"') else written.lower()


def _lacking(expectation: Expectation, live: Catalog, here: Mapping[str, str]) -> Iterator[PlanItem]:
    """What is expected and not there, as far as statements may not show it: grants, publication entries, and objects
    on tables from before the patch.
    """
    for table in expectation.tables:
        found = live.table(table.name)
        if found is not None and table.origin == "existing":
            for label in _expected_labels(table):
                if label not in here:
                    yield PlanItem("create", label, table.name)
        grants = found.grants if found else ()
        checks = [
            *grant_checks(table.name, table.grants, grants),
            *column_grant_checks(table.name, table.column_grants, grants),
        ]
        yield _grants(table.name, found is not None, all(check.ok for check in checks), here)
    for view in expectation.views:
        seen = live.view(view.name)
        holds = seen is not None and all(check.ok for check in grant_checks(view.name, view.grants, seen.grants))
        yield _grants(view.name, seen is not None, holds, here)
    for publication in expectation.publications:
        published = live.publication(publication.name)
        if published is not None and not published.all_tables:
            for name in publication.tables:
                label = f"publication {publication.name} on {name}"
                yield PlanItem("leave" if label in here else "create", label, name, None, here.get(label, ""))


def _expected_labels(table: ExpectedTable) -> Iterator[str]:
    yield from (f"column {table.name}.{column.name}" for column in table.columns if column.added)
    yield from (f"constraint {constraint.name} on {table.name}" for constraint in table.constraints)
    yield from (f"index {index.name} on {table.name}" for index in table.indexes)
    yield from (f"policy {policy.name} on {table.name}" for policy in table.policies)
    yield from (f"trigger {trigger.name} on {table.name}" for trigger in table.triggers)


def _grants(relation: str, exists: bool, holds: bool, here: Mapping[str, str]) -> PlanItem:
    now = "; ".join(_held(relation, here))
    verb: PlanVerb = "create" if not exists else "leave" if holds else "alter"
    return PlanItem(verb, f"grants on {relation}", relation, None, now)


def _held(relation: str, here: Mapping[str, str]) -> Iterable[str]:
    for label, definition in here.items():
        target = label.partition(" on ")[2]
        if label.startswith("grant ") and (target == relation or target.startswith(f"{relation}.")):
            yield f"{label.removeprefix('grant ').partition(' on ')[0]}: {definition}" + (
                f" of {target.removeprefix(relation + '.')}" if target != relation else ""
            )
