"""The synthetic rows of the isolation matrix: which there are, and the statements that make and find them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from tui.core.ddl import literal, qualified, quoted
from tui.core.isolation_spec import PLACEHOLDER, IsolationSpec, Subject

Kind = Literal["parent", "lone", "new"]
"""Whether other rows may refer to a row, none does, or a case inserts it."""

Made = tuple[str, str, str, Kind]
"""(table, tenant, user, kind): which synthetic row. The tenant is "" for a row without one."""


class Seed(msgspec.Struct, frozen=True):
    """The statements that make a table's synthetic rows."""

    table: str
    statements: tuple[str, ...]


class Rows:
    """The synthetic rows of one bundle. It remembers which were asked for, so that those and their parents are made.

    `relations` says where a table is looked for instead of under its own name (the negative control's twins).
    """

    def __init__(self, spec: IsolationSpec, relations: Mapping[str, str] | None = None) -> None:
        self._spec, self._relations = spec, relations or {}
        self._subjects = {subject.name: subject for subject in spec.tables}
        self._personal: dict[str, bool] = {}
        for subject in spec.tables:
            words = {word for text in subject.row.values() for word in PLACEHOLDER.findall(text)}
            self._personal[subject.name] = "user" in words or any(self._personal.get(word) for word in words)
        self._tables = {subject.name: at for at, subject in enumerate(spec.tables, 1)}
        self._tenants = {name: at for at, name in enumerate(("", *spec.tenants))}
        self._users = {name: at for at, name in enumerate(("", *spec.users))}
        self._people = {f"user:{name}": value for name, value in spec.users.items()}
        self._needed: dict[Made, None] = {}
        self._filled: dict[Made, Mapping[str, str]] = {}

    def resident(self, tenant: str) -> str:
        """The user who made a tenant's rows where nobody else did."""
        return self._spec.tenants[tenant].resident

    def relation(self, subject: Subject) -> str:
        """A table as SQL names it."""
        return self._relations.get(subject.name) or qualified(subject.name)

    def insert(self, subject: Subject, tenant: str, user: str) -> str:
        """The statement that inserts one more row of that tenant and user."""
        return insert_sql(self.relation(subject), [self.values(subject, tenant, user, "new")])

    def where(self, subject: Subject, tenant: str, user: str, kind: Kind = "parent") -> str:
        """The condition that finds the row of that tenant and user, which is then made."""
        if subject.rows:
            kind = "parent"
        elif subject.seed:
            self._need(subject.name, tenant, user, kind)
        values = self.values(subject, tenant, user, kind)
        return " and ".join(f"{quoted(column)} = {literal(values[column])}" for column in subject.key)

    def values(self, subject: Subject, tenant: str, user: str, kind: Kind = "parent") -> Mapping[str, str]:
        """The columns of the row of that tenant ("": of none) and user."""
        made = (subject.name, tenant, self._whose(subject.name, tenant, user), kind)
        found = self._filled.get(made)
        if found is None:
            found = self._filled[made] = self._fill_row(subject, made)
        return found

    def new_id(self, table: int = 0) -> str:
        """An id that no synthetic row has."""
        return f"5eed{table:04x}-0000-4000-8000-ffffffffffff"

    def seeds(self) -> tuple[Seed, ...]:
        """The statements that make every row asked for so far: users first, parents before children."""
        accounts = self._spec.accounts
        people = [
            {column: _fill(text, {"user": value, "user_name": name}) for column, text in accounts.row.items()}
            for name, value in self._spec.users.items()
        ]
        seeds = [Seed(accounts.table, (insert_sql(qualified(accounts.table), people),))]
        for subject in self._spec.tables:
            if not subject.seed:
                continue
            if subject.rows:
                rows = [self.values(subject, row["tenant"], row["user"]) for row in subject.rows]
            else:
                rows = [self.values(subject, *made[1:]) for made in self._needed if made[0] == subject.name]
            # One INSERT per set of columns: a row without a tenant leaves that column out.
            shapes: dict[tuple[str, ...], list[Mapping[str, str]]] = {}
            for values in rows:
                shapes.setdefault(tuple(values), []).append(values)
            statements = tuple(insert_sql(self.relation(subject), shape) for shape in shapes.values())
            seeds.append(Seed(subject.name, statements))
        return tuple(seeds)

    def _whose(self, name: str, tenant: str, user: str) -> str:
        """Rows that say nothing of a user, nor their parents, are the tenant's: one for all its users."""
        return user if self._personal[name] or not tenant else self.resident(tenant)

    def _need(self, name: str, tenant: str, user: str, kind: Kind = "parent") -> str:
        """The id of a row, which is then made, with its parents."""
        made = (name, tenant, self._whose(name, tenant, user), kind)
        if made not in self._needed:
            self._needed[made] = None
            self.values(self._subjects[name], tenant, user, kind)
        return self._row_id(made)

    def _fill_row(self, subject: Subject, made: Made) -> Mapping[str, str]:
        _, tenant, user, kind = made
        words = next((row for row in subject.rows if row["tenant"] == tenant and row["user"] == user), {})
        known = self._people | words | {
            "user": self._spec.users[user],
            "user_name": user,
            "tenant_name": tenant,
            "tenant": self._spec.tenants[tenant].id if tenant else "",
            "id": self.new_id(self._tables[subject.name]) if kind == "new" else self._row_id(made),
        }  # fmt: skip
        values = {}
        for column, text in (subject.row | subject.insert if kind == "new" else subject.row).items():
            if text == "{tenant}" and not tenant:
                continue
            for word in PLACEHOLDER.findall(text):
                if word in self._subjects:
                    # A row without a tenant has a parent in some tenant: it has to point somewhere.
                    known[word] = self._need(word, tenant or next(iter(self._spec.tenants)), user)
            values[column] = _fill(text, known)
        return values

    def _row_id(self, made: Made) -> str:
        table, tenant, user = self._tables[made[0]], self._tenants[made[1]], self._users[made[2]]
        return f"5eed{table:04x}-{tenant:04x}-4{user:03x}-8000-{int(made[3] == 'lone'):012x}"


def insert_sql(relation: str, rows: Sequence[Mapping[str, str]]) -> str:
    """An INSERT of rows that have the same columns; the server gives the literals their columns' types."""
    columns = ", ".join(quoted(column) for column in rows[0])
    values = ", ".join(f"({', '.join(literal(value) for value in row.values())})" for row in rows)
    return f"insert into {relation} ({columns}) values {values}"


def _fill(text: str, known: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda word: known[word[1]], text)
