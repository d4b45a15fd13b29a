"""The checks of one expected table: its columns, constraints, indexes, policies, triggers and grants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

import msgspec

from tui.core.aspects import NO_TWIN, RESTRICTIVE, Aspect, Subject, canonical_type, tidy
from tui.core.catalog import Catalog, Column, Policy, Table, Trigger
from tui.core.check import Check
from tui.core.expectation import (
    ExpectedColumn,
    ExpectedConstraint,
    ExpectedIndex,
    ExpectedPolicy,
    ExpectedTable,
    ExpectedTrigger,
)
from tui.core.grantchecks import column_grant_checks, grant_checks
from tui.core.twin import is_foreign_key, trigger_tail, twin_key

PLAIN_TYPES = frozenset(
    {
        "bigint",
        "boolean",
        "bytea",
        "date",
        "double precision",
        "integer",
        "jsonb",
        "text",
        "timestamp with time zone",
        "timestamp without time zone",
        "uuid",
    }
)
"""Types whose canonical name needs no server: another one beside them is another type, twin or not."""


class _Named(Protocol):
    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=_Named)


class Twins(msgspec.Struct, frozen=True):
    """The twins of one server: its catalog of them (None where none could be made) and what failed, by key."""

    catalog: Catalog | None
    failures: Mapping[str, str]

    def table(self, name: str) -> Table | None:
        """The twin of a table, None when there is none."""
        made = self.catalog is not None and twin_key("table", name) not in self.failures
        return self.catalog.table(name) if made and self.catalog else None

    def failures_on(self, name: str) -> tuple[tuple[str, str], ...]:
        """What of a table's twin could not be made."""
        table = twin_key("table", name)
        return tuple(
            sorted((key, why) for key, why in self.failures.items() if key == table or key.endswith(f" on {name}"))
        )

    def unproven(self, key: str) -> str:
        """Why the definition of `key` can not be proven."""
        reason = self.failures.get(key)
        return (
            f"not provable here: the server could not make the expected one to compare with: {reason}"
            if reason
            else NO_TWIN
        )


def table_checks(expected: ExpectedTable, live: Table | None, twins: Twins, owner: str) -> Iterator[Check]:
    """Every check of a table, in the expectation's order, what nobody expected after its kind.

    `owner` is the role that owns the bundle's tables here, or most of them.
    """
    twin = twins.table(expected.name)
    judge = _TableJudge(expected, live, twin, twins, owner)
    yield judge.existence()
    yield from judge.columns()
    for constraint in expected.constraints:
        yield judge.constraint(constraint)
    yield from judge.extra_constraints()
    for index in expected.indexes:
        yield judge.index(index)
    yield judge.rls()
    yield from judge.policies()
    yield from judge.triggers()
    yield from judge.rules()
    yield from grant_checks(expected.name, expected.grants, live.grants if live else None)
    yield from column_grant_checks(expected.name, expected.column_grants, live.grants if live else None)


class _TableJudge:
    """An expected table beside the live one (None: missing) and its twin (None: not to be had)."""

    def __init__(
        self, expected: ExpectedTable, live: Table | None, twin: Table | None, twins: Twins, owner: str
    ) -> None:
        self._expected, self._live, self._twin, self._twins, self._owner = expected, live, twin, twins, owner

    def existence(self) -> Check:
        """The table itself; for one the patch creates, the order of its columns too."""
        expected, live = self._expected, self._live
        subject = self._subject("table", expected.name, expected.why)
        if live is None:
            return subject.missing("table")
        # Whoever may act as the owner can change the table; a role that only looks may act as nobody.
        strange = f"it belongs to {live.owner}, not to {self._owner}, and can not be altered with the others"
        owned = Aspect(True, live.usable or live.owner == self._owner, strange)
        if expected.origin == "existing":
            return subject.judged([owned], "table", f"table of {live.owner}")
        names = [column.name for column in expected.columns]
        here = [column.name for column in live.columns if column.name in names]
        order = Aspect(
            [name for name in names if name in here],
            here,
            f"its columns stand in another order ({', '.join(here)})",
        )
        return subject.judged([owned, order], "table", f"table of {live.owner}")

    def columns(self) -> Iterator[Check]:
        """Each expected column; of a created table also each column nobody expected."""
        for column in self._expected.columns:
            yield self._column(column)
        if self._live is not None and self._expected.origin == "created":
            for extra in _unexpected(self._live.columns, self._expected.columns):
                yield self._subject("column", extra.name).unexpected(column_text(extra))

    def _column(self, expected: ExpectedColumn) -> Check:
        subject = self._subject("column", expected.name, expected.why)
        typed = Column(expected.name, canonical_type(expected.type), expected.not_null, tidy(expected.default))
        twin = _find(self._twin.columns, expected.name) if self._twin else None
        wanted, certain = twin or typed, twin is not None
        live = _find(self._live.columns, expected.name) if self._live else None
        if live is None:
            return subject.missing(column_text(wanted))
        aspects = [Aspect(wanted.type, live.type, f"it is of type {live.type}", certain or wanted.type in PLAIN_TYPES)]
        if self._expected.origin == "created" or expected.added:
            # How a table from before the patch fills its own old columns is not the patch's business.
            nulls = "it takes no NULL" if live.not_null else "it takes NULL"
            aspects += [
                Aspect(wanted.not_null, live.not_null, nulls),
                Aspect(wanted.default, live.default, "its default is another", certain),
                Aspect(
                    (wanted.identity, wanted.generated),
                    (live.identity, live.generated),
                    "it is generated otherwise",
                    # Said within the type, as CREATE TABLE takes it: only a server tells it apart.
                    certain or " generated " not in expected.type,
                ),
            ]
        return subject.judged(aspects, column_text(wanted), column_text(live), self._unproven("table"))

    def constraint(self, expected: ExpectedConstraint) -> Check:
        """A constraint: foreign keys by their text, the others through the twin."""
        subject = self._subject("constraint", expected.name, expected.why)
        twin = _find(self._twin.constraints, expected.name) if self._twin else None
        live = _find(self._live.constraints, expected.name) if self._live else None
        wanted = twin.definition if twin else tidy(expected.definition) or ""
        if live is None:
            return subject.missing(wanted)
        certain = twin is not None or is_foreign_key(expected.definition)
        aspects = [Aspect(tidy(wanted), tidy(live.definition), "its definition is another", certain)]
        unproven = self._unproven("constraint", expected.name)
        return subject.judged(aspects, wanted, live.definition, unproven)

    def index(self, expected: ExpectedIndex) -> Check:
        """A secondary index: definition and that the server uses it."""
        subject = self._subject("index", expected.name, expected.why)
        twin = _find(self._twin.indexes, expected.name) if self._twin else None
        live = _find(self._live.indexes, expected.name) if self._live else None
        wanted = twin.definition if twin else expected.definition
        if live is None:
            return subject.missing(wanted)
        aspects = [
            Aspect(True, live.valid, "the index is invalid, so no query uses it"),
            Aspect(tidy(wanted), tidy(live.definition), "its definition is another", twin is not None),
        ]
        actual = live.definition + ("" if live.valid else " [invalid]")
        return subject.judged(aspects, wanted, actual, self._unproven("index", expected.name))

    def rls(self) -> Check:
        """Whether row level security is as it should be."""
        wanted = "on" if self._expected.rls else "off"
        subject = self._subject("rls", "row level security")
        if self._live is None:
            return subject.missing(wanted)
        actual = "on" if self._live.rls else "off"
        return subject.judged([Aspect(wanted, actual, f"it is {actual}")], wanted, actual)

    def policies(self) -> Iterator[Check]:
        """Each expected policy, then each that nobody expected."""
        for policy in self._expected.policies:
            yield self._policy(policy)
        for extra in _unexpected(self._live.policies if self._live else (), self._expected.policies):
            why = "" if extra.permissive else RESTRICTIVE
            yield self._subject("policy", extra.name).unexpected(policy_text(extra), why)

    def _policy(self, expected: ExpectedPolicy) -> Check:
        subject = self._subject("policy", expected.name, expected.why)
        permissive = expected.kind == "permissive"
        roles = tuple(sorted(expected.roles))
        typed = Policy(expected.name, expected.command, permissive, roles, tidy(expected.using), tidy(expected.check))
        twin = _find(self._twin.policies, expected.name) if self._twin else None
        wanted, certain = twin or typed, twin is not None
        live = _find(self._live.policies, expected.name) if self._live else None
        if live is None:
            return subject.missing(policy_text(wanted))
        aspects = [
            Aspect(wanted.command, live.command, f"it is for {live.command.upper()}"),
            Aspect(wanted.permissive, live.permissive, "it is permissive" if live.permissive else "it is restrictive"),
            Aspect(sorted(wanted.roles), sorted(live.roles), f"it is for {', '.join(live.roles)}"),
            Aspect(wanted.using is None, live.using is None, "its USING is missing or too many"),
            Aspect(wanted.check is None, live.check is None, "its WITH CHECK is missing or too many"),
            Aspect(tidy(wanted.using), tidy(live.using), "its USING is another", certain),
            Aspect(tidy(wanted.check), tidy(live.check), "its WITH CHECK is another", certain),
        ]
        unproven = self._unproven("policy", expected.name)
        return subject.judged(aspects, policy_text(wanted), policy_text(live), unproven)

    def triggers(self) -> Iterator[Check]:
        """Each expected trigger, then of a created table each that nobody expected.

        A table from before has its own, which the patch leaves alone; one that comes later is drift.
        """
        for trigger in self._expected.triggers:
            yield self._trigger(trigger)
        if self._live is None or self._expected.origin == "existing":
            return
        for extra in _unexpected(self._live.triggers, self._expected.triggers):
            yield self._subject("trigger", extra.name).unexpected(trigger_text(extra))

    def extra_constraints(self) -> Iterator[Check]:
        """Of a table the patch creates, each constraint nobody expected; older tables have their own."""
        if self._live is not None and self._expected.origin == "created":
            for extra in _unexpected(self._live.constraints, self._expected.constraints):
                yield self._subject("constraint", extra.name).unexpected(extra.definition)

    def rules(self) -> Iterator[Check]:
        """Each rewrite rule: a bundle expects none."""
        for rule in self._live.rules if self._live else ():
            yield self._subject("rule", rule.name).unexpected(rule.definition)

    def _trigger(self, expected: ExpectedTrigger) -> Check:
        subject = self._subject("trigger", expected.name, expected.why)
        twin = _find(self._twin.triggers, expected.name) if self._twin else None
        wanted = twin.definition if twin else trigger_tail(expected, self._expected.name)
        live = _find(self._live.triggers, expected.name) if self._live else None
        if live is None:
            return subject.missing(wanted)
        fires = "the trigger is disabled" if live.enabled == "disabled" else f"the trigger fires in {live.enabled} mode"
        aspects = [
            Aspect("origin", live.enabled, fires),
            Aspect(tidy(wanted), tidy(live.definition), "its definition is another", twin is not None),
        ]
        return subject.judged(aspects, wanted, trigger_text(live), self._unproven("trigger", expected.name))

    def _subject(self, kind: str, name: str, why: str = "") -> Subject:
        return Subject(kind, self._expected.name, name, why)

    def _unproven(self, kind: str, name: str = "") -> str:
        return self._twins.unproven(twin_key(kind, self._expected.name, name))


def policy_text(policy: Policy) -> str:
    """A policy on one line, as CREATE POLICY would say it after the table."""
    kind = "permissive" if policy.permissive else "restrictive"
    using = f" using {_wrapped(policy.using)}" if policy.using is not None else ""
    check = f" with check {_wrapped(policy.check)}" if policy.check is not None else ""
    return f"{kind} for {policy.command} to {', '.join(policy.roles)}{using}{check}"


def trigger_text(trigger: Trigger) -> str:
    """A trigger's definition with its state where that is not the ordinary one."""
    return trigger.definition + ("" if trigger.enabled == "origin" else f" [{trigger.enabled}]")


def column_text(column: Column) -> str:
    """A column on one line, as CREATE TABLE would say it after the name."""
    text = column.type + (" not null" if column.not_null else "")
    if column.generated:
        return f"{text} generated always as ({column.default}) {'virtual' if column.generated == 'v' else 'stored'}"
    if column.identity:
        return f"{text} generated {'always' if column.identity == 'a' else 'by default'} as identity"
    return text + (f" default {column.default}" if column.default is not None else "")


def _wrapped(expression: str) -> str:
    text = tidy(expression) or ""
    return text if text.startswith("(") and text.endswith(")") else f"({text})"


def _find(items: Iterable[N], name: str) -> N | None:
    for item in items:
        if item.name == name:
            return item
    return None


def _unexpected(live: Iterable[N], expected: Iterable[_Named]) -> Iterator[N]:
    names = {item.name for item in expected}
    return (item for item in live if item.name not in names)
