"""The checklist on catalogs that hold, on each single fault, and without twins."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.world import EXPECTATION, change_table, mirror
from tui.core.catalog import Catalog, Column, Grant, Index, Policy, PublishedTable, Table, Trigger
from tui.core.check import Check, Outcome
from tui.core.checklist import by_table, compare

DOCS, TENANTS = "app.docs", "app.tenants"
replace = msgspec.structs.replace


def checked(live: Catalog, twin: Catalog | None = None) -> tuple[Check, ...]:
    return compare(EXPECTATION, live, twin or mirror(), {})


def failing(checks: tuple[Check, ...]) -> list[tuple[str, str, str, Outcome]]:
    return [(check.object, check.table, check.name, check.outcome) for check in checks if not check.ok]


def docs(catalog: Catalog) -> Table:
    table = catalog.table(DOCS)
    assert table is not None
    return table


def without(field: str, name: str) -> Callable[[Catalog], Catalog]:
    """A fault: the docs table lacks one object."""

    def apply(live: Catalog) -> Catalog:
        kept = tuple(item for item in getattr(docs(live), field) if item.name != name)
        return change_table(live, DOCS, **{field: kept})

    return apply


def altered(field: str, name: str, **fields: object) -> Callable[[Catalog], Catalog]:
    """A fault: one object of the docs table has other fields."""

    def apply(live: Catalog) -> Catalog:
        items = tuple(replace(i, **fields) if i.name == name else i for i in getattr(docs(live), field))
        return change_table(live, DOCS, **{field: items})

    return apply


def added(field: str, item: object, table: str = DOCS) -> Callable[[Catalog], Catalog]:
    """A fault: a table has one object more."""

    def apply(live: Catalog) -> Catalog:
        found = live.table(table)
        return change_table(live, table, **{field: (*getattr(found, field), item)})

    return apply


def first(field: str, **fields: object) -> Callable[[Catalog], Catalog]:
    """A fault: the first view, function, publication or schema has other fields."""

    def apply(live: Catalog) -> Catalog:
        head, *rest = getattr(live, field)
        return replace(live, **{field: (replace(head, **fields), *rest)})

    return apply


@dataclass(frozen=True)
class Fault:
    """A single damage, the one check that must name it, and a word of what it must say."""

    damage: Callable[[Catalog], Catalog]
    object: str
    table: str
    name: str
    outcome: Outcome
    says: str


FAULTS = {
    "column dropped": Fault(without("columns", "state"), "column", DOCS, "state", "missing", "column"),
    "column of another type": Fault(
        altered("columns", "state", type="integer"), "column", DOCS, "state", "differs", "of type integer"
    ),
    "column takes NULL": Fault(
        altered("columns", "tenant_id", not_null=False), "column", DOCS, "tenant_id", "differs", "takes NULL"
    ),
    "default gone": Fault(
        altered("columns", "id", default=None), "column", DOCS, "id", "differs", "its default is another"
    ),
    "column nobody expected": Fault(
        added("columns", Column("extra", "text", False)), "column", DOCS, "extra", "unexpected", "nobody expected"
    ),
    "columns in another order": Fault(
        lambda live: change_table(live, DOCS, columns=docs(live).columns[::-1]),
        "table",
        DOCS,
        DOCS,
        "differs",
        "another order",
    ),
    "constraint dropped": Fault(
        without("constraints", "docs_pkey"), "constraint", DOCS, "docs_pkey", "missing", "impossible"
    ),
    "foreign key without cascade": Fault(
        altered("constraints", "docs_tenant_id_fkey", definition="FOREIGN KEY (tenant_id) REFERENCES app.tenants(id)"),
        "constraint",
        DOCS,
        "docs_tenant_id_fkey",
        "differs",
        "definition is another",
    ),
    "index dropped": Fault(
        without("indexes", "docs_tenant_id_idx"), "index", DOCS, "docs_tenant_id_idx", "missing", "whole table"
    ),
    "index invalid": Fault(
        altered("indexes", "docs_tenant_id_idx", valid=False), "index", DOCS, "docs_tenant_id_idx", "differs", "invalid"
    ),
    "index on another column": Fault(
        altered("indexes", "docs_tenant_id_idx", definition="btree (id)"),
        "index",
        DOCS,
        "docs_tenant_id_idx",
        "differs",
        "definition is another",
    ),
    "row level security off": Fault(
        lambda live: change_table(live, DOCS, rls=False), "rls", DOCS, "row level security", "differs", "it is off"
    ),
    "policy dropped": Fault(
        without("policies", "docs_select"), "policy", DOCS, "docs_select", "missing", "members see documents"
    ),
    "policy for another command": Fault(
        altered("policies", "docs_select", command="all"), "policy", DOCS, "docs_select", "differs", "for ALL"
    ),
    "policy for everybody": Fault(
        altered("policies", "docs_select", roles=("public",)), "policy", DOCS, "docs_select", "differs", "for public"
    ),
    "boundary made permissive": Fault(
        altered("policies", "docs_boundary", permissive=True), "policy", DOCS, "docs_boundary", "differs", "permissive"
    ),
    "policy with another USING": Fault(
        altered("policies", "docs_select", using="(1 = 1)"), "policy", DOCS, "docs_select", "differs", "USING"
    ),
    "policy differing by a blank in a literal": Fault(
        altered("policies", "docs_insert", check="(state = 'a b'::text)"),
        "policy",
        DOCS,
        "docs_insert",
        "differs",
        "WITH CHECK",
    ),
    "policy nobody expected": Fault(
        added("policies", Policy("open", "select", True, ("public",), "true")),
        "policy",
        DOCS,
        "open",
        "unexpected",
        "OR-ed",
    ),
    "restrictive policy nobody expected": Fault(
        added("policies", Policy("closed", "all", False, ("public",), "false")),
        "policy",
        DOCS,
        "closed",
        "unexpected",
        "closes rows",
    ),
    "policy nobody expected on an old table": Fault(
        added("policies", Policy("old", "all", True, ("public",), "true"), TENANTS),
        "policy",
        TENANTS,
        "old",
        "unexpected",
        "OR-ed",
    ),
    "trigger dropped": Fault(
        without("triggers", "docs_touch"), "trigger", DOCS, "docs_touch", "missing", "no longer moves"
    ),
    "trigger disabled": Fault(
        altered("triggers", "docs_touch", enabled="disabled"), "trigger", DOCS, "docs_touch", "differs", "is disabled"
    ),
    "trigger nobody expected": Fault(
        added("triggers", Trigger("spy", "AFTER INSERT")), "trigger", DOCS, "spy", "unexpected", "code nobody expected"
    ),
    "right nobody expected": Fault(
        added("grants", Grant("anon", "TRUNCATE")), "grant", DOCS, "anon", "unexpected", "TRUNCATE"
    ),
    "one right too many": Fault(
        added("grants", Grant("authenticated", "DELETE")),
        "grant",
        DOCS,
        "authenticated",
        "differs",
        "authenticated may also DELETE",
    ),
    "right to everybody": Fault(
        added("grants", Grant("public", "SELECT")), "grant", DOCS, "public", "unexpected", "PUBLIC"
    ),
    "right that may be passed on": Fault(
        lambda live: change_table(live, TENANTS, grants=(Grant("authenticated", "SELECT", grantable=True),)),
        "grant",
        TENANTS,
        "authenticated",
        "differs",
        "pass on",
    ),
    "right missing": Fault(
        lambda live: change_table(live, TENANTS, grants=()), "grant", TENANTS, "authenticated", "missing", "42501"
    ),
    "column right too many": Fault(
        added("grants", Grant("authenticated", "UPDATE", column="tenant_id")),
        "grant",
        DOCS,
        "authenticated UPDATE of columns",
        "differs",
        "tenant_id",
    ),
    "column right nobody expected": Fault(
        added("grants", Grant("anon", "UPDATE", column="state")),
        "grant",
        DOCS,
        "anon UPDATE of columns",
        "unexpected",
        "anon may UPDATE state",
    ),
    "view with its owner's rights": Fault(
        first("views", options=()), "view", "app.my_docs", "app.my_docs", "differs", "rights of its owner"
    ),
    "view with another definition": Fault(
        first("views", definition="SELECT 1"), "view", "app.my_docs", "app.my_docs", "differs", "definition"
    ),
    "function with another body": Fault(
        first("functions", body="begin return new; end"), "function", "", "app.touch()", "differs", "body"
    ),
    "function for everybody": Fault(
        first("functions", execute=("public", "service_role")), "function", "", "app.touch()", "differs", "PUBLIC"
    ),
    "function with its owner's rights": Fault(
        first("functions", security_definer=True), "function", "", "app.touch()", "differs", "owner's rights"
    ),
    "function without its search path": Fault(
        first("functions", config=()), "function", "", "app.touch()", "differs", "settings are none"
    ),
    "table left out of the publication": Fault(
        first("publications", tables=()), "publication", DOCS, "live", "missing", "live updates"
    ),
    "some columns published only": Fault(
        first("publications", tables=(PublishedTable(DOCS, ("id",)),)),
        "publication",
        DOCS,
        "live",
        "differs",
        "not all columns",
    ),
    "table published that must not be": Fault(
        first("publications", tables=(PublishedTable(DOCS), PublishedTable(TENANTS))),
        "publication",
        TENANTS,
        "live",
        "unexpected",
        "must not",
    ),
    "publication of everything": Fault(
        first("publications", all_tables=True), "publication", TENANTS, "live", "unexpected", "must not"
    ),
    "schema open": Fault(first("schemas", usage=("anon",)), "schema", "", "private", "differs", "used by anon"),
}


def test_what_holds_is_ok_and_in_order() -> None:
    checks = checked(mirror())
    assert failing(checks) == []
    assert [check.name for check in checks if check.object == "table"] == [DOCS, TENANTS]
    assert all(check.why and check.layer == "structure" for check in checks)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_each_single_fault_is_named_once_and_explained(fault: Fault) -> None:
    checks = checked(fault.damage(mirror()))
    assert failing(checks) == [(fault.object, fault.table, fault.name, fault.outcome)]
    why = next(check.why for check in checks if not check.ok)
    assert fault.says in why


@given(st.lists(st.sampled_from(sorted(FAULTS)), unique_by=lambda name: FAULTS[name].object, min_size=1))
def test_faults_of_several_kinds_never_hide_each_other(names: list[str]) -> None:
    live = mirror()
    for name in names:
        live = FAULTS[name].damage(live)
    faults = [FAULTS[name] for name in names]
    assert sorted(failing(checked(live))) == sorted((f.object, f.table, f.name, f.outcome) for f in faults)


def test_nothing_there_means_everything_missing() -> None:
    checks = checked(Catalog())
    optional = [check for check in checks if check.object == "publication"]
    assert [check.actual for check in optional] == ["no publication of that name (skipped)"]
    assert {check.outcome for check in checks if check not in optional} == {"missing"}


def test_a_publication_that_is_not_optional_must_be_there() -> None:
    (publication,) = EXPECTATION.publications
    strict = replace(EXPECTATION, publications=(replace(publication, optional=False),))
    checks = compare(strict, replace(mirror(), publications=()), mirror(), {})
    assert failing(checks) == [("publication", DOCS, "live", "missing")]


def test_an_index_nobody_expected_is_no_failure() -> None:
    assert failing(checked(added("indexes", Index("mine", "btree (state)", valid=False))(mirror()))) == []


def test_old_columns_of_an_old_table_are_judged_by_type_only() -> None:
    (docs_table, tenants) = mirror().tables
    columns = (Column("id", "uuid", True, "other()"), *tenants.columns[1:])
    live = replace(mirror(), tables=(docs_table, replace(tenants, columns=columns)))
    assert failing(checked(live)) == []
    live = replace(mirror(), tables=(docs_table, replace(tenants, columns=(Column("id", "text", False), *columns[1:]))))
    assert failing(checked(live)) == [("column", TENANTS, "id", "differs")]


def test_maintain_goes_with_all_and_with_nothing_else() -> None:
    assert failing(checked(added("grants", Grant("service_role", "MAINTAIN"))(mirror()))) == []
    checks = checked(added("grants", Grant("authenticated", "MAINTAIN"))(mirror()))
    assert failing(checks) == [("grant", DOCS, "authenticated", "differs")]


def test_the_owner_and_roles_of_somebody_else_are_not_judged() -> None:
    assert failing(checked(added("grants", Grant("dashboard_user", "SELECT"))(mirror()))) == []


def test_a_twin_says_how_the_server_prints_it() -> None:
    printed = altered("policies", "docs_select", using="(1 = ANY (ARRAY[1]))")(mirror())
    assert failing(checked(printed)) == [("policy", DOCS, "docs_select", "differs")]
    assert failing(checked(printed, twin=printed)) == []


def test_without_a_twin_equal_text_is_proof_and_unequal_text_is_none() -> None:
    assert failing(compare(EXPECTATION, mirror(), None, {})) == []
    live = altered("policies", "docs_select", using="(  TRUE )")(mirror())
    live = altered("policies", "docs_insert", check="(state = 'A  b'::text)")(live)
    checks = compare(EXPECTATION, live, None, {})
    assert failing(checks) == [
        ("policy", DOCS, "docs_select", "not_proven"),
        ("policy", DOCS, "docs_insert", "not_proven"),
    ]
    assert "may not write" in next(check.why for check in checks if not check.ok)


@pytest.mark.parametrize("name", ["policy dropped", "policy for everybody", "trigger disabled", "right to everybody"])
def test_without_a_twin_what_needs_no_deparser_is_judged_all_the_same(name: str) -> None:
    fault = FAULTS[name]
    checks = compare(EXPECTATION, fault.damage(mirror()), None, {})
    assert failing(checks) == [(fault.object, fault.table, fault.name, fault.outcome)]


def test_what_the_server_could_not_make_is_not_proven_with_its_words() -> None:
    twin = without("policies", "docs_select")(mirror())
    live = altered("policies", "docs_select", using="(other)")(mirror())
    failures = {"policy docs_select on app.docs": "42703 column gone does not exist"}
    checks = compare(EXPECTATION, live, twin, failures)
    assert failing(checks) == [("policy", DOCS, "docs_select", "not_proven")]
    assert "42703 column gone" in next(check.why for check in checks if not check.ok)


def test_a_twin_of_another_relation_with_the_same_bare_name_is_not_trusted() -> None:
    live = altered("policies", "docs_select", using="(other)")(mirror())
    checks = compare(EXPECTATION, live, live, {"table app.docs": '42P07 relation "docs" already exists'})
    assert ("policy", DOCS, "docs_select", "not_proven") in failing(checks)


def test_the_summary_counts_per_table_and_names_the_worst() -> None:
    live = FAULTS["policy dropped"].damage(FAULTS["policy nobody expected"].damage(mirror()))
    rows = {row.name: row for row in by_table(checked(live), EXPECTATION)}
    assert [(row.kind, row.name) for row in rows.values()] == [
        ("table", DOCS),
        ("table", TENANTS),
        ("view", "app.my_docs"),
        ("function", "app.touch()"),
        ("publication", "live"),
        ("schema", "private"),
    ]
    bad = rows[DOCS]
    assert (bad.exists, bad.columns, bad.policies, bad.indexes, bad.triggers) == (True, (4, 4), (2, 3), (1, 1), (1, 1))
    assert (bad.rls, bad.grants_ok, bad.outcome, bad.problems) == (True, True, "unexpected", 2)
    assert all(row.outcome == "ok" and not row.problems for row in rows.values() if row is not bad)


def test_the_summary_of_what_is_not_there() -> None:
    rows = by_table(checked(Catalog()), EXPECTATION)
    assert [row.exists for row in rows] == [False, False, False, False, True, False]
    assert rows[0].rls is None and rows[0].outcome == "missing" and rows[0].columns == (0, 4)


def test_a_publication_entry_counts_for_its_table_too() -> None:
    rows = {
        row.name: row for row in by_table(checked(FAULTS["publication of everything"].damage(mirror())), EXPECTATION)
    }
    assert rows["live"].problems == 1 and rows[TENANTS].problems == 1 and rows[DOCS].problems == 0
