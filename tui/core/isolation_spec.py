"""What a bundle says about who may reach which rows: the typed form of `isolation.toml`.

It is written from the migration's specification: rows to make, personas, and what each may do. How a refusal has to
look (by grant or by policy) is not written here: it follows from the grants of `expected.toml`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from tui.core.expectation import Expectation

Command = Literal["select", "insert", "update", "delete"]
COMMANDS: tuple[Command, ...] = ("select", "insert", "update", "delete")

Scope = Literal["own", "also", "colleague", "foreign", "former", "unassigned"]
"""Whose row: the persona's own tenant's (`also`: their second tenant's) and their own, a colleague's in it, another
tenant's, their own in a tenant they are no member of, their own without a tenant.
"""

PLACEHOLDER = re.compile(r"\{([a-z][\w:.]*)\}")
"""A placeholder in a row template or a statement; `{}` and `{64}` are none."""

REFUSALS = ("denied_grant", "denied_policy", "no_rows")
"""How a refusal can look, beside a SQLSTATE: no right on the relation (42501 permission denied), refused by a policy
(42501 row-level security), passed over in silence.
"""

EITHER = " or "
"""Between outcomes of which each will do: servers of different versions refuse with different SQLSTATEs."""

_SQLSTATE = re.compile(r"[0-9A-Z]{5}")
_WORDS = {"id", "tenant", "tenant_name", "user", "user_name"}
_STATEMENT_WORDS = {"own", "also", "foreign", "user", "new"}


class Tenant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A synthetic tenant; `resident` is the user who made its rows where nobody else did."""

    id: str
    resident: str


class Persona(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who asks: a database role, with the claims of a user where there is one.

    `own` and `also` are the tenants they belong to, `foreign` one they do not. `bypass`: past every policy, so that
    only grants and constraints hold them.
    """

    name: str
    role: str
    foreign: str
    user: str = ""
    own: str = ""
    also: str = ""
    bypass: bool = False


class Accounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table of users and the row made in it for each synthetic one."""

    table: str
    row: dict[str, str]


class ParentRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What stops a row that points at another tenant's parent: for who may insert, and for who is past policies."""

    api: str = "denied_policy"
    bypass: str = "23503"


class Exemption(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is expected of some personas instead; `why` is shown beside the cell."""

    commands: tuple[str, ...]
    personas: tuple[str, ...]
    expect: str
    why: str
    scopes: tuple[Scope, ...] = ()


class Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table or view, the row made in it for a tenant and a user, and who may do what with it.

    `may` says per scope and command which personas (or groups of them) succeed; whoever is not named is refused.
    `insert` overrides columns of the row for rows that a case inserts. `rows` lists the (tenant, user) pairs to be made
    where not every pair may exist, with more placeholders for each. `update` is the column an UPDATE sets, `touched`
    the one that a trigger must move when it does (the row sets it to a time long ago). `move` is what stops somebody
    past the policies who gives the row to another tenant.
    """

    name: str
    row: dict[str, str]
    may: dict[Scope, dict[Command, str]] = {}
    key: tuple[str, ...] = ("id",)
    commands: tuple[Command, ...] = COMMANDS
    insert: dict[str, str] = {}
    rows: tuple[dict[str, str], ...] = ()
    seed: bool = True
    update: str = ""
    touched: str = ""
    move: str = "allowed"
    parents: dict[str, ParentRule] = {}
    exemptions: tuple[Exemption, ...] = ()


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One statement of its own: an attack, a call, or something that must work.

    `expect` maps personas and groups to what must happen, the later entry wins; whoever is not named does not run it.
    A statement that begins with SELECT or WITH answers with one number; `rows` is the number that "allowed" means.
    """

    name: str
    on: str
    sql: str
    expect: dict[str, str]
    command: str = "attack"
    rows: int = 1
    why: str = ""


class IsolationSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of `isolation.toml`. `witness` is the persona that proves rights on single columns, `control` the
    tables whose twins the negative control breaks.
    """

    tenants: dict[str, Tenant]
    users: dict[str, str]
    accounts: Accounts
    personas: tuple[Persona, ...]
    tables: tuple[Subject, ...]
    witness: str
    control: tuple[str, ...]
    groups: dict[str, tuple[str, ...]] = {}
    statements: tuple[Statement, ...] = ()
    tenant_column: str = "tenant_id"

    def persona(self, name: str) -> Persona:
        """The persona of that name; it is there, `flaws` has seen to it."""
        return next(persona for persona in self.personas if persona.name == name)

    def subject(self, name: str) -> Subject:
        """The table of that name; it is there, `flaws` has seen to it."""
        return next(subject for subject in self.tables if subject.name == name)

    def members(self, name: str) -> tuple[str, ...]:
        """The personas a group or a persona's name stands for; none for ""."""
        return self.groups.get(name, (name,) if name else ())


def scopes(spec: IsolationSpec, persona: Persona, subject: Subject) -> Iterator[tuple[Scope, str, str]]:
    """(scope, tenant, user) of every kind of row that a persona can meet in a table; the tenant is "" for none."""
    if persona.own:
        yield "own", persona.own, persona.user
    if persona.also:
        yield "also", persona.also, persona.user
    if persona.own and "colleague" in subject.may:
        yield "colleague", persona.own, spec.tenants[persona.own].resident
    yield "foreign", persona.foreign, spec.tenants[persona.foreign].resident
    if persona.user and "former" in subject.may:
        yield "former", persona.foreign, persona.user
    if persona.user and "unassigned" in subject.may:
        yield "unassigned", "", persona.user


def flaws(spec: IsolationSpec, expectation: Expectation) -> Iterator[tuple[str, str]]:
    """What is wrong with a file of the right shape: (path as msgspec writes it, reason), all of it."""
    personas = {persona.name for persona in spec.personas}
    for group, names in spec.groups.items():
        yield from _unknown(f"$.groups.{group}", "persona", names, personas)
    yield from _unknown("$.witness", "persona", (spec.witness,), personas)
    subjects = [subject.name for subject in spec.tables]
    yield from _unknown("$.control", "table", spec.control, set(subjects))
    for name, tenant in spec.tenants.items():
        yield from _unknown(f"$.tenants.{name}", "user", (tenant.resident,), set(spec.users))
    for at, persona in enumerate(spec.personas):
        where = f"$.personas[{at}]"
        yield from _unknown(where, "user", filter(None, (persona.user,)), set(spec.users))
        used = filter(None, (persona.own, persona.also, persona.foreign))
        yield from _unknown(where, "tenant", used, set(spec.tenants))
    known = {table.name for table in expectation.tables} | {view.name for view in expectation.views}
    yield from _unknown("$.tables", "table of the expectation", subjects, known)
    who = personas | set(spec.groups)
    for at, subject in enumerate(spec.tables):
        places = _WORDS | set(subjects[:at]) | _users(spec.users)
        yield from _subject(f"$.tables[{at}]", subject, places, who)
        yield from _rows(f"$.tables[{at}]", spec, subject)
    for at, statement in enumerate(spec.statements):
        where = f"$.statements[{at}]"
        yield from _unknown(where, "persona or group", statement.expect, who)
        yield from _words(where, {"sql": statement.sql}, _STATEMENT_WORDS | _users(spec.users))
        yield from _expected(where, statement.expect.values())


def _subject(where: str, subject: Subject, places: set[str], who: set[str]) -> Iterator[tuple[str, str]]:
    named = {group for rights in subject.may.values() for group in rights.values()}
    yield from _unknown(where, "persona or group", sorted(named), who)
    yield from _unknown(where, "column of the row", subject.key, set(subject.row))
    yield from _unknown(where, "column of the row", subject.parents, set(subject.row))
    more = {word for row in subject.rows for word in row}
    for template in (subject.row, subject.insert):
        # A parent is made before its children: the order of the file is the order of the inserts.
        yield from _words(where, template, places | more)
    for exemption in subject.exemptions:
        yield from _unknown(where, "persona or group", exemption.personas, who)
        yield from _expected(where, (exemption.expect,))
    yield from _expected(where, (value for rule in subject.parents.values() for value in (rule.api, rule.bypass)))


def _rows(where: str, spec: IsolationSpec, subject: Subject) -> Iterator[tuple[str, str]]:
    """Where rows are listed, each that a case is about must be among them."""
    made = {(row.get("tenant", ""), row.get("user", "")) for row in subject.rows}
    for tenant, user in sorted(made):
        yield from _unknown(where, "tenant", (tenant,), spec.tenants)
        yield from _unknown(where, "user", (user,), spec.users)
    for persona in spec.personas if subject.rows else ():
        if not {persona.own, persona.also, persona.foreign} <= {"", *spec.tenants}:
            continue  # said where the persona is
        for scope, tenant, user in scopes(spec, persona, subject):
            if (tenant, user) not in made:
                yield where, f"rows has none of tenant {tenant!r} and user {user!r} ({persona.name}, {scope})"


def _unknown(where: str, kind: str, names: Iterable[str], known: Collection[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        if name not in known:
            yield where, f"{name!r} is no {kind} of this file"


def _words(where: str, template: Mapping[str, str], known: Collection[str]) -> Iterator[tuple[str, str]]:
    for column, text in template.items():
        for word in PLACEHOLDER.findall(text):
            if word not in known:
                yield where, f"{column}: {{{word}}} is no placeholder here"


def _expected(where: str, values: Iterable[str]) -> Iterator[tuple[str, str]]:
    for value in values:
        for word in value.split(EITHER):
            if word not in (*REFUSALS, "allowed") and not _SQLSTATE.fullmatch(word):
                yield where, f"{word!r} is no outcome: allowed, {', '.join(REFUSALS)} or a SQLSTATE"


def _users(users: Mapping[str, str]) -> set[str]:
    return {f"user:{name}" for name in users}
