"""The negative control: twins of live tables, made to be broken, so that a green matrix is known to mean something.

A twin is a temporary table with the table's columns, policies and grants as they stand in the live catalog. Roles of
the API can use it because PUBLIC may make temporary objects (PostgreSQL lets whoever holds TEMPORARY on the database
use the session's own temporary schema). No live table is locked for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from tui.core.catalog import Catalog, Table
from tui.core.ddl import quoted, role
from tui.core.expectation import WATCHED_ROLES, Expectation, ExpectedColumn, ExpectedPolicy, ExpectedTable
from tui.core.isolation_cases import Case, Composer
from tui.core.isolation_rows import Rows
from tui.core.isolation_spec import IsolationSpec
from tui.core.twin import twin_statements


class Drill(msgspec.Struct, frozen=True):
    """The control's two passes: `intact` on unbroken twins, then `breaking` is run and `broken` must all be leaks.

    `tables` are those that have a twin; `reason` says why none has.
    """

    tables: tuple[str, ...] = ()
    making: tuple[str, ...] = ()
    intact: tuple[Case, ...] = ()
    breaking: tuple[str, ...] = ()
    broken: tuple[Case, ...] = ()
    reason: str = ""


def drill(spec: IsolationSpec, expectation: Expectation, live: Catalog) -> Drill:
    """The control of a bundle on this database; without twins when none of its tables is there."""
    tables = [table for name in spec.control if (table := live.table(name)) is not None]
    if not tables:
        return Drill(reason="none of the bundle's tables for it is there")
    relations = {table.name: _twin(table) for table in tables}
    rows = Rows(spec, relations)
    composer = Composer(spec, expectation, live, rows)
    people = [persona for persona in spec.personas if persona.user]
    subjects = [spec.subject(table.name) for table in tables]
    cases = [case for persona in people for subject in subjects for case in composer.rows(persona, subject)]
    seeds = [seed for seed in rows.seeds() if seed.table in relations]
    making = [*(sql for table in tables for sql in _make(table)), *(sql for seed in seeds for sql in seed.statements)]
    roles = sorted({persona.role for persona in people})
    # Cells that a grant closes stay closed whatever the policies say; all others have to open.
    opened = [case for case in cases if case.scope == "foreign" and case.expected in ("no_rows", "denied_policy")]
    return Drill(
        tables=tuple(table.name for table in tables),
        making=tuple(making),
        intact=tuple(cases),
        breaking=tuple(_break(table, roles) for table in tables),
        broken=tuple(opened),
    )


def _make(table: Table) -> Iterator[str]:
    columns = tuple(
        # A generated column's expression is no default; without it the column is simply empty.
        ExpectedColumn(c.name, c.type, c.not_null and not c.generated, None if c.generated else c.default)
        for c in table.columns
    )
    policies = tuple(
        ExpectedPolicy(p.name, p.command, "permissive" if p.permissive else "restrictive", p.roles, p.using, p.check)
        for p in table.policies
    )
    twin = ExpectedTable(table.name, "created", "", columns, policies=policies)
    for statement in twin_statements(Expectation((twin,))):
        yield statement.sql
    relation = _twin(table)
    if table.rls:
        yield f"alter table {relation} enable row level security"
    for grant in table.grants:
        if grant.grantee in WATCHED_ROLES and grant.privilege in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            column = f" ({quoted(grant.column)})" if grant.column is not None else ""
            yield f"grant {grant.privilege}{column} on {relation} to {role(grant.grantee)}"


def _break(table: Table, roles: Sequence[str]) -> str:
    everybody = ", ".join(quoted(role) for role in roles)
    return f"create policy patchdeck_control on {_twin(table)} for all to {everybody} using (true) with check (true)"


def _twin(table: Table) -> str:
    return f"pg_temp.{quoted(table.name.partition('.')[2])}"
