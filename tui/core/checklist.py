"""Expected state x live catalog -> checks: what holds, what is missing, what differs, what nobody expected.

Definitions are compared deparse to deparse: the live object with its twin on the same server. Where there is no twin
(a read-only connection, or the server could not make it), equal text still proves equality; otherwise the definition is
`not_proven`, while everything that needs no deparser is judged all the same.

Objects that nobody expected are failures where they open or block something: policies, triggers, grants to the watched
roles, columns of created tables, publication entries that must not be. An extra index is none: it costs writes and
changes no answer. Of the old columns of a table that existed before the patch only presence and type are judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, MutableMapping

import msgspec

from tui.core.aspects import Aspect, Subject, canonical_type, squeeze, tidy
from tui.core.catalog import Catalog, Function, Publication, Table, View
from tui.core.check import Check, Layer, Outcome
from tui.core.expectation import (
    Expectation,
    ExpectedFunction,
    ExpectedPublication,
    ExpectedSchema,
    ExpectedTable,
    ExpectedView,
)
from tui.core.grantchecks import grant_checks
from tui.core.tablechecks import Twins, table_checks
from tui.core.twin import twin_key

__all__ = [
    "Check",
    "Judged",
    "Layer",
    "Outcome",
    "TableSummary",
    "by_table",
    "compare",
    "judge_tables",
    "runs_as_invoker",
]

_WORST: tuple[Outcome, ...] = ("leak", "unexpected", "differs", "missing", "finding", "not_proven")


class Judged(msgspec.Struct, frozen=True):
    """A table's checks, and all that they follow from beside what is expected."""

    live: Table | None
    twin: Table | None
    failures: tuple[tuple[str, str], ...]
    owner: str
    checks: tuple[Check, ...]


def compare(
    expectation: Expectation,
    live: Catalog,
    twin: Catalog | None,
    twin_failures: Mapping[str, str],
    judged: MutableMapping[str, Judged] | None = None,
) -> tuple[Check, ...]:
    """One check per expected object and one per live object nobody expected, in the expectation's order.

    `twin` is the catalog of the twins, None when none could be made; `twin_failures` says by key what failed and why.
    `judged` holds by name what was judged before of the same expectation: a table that is as it was is not judged anew.
    """
    twins = Twins(twin, twin_failures)
    known = {} if judged is None else judged
    checks: list[Check] = []
    owner = _owner(expectation, live)
    for table in expectation.tables:
        checks += _table(table, live.table(table.name), twins, owner, known)
    for view in expectation.views:
        checks += _view(view, live.view(view.name), twins, owner)
    for function in expectation.functions:
        checks.append(_function(function, live.function(function.name), owner))
    for publication in expectation.publications:
        checks += _publication(publication, live.publication(publication.name))
    for schema in expectation.schemas:
        checks.append(_schema(schema, live))
    return tuple(checks)


def judge_tables(
    expectation: Expectation,
    live: Catalog,
    twin: Catalog,
    failures: Mapping[str, str],
    judged: MutableMapping[str, Judged],
) -> None:
    """Judge the tables that are there by the twins there are so far, ahead of the `compare` with the last of them."""
    twins, owner = Twins(twin, failures), _owner(expectation, live)
    for table in expectation.tables:
        if (there := live.table(table.name)) is not None:
            _table(table, there, twins, owner, judged)


def _table(
    expected: ExpectedTable, live: Table | None, twins: Twins, owner: str, judged: MutableMapping[str, Judged]
) -> tuple[Check, ...]:
    twin, failures = twins.table(expected.name), twins.failures_on(expected.name)
    before = judged.get(expected.name)
    if before is not None and (before.live, before.twin, before.failures, before.owner) == (
        live,
        twin,
        failures,
        owner,
    ):
        return before.checks
    checks = tuple(table_checks(expected, live, twins, owner))
    judged[expected.name] = Judged(live, twin, failures, owner, checks)
    return checks


def _owner(expectation: Expectation, live: Catalog) -> str:
    """The role that owns the bundle's tables here, or most of them; "" while there is none."""
    owners = Counter(table.owner for expected in expectation.tables if (table := live.table(expected.name)))
    return owners.most_common(1)[0][0] if owners else ""


class TableSummary(msgspec.Struct, frozen=True):
    """One row of the dashboard's checklist. `kind` is table, view, function, publication or schema.

    Pairs are (held, expected), where what is not proven counts as held. `rls` is None where there is no table.
    `outcome` is the worst of the row's checks, `problems` how many of them failed; what is not proven has not failed.
    """

    name: str
    kind: str
    exists: bool
    columns: tuple[int, int]
    rls: bool | None
    policies: tuple[int, int]
    indexes: tuple[int, int]
    triggers: tuple[int, int]
    grants_ok: bool
    outcome: Outcome
    problems: int


def by_table(checks: Iterable[Check], expectation: Expectation) -> tuple[TableSummary, ...]:
    """The checks summed up per object, in the expectation's order.

    A publication's entry counts for the publication and for the table it is about.
    """
    hanging: dict[str, list[Check]] = {}
    own: dict[tuple[str, str], list[Check]] = {}
    for check in checks:
        if check.table:
            hanging.setdefault(check.table, []).append(check)
        if check.name != check.table:
            own.setdefault((check.object, check.name), []).append(check)
    rows: list[TableSummary] = []
    for kind, names in (
        ("table", [table.name for table in expectation.tables]),
        ("view", [view.name for view in expectation.views]),
        ("function", [function.name for function in expectation.functions]),
        ("publication", [publication.name for publication in expectation.publications]),
        ("schema", [schema.name for schema in expectation.schemas]),
    ):
        rows += [_summary(name, kind, hanging.get(name, []) + own.get((kind, name), [])) for name in names]
    return tuple(rows)


def _summary(name: str, kind: str, checks: list[Check]) -> TableSummary:
    def share(of: str) -> tuple[int, int]:
        expected = [check for check in checks if check.object == of and check.outcome != "unexpected"]
        return sum(not check.failed for check in expected), len(expected)

    there = next((check for check in checks if check.object == kind), None)
    rls = next((check.actual == "on" for check in checks if check.object == "rls" and check.outcome != "missing"), None)
    outcomes = {check.outcome for check in checks}
    return TableSummary(
        name=name,
        kind=kind,
        exists=there is not None and there.outcome != "missing",
        columns=share("column"),
        rls=rls,
        policies=share("policy"),
        indexes=share("index"),
        triggers=share("trigger"),
        grants_ok=all(check.ok for check in checks if check.object == "grant"),
        outcome=next((outcome for outcome in _WORST if outcome in outcomes), "ok"),
        problems=sum(check.failed for check in checks),
    )


def _view(expected: ExpectedView, live: View | None, twins: Twins, owner: str) -> Iterator[Check]:
    subject = Subject("view", expected.name, expected.name, expected.why)
    key = twin_key("view", expected.name)
    twin = twins.catalog.view(expected.name) if twins.catalog and key not in twins.failures else None
    wanted = (tidy(twin.definition if twin else expected.definition) or "").removesuffix(";")
    rights = "with the rights of whoever asks" if expected.security_invoker else "with the rights of its owner"
    if live is None:
        yield subject.missing(wanted)
        yield from grant_checks(expected.name, expected.grants, None)
        return
    invoker = runs_as_invoker(live)
    now = "with the rights of whoever asks" if invoker else "with the rights of its owner"
    actual = (tidy(live.definition) or "").removesuffix(";")
    aspects = [
        _owned(live.owner, owner),
        Aspect(expected.security_invoker, invoker, f"it reads {now}"),
        Aspect(expected.columns, live.columns, f"its columns are {', '.join(live.columns)}"),
        Aspect(wanted, actual, "its definition is another", twin is not None),
    ]
    yield subject.judged(aspects, f"{wanted} ({rights})", f"{actual} ({now})", twins.unproven(key))
    yield from grant_checks(expected.name, expected.grants, live.grants)


def _owned(owner: str, of_tables: str) -> Aspect:
    """What one role made belongs to one role; with no table there yet, to anybody."""
    return Aspect(True, owner == (of_tables or owner), f"it belongs to {owner}, the tables to {of_tables}")


def runs_as_invoker(view: View) -> bool:
    """Whether a view reads with the rights of whoever asks, and not past every policy with its owner's."""
    options = dict(option.lower().partition("=")[::2] for option in view.options)
    # The server stores a boolean option as it was typed.
    return options.get("security_invoker") in ("true", "on", "yes", "1", "")


def _function(expected: ExpectedFunction, live: Function | None, owner: str) -> Check:
    subject = Subject("function", "", expected.name, expected.why)
    wanted = _function_text(
        expected.returns,
        expected.language,
        expected.volatility,
        expected.security_definer,
        expected.config,
        expected.execute,
        expected.body,
    )
    if live is None:
        return subject.missing(wanted)
    actual = _function_text(
        live.returns,
        live.language,
        live.volatility,
        live.security_definer,
        live.config,
        live.execute,
        live.body,
    )
    definer = "it runs with its owner's rights" if live.security_definer else "it runs with its caller's rights"
    who = ", ".join("PUBLIC" if role == "public" else role for role in live.execute) or "no watched role"
    aspects = [
        _owned(live.owner, owner),
        Aspect(canonical_type(expected.returns), canonical_type(live.returns), f"it returns {live.returns}"),
        Aspect(expected.language.lower(), live.language.lower(), f"it is written in {live.language}"),
        Aspect(expected.volatility, live.volatility, f"it is {live.volatility}"),
        Aspect(expected.security_definer, live.security_definer, definer),
        Aspect(sorted(expected.config), sorted(live.config), f"its settings are {', '.join(live.config) or 'none'}"),
        Aspect(sorted(expected.execute), sorted(live.execute), f"{who} may execute it"),
        Aspect(squeeze(expected.body), squeeze(live.body), "its body is another"),
    ]
    return subject.judged(aspects, wanted, actual)


def _function_text(
    returns: str,
    language: str,
    volatility: str,
    definer: bool,
    config: Iterable[str],
    execute: Iterable[str],
    body: str,
) -> str:
    parts = [f"returns {returns}", f"language {language}", volatility]
    parts += ["security definer"] if definer else []
    parts += [f"set {setting}" for setting in sorted(config)]
    parts += [f"execute: {', '.join(sorted(execute)) or 'nobody'}", f"as {squeeze(body)}"]
    return " ".join(parts)


def _publication(expected: ExpectedPublication, live: Publication | None) -> Iterator[Check]:
    whole = Subject("publication", "", expected.name, expected.why)
    if live is None and expected.optional:
        yield whole.check("ok", "its tables, where the publication exists", "no publication of that name (skipped)")
        return
    entries = {entry.table: entry for entry in live.tables} if live else {}
    for table in expected.tables:
        subject = Subject("publication", table, expected.name, expected.why)
        entry = entries.get(table)
        if live is not None and live.all_tables:
            yield subject.check("ok", "published", "published: the publication is for all tables")
        elif entry is None:
            yield subject.missing("published")
        else:
            columns = f" only columns {', '.join(entry.columns)}" if entry.columns else ""
            where = f" only rows where {entry.where}" if entry.where else ""
            aspects = [
                Aspect("", columns, "not all columns are published"),
                Aspect("", where, "not all rows are published"),
            ]
            yield subject.judged(aspects, "published", f"published{columns}{where}")
    for table in expected.absent:
        subject = Subject("publication", table, expected.name, expected.why)
        if live is not None and (live.all_tables or table in entries):
            yield subject.unexpected("published")
        else:
            yield subject.check("ok", "not published", "not published")


def _schema(expected: ExpectedSchema, catalog: Catalog) -> Check:
    subject = Subject("schema", "", expected.name, expected.why)
    live = catalog.schema(expected.name)
    wanted = f"usage: {', '.join(sorted(expected.usage)) or 'nobody'}"
    if live is None:
        return subject.missing(wanted)
    actual = ", ".join(sorted(live.usage)) or "nobody"
    usage = Aspect(sorted(expected.usage), sorted(live.usage), f"it may be used by {actual}")
    return subject.judged([usage], wanted, f"usage: {actual}")
