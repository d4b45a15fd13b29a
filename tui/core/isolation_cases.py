"""The cases of the isolation matrix: every statement that is tried, by whom, on whose row, and what must happen.

Composed from the bundle's `isolation.toml` and `expected.toml` and from the live catalog, which knows columns that
nobody expected. Nothing here is sent; `tui.db.matrix` does that, in a transaction that is rolled back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec

from tui.core.catalog import Catalog
from tui.core.expectation import Expectation
from tui.core.grantchecks import ALL_PRIVILEGES
from tui.core.isolation_spec import COMMANDS, PLACEHOLDER, Command, IsolationSpec, Persona, Scope, Statement, Subject
from tui.core.twin import quote_ident

LONG_AGO = "2001-01-02"
"""What a moved `touched` column lies after: templates set it to a day before."""


@dataclass(frozen=True, slots=True)
class Case:
    """One statement as one persona. `command` and `scope` say what is tried on whose row, `detail` which column or
    which attack; `expected` is `allowed`, a refusal of `isolation_spec.REFUSALS` or a SQLSTATE; `rows` the number that
    "allowed" means.

    `counts`: the statement answers with that number instead of affecting rows. `after`: run only if the case of that
    index was refused, since this one has no WHERE. `skipped`: why it can not be tried at all.
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
    after: int | None = None
    skipped: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Seed:
    """The statements that make a table's synthetic rows."""

    table: str
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Rows to make, parents first, and the cases to try on them, grouped by persona."""

    seeds: tuple[Seed, ...]
    cases: tuple[Case, ...]


def compose(spec: IsolationSpec, expectation: Expectation, live: Catalog) -> Plan:
    """Every case of the matrix and the rows they need."""
    composer = Composer(spec, expectation, live)
    found = [case for persona in spec.personas for case in composer.persona(persona)]
    return Plan(composer.seeds(), tuple(found))


Made = tuple[str, str, str]
"""(table, tenant, user): which synthetic row. The tenant is "" for a row without one."""


class Composer:
    """Composes statements for one bundle; remembers which rows they need. `relations` says where a table is looked for
    instead of under its own name (the negative control's twins).
    """

    def __init__(
        self, spec: IsolationSpec, expectation: Expectation, live: Catalog, relations: Mapping[str, str] | None = None
    ) -> None:
        self._spec, self._live, self._relations = spec, live, relations or {}
        self._rights = _rights(expectation)
        self._expected = {table.name: table for table in expectation.tables}
        self._personal: dict[str, bool] = {}
        for subject in spec.tables:
            words = {word for text in subject.row.values() for word in PLACEHOLDER.findall(text)}
            self._personal[subject.name] = "user" in words or any(self._personal.get(word) for word in words)
        self._tables = {subject.name: at for at, subject in enumerate(spec.tables, 1)}
        self._tenants = {name: at for at, name in enumerate(("", *spec.tenants))}
        self._users = {name: at for at, name in enumerate(("", *spec.users))}
        self._needed: dict[Made, None] = {}

    # -------------------------------------------------------------------------------------------------------- the cases

    def persona(self, persona: Persona) -> Iterator[Case]:
        """Every case of one persona; `after` counts from its first one."""
        cases: list[Case] = []
        for subject in self._spec.tables:
            cases += self.rows(persona, subject)
            if not subject.seed:
                continue
            foreign = next((at for at, c in enumerate(cases) if _is_foreign_update(c, subject.name)), None)
            cases += self._moves(persona, subject, foreign)
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
        for scope, tenant, user in self._scopes(persona, subject):
            for command in COMMANDS:
                if command not in subject.commands or (command == "insert" and not _inserts(subject, scope)):
                    continue
                expected = self._expect(persona, subject, scope, command)
                if command == "insert":
                    # As oneself wherever that is possible: what is refused then is refused for the tenant's sake.
                    author = user if scope == "colleague" else persona.user or user
                    sql = self._insert(subject, tenant, author)
                    yield self._case(persona, subject, command, scope, sql, expected)
                    continue
                case = self._case(persona, subject, command, scope, "", expected)
                yield self._on_row(case, subject, (tenant, user))

    def _on_row(self, case: Case, subject: Subject, of: tuple[str, str]) -> Case:
        tenant, user = of
        if subject.rows and not any(row["tenant"] == tenant and row["user"] == user for row in subject.rows):
            return replace(case, skipped=f"the bundle makes no row of tenant {tenant} and user {user} here")
        relation, where = self._relation(subject), self._where(subject, tenant, user)
        match case.command:
            case "select":
                return replace(case, sql=f"select count(*) from {relation} where {where}", counts=True)
            case "update":
                column = quote_ident(self._settable(subject))
                return replace(case, sql=f"update {relation} set {column} = {column} where {where}")
            case _:
                return replace(case, sql=f"delete from {relation} where {where}")

    def _moves(self, persona: Persona, subject: Subject, foreign_update: int | None) -> Iterator[Case]:
        """Give a row to another tenant; without WHERE, too: then PostgreSQL does not ask the SELECT policy of the new
        row (facts: supabase D6), and a WITH CHECK that says nothing lets it through.
        """
        column = self._spec.tenant_column
        if column not in subject.row or "update" not in subject.commands:
            return
        expected = self._refused(persona, subject, "UPDATE", column, "denied_policy")
        if persona.bypass and expected == "denied_policy":
            expected = subject.move
        relation, assign = self._relation(subject), f"set {quote_ident(column)} ="
        for scope, tenant, user in self._scopes(persona, subject):
            if scope in ("own", "foreign"):
                to = self._spec.tenants[self._elsewhere(persona, tenant)].id
                where = self._where(subject, tenant, user)
                sql = f"update {relation} {assign} {_literal(to)} where {where}"
                yield self._case(persona, subject, "move", scope, sql, expected)
        if not persona.bypass:
            start = persona.own or persona.foreign
            to = self._spec.tenants[self._elsewhere(persona, start)].id
            sql = f"update {relation} {assign} {_literal(to)}"
            case = self._case(persona, subject, "move", "own" if persona.own else "foreign", sql, expected)
            yield replace(case, detail="without WHERE", after=foreign_update)

    def _parents(self, persona: Persona, subject: Subject) -> Iterator[Case]:
        """Insert a row that points at another tenant's parent."""
        tenant = persona.own or persona.foreign
        for column, rule in subject.parents.items():
            user = persona.user or self._resident(tenant)
            values = self._values(subject, tenant, user, new=True)
            values[column] = self._values(subject, self._elsewhere(persona, tenant), user, new=True)[column]
            expected = self._refused(persona, subject, "INSERT", None, "denied_policy")
            if expected == "denied_policy" and persona.bypass:
                expected = rule.bypass
            elif expected == "denied_policy" and persona.name in self._allowed(subject, "own", "insert"):
                expected = rule.api
            sql = _insert_sql(self._relation(subject), [values])
            scope = "own" if persona.own else "foreign"
            yield self._case(persona, subject, "parent", scope, sql, expected, detail=column)

    def _upsert(self, persona: Persona, subject: Subject) -> Iterator[Case]:
        """Take over another tenant's row by INSERT ... ON CONFLICT DO UPDATE, as if it were one of one's own."""
        if persona.bypass or not subject.update:
            return
        tenant, user = persona.own or persona.foreign, persona.user or self._resident(persona.foreign)
        values = self._values(subject, tenant, user, new=True)
        theirs = self._values(subject, persona.foreign, self._resident(persona.foreign))
        values |= {column: theirs[column] for column in subject.key}
        may = self._refused(persona, subject, "INSERT", None, "denied_policy")
        may = may if may == "denied_grant" else self._refused(persona, subject, "UPDATE", subject.update, may)
        column, keys = quote_ident(subject.update), ", ".join(quote_ident(key) for key in subject.key)
        insert = _insert_sql(self._relation(subject), [values])
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
        scope, tenant, user = next(iter(self._scopes(persona, subject)))
        relation, where = self._relation(subject), self._where(subject, tenant, user)
        expected = self._expect(persona, subject, scope, "update")
        for name in self._columns_of(subject):
            column = quote_ident(name)
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
            column, touched = quote_ident(subject.update), quote_ident(subject.touched)
            where = self._where(subject, persona.own, persona.user)
            sql = (
                f"with made as (update {self._relation(subject)} set {column} = {column} where {where}"
                f" returning {touched}) select count(*) from made where {touched} > {_literal(LONG_AGO)}"
            )
            case = self._case(persona, subject, "works", "own", sql, "allowed", detail=f"{subject.touched} moves")
            yield replace(case, counts=True)
        table = self._expected.get(subject.name)
        if persona.bypass and table is not None:
            defaults = {column.name: column.default for column in table.columns if column.default is not None}
            values = self._values(subject, persona.foreign, self._resident(persona.foreign), new=True)
            said = {column: value for column, value in values.items() if column not in defaults}
            if defaults:
                proof = " and ".join(_filled(name, default) for name, default in defaults.items())
                insert = _insert_sql(self._relation(subject), [said])
                sql = f"with made as ({insert} returning *) select count(*) from made where {proof}"
                case = self._case(persona, subject, "works", "foreign", sql, "allowed", detail="defaults fill")
                yield replace(case, counts=True)

    def _truncate(self, persona: Persona, subject: Subject) -> Case:
        """Whether the persona could; asked, never done: it would lock everybody out, and no policy covers it."""
        sql = f"select count(*) where has_table_privilege({_literal(self._relation(subject))}, 'TRUNCATE')"
        privileges = self._rights.get((subject.name, persona.role), _NONE)
        expected = "allowed" if "TRUNCATE" in privileges.table else "no_rows"
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
        words["user"] = self._spec.users[persona.user or self._resident(persona.foreign)]
        words["new"] = self._new_id(0)
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
        column = self._settable(subject) if command == "update" else None
        return self._refused(persona, subject, command.upper(), column, otherwise)

    def _allowed(self, subject: Subject, scope: Scope, command: Command) -> tuple[str, ...]:
        return self._spec.members(subject.may.get(scope, {}).get(command, ""))

    def _refused(self, persona: Persona, subject: Subject, privilege: str, column: str | None, otherwise: str) -> str:
        """`denied_grant` where the expected grants give the persona's role no such right, else `otherwise`."""
        rights = self._rights.get((subject.name, persona.role), _NONE)
        if privilege in rights.table or (column is not None and (privilege, column) in rights.columns):
            return otherwise
        return "denied_grant"

    def _scopes(self, persona: Persona, subject: Subject) -> Iterator[tuple[Scope, str, str]]:
        """(scope, tenant, user) of every kind of row that this persona can meet in this table."""
        if persona.own:
            yield "own", persona.own, persona.user
        if persona.also:
            yield "also", persona.also, persona.user
        if persona.own and "colleague" in subject.may:
            yield "colleague", persona.own, self._resident(persona.own)
        yield "foreign", persona.foreign, self._resident(persona.foreign)
        if persona.user and "former" in subject.may:
            yield "former", persona.foreign, persona.user
        if persona.user and "unassigned" in subject.may:
            yield "unassigned", "", persona.user

    def _elsewhere(self, persona: Persona, tenant: str) -> str:
        """Another tenant than `tenant`: the persona's second one, if they have two, else the most foreign."""
        others = (persona.also, persona.foreign, persona.own, *self._spec.tenants)
        return next(name for name in others if name and name != tenant)

    def _resident(self, tenant: str) -> str:
        return self._spec.tenants[tenant].resident

    def _claims(self, persona: Persona) -> str:
        claims = {"role": persona.role}
        if persona.user:
            claims["sub"] = self._spec.users[persona.user]
        return msgspec.json.encode(claims, order="sorted").decode()

    # --------------------------------------------------------------------------------------------------------- the rows

    def seeds(self) -> tuple[Seed, ...]:
        """The statements that make every row that the cases composed so far need: users first, parents before
        children.
        """
        accounts = self._spec.accounts
        people = [
            {column: self._fill(text, {"user": value, "user_name": name}) for column, text in accounts.row.items()}
            for name, value in self._spec.users.items()
        ]
        seeds = [Seed(accounts.table, (_insert_sql(_quoted(accounts.table), people),))]
        for subject in self._spec.tables:
            if not subject.seed:
                continue
            if subject.rows:
                rows = [self._values(subject, row["tenant"], row["user"], words=row) for row in subject.rows]
            else:
                rows = [self._values(subject, made[1], made[2]) for made in self._needed if made[0] == subject.name]
            shapes: dict[tuple[str, ...], list[dict[str, str]]] = {}
            for values in rows:
                shapes.setdefault(tuple(values), []).append(values)
            seeds.append(Seed(subject.name, tuple(_insert_sql(self._relation(subject), s) for s in shapes.values())))
        return tuple(seeds)

    def _need(self, name: str, tenant: str, user: str) -> str:
        """The id of a row, which is then made, with its parents."""
        subject = self._spec.subject(name)
        if not self._personal[name]:
            user = self._resident(tenant) if tenant else user
        made = (name, tenant, user)
        if made not in self._needed:
            self._needed[made] = None
            self._values(subject, tenant, user)
        return self._row_id(made)

    def _values(
        self, subject: Subject, tenant: str, user: str, *, new: bool = False, words: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """The columns of a row of that tenant ("": of none) and user; `new`: as a case inserts it."""
        if not self._personal[subject.name] and tenant:
            user = self._resident(tenant)
        known = dict(words or {}) | {
            "user": self._spec.users[user],
            "user_name": user,
            "tenant_name": tenant,
            "tenant": self._spec.tenants[tenant].id if tenant else "",
            "id": self._new_id(self._tables[subject.name]) if new else self._row_id((subject.name, tenant, user)),
        }
        template = subject.row | subject.insert if new else subject.row
        values = {}
        for column, text in template.items():
            if text == "{tenant}" and not tenant:
                continue
            for word in PLACEHOLDER.findall(text):
                if word in self._tables:
                    # A row without a tenant has a parent in some tenant: it has to point somewhere.
                    known[word] = self._need(word, tenant or next(iter(self._spec.tenants)), user)
            values[column] = self._fill(text, known)
        return values

    def _fill(self, text: str, known: Mapping[str, str]) -> str:
        words = {f"user:{name}": value for name, value in self._spec.users.items()} | dict(known)
        return PLACEHOLDER.sub(lambda word: words.get(word[1], ""), text)

    def _insert(self, subject: Subject, tenant: str, user: str) -> str:
        return _insert_sql(self._relation(subject), [self._values(subject, tenant, user, new=True)])

    def _where(self, subject: Subject, tenant: str, user: str) -> str:
        if subject.seed and not subject.rows:
            self._need(subject.name, tenant, user)
        values = self._values(subject, tenant, user)
        return " and ".join(f"{quote_ident(column)} = {_literal(values[column])}" for column in subject.key)

    def _settable(self, subject: Subject) -> str:
        others = [column for column in subject.row if column not in (*subject.key, self._spec.tenant_column)]
        return subject.update or (others[-1] if others else subject.key[0])

    def _relation(self, subject: Subject) -> str:
        return self._relations.get(subject.name) or _quoted(subject.name)

    def _row_id(self, made: Made) -> str:
        table, tenant, user = self._tables[made[0]], self._tenants[made[1]], self._users[made[2]]
        return f"5eed{table:04x}-{tenant:04x}-4{user:03x}-8000-000000000000"

    def _new_id(self, table: int) -> str:
        return f"5eed{table:04x}-0000-4000-8000-ffffffffffff"


@dataclass(frozen=True, slots=True)
class _Rights:
    """What a role is expected to hold on a relation: whole, and on single columns."""

    table: frozenset[str]
    columns: frozenset[tuple[str, str]] = frozenset()


_NONE = _Rights(frozenset())


def _rights(expectation: Expectation) -> dict[tuple[str, str], _Rights]:
    found: dict[tuple[str, str], _Rights] = {}
    named = [(table.name, table.grants) for table in expectation.tables]
    named += [(view.name, view.grants) for view in expectation.views]
    for name, grants in named:
        for role, privileges in grants.items():
            held = {privilege.upper() for privilege in privileges}
            found[name, role] = _Rights(frozenset(held | (ALL_PRIVILEGES if "ALL" in held else set())))
    for table in expectation.tables:
        for role, by_privilege in table.column_grants.items():
            pairs = {(privilege.upper(), column) for privilege, columns in by_privilege.items() for column in columns}
            found[table.name, role] = _Rights(found.get((table.name, role), _NONE).table, frozenset(pairs))
    return found


def _inserts(subject: Subject, scope: Scope) -> bool:
    """Whether a case inserts rows of that scope: those of `former` are `foreign` ones, and where only some pairs of
    tenant and user may exist, a new row is nobody's colleague's.
    """
    return scope != "former" and (scope != "colleague" or not subject.rows)


def _is_foreign_update(case: Case, table: str) -> bool:
    return case.table == table and case.command == "update" and case.scope == "foreign"


def _filled(column: str, default: str) -> str:
    # What a call answers is not known beforehand; a constant is.
    name = f"made.{quote_ident(column)}"
    return f"{name} is not null" if "(" in default else f"{name} is not distinct from {default}"


def _insert_sql(relation: str, rows: list[dict[str, str]]) -> str:
    columns = ", ".join(quote_ident(column) for column in rows[0])
    values = ", ".join(f"({', '.join(_literal(value) for value in row.values())})" for row in rows)
    return f"insert into {relation} ({columns}) values {values}"


def _quoted(qualified: str) -> str:
    schema, _, name = qualified.partition(".")
    return f"{quote_ident(schema)}.{quote_ident(name)}"


def _literal(text: str) -> str:
    if "\0" in text:
        raise ValueError("a value can not hold a NUL character")
    return "'" + text.replace("'", "''") + "'"
