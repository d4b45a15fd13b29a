"""The isolation matrix without a database: the bundle's file and its mistakes, its cases, what results mean."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import msgspec
import pytest
from msgspec.structs import replace

from tests.support import BUNDLE
from tui.core.bundle import Bundle, BundleError, load
from tui.core.catalog import Catalog, Column, Grant, Policy, Table
from tui.core.control import drill
from tui.core.isolation import (
    Control,
    Mark,
    Matrix,
    Probe,
    Result,
    cell_key,
    judge,
    judge_control,
    to_checks,
    unproven,
)
from tui.core.isolation_cases import Case, Plan, compose
from tui.core.isolation_spec import IsolationSpec
from tui.files import Folder


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(Folder(BUNDLE))


@pytest.fixture(scope="module")
def spec(bundle: Bundle) -> IsolationSpec:
    assert bundle.isolation is not None
    return bundle.isolation


@pytest.fixture(scope="module")
def plan(bundle: Bundle, spec: IsolationSpec) -> Plan:
    return compose(spec, bundle.expectation, Catalog())


def changed(old: str, new: str) -> Mapping[str, str]:
    """The shipped bundle's files, with one place of isolation.toml changed."""
    files = dict(Folder(BUNDLE))
    assert old in files["isolation.toml"]
    files["isolation.toml"] = files["isolation.toml"].replace(old, new, 1)
    return files


# ------------------------------------------------------------------------------------------------------------ the file


@pytest.mark.parametrize(
    ("old", "new", "at", "says"),
    [
        ('witness = "owner"', 'witness = "nobody in here"', None, "'nobody in here' is no persona"),
        ('control = ["public.agents"', 'control = ["public.agent"', None, "'public.agent' is no table"),
        ('resident = "stranger"', 'resident = "strange"', None, "'strange' is no user"),
        ('own = "A"\nforeign = "B"', 'own = "Z"\nforeign = "B"', 'name = "member"', "'Z' is no tenant"),
        ('name = "public.billing_events"', 'name = "public.bills"', None, "'public.bills' is no table of the expect"),
        ('select = "admins" }\nmay.also = {}', 'select = "boss" }\nmay.also = {}', '"public.billing_events"', "'boss'"),
        ("{public.workflows}", "{public.artifacts}", '"public.workflow_executions"', "{public.artifacts} is no place"),
        ('expect = "23503 or 23001"', 'expect = "denied"', '"public.tenants"', "'denied' is no outcome"),
        ("('{foreign}', '{user}', 'member')", "('{theirs}')", "make oneself a member", "{theirs} is no placeholder"),
        ('user = "stranger", role = "owner"', 'user = "guest", role = "owner"', '"public.tenant_members"', "has none"),
        ('key = ["tenant_id", "user_id"]', 'key = ["nothing"]', '"public.tenant_members"', "'nothing' is no column"),
        ("\nwitness", "\nwitnes = 1\nwitness", None, "unknown field `witnes`"),
    ],
)
def test_a_mistake_in_the_file_is_placed(old: str, new: str, at: str | None, says: str) -> None:
    files = changed(old, new)
    with pytest.raises(BundleError) as caught:
        load(files)
    assert says in caught.value.reason
    assert caught.value.file == "isolation.toml"
    if at is not None:
        lines = files["isolation.toml"].splitlines()
        named = next(number for number, line in enumerate(lines, 1) if at in line)
        assert caught.value.line == named - 1, "the line of the [[header]] above"


def test_a_bundle_without_the_file_has_no_isolation() -> None:
    files = dict(Folder(BUNDLE))
    files["bundle.toml"] = files["bundle.toml"].replace('isolation = "isolation.toml"\n', "")
    assert load(files).isolation is None


# ----------------------------------------------------------------------------------------------------------- the cases


def test_every_table_command_and_persona_has_a_case(plan: Plan, bundle: Bundle, spec: IsolationSpec) -> None:
    tried = {(case.table, case.command, case.persona) for case in plan.cases}
    commands = ("select", "insert", "update", "delete", "truncate")
    tables = [table.name for table in bundle.expectation.tables]
    wanted = set(product(tables, commands, [persona.name for persona in spec.personas]))
    wanted |= set(
        product([view.name for view in bundle.expectation.views], ["select"], [p.name for p in spec.personas])
    )
    assert wanted - tried == set()
    assert {function.name for function in bundle.expectation.functions} <= {case.table for case in plan.cases}
    assert plan.unsaid == ()
    assert len(plan.cases) >= 1000


def test_own_and_foreign_rows_are_both_tried_and_own_ones_can_be_reached(plan: Plan, spec: IsolationSpec) -> None:
    """Or a database that denies everything would pass."""
    for subject in spec.tables:
        cases = [case for case in plan.cases if case.table == subject.name and case.persona == "owner"]
        assert {case.scope for case in cases if case.command == "select"} >= {"own", "foreign"}
        assert any(case.expected == "allowed" and case.scope == "own" for case in cases)
        assert all(case.expected != "allowed" for case in cases if case.scope == "foreign")


def test_every_column_is_tried_with_what_the_grants_say(plan: Plan, bundle: Bundle) -> None:
    for table in bundle.expectation.tables:
        granted = table.column_grants.get("authenticated", {}).get("UPDATE", ())
        tried = {
            case.detail: case.expected
            for case in plan.cases
            if case.table == table.name and case.command == "column" and case.persona == "owner"
        }
        assert tried == {
            column.name: "allowed" if column.name in granted else "denied_grant" for column in table.columns
        }


def test_a_column_that_nobody_expected_is_tried_as_well(bundle: Bundle, spec: IsolationSpec) -> None:
    columns = (Column("id", "uuid", True), Column("sneaky", "text", False), Column("sum", "int", False, generated="s"))
    live = Catalog(tables=(Table("public.agents", "postgres", True, True, False, columns),))
    cases = compose(spec, bundle.expectation, live).cases
    tried = {
        c.detail: c.expected for c in cases if (c.table, c.command, c.persona) == ("public.agents", "column", "owner")
    }
    assert tried == {"id": "denied_grant", "sneaky": "denied_grant"}


def test_a_table_the_file_says_nothing_of_is_not_passed_over(bundle: Bundle, spec: IsolationSpec) -> None:
    fewer = msgspec.structs.replace(spec, tables=spec.tables[:-1], statements=())
    unsaid = compose(fewer, bundle.expectation, Catalog()).unsaid
    assert unsaid == ("public.user_tenants", *(function.name for function in bundle.expectation.functions))


def test_rows_are_made_once_and_parents_first(plan: Plan, spec: IsolationSpec) -> None:
    assert [seed.table for seed in plan.seeds] == [
        spec.accounts.table, *(subject.name for subject in spec.tables if subject.seed)
    ]  # fmt: skip
    made = "".join(sql for seed in plan.seeds for sql in seed.statements)
    for case in plan.cases:
        if case.command == "delete" and not case.row:
            identity = case.sql.rpartition(" where ")[2].split(" and ")[0].partition(" = ")[2]
            assert identity in made


def test_a_statement_without_where_is_tried_on_one_row_only(plan: Plan) -> None:
    for case in plan.cases:
        writes = case.sql.startswith(("update ", "delete "))
        assert not writes or (" where " in case.sql) != bool(case.row), case
        assert not case.row or " where " in case.row, case


# -------------------------------------------------------------------------------------------------- what results mean

CASE = Case("s.t", "select", "member", "own", "authenticated", '{"role":"authenticated"}', "select 1", "allowed")


@pytest.mark.parametrize(
    ("expected", "result", "mark"),
    [
        ("allowed", Result("rows", 1), "ok"),
        ("allowed", Result("rows", 0), "lost"),
        ("allowed", Result("rows", 2), "leak"),
        ("allowed", Result("denied_grant"), "lost"),
        ("allowed", Result("denied_policy"), "lost"),
        ("allowed", Result("23502"), "lost"),
        ("denied_grant", Result("denied_grant"), "ok"),
        ("denied_grant", Result("denied"), "ok"),
        ("denied_grant", Result("denied_policy"), "differs"),
        ("denied_grant", Result("rows", 0), "differs"),
        ("denied_grant", Result("rows", 1), "leak"),
        ("denied_policy", Result("denied_policy"), "ok"),
        ("denied_policy", Result("denied_grant"), "differs"),
        ("denied_policy", Result("23503"), "differs"),
        ("no_rows", Result("rows", 0), "ok"),
        ("no_rows", Result("rows", 1), "leak"),
        ("no_rows", Result("denied"), "differs"),
        ("23503", Result("23503"), "ok"),
        ("23503", Result("rows", 1), "leak"),
        ("23503 or 23001", Result("23001"), "ok"),
        ("no_rows", Result("42P17"), "differs"),
        ("allowed", Result("skipped", reason="no row"), "not_probed"),
    ],
)
def test_a_result_is_judged(expected: str, result: Result, mark: str) -> None:
    (probe,) = judge([replace(CASE, expected=expected)], [result])
    assert probe.mark == mark


def test_there_is_one_result_for_each_case() -> None:
    with pytest.raises(ValueError, match="shorter"):
        judge([CASE, CASE], [Result("rows", 1)])


def probe(mark: Mark, case: Case = CASE) -> Probe:
    return Probe(case, mark, "what it was")


FOREIGN = replace(CASE, scope="foreign", expected="no_rows")
RED = Control("red", ("s.t",), 4, 4)


@pytest.mark.parametrize(
    ("probes", "state"),
    [
        ([probe("ok")], "allowed"),
        ([probe("ok", FOREIGN)], "denied"),
        ([probe("ok"), probe("ok", FOREIGN)], "own rows only"),
        ([probe("ok"), probe("leak", FOREIGN)], "LEAK"),
        ([probe("lost"), probe("leak", FOREIGN)], "LEAK"),
        ([probe("lost"), probe("ok", FOREIGN)], "LOST"),
        ([probe("ok"), probe("differs", FOREIGN)], "differs"),
        ([probe("ok"), probe("not_probed", FOREIGN)], "not probed"),
    ],
)
def test_a_cell_says_the_worst_of_its_cases(probes: list[Probe], state: str) -> None:
    (cell,) = Matrix(tuple(probes), RED).cells()
    assert (cell.state, cell.probes) == (state, tuple(probes))


@pytest.mark.parametrize(
    ("matrix", "state"),
    [
        (Matrix((probe("ok"),), RED), "passed"),
        (Matrix((probe("ok"), probe("leak")), RED), "failed"),
        (Matrix((probe("ok"), probe("lost")), RED), "failed"),
        (Matrix((probe("ok"), probe("differs")), RED), "failed"),
        (Matrix((probe("ok"),), Control("green", reason="not seen")), "failed"),
        (Matrix((probe("ok"),), Control("not_run")), "not_proven"),
        (Matrix((probe("ok"), probe("not_probed")), RED), "not_proven"),
        (Matrix((probe("ok"),), RED, unseeded={"s.u": "no"}), "not_proven"),
        (Matrix((probe("ok"),), RED, unsaid=("s.v",)), "not_proven"),
        (Matrix((), RED), "not_proven"),
        (unproven("read-only"), "not_proven"),
    ],
)
def test_only_a_whole_matrix_with_a_red_control_has_passed(matrix: Matrix, state: str) -> None:
    assert matrix.state == state
    outcomes = {check.outcome for check in to_checks(matrix)}
    failing = outcomes - {"ok", "not_proven"}
    if matrix.probes:
        assert state == ("failed" if failing else "not_proven" if "not_proven" in outcomes else "passed")
    assert {check.layer for check in to_checks(matrix)} <= {"behaviour"}


def test_a_leak_is_shown_with_what_reproduces_it() -> None:
    case = replace(FOREIGN, claims='{"role":"authenticated","sub":"5eed"}', sql="delete from s.t where id = 'b'")
    checks = to_checks(Matrix((probe("leak", case),), RED))
    (leak,) = [check for check in checks if not check.ok]
    assert (leak.outcome, leak.object, leak.table, leak.name) == ("leak", "access", "s.t", "member select foreign")
    assert leak.expected == "no rows"
    for piece in ("set local role authenticated", case.claims, case.sql, "rollback"):
        assert piece in leak.actual


# ------------------------------------------------------------------------------------------------- the negative control


def test_the_control_is_red_only_when_everything_that_was_opened_is_seen() -> None:
    none: frozenset[tuple[str, ...]] = frozenset()
    assert judge_control(("s.t",), [probe("ok")], [probe("leak", FOREIGN)], none) == Control("red", ("s.t",), 1, 1)
    missed = judge_control(("s.t",), [probe("ok")], [probe("leak", FOREIGN), probe("ok", FOREIGN)], none)
    assert (missed.state, missed.cells, missed.turned) == ("green", 2, 1)
    assert "not seen" in missed.reason
    assert judge_control(("s.t",), [], [], none).state == "green"


def test_a_twin_may_only_be_red_where_its_table_is() -> None:
    intact, broken = [probe("leak", FOREIGN)], [probe("leak", FOREIGN)]
    unlike = judge_control(("s.t",), intact, broken, frozenset())
    assert unlike.state == "green"
    assert "does not act as its table does" in unlike.reason
    assert judge_control(("s.t",), intact, broken, frozenset({cell_key(FOREIGN)})).state == "red"


def test_the_control_needs_one_of_its_tables(bundle: Bundle, spec: IsolationSpec) -> None:
    found = drill(spec, bundle.expectation, Catalog())
    assert not found.making
    assert not found.broken
    assert "none of the bundle's tables" in found.reason


def test_the_twin_has_the_policies_and_grants_of_the_live_table(bundle: Bundle, spec: IsolationSpec) -> None:
    table = Table(
        "public.agents", "postgres", True, True, False,
        columns=(Column("id", "uuid", True, "gen_random_uuid()"), Column("tenant_id", "uuid", True)),
        policies=(Policy("mine", "select", True, ("authenticated",), "(x)"),),
        grants=(Grant("authenticated", "SELECT"), Grant("public", "UPDATE", column="id"), Grant("anon", "TRUNCATE")),
    )  # fmt: skip
    found = drill(spec, bundle.expectation, Catalog(tables=(table,)))
    making = [sql for sql in found.making if not sql.startswith("insert")]
    assert making == [
        'create table pg_temp."agents" ("id" uuid default gen_random_uuid() not null, "tenant_id" uuid not null)',
        'create policy "mine" on pg_temp."agents" as permissive for select to "authenticated" using ((x))',
        'alter table pg_temp."agents" enable row level security',
        'grant SELECT on pg_temp."agents" to "authenticated"',
        'grant UPDATE ("id") on pg_temp."agents" to public',
    ]
    assert all("pg_temp" in sql for sql in (*found.making, *found.breaking))
    assert {case.expected for case in found.broken} <= {"no_rows", "denied_policy"}
