"""What a database looks like: the typed form of one catalog read.

`db/queries/catalog.sql` answers with one JSON document of exactly this shape, for the live objects and, in a
rolled-back transaction, for the throw-away twins of the expected ones. Both sides of every comparison therefore went
through the same deparser of the same server (decision 27). All names are schema-qualified as `schema.name`, unquoted.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import msgspec

TypeName = str

PolicyCommand = Literal["select", "insert", "update", "delete", "all"]
TriggerState = Literal["origin", "disabled", "replica", "always"]


class Column(msgspec.Struct, frozen=True):
    """One column: position as stored order, `default` as pg_get_expr prints it, None without one."""

    name: str
    type: TypeName
    not_null: bool
    default: str | None = None
    identity: str = ""
    generated: str = ""
    comment: str | None = None


class Constraint(msgspec.Struct, frozen=True):
    """A primary key, unique, check, exclusion or foreign key constraint; `definition` as pg_get_constraintdef prints
    it.
    """

    name: str
    kind: Literal["primary key", "unique", "check", "foreign key", "exclusion", "trigger", "other"]
    definition: str
    validated: bool = True


class Index(msgspec.Struct, frozen=True):
    """A secondary index (neither primary nor unique); `definition` is what follows USING, e.g. `btree (tenant_id)`."""

    name: str
    definition: str
    valid: bool = True


class Policy(msgspec.Struct, frozen=True):
    """A row level security policy; `using` and `check` as pg_get_expr prints them, None where the policy has none."""

    name: str
    command: PolicyCommand
    permissive: bool
    roles: tuple[str, ...]
    using: str | None = None
    check: str | None = None
    comment: str | None = None


class Trigger(msgspec.Struct, frozen=True):
    """A user trigger; `definition` is pg_get_triggerdef from the timing word on, e.g. `BEFORE UPDATE ON s.t FOR EACH
    ROW ...`; `constraint` whether it is a constraint trigger.
    """

    name: str
    definition: str
    enabled: TriggerState = "origin"
    constraint: bool = False
    comment: str | None = None


class Rule(msgspec.Struct, frozen=True):
    """A rewrite rule of a table; `definition` as pg_get_ruledef prints it."""

    name: str
    definition: str


class Grant(msgspec.Struct, frozen=True):
    """One privilege one grantee holds; `grantee` is `public` for PUBLIC; `column` is None for the whole object.

    `grantor` is who gave it, None when the owner did. The owner's own rights are not listed.
    """

    grantee: str
    privilege: str
    grantable: bool = False
    column: str | None = None
    grantor: str | None = None


class Table(msgspec.Struct, frozen=True):
    """A table (or partitioned table) with everything that hangs on it.

    `usable` says whether the connected role owns it, directly or through membership; it means the same everywhere.
    `acl_default` says that no right on it was ever written down: what holds is the server's default.
    """

    name: str
    owner: str
    usable: bool
    rls: bool
    force_rls: bool
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    indexes: tuple[Index, ...] = ()
    policies: tuple[Policy, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    rules: tuple[Rule, ...] = ()
    grants: tuple[Grant, ...] = ()
    acl_default: bool = False
    comment: str | None = None


class View(msgspec.Struct, frozen=True):
    """A view; `definition` as pg_get_viewdef prints it, `rules` each as pg_get_ruledef does.

    `column_comments` and `column_defaults` are by column, for those that have one.
    """

    name: str
    owner: str
    columns: tuple[str, ...]
    definition: str
    options: tuple[str, ...] = ()
    grants: tuple[Grant, ...] = ()
    comment: str | None = None
    usable: bool = True
    materialized: bool = False
    acl_default: bool = False
    triggers: tuple[Trigger, ...] = ()
    rules: tuple[str, ...] = ()
    column_comments: dict[str, str] = {}
    column_defaults: dict[str, str] = {}


class Function(msgspec.Struct, frozen=True):
    """A function; `name` carries its identity arguments, e.g. `public.touch()`; `body` is pg_proc.prosrc.

    `execute` names those of the watched roles that may run it, `grants` is everybody's right; `definition` is what
    pg_get_functiondef prints.
    """

    name: str
    owner: str
    returns: str
    language: str
    volatility: Literal["immutable", "stable", "volatile"]
    security_definer: bool
    body: str
    config: tuple[str, ...] = ()
    execute: tuple[str, ...] = ()
    comment: str | None = None
    usable: bool = True
    definition: str = ""
    acl_default: bool = False
    grants: tuple[Grant, ...] = ()


class PublishedTable(msgspec.Struct, frozen=True):
    """A table's entry in a publication, with its column list and row filter when it has them.

    `whole_schema`: it has no entry of its own, the publication is FOR TABLES IN SCHEMA.
    """

    table: str
    columns: tuple[str, ...] = ()
    where: str | None = None
    whole_schema: bool = False


class Publication(msgspec.Struct, frozen=True):
    """A logical replication publication."""

    name: str
    all_tables: bool
    tables: tuple[PublishedTable, ...] = ()
    owner: str = ""
    usable: bool = True


class Schema(msgspec.Struct, frozen=True):
    """A schema and who of the watched roles may use it."""

    name: str
    owner: str
    usage: tuple[str, ...] = ()
    usable: bool = True


class Catalog(msgspec.Struct, frozen=True):
    """Everything one look brings back, each list in name order."""

    tables: tuple[Table, ...] = ()
    views: tuple[View, ...] = ()
    functions: tuple[Function, ...] = ()
    publications: tuple[Publication, ...] = ()
    schemas: tuple[Schema, ...] = ()

    def table(self, name: str) -> Table | None:
        """The table of that qualified name, or None."""
        return next((table for table in self.tables if table.name == name), None)

    def view(self, name: str) -> View | None:
        """The view of that qualified name, or None."""
        return next((view for view in self.views if view.name == name), None)

    def function(self, name: str) -> Function | None:
        """The function of that qualified name with identity arguments, or None."""
        return next((function for function in self.functions if function.name == name), None)

    def publication(self, name: str) -> Publication | None:
        """The publication of that name, or None."""
        return next((publication for publication in self.publications if publication.name == name), None)

    def schema(self, name: str) -> Schema | None:
        """The schema of that name, or None."""
        return next((schema for schema in self.schemas if schema.name == name), None)

    def has(self, requirement: str) -> bool:
        """Whether `schema.table` or `schema.table.column` exists; views count as tables."""
        parts = requirement.split(".")
        relation = ".".join(parts[:2])
        table, view = self.table(relation), self.view(relation)
        if table is None and view is None:
            return False
        if len(parts) < 3:
            return True
        columns = [column.name for column in table.columns] if table else list(view.columns if view else ())
        return parts[2] in columns


@lru_cache(maxsize=4)
def decode(document: str) -> Catalog:
    """The catalog in a JSON document of `catalog.sql`. The same document is the same catalog: mostly nothing has
    changed since the last look, or between one database and the next.

    Raises msgspec.ValidationError when the document is not of this shape, which is a defect of the query, not of the
    database.
    """
    return msgspec.json.decode(document, type=Catalog)
