"""The state a bundle expects after its patch: the typed form of `expected.toml`.

It is written from the migration's specification, never generated from its SQL, so that the two can disagree and be
found out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

from tui.core.catalog import PolicyCommand

WATCHED_ROLES = ("public", "anon", "authenticated", "service_role")
"""Roles whose rights the product judges: PUBLIC and the three roles a Supabase API request runs as (facts: supabase
A1).
"""


class ExpectedColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A column in order; `added` marks one the patch adds to a table that existed before."""

    name: str
    type: str
    not_null: bool = False
    default: str | None = None
    added: bool = False
    why: str = ""


class ExpectedConstraint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A constraint by name and definition."""

    name: str
    definition: str
    why: str = ""


class ExpectedIndex(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A secondary index; `definition` is what follows USING in CREATE INDEX."""

    name: str
    definition: str
    why: str = ""


class ExpectedPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy; expressions are ordinary SQL, schema-qualified."""

    name: str
    command: PolicyCommand
    kind: Literal["permissive", "restrictive"] = "permissive"
    roles: tuple[str, ...] = ("authenticated",)
    using: str | None = None
    check: str | None = None
    why: str = ""


class ExpectedTrigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trigger, e.g. fires = "before update", each = "row"."""

    name: str
    fires: str
    function: str
    each: Literal["row", "statement"] = "row"
    when: str | None = None
    why: str = ""


class ExpectedTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table. `origin` "existing": it was there before the patch, and columns that are not listed are allowed."""

    name: str
    origin: Literal["created", "existing"]
    why: str
    columns: tuple[ExpectedColumn, ...]
    rls: bool = True
    constraints: tuple[ExpectedConstraint, ...] = ()
    indexes: tuple[ExpectedIndex, ...] = ()
    policies: tuple[ExpectedPolicy, ...] = ()
    triggers: tuple[ExpectedTrigger, ...] = ()
    grants: dict[str, tuple[str, ...]] = {}
    column_grants: dict[str, dict[str, tuple[str, ...]]] = {}


class ExpectedFunction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A function by identity arguments; `execute` is the exact set of the watched roles that may call it."""

    name: str
    returns: str
    language: str
    body: str
    volatility: Literal["immutable", "stable", "volatile"] = "volatile"
    security_definer: bool = False
    config: tuple[str, ...] = ()
    execute: tuple[str, ...] = ()
    why: str = ""


class ExpectedView(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A view; `definition` is the SELECT, schema-qualified."""

    name: str
    columns: tuple[str, ...]
    definition: str
    security_invoker: bool = False
    grants: dict[str, tuple[str, ...]] = {}
    why: str = ""


class ExpectedPublication(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A publication; `optional`: a database without it is not at fault, the check is skipped and said to be."""

    name: str
    tables: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    optional: bool = False
    why: str = ""


class ExpectedSchema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A schema; `usage` is the exact set of the watched roles that may use it."""

    name: str
    usage: tuple[str, ...] = ()
    why: str = ""


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole of `expected.toml`."""

    tables: tuple[ExpectedTable, ...]
    functions: tuple[ExpectedFunction, ...] = ()
    views: tuple[ExpectedView, ...] = ()
    publications: tuple[ExpectedPublication, ...] = ()
    schemas: tuple[ExpectedSchema, ...] = ()

    def relations(self) -> Iterator[str]:
        """Qualified names of every table and view the catalog read has to cover."""
        yield from (table.name for table in self.tables)
        yield from (view.name for view in self.views)
