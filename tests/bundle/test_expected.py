"""expected.toml: complete, said with a reason, and true of the live catalog by a comparison of its own."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest

from tests.bundle.support import NEW_TABLES, OLD_TABLES, PATCH, connect, run_script
from tests.bundle.test_specification import COLUMNS, INDEXES, POLICIES, TRIGGERS
from tests.support import BUNDLE, MakeDatabase
from tui.core.bundle import load
from tui.files import Folder

EXPECTED: dict[str, list[dict[str, Any]]] = tomllib.loads((BUNDLE / "expected.toml").read_text(encoding="utf-8"))
BY_NAME = {table["name"].removeprefix("public."): table for table in EXPECTED["tables"]}


def test_the_bundle_loads() -> None:
    bundle = load(Folder(BUNDLE))
    assert (bundle.name, len(bundle.expectation.tables)) == ("multi_tenant", 16)
    assert dict(bundle.locks()).keys() == {"auth.users", *(f"public.{table}" for table in OLD_TABLES)}


def test_it_holds_what_the_specification_counts() -> None:
    assert {name for name, table in BY_NAME.items() if table["origin"] == "created"} == set(NEW_TABLES)
    assert {name for name, table in BY_NAME.items() if table["origin"] == "existing"} == set(OLD_TABLES)
    assert {name: len(BY_NAME[name]["columns"]) for name in COLUMNS} == COLUMNS
    assert {name: len(table["policies"]) for name, table in BY_NAME.items()} == POLICIES
    assert {
        name: {index["name"].removeprefix(f"{name}_").removesuffix("_idx") for index in BY_NAME[name]["indexes"]}
        for name in INDEXES
    } == INDEXES
    triggers = {trigger["name"]: name for name, table in BY_NAME.items() for trigger in table.get("triggers", [])}
    assert triggers == TRIGGERS


def test_everything_says_what_a_miss_means() -> None:
    for kind in ("tables", "functions", "views", "publications", "schemas"):
        for entry in EXPECTED[kind]:
            assert re.fullmatch(r"[A-Z].{20,}\.", entry["why"]), entry["name"]
    for table in EXPECTED["tables"]:
        for part in (*table["policies"], *table.get("indexes", ()), *table.get("triggers", ())):
            assert re.fullmatch(r"[A-Z].{15,}\.", part["why"]), part["name"]


@pytest.mark.parametrize("route", ["direct"])
def test_names_types_and_rights_are_those_of_the_live_catalog(make_database: MakeDatabase) -> None:
    dsn = make_database("bare").dsn
    run_script(dsn, PATCH)
    with connect(dsn) as connection, connection.transaction():
        connection.execute("set local search_path = ''")
        for name, table in BY_NAME.items():
            relation = table["name"]

            def live(query: str, relation: str = relation) -> list[tuple[Any, ...]]:
                return connection.execute(query.encode(), [relation]).fetchall()

            columns = live(
                """select attname::text, format_type(atttypid, atttypmod), attnotnull, atthasdef from pg_attribute
                    where attrelid = %s::regclass and attnum > 0 and not attisdropped order by attnum"""
            )
            said = [
                (
                    column["name"],
                    column["type"].replace("timestamptz", "timestamp with time zone"),
                    column.get("not_null", False),
                    "default" in column,
                )
                for column in table["columns"]
            ]
            assert columns == said, name
            foreign = dict(
                live(
                    """select conname::text, pg_get_constraintdef(oid) from pg_constraint
                        where conrelid = %s::regclass and contype in ('p', 'u', 'f')"""
                )
            )
            for constraint in table.get("constraints", []):
                if not constraint["definition"].startswith("CHECK"):
                    assert foreign.pop(constraint["name"]) == constraint["definition"]
            assert not foreign or table["origin"] == "existing"
            policies = live(
                """select polname::text, polcmd::text, polpermissive, polqual is null, polwithcheck is null
                     from pg_policy where polrelid = %s::regclass"""
            )
            letters = {"select": "r", "insert": "a", "update": "w", "delete": "d", "all": "*"}
            assert set(policies) == {
                (
                    policy["name"],
                    letters[policy["command"]],
                    policy.get("kind", "permissive") == "permissive",
                    "using" not in policy,
                    "check" not in policy,
                )
                for policy in table["policies"]
            }
            rights = live(
                """select g.grantee::regrole::text, array_agg(g.privilege_type::text)
                     from pg_class c, aclexplode(c.relacl) g
                    where c.oid = %s::regclass and g.grantee <> c.relowner and g.privilege_type <> 'MAINTAIN'
                    group by 1"""
            )
            everything = {"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"}
            assert {role: set(has) for role, has in rights} == {
                role: everything if has == ["ALL"] else set(has) for role, has in table["grants"].items()
            }
            updatable = live(
                """select a.attname::text from pg_attribute a, aclexplode(a.attacl) g
                    where a.attrelid = %s::regclass and g.privilege_type = 'UPDATE'"""
            )
            wanted = table.get("column_grants", {}).get("authenticated", {}).get("UPDATE", [])
            assert {column for (column,) in updatable} == set(wanted)
