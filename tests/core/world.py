"""A small bundle's expectation and the catalog of a database on which all of it holds, for tests of the pure parts."""

from __future__ import annotations

import msgspec

from tui.core.aspects import canonical_type
from tui.core.catalog import (
    Catalog,
    Column,
    Constraint,
    Function,
    Grant,
    Index,
    Policy,
    Publication,
    PublishedTable,
    Schema,
    Table,
    Trigger,
    View,
)
from tui.core.expectation import Expectation, ExpectedTable
from tui.core.grantchecks import ALL_PRIVILEGES
from tui.core.twin import trigger_tail

EXPECTATION = msgspec.convert(
    {
        "tables": [
            {
                "name": "app.docs",
                "origin": "created",
                "why": "the list of documents stays empty",
                "columns": [
                    {"name": "id", "type": "uuid", "not_null": True, "default": "gen_random_uuid()"},
                    {"name": "tenant_id", "type": "uuid", "not_null": True},
                    {"name": "state", "type": "text", "default": "'new'::text"},
                    {"name": "updated_at", "type": "timestamptz", "default": "now()"},
                ],
                "constraints": [
                    {"name": "docs_pkey", "definition": "PRIMARY KEY (id)"},
                    {
                        "name": "docs_tenant_id_fkey",
                        "definition": "FOREIGN KEY (tenant_id) REFERENCES app.tenants(id) ON DELETE CASCADE",
                    },
                ],
                "indexes": [{"name": "docs_tenant_id_idx", "definition": "btree (tenant_id)"}],
                "policies": [
                    {"name": "docs_select", "command": "select", "using": "(true)", "why": "members see documents"},
                    {"name": "docs_insert", "command": "insert", "check": "(state = 'a  b'::text)"},
                    {
                        "name": "docs_boundary",
                        "command": "all",
                        "kind": "restrictive",
                        "roles": ["anon", "authenticated"],
                        "using": "(false)",
                        "check": "(false)",
                    },
                ],
                "triggers": [{"name": "docs_touch", "fires": "before update", "function": "app.touch()"}],
                "grants": {"authenticated": ["SELECT", "INSERT"], "service_role": ["ALL"]},
                "column_grants": {"authenticated": {"UPDATE": ["state"]}},
            },
            {
                "name": "app.tenants",
                "origin": "existing",
                "why": "nobody belongs anywhere",
                "columns": [
                    {"name": "id", "type": "uuid"},
                    {"name": "plan", "type": "text", "not_null": True, "added": True},
                ],
                "policies": [{"name": "tenants_select", "command": "select", "using": "(true)"}],
                "grants": {"authenticated": ["SELECT"]},
            },
        ],
        "views": [
            {
                "name": "app.my_docs",
                "columns": ["id"],
                "definition": "SELECT docs.id FROM app.docs",
                "security_invoker": True,
                "grants": {"anon": ["SELECT"]},
            }
        ],
        "functions": [
            {
                "name": "app.touch()",
                "returns": "trigger",
                "language": "plpgsql",
                "config": ['search_path=""'],
                "execute": ["service_role"],
                "body": "begin new.updated_at := now(); return new; end",
            }
        ],
        "publications": [{"name": "live", "tables": ["app.docs"], "absent": ["app.tenants"], "optional": True}],
        "schemas": [{"name": "private", "usage": []}],
    },
    Expectation,
)
"""Every kind of object, one of each at least."""


def mirror(expectation: Expectation = EXPECTATION) -> Catalog:
    """The catalog of a database on which all of `expectation` holds; every definition as it was typed."""
    return Catalog(
        tables=tuple(_table(table) for table in expectation.tables),
        views=tuple(
            View(
                view.name,
                "owner",
                view.columns,
                view.definition,
                ("security_invoker=on",) if view.security_invoker else (),
                _grants(view.grants),
            )
            for view in expectation.views
        ),
        functions=tuple(
            Function(
                function.name,
                "owner",
                function.returns,
                function.language,
                function.volatility,
                function.security_definer,
                f"\n  {function.body}\n",
                function.config,
                function.execute,
            )
            for function in expectation.functions
        ),
        publications=tuple(
            Publication(one.name, False, tuple(PublishedTable(table) for table in one.tables))
            for one in expectation.publications
        ),
        schemas=tuple(Schema(schema.name, "owner", schema.usage) for schema in expectation.schemas),
    )


def change_table(catalog: Catalog, name: str, **fields: object) -> Catalog:
    """`catalog` with other fields of one table."""
    tables = tuple(
        msgspec.structs.replace(table, **fields) if table.name == name else table for table in catalog.tables
    )
    return msgspec.structs.replace(catalog, tables=tables)


def _table(expected: ExpectedTable) -> Table:
    columns = tuple(
        Column(column.name, canonical_type(column.type), column.not_null, column.default) for column in expected.columns
    )
    old = (Column("name", "text", True),) if expected.origin == "existing" else ()
    grants = _grants(expected.grants) + tuple(
        Grant(role, privilege, False, column)
        for role, privileges in expected.column_grants.items()
        for privilege, names in privileges.items()
        for column in names
    )
    return Table(
        name=expected.name,
        owner="owner",
        usable=True,
        rls=expected.rls,
        force_rls=False,
        columns=columns + old,
        constraints=tuple(Constraint(one.name, "other", one.definition) for one in expected.constraints),
        indexes=tuple(Index(one.name, one.definition) for one in expected.indexes),
        policies=tuple(
            Policy(one.name, one.command, one.kind == "permissive", one.roles, one.using, one.check)
            for one in expected.policies
        ),
        triggers=tuple(Trigger(one.name, trigger_tail(one, expected.name)) for one in expected.triggers),
        grants=grants,
    )


def _grants(expected: dict[str, tuple[str, ...]]) -> tuple[Grant, ...]:
    return tuple(
        Grant(role, privilege)
        for role, privileges in expected.items()
        for privilege in (sorted(ALL_PRIVILEGES) if privileges == ("ALL",) else privileges)
    )
