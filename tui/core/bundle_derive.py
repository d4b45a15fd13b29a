"""What a patch did to a database, as an expectation: two catalogs, before and after, and the difference of them.

The result says what PATCH.sql does, not what it should do: it is a draft to be reviewed against the specification.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from tui.core.bundle_agreement import Reading, qualified, read_script
from tui.core.bundle_expected import UNWRITTEN
from tui.core.catalog import (
    Catalog,
    Column,
    Constraint,
    Function,
    Grant,
    Index,
    Publication,
    Schema,
    Table,
    Trigger,
    View,
)
from tui.core.checklist import runs_as_invoker
from tui.core.expectation import (
    WATCHED_ROLES,
    Expectation,
    ExpectedColumn,
    ExpectedConstraint,
    ExpectedFunction,
    ExpectedIndex,
    ExpectedPolicy,
    ExpectedPublication,
    ExpectedSchema,
    ExpectedTable,
    ExpectedTrigger,
    ExpectedView,
)
from tui.core.grantchecks import ALL_PRIVILEGES
from tui.core.statements import Statement

_LITERALS = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")""")
_TRIGGER = re.compile(
    r"(?P<fires>.+?) ON \S+ FOR EACH (?P<each>ROW|STATEMENT)(?: WHEN \((?P<when>.*)\))?"
    r" EXECUTE FUNCTION (?P<function>.*)",
    re.DOTALL,
)


def derive(before: Catalog, after: Catalog, patch: Sequence[Statement]) -> Expectation:
    """The expectation of what `patch` made of `before`, as `after` shows it. Both catalogs are of the whole database.

    A table is in it when the patch changed it, or creates or alters it by name though it was so before.
    """
    reading = read_script(patch)
    named = {on or name for noun, name, on in reading.made if on or noun == "table"} | set(reading.words)
    tables = [
        _table(old, table)
        for table in after.tables
        if _facts(old := before.table(table.name)) != _facts(table) or table.name in named
    ]
    # In the order of the script, as whoever reviews it reads them.
    mentions = [qualified(name) for statement in patch for name in (statement.object, statement.on)]
    tables.sort(key=lambda table: mentions.index(table.name) if table.name in mentions else len(mentions))
    known = {table.name for table in tables}
    publications = [
        found
        for publication in after.publications
        if (found := _publication(before.publication(publication.name), publication, known, patch)) is not None
    ]
    return Expectation(
        tables=tuple(tables),
        functions=tuple(_functions(before, after, reading)),
        views=tuple(_views(before, after, reading)),
        publications=tuple(publications),
        schemas=tuple(
            ExpectedSchema(schema.name, schema.usage)
            for schema in after.schemas
            if _usage(before.schema(schema.name)) != _usage(schema)
        ),
    )


def _facts(table: Table | None) -> Table | None:
    """What of a table an expectation speaks about: no comments, no owner."""
    if table is None:
        return None
    return msgspec.structs.replace(
        table,
        owner="", usable=True, force_rls=False, acl_default=False, comment=None, rules=(),
        columns=tuple(msgspec.structs.replace(column, comment=None) for column in table.columns),
        policies=tuple(msgspec.structs.replace(policy, comment=None) for policy in table.policies),
        triggers=tuple(msgspec.structs.replace(trigger, comment=None) for trigger in table.triggers),
        grants=tuple(sorted(_watched(table.grants), key=lambda g: (g.grantee, g.privilege, g.column or ""))),
    )  # fmt: skip


def _table(old: Table | None, table: Table) -> ExpectedTable:
    """`table` as it is expected; of one that was there before, only what the patch touched, and all of its policies."""
    constraints = tuple(
        ExpectedConstraint(constraint.name, constraint.definition)
        for constraint in _new(old.constraints if old else (), table.constraints)
        if constraint.kind != "trigger"
    )
    indexes = tuple(
        ExpectedIndex(index.name, _one_spaced(index.definition))
        for index in _new(old.indexes if old else (), table.indexes)
    )
    policies = tuple(
        ExpectedPolicy(
            policy.name, policy.command, "permissive" if policy.permissive else "restrictive", policy.roles,
            _maybe(policy.using), _maybe(policy.check),
        )
        for policy in table.policies
    )  # fmt: skip
    found = _new(old.triggers if old else (), table.triggers)
    triggers = tuple(expected for trigger in found if (expected := _trigger(trigger)) is not None)
    said = [c.definition for c in constraints] + [i.definition for i in indexes]
    said += [text for policy in policies for text in (policy.using, policy.check) if text]
    said += [text for trigger in triggers for text in (trigger.fires, trigger.when or "")]
    place = {column.name: at for at, column in enumerate(table.columns)}
    grants, columns = _grants(sorted(table.grants, key=lambda grant: place.get(grant.column or "", -1)))
    said += [column for by_privilege in columns.values() for names in by_privilege.values() for column in names]
    return ExpectedTable(
        name=table.name,
        origin="existing" if old else "created",
        why=UNWRITTEN,
        columns=tuple(_columns(old, table, said)),
        rls=table.rls,
        constraints=constraints,
        indexes=indexes,
        policies=policies,
        triggers=triggers,
        grants=grants,
        column_grants=columns,
    )


def _columns(old: Table | None, table: Table, said: Iterable[str]) -> Iterator[ExpectedColumn]:
    """The columns; of a table from before those that are new or other, and those that `said` mentions.

    The rest of such a table is none of the patch's business: a check of it would only find fault with other databases.
    """
    words = set(re.findall(r"\w+", " ".join(said)))
    before = {column.name: column for column in old.columns} if old else {}
    for column in table.columns:
        was = before.get(column.name)
        mentioned = not old or not set(re.findall(r"\w+", column.name)) - words
        changed = was is None or msgspec.structs.replace(was, comment=None) != msgspec.structs.replace(
            column, comment=None
        )
        if not old or changed or mentioned:
            yield _column(column, added=old is not None and was is None)


def _column(column: Column, *, added: bool) -> ExpectedColumn:
    kind, default = column.type, _maybe(column.default)
    if column.identity:
        kind += f" generated {'always' if column.identity == 'a' else 'by default'} as identity"
    elif column.generated:
        kind += f" generated always as ({default}) {'virtual' if column.generated == 'v' else 'stored'}"
        default = None
    return ExpectedColumn(column.name, kind, column.not_null, default, added)


def _trigger(trigger: Trigger) -> ExpectedTrigger | None:
    """A trigger from the server's definition of it; None where the file has no words for it."""
    found = _TRIGGER.fullmatch(trigger.definition)
    if found is None or trigger.constraint or " REFERENCING " in found["fires"]:
        return None
    words = re.split(r'("(?:[^"]|"")*")', found["fires"])
    fires = "".join(part if at % 2 else part.lower() for at, part in enumerate(words))
    when = _maybe(found["when"])
    return ExpectedTrigger(
        trigger.name, fires, found["function"], "row" if found["each"] == "ROW" else "statement", when
    )


def _grants(
    grants: Iterable[Grant],
) -> tuple[dict[str, tuple[str, ...]], dict[str, dict[str, tuple[str, ...]]]]:
    """The watched roles' rights on the whole relation, and by privilege on columns of it."""
    whole: dict[str, list[str]] = {}
    columns: dict[str, dict[str, list[str]]] = {}
    for grant in _watched(grants):
        if grant.column is None:
            whole.setdefault(grant.grantee, []).append(grant.privilege)
        else:
            columns.setdefault(grant.grantee, {}).setdefault(grant.privilege, []).append(grant.column)
    return (
        {role: _privileges(privileges) for role, privileges in sorted(whole.items())},
        {
            role: {privilege: tuple(names) for privilege, names in sorted(by_privilege.items())}
            for role, by_privilege in sorted(columns.items())
        },
    )


def _privileges(held: Collection[str]) -> tuple[str, ...]:
    # PostgreSQL 17's MAINTAIN comes with ALL and is unknown before.
    if set(held) >= ALL_PRIVILEGES:
        return ("ALL",)
    return tuple(privilege for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE") if privilege in held) + tuple(
        sorted(set(held) - {"SELECT", "INSERT", "UPDATE", "DELETE"})
    )


def _watched(grants: Iterable[Grant]) -> Iterator[Grant]:
    return (grant for grant in grants if grant.grantee in WATCHED_ROLES)


def _functions(before: Catalog, after: Catalog, reading: Reading) -> Iterator[ExpectedFunction]:
    made = {name for noun, name, _ in reading.made if noun in ("function", "procedure")}
    for function in after.functions:
        if _routine(before.function(function.name)) != _routine(function) or function.name.partition("(")[0] in made:
            yield ExpectedFunction(
                function.name, function.returns, function.language, function.body.lstrip("\n"), function.volatility,
                function.security_definer, function.config, function.execute,
            )  # fmt: skip


def _routine(function: Function | None) -> Function | None:
    return function and msgspec.structs.replace(function, owner="", comment=None, usable=True, definition="", grants=())


def _views(before: Catalog, after: Catalog, reading: Reading) -> Iterator[ExpectedView]:
    made = {name for noun, name, _ in reading.made if noun == "view"}
    for view in after.views:
        old = before.view(view.name)
        if _view(old) != _view(view) or view.name in made:
            definition = _one_spaced(view.definition).removesuffix(";")
            grants, _ = _grants(view.grants)
            yield ExpectedView(view.name, view.columns, definition, runs_as_invoker(view), grants)


def _view(view: View | None) -> tuple[object, ...]:
    return () if view is None else (view.columns, view.definition, view.options, _grants(view.grants))


def _publication(
    old: Publication | None, publication: Publication, tables: Collection[str], patch: Iterable[Statement]
) -> ExpectedPublication | None:
    """What the patch put into or took out of a publication; None when nothing. `tables` are the patch's own.

    Changed in a DO block only, it is optional: such a block is there to ask whether the publication exists.
    """
    before = {entry.table: entry for entry in old.tables} if old else {}
    now = {entry.table: entry for entry in publication.tables}
    taken = tuple(name for name in before if name not in now)
    if before == now and old is not None:
        return None
    put = tuple(name for name, entry in now.items() if before.get(name) != entry or name in tables)
    plainly = any(s.kind.endswith(" publication") and s.object == publication.name for s in patch)
    return ExpectedPublication(publication.name, put, taken, optional=not plainly)


def _usage(schema: Schema | None) -> tuple[str, ...] | None:
    return None if schema is None else schema.usage


def _one_spaced(expression: str) -> str:
    """A deparsed expression on one line; in literals and quoted names every blank stays, it has a meaning there."""
    parts = _LITERALS.split(expression.strip())
    return "".join(part if at % 2 else re.sub(r"\s+", " ", part) for at, part in enumerate(parts))


def _maybe(expression: str | None) -> str | None:
    return None if expression is None else _one_spaced(expression)


N = TypeVar("N", Constraint, Index, Trigger)


def _new(old: Iterable[N], now: Iterable[N]) -> Iterator[N]:
    """What is there now and was not, or was another."""
    before = set(old)
    return (item for item in now if item not in before)
