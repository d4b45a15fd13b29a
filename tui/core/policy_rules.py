"""What a table's policies open: the rules R101 to R117, which read expressions, on one table's facts."""

from __future__ import annotations

from collections.abc import Iterator, Set
from functools import lru_cache
from itertools import product

import msgspec

from tui.core.condition import Node, leaves, parse
from tui.core.predicate import (
    Row,
    asks_caller,
    binds_row,
    binds_tenant,
    claim_calls,
    compares_with_itself,
    fixed_tenants,
    fixes_tenant,
    functions_per_row,
    looks_up_in_query,
    possible,
    reads_user_metadata,
    truth,
)

_ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")


class PolicyFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy as safety.sql reads it. `roles` are those it names, `public` among them; `bound` those it holds for:
    without roles that bypass row-level security, and with the API roles where it is for PUBLIC.
    """

    name: str
    command: str
    permissive: bool
    roles: tuple[str, ...]
    bound: tuple[str, ...]
    using: str | None
    check: str | None

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands it holds for."""
        return _ALL if self.command == "ALL" else (self.command,)


class TableFacts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table with its policies as safety.sql reads it. `anonymous`: the privileges of callers who have not signed in;
    `tenant`: its tenant column, "" for none.
    """

    name: str
    bare: str
    rls: bool
    tenant: str
    columns: tuple[str, ...]
    not_null: tuple[str, ...]
    anonymous: tuple[str, ...]
    policies: tuple[PolicyFacts, ...]


class Broken(msgspec.Struct, frozen=True):
    """A rule that the table or one of its policies breaks; `policy` is "" for the table as a whole."""

    code: str
    policy: str
    detail: str


@lru_cache(maxsize=2048)
def broken_rules(table: TableFacts, api_roles: frozenset[str], anonymous: str) -> tuple[Broken, ...]:
    """The rules that the table's policies break, policy by policy. `api_roles` are the roles of API requests,
    `anonymous` is the one of callers who have not signed in. Kept: from one look to the next few tables change.
    """
    return tuple(_broken_rules(table, api_roles, anonymous))


def _broken_rules(table: TableFacts, api_roles: Set[str], anonymous: str) -> Iterator[Broken]:
    permissive = [policy for policy in table.policies if policy.permissive]
    fences = [policy for policy in table.policies if not policy.permissive]
    row = Row(table.bare, frozenset(table.columns), frozenset(table.not_null), table.tenant)
    untold = _no_policy_asks(table, row, api_roles)
    if untold:
        yield Broken("R117", "", f"{len(permissive)} policies, none looks at {table.tenant}")
    for policy in table.policies:
        yield from _wording(policy, table.rls)
        if table.rls and policy.permissive and api_roles & set(policy.bound):
            yield from _openings(policy, row, _fenced(policy, fences, row, api_roles), told=not untold)
            yield from _audience(policy, table, anonymous)
    yield from _overlaps(permissive)


def _clauses(policy: PolicyFacts) -> list[tuple[str, str]]:
    """(keyword, expression) of what the policy states."""
    stated = (("USING", policy.using), ("WITH CHECK", policy.check))
    return [(keyword, text) for keyword, text in stated if text is not None]


def _write_check(policy: PolicyFacts) -> str | None:
    """The expression a new row must pass: without WITH CHECK it is that of USING. None where no row is written."""
    if policy.command in ("SELECT", "DELETE"):
        return None
    return policy.check if policy.check is not None else policy.using


def _wording(policy: PolicyFacts, rls: bool) -> Iterator[Broken]:
    """Rules about how an expression is written, whoever the policy is for."""
    for keyword, text in _clauses(policy):
        detail = f"{keyword} {text}"
        if reads_user_metadata(text):
            yield Broken("R113", policy.name, detail)
        if not rls or not policy.bound:
            continue
        bare, wrapped = claim_calls(text)
        if bare:
            yield Broken("R109", policy.name, f"{keyword}: {bare} bare, {wrapped} wrapped: {text}")
        if compares_with_itself(text):
            yield Broken("R112", policy.name, detail)
        if keyword == "USING":
            # A check runs once for each row written: what it costs is not a matter of the table's size.
            if looks_up_in_query(text):
                yield Broken("R110", policy.name, detail)
            if functions := functions_per_row(text):
                yield Broken("R111", policy.name, f"calls {', '.join(functions)}: {text}")


def _openings(policy: PolicyFacts, row: Row, fenced: Set[str], *, told: bool) -> Iterator[Broken]:
    """Rules about which rows a permissive policy opens. The first of a clause that is broken is the one told.

    `fenced`: the clauses whose tenant a restrictive policy binds; `told`: whether any policy of the table asks for it.
    """
    for keyword, text in _clauses(policy):
        node, detail = possible(parse(text), row.not_null), f"{keyword} {text}"
        writes = policy.command != "SELECT"
        if truth(node, row.not_null) is True:
            yield Broken("R101" if row.tenant or writes else "R103", policy.name, detail)
        elif truth(node, row.not_null) is False or keyword in fenced:
            continue
        elif not binds_row(node, row):
            yield Broken("R102" if row.tenant or writes else "R103", policy.name, detail)
        elif row.tenant:
            yield from _tenancy(policy, node, keyword, text, row, told=told)


def _tenancy(policy: PolicyFacts, node: Node, keyword: str, text: str, row: Row, *, told: bool) -> Iterator[Broken]:
    """Rules about the tenant in one clause that looks at the row."""
    detail = f"{keyword} {text}"
    if not binds_tenant(node, row):
        if text == _write_check(policy):
            yield Broken("R104", policy.name, detail)
        elif _mentions(node, row):
            yield Broken("R106", policy.name, detail)
        elif told:
            yield Broken("R105", policy.name, detail)
    if fixed_tenants(node, row):
        yield Broken("R107", policy.name, detail)
    elif not asks_caller(node):
        yield Broken("R108", policy.name, detail)


def _audience(policy: PolicyFacts, table: TableFacts, anonymous: str) -> Iterator[Broken]:
    """Rules about whom a permissive policy is for."""
    if "public" in policy.roles:
        yield Broken("R114", policy.name, f"{policy.command} for PUBLIC")
    granted = set(policy.commands) & set(table.anonymous)
    if table.tenant and anonymous in policy.bound and granted:
        yield Broken("R115", policy.name, f"{anonymous} is also granted {', '.join(sorted(granted))}")


def _overlaps(permissive: list[PolicyFacts]) -> Iterator[Broken]:
    """Commands of a role that several permissive policies hold for."""
    roles = sorted({role for policy in permissive for role in policy.bound})
    for role, command in product(roles, _ALL):
        names = [policy.name for policy in permissive if role in policy.bound and command in policy.commands]
        if len(names) > 1:
            yield Broken("R116", f"{command} for {role}", ", ".join(names))


def _mentions(node: Node, row: Row) -> bool:
    return any(fixes_tenant(leaf, row) for leaf in leaves(node))


def _no_policy_asks(table: TableFacts, row: Row, api_roles: Set[str]) -> bool:
    """Whether API roles have a permissive policy on a tenant table none of whose policies looks at the tenant."""
    opened = any(policy.permissive and api_roles & set(policy.bound) for policy in table.policies)
    nodes = [parse(text) for policy in table.policies for _, text in _clauses(policy)]
    return bool(table.rls and table.tenant and opened) and not any(_mentions(node, row) for node in nodes)


def _fenced(policy: PolicyFacts, fences: list[PolicyFacts], row: Row, api_roles: Set[str]) -> Set[str]:
    """The clauses of the policy whose rows a restrictive policy for the same callers ties to their tenant."""
    kept: set[str] = set()
    for fence in fences:
        covers = set(policy.commands) <= set(fence.commands) and api_roles & set(policy.bound) <= set(fence.bound)
        if not covers:
            continue
        for keyword, text in (("USING", fence.using), ("WITH CHECK", _write_check(fence))):
            if text is not None and binds_tenant(parse(text), row):
                kept.add(keyword)
    return kept
