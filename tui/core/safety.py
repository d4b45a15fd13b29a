"""Findings of the live lint: which rules the database breaks, what the bundle mutes, what is new since the patch."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import msgspec

from tui.core.check import Check
from tui.core.policy_rules import TableFacts, broken_rules
from tui.core.safety_rules import BY_CODE, RULES, Rule
from tui.core.safety_scope import Key as Key
from tui.core.safety_scope import LintRequest as LintRequest
from tui.core.safety_scope import Mute as Mute
from tui.core.text import one_line, visible


class Scope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was examined. `absent`: API roles that do not exist here; `defaults`: the generation of the default
    privileges of the tables' owners, classic, 2026 or none (facts: supabase A4).
    """

    schemas: tuple[str, ...]
    roles: tuple[str, ...]
    absent: tuple[str, ...]
    tables: int
    policies: int
    functions: int
    defaults: str


class Row(msgspec.Struct, frozen=True):
    """One row of safety.sql, its text as the server sent it."""

    code: str
    object: str
    table: str
    name: str
    detail: str


class Finding(msgspec.Struct, frozen=True):
    """A rule that an object breaks. `muted_by` is the bundle's reason, None when there is none; `new` says whether it
    was not there before the patch, None when no baseline is known.
    """

    rule: Rule
    object: str
    table: str
    name: str
    detail: str
    muted_by: str | None = None
    new: bool | None = None

    @property
    def key(self) -> str:
        """The object's name for mutes and baselines, e.g. `public.agents.agents_select`, `public.f(uuid)`."""
        return object_key(self.object, self.table, self.name)

    @property
    def fails(self) -> bool:
        """Whether it fails the layer: an error or a warning that nobody has explained."""
        return self.rule.level != "info" and self.muted_by is None


def object_key(kind: str, table: str, name: str) -> str:
    """The name by which an object is muted: a relation's own, or what hangs on it after a dot."""
    if kind in ("table", "view"):
        return table
    return f"{table}.{name}" if table else name


def judge(
    rows: Sequence[Row], mutes: Sequence[Mute] = (), baseline: Collection[Key] | None = None, *, anonymous: str = "anon"
) -> tuple[Finding, ...]:
    """The findings in the rows of safety.sql: errors first, then by code and object; one per rule and object.

    `mutes` are the bundle's, the first that covers a finding gives the reason; `baseline` holds the keys of what was
    there before the patch (see `baseline_of`); `anonymous` is the request's. Raises msgspec.ValidationError or KeyError
    for rows that are not safety.sql's.
    """
    roles = frozenset(scope(rows).roles)
    details: dict[tuple[str, str, str, str], list[str]] = {}
    for row in rows:
        if row.code == "table":
            table = msgspec.json.decode(row.detail, type=TableFacts)
            for broken in broken_rules(table, roles, anonymous):
                kind, name = ("policy", broken.policy) if broken.policy else ("table", table.bare)
                details.setdefault((broken.code, kind, table.name, name), []).append(broken.detail)
        elif row.code != "scope":
            details.setdefault((row.code, row.object, row.table, row.name), []).append(row.detail)
    findings = [_finding(*where, texts, mutes, baseline) for where, texts in details.items()]
    return tuple(sorted(findings, key=lambda found: (_ORDER[found.rule.level], found.rule.code, found.key)))


def scope(rows: Sequence[Row]) -> Scope:
    """What was examined. Raises msgspec.ValidationError or StopIteration for rows that are not safety.sql's."""
    return msgspec.json.decode(next(row.detail for row in rows if row.code == "scope"), type=Scope)


def baseline_of(findings: Sequence[Finding]) -> frozenset[Key]:
    """What to compare later findings with: the keys of these."""
    return frozenset((finding.rule.code, finding.key) for finding in findings)


def to_checks(findings: Sequence[Finding], examined: Scope) -> tuple[Check, ...]:
    """The layer's checks: one `finding` for each error and warning that is not muted, one `ok` for each rule of these
    levels that nothing breaks, and one `not_proven` where there was nobody or nothing to examine.
    """
    checks = [_check(finding) for finding in findings if finding.fails]
    broken = {finding.rule.code for finding in findings if finding.fails}
    muted = {finding.rule.code: finding.muted_by for finding in findings if finding.muted_by}
    if examined.absent:
        checks.append(unproven(f"there is no role {', '.join(examined.absent)} on this server"))
    if not examined.tables:
        checks.append(unproven(f"there is no table in {', '.join(examined.schemas) or 'any exposed schema'}"))
    for rule in RULES:
        if rule.level != "info" and rule.code not in broken:
            reason = muted.get(rule.code)
            actual = f"muted: {reason}" if reason else ""
            checks.append(Check("safety", "rule", "", f"{rule.code} {rule.title}", "ok", "", actual, rule.why))
    return tuple(checks)


def unproven(reason: str) -> Check:
    """The check of a lint that could not be made, or that had nothing to look at."""
    return Check(
        "safety", "schema", "", "lint", "not_proven", why=one_line(f"Safety is not proven: {reason}.", _DETAIL)
    )


_ORDER = {"error": 0, "warn": 1, "info": 2}

_DETAIL = 600
"""Characters of a detail that are kept: a policy's expression may be long, and what matters stands in front."""


def _finding(
    code: str,
    kind: str,
    table: str,
    name: str,
    texts: Sequence[str],
    mutes: Sequence[Mute],
    baseline: Collection[Key] | None,
) -> Finding:
    table, name = visible(table), visible(name)
    key = object_key(kind, table, name)
    return Finding(
        rule=BY_CODE[code],
        object=kind,
        table=table,
        name=name,
        detail=one_line(" ".join("; ".join(dict.fromkeys(texts)).split()), _DETAIL),
        muted_by=next((mute.reason for mute in mutes if mute.covers(code, key)), None),
        new=None if baseline is None else (code, key) not in baseline,
    )


def _check(finding: Finding) -> Check:
    rule = finding.rule
    said = {None: "", True: " New since the patch.", False: " It was there before the patch."}[finding.new]
    advisor = f" (advisors: {rule.advisor})" if rule.advisor else ""
    return Check(
        layer="safety",
        object=finding.object,
        table=finding.table,
        name=finding.name,
        outcome="finding",
        actual=finding.detail,
        why=f"{rule.code} {rule.title}{advisor}: {rule.why} {rule.mend}{said}",
    )
