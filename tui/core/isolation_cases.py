"""The cases of the isolation matrix: every statement that is tried, by whom, on whose row, and what must happen.

Composed from the bundle's `isolation.toml` and `expected.toml` and from the live catalog, which knows columns that
nobody expected. Nothing here is sent; `tui.db.matrix` does that, in a transaction that is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec.structs import replace

from tui.core.catalog import Catalog
from tui.core.ddl import literal, quoted
from tui.core.expectation import Expectation
from tui.core.isolation_rights import Rights
from tui.core.isolation_rows import Rows, Seed, insert_sql
from tui.core.isolation_spec import (
    COMMANDS,
    PLACEHOLDER,
    Command,
    IsolationSpec,
    Persona,
    Scope,
    Statement,
    Subject,
    scopes,
)


class Case(msgspec.Struct, frozen=True):
    """One statement as one persona. `command` and `scope` say what is tried on whose row, `detail` which column or
    which attack; `expected` is `allowed`, a refusal of `isolation_spec.REFUSALS` or a SQLSTATE; `rows` the number that
    "allowed" means.

    `counts`: the statement answers with that number instead of affecting rows. `row`: the statement has no WHERE, and
    is tried on the one row that this query finds.
    """

    table: str
    command: str
    persona: str
    scope: str
    role: str
    claims: str
    sql: str
    expected: str
    detail: str = ""
    counts: bool = False
    rows: int = 1
    row: str = ""
    why: str = ""


class Plan(msgspec.Struct, frozen=True):
    """Rows to make, parents first, and the cases to try on them, grouped by persona. `unsaid`: what the expectation
    holds and the bundle says nothing of.
    """

    seeds: tuple[Seed, ...]
    cases: tuple[Case, ...]
    unsaid: tuple[str, ...] = ()


def compose(spec: IsolationSpec, expectation: Expectation, live: Catalog) -> Plan:
    """Every case of the matrix and the rows they need."""
    rows = Rows(spec)
    composer = Composer(spec, expectation, live, rows)
    found = [case for persona in spec.personas for case in composer.persona(persona)]
    said = {case.table for case in found}
    wanted = (*expectation.relations(), *(function.name for function in expectation.functions))
    return Plan(rows.seeds(), tuple(found), tuple(name for name in wanted if name not in said))


class Composer:
    """Composes the cases of one bundle; `rows` knows the synthetic rows and remembers which of them are needed."""

    def __init__(self, spec: IsolationSpec, expectation: Expectation, live: Catalog, rows: Rows) -> None:
        self._spec, self._live, self._rows = spec, live, rows
        self._rights = Rights(expectation)
        self._expected = {table.name: table for table in expectation.tables}

    # -------------------------------------------------------------------------------------------------------- the cases

    def persona(self, persona: Persona) -> Iterator[Case]:
        """Every case of one persona."""
        cases: list[Case] = []
        for subject in self._spec.tables:
            cases += self.rows(persona, subject)
            if not subject.seed:
                continue
            cases += self._moves(persona, subject)
            cases += self._blind(persona, subject)
            cases += self._parents(persona, subject)
            cases += self._upsert(persona, subject)
            cases += self._columns(persona, subject)
            cases += self._work(persona, subject)
            cases.append(self._truncate(persona, subject))
        for statement in self._spec.statements:
            cases += self._statement(persona, statement)
        return iter(cases)

    def rows(self, persona: Persona, subject: Subject) -> Iterator[Case]:
        """SELECT, INSERT, UPDATE and DELETE on the rows of every scope that the persona has."""
        for scope, tenant, user in scopes(self._spec, persona, subject):
            for command in COMMANDS:
                if command not in subject.commands or (command == "insert" and not _inserts(subject, scope)):
                    continue
                expected = self._expect(persona, subject, scope, command)
                if command == "insert":
                    # As oneself wherever that is possible: what is refused then is refused for the tenant's sake.
                    author = user if scope == "colleague" else persona.user or user
                    sql = self._rows.insert(subject, tenant, author)
                    yield self._case(persona, subject, command, scope, sql, expected)
                    continue
                case = self._case(persona, subject, command, scope, "", expected)
                yield self._on_row(case, subject, tenant, user)

    def _on_row(self, case: Case, subject: Subject, tenant: str, user: str) -> Case:
        relation, where = self._rows.relation(subject), self._rows.where(subject, tenant, user)
        match case.command:
            case "select":
                return replace(case, sql=f"select count(*) from {relation} where {where}", counts=True)
            case "update":
                column = quoted(_settable_column(subject, self._spec.tenant_column))
                return replace(case, sql=f"update {relation} set {column} = {column} where {where}")
            case _:
                return replace(case, sql=f"delete from {relation} where {where}")

    def _moves(self, persona: Persona, subject: Subject) -> Iterator[Case]:
        """Give a row to another tenant, or take one from there: one that no foreign key of another row holds, but for
        those whom only foreign keys hold.
        """
        column = self._spec.tenant_column
        if column not in subject.row or "update" not in subject.commands:
            return
        expected = self._refused(persona, subject, "UPDATE", column, "denied_policy")
        if persona.bypass and expected == "denied_policy":
            expected = subject.move
        relation, assign = self._rows.relation(subject), f"set {quoted(column)} ="
        for scope, tenant, user in scopes(self._spec, persona, subject):
            if scope in ("own", "foreign"):
                to = self._spec.tenants[self._elsewhere(persona, tenant)].id
                case = self._case(persona, subject, "move", scope, "", expected)
                where = self._rows.where(subject, tenant, user, "parent" if persona.bypass else "lone")
                statement = f"update {relation} {assign} {literal(to)}"
                if scope == "own" or persona.bypass:
                    yield replace(case, sql=f"{statement} where {where}")
                if not persona.bypass:
                    yield _without_where(case, statement, f"select from {relation} where {where}")

    def _blind(self, persona: Persona, subject: Subject) -> Iterator[Case]:
        """Change and delete another tenant's row by a statement that reads nothing."""
        if persona.bypass or "update" not in subject.commands:
            return
        relation, tenant = self._rows.relation(subject), persona.foreign
        found = f"select from {relation} where {self._rows.where(subject, tenant, self._rows.resident(tenant))}"
        column = _settable_column(subject, self._spec.tenant_column)
        value = literal(subject.row[column]) if column in subject.row else "default"
        update = f"update {relation} set {quoted(column)} = {value}"
        for command, statement in (("update", update), ("delete", f"delete from {relation}")):
            expected = self._expect(persona, subject, "foreign", "update" if command == "update" else "delete")
            case = self._case(persona, subject, command, "foreign", "", expected)
            yield _without_where(case, statement, found)

    def _parents(self, persona: Persona, subject: Subject) -> Iterator[Case]:
        """Insert a row that points at another tenant's parent."""
        tenant = persona.own or persona.foreign
        for column, rule in subject.parents.items():
            user = persona.user or self._rows.resident(tenant)
            values = dict(self._rows.values(subject, tenant, user, "new"))
            values[column] = self._rows.values(subject, self._elsewhere(persona, tenant), user, "new")[column]
            expected = self._refused(persona, subject, "INSERT", None, "denied_policy")
            if expected == "denied_policy" and persona.bypass:
                expected = rule.bypass
            elif expected == "denied_policy" and persona.name in self._allowed(subject, "own", "insert"):
                expected = rule.api
            sql = insert_sql(self._rows.relation(subject), [values])
            scope = "own" if persona.own else "foreign"
            yield self._case(persona, subject, "parent", scope, sql, expected, detail=column)

    def _upsert(self, persona: Persona, subject: Subject) -> Iterator[Case]:
        """Take over another tenant's row by INSERT ... ON CONFLICT DO UPDATE, as if it were one of one's own."""
        if persona.bypass or not subject.update:
            return
        tenant, user = persona.own or persona.foreign, persona.user or self._rows.resident(persona.foreign)
        values = dict(self._rows.values(subject, tenant, user, "new"))
        theirs = self._rows.values(subject, persona.foreign, self._rows.resident(persona.foreign))
        values |= {column: theirs[column] for column in subject.key}
        may = self._refused(persona, subject, "INSERT", None, "denied_policy")
        may = may if may == "denied_grant" else self._refused(persona, subject, "UPDATE", subject.update, may)
        column, keys = quoted(subject.update), ", ".join(quoted(key) for key in subject.key)
        insert = insert_sql(self._rows.relation(subject), [values])
        sql = f"{insert} on conflict ({keys}) do update set {column} = excluded.{column}"
        yield self._case(persona, subject, "upsert", "foreign", sql, may)

    def _columns(self, persona: Persona, subject: Subject) -> Iterator[Case]:
        """One UPDATE per column, as the witness and as the first persona of every other role held by policies."""
        witness = self._spec.persona(self._spec.witness)
        roles = {witness.role: witness.name}
        for other in self._spec.personas:
            if not other.bypass:
                roles.setdefault(other.role, other.name)
        if "update" not in subject.commands or roles.get(persona.role) != persona.name:
            return
        scope, tenant, user = next(iter(scopes(self._spec, persona, subject)))
        relation, where = self._rows.relation(subject), self._rows.where(subject, tenant, user)
        expected = self._expect(persona, subject, scope, "update")
        for name in self._columns_of(subject):
            column = quoted(name)
            sql = f"update {relation} set {column} = {column} where {where}"
            refused = self._refused(persona, subject, "UPDATE", name, expected)
            yield self._case(persona, subject, "column", scope, sql, refused, detail=name)

    def _columns_of(self, subject: Subject) -> list[str]:
        live, expected = self._live.table(subject.name), self._expected.get(subject.name)
        if live is not None:
            # An UPDATE of a generated column is an error whoever sends it.
            return [column.name for column in live.columns if not column.generated and column.identity != "a"]
        return [column.name for column in expected.columns] if expected else []

    def _work(self, persona: Persona, subject: Subject) -> Iterator[Case]:
        """That triggers move the time of an update, and that defaults fill a row that says the least."""
        if persona.name == self._spec.witness and subject.touched and subject.update:
            column, touched = quoted(subject.update), quoted(subject.touched)
            relation, where = self._rows.relation(subject), self._rows.where(subject, persona.own, persona.user)
            sql = (
                f"with old as (select {touched} from {relation} where {where}), new as (update {relation}"
                f" set {column} = {column} where {where} returning {touched})"
                f" select count(*) from old, new where new.{touched} > old.{touched}"
            )
            case = self._case(persona, subject, "works", "own", sql, "allowed", detail=f"{subject.touched} moves")
            yield replace(case, counts=True)
        table = self._expected.get(subject.name)
        if persona.bypass and table is not None:
            defaults = {column.name: column.default for column in table.columns if column.default is not None}
            values = self._rows.values(subject, persona.foreign, self._rows.resident(persona.foreign), "new")
            said = {column: value for column, value in values.items() if column not in defaults}
            if defaults:
                proof = " and ".join(_filled(name, default) for name, default in defaults.items())
                insert = insert_sql(self._rows.relation(subject), [said])
                sql = f"with made as ({insert} returning *) select count(*) from made where {proof}"
                case = self._case(persona, subject, "works", "foreign", sql, "allowed", detail="defaults fill")
                yield replace(case, counts=True)

    def _truncate(self, persona: Persona, subject: Subject) -> Case:
        """Whether the persona could; asked, never done: it would lock everybody out, and no policy covers it."""
        sql = f"select count(*) where has_table_privilege({literal(self._rows.relation(subject))}, 'TRUNCATE')"
        expected = "allowed" if self._rights.hold(persona.role, subject.name, "TRUNCATE") else "no_rows"
        return replace(self._case(persona, subject, "truncate", "all", sql, expected), counts=True)

    def _statement(self, persona: Persona, statement: Statement) -> Iterator[Case]:
        expected = ""
        for who, outcome in statement.expect.items():
            if persona.name in self._spec.members(who):
                expected = outcome
        if not expected:
            return
        tenants = self._spec.tenants
        own, also = persona.own or persona.foreign, persona.also or persona.foreign
        words = {f"user:{name}": value for name, value in self._spec.users.items()}
        words |= {"own": tenants[own].id, "also": tenants[also].id, "foreign": tenants[persona.foreign].id}
        words["user"] = self._spec.users[persona.user or self._rows.resident(persona.foreign)]
        words["new"] = self._rows.new_id()
        sql = PLACEHOLDER.sub(lambda word: words[word[1]], statement.sql)
        counts = statement.sql.lstrip().lower().startswith(("select", "with"))
        yield Case(
            statement.on, statement.command, persona.name, "", persona.role, self._claims(persona), sql, expected,
            detail=statement.name, counts=counts, rows=statement.rows, why=statement.why,
        )  # fmt: skip

    def _case(
        self, persona: Persona, subject: Subject, command: str, scope: str, sql: str, expected: str,
        *, detail: str = "",
    ) -> Case:  # fmt: skip
        why = ""
        for exemption in subject.exemptions:
            who = {name for group in exemption.personas for name in self._spec.members(group)}
            if persona.name in who and command in exemption.commands and scope in (exemption.scopes or (scope,)):
                expected, why = exemption.expect, exemption.why
        claims = self._claims(persona)
        return Case(
            subject.name, command, persona.name, scope, persona.role, claims, sql, expected, detail=detail, why=why
        )

    # ------------------------------------------------------------------------------------------------- what is expected

    def _expect(self, persona: Persona, subject: Subject, scope: Scope, command: Command) -> str:
        allowed = persona.bypass or persona.name in self._allowed(subject, scope, command)
        otherwise = "allowed" if allowed else "denied_policy" if command == "insert" else "no_rows"
        column = _settable_column(subject, self._spec.tenant_column) if command == "update" else None
        return self._refused(persona, subject, command.upper(), column, otherwise)

    def _allowed(self, subject: Subject, scope: Scope, command: Command) -> tuple[str, ...]:
        return self._spec.members(subject.may.get(scope, {}).get(command, ""))

    def _refused(self, persona: Persona, subject: Subject, privilege: str, column: str | None, otherwise: str) -> str:
        """`denied_grant` where the expected grants give the persona's role no such right, else `otherwise`."""
        return otherwise if self._rights.hold(persona.role, subject.name, privilege, column) else "denied_grant"

    def _elsewhere(self, persona: Persona, tenant: str) -> str:
        """Another tenant than `tenant`: the persona's second one, if they have two, else the most foreign."""
        others = (persona.also, persona.foreign, persona.own, *self._spec.tenants)
        return next(name for name in others if name and name != tenant)

    def _claims(self, persona: Persona) -> str:
        claims = {"role": persona.role}
        if persona.user:
            claims["sub"] = self._spec.users[persona.user]
        return msgspec.json.encode(claims, order="sorted").decode()


def _inserts(subject: Subject, scope: Scope) -> bool:
    """Whether a case inserts rows of that scope: those of `former` are `foreign` ones, and where only some pairs of
    tenant and user may exist, a new row is nobody's colleague's.
    """
    return scope != "former" and (scope != "colleague" or not subject.rows)


def _without_where(case: Case, statement: str, row: str) -> Case:
    """PostgreSQL asks the SELECT policy only of a statement that reads columns (facts: supabase D6): without WHERE, an
    UPDATE or DELETE policy that says too much is all that stands before other tenants' rows. Such a statement would
    write every row it is let through to, so it is tried on a single synthetic one, by WHERE CURRENT OF a cursor, which
    reads no column either.
    """
    return replace(case, sql=statement, row=row, detail="without WHERE")


def _filled(column: str, default: str) -> str:
    # What a call answers is not known beforehand; a constant is.
    name = f"made.{quoted(column)}"
    return f"{name} is not null" if "(" in default else f"{name} is not distinct from {default}"


def _settable_column(subject: Subject, tenant_column: str) -> str:
    """The column an UPDATE sets: the one the bundle names, else any that does not say which row or whose it is."""
    others = [column for column in subject.row if column not in (*subject.key, tenant_column)]
    return subject.update or (others[-1] if others else subject.key[0])
