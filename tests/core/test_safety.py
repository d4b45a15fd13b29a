"""The rules of the safety layer by themselves: what an expression asks, what a table's policies open, what is muted."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.condition import items_of, parse
from tui.core.policy_rules import PolicyFacts, TableFacts, broken_rules
from tui.core.predicate import (
    Row as TableRow,
)
from tui.core.predicate import (
    asks_caller,
    binds_row,
    binds_tenant,
    claim_calls,
    compares_with_itself,
    fixed_tenants,
    functions_per_row,
    looks_up_in_query,
    reads_user_metadata,
    truth,
)
from tui.core.safety import Mute, Row, baseline_of, judge, scope, to_checks, unproven
from tui.core.safety_rules import BY_CODE, RULES

API = frozenset({"anon", "authenticated"})
COLUMNS = ("id", "tenant_id", "owner", "status", "text")
NOTES = TableRow("notes", frozenset(COLUMNS), frozenset({"id", "tenant_id"}), "tenant_id")

UID = "( SELECT auth.uid() AS uid)"
MEMBER = (
    f"(tenant_id = ANY (ARRAY( SELECT tm.tenant_id\n   FROM public.tenant_members tm\n  WHERE (tm.user_id = {UID}))))"
)
OWN = f"(owner = {UID})"


# ---------------------------------------------------------------------------------------------------------- expressions
@pytest.mark.parametrize(
    "text",
    [
        "true",
        "(1 = 1)",
        "('a'::text = 'a'::text)",
        "(tenant_id = tenant_id)",
        "(id IS NOT NULL)",
        "(NOT false)",
        "(NOT (id IS NULL))",
        "(NOT (owner IS DISTINCT FROM owner))",
        "((owner IS NULL) OR (owner IS NOT NULL))",
        f"({MEMBER} OR true)",
        "((id IS NOT NULL) AND (1 = 1))",
        "(auth.uid() = auth.uid())",
    ],
)
def test_a_tautology_is_seen_through(text: str) -> None:
    assert truth(parse(text), NOTES.not_null) is True


@pytest.mark.parametrize(
    "text",
    [
        MEMBER,
        "(owner IS NOT NULL)",  # the column may be NULL
        "(id = owner)",
        f"({MEMBER} AND true)",
        "(id <> owner)",
        "(status = 'true'::text)",
        "(EXISTS ( SELECT 1\n   FROM public.tenant_members tm\n  WHERE (tm.tenant_id = tm.tenant_id)))",
    ],
)
def test_what_depends_is_no_tautology(text: str) -> None:
    assert truth(parse(text), NOTES.not_null) is None


@pytest.mark.parametrize("text", ["false", "(id IS NULL)", "(id <> id)", "(false AND true)", "(NOT true)"])
def test_what_lets_nothing_through_is_known_too(text: str) -> None:
    assert truth(parse(text), NOTES.not_null) is False


CONSTANTS = {"true": True, "(1 = 1)": True, "(id IS NOT NULL)": True, "false": False, "(id IS NULL)": False}
FREE = ("x0", "x1", "(status = 'a'::text)")
Tree = tuple[str, ...] | str


def trees(atoms: st.SearchStrategy[str], *, negation: bool) -> st.SearchStrategy[Tree]:
    def joined(inner: st.SearchStrategy[Tree]) -> st.SearchStrategy[Tree]:
        joins = st.tuples(st.sampled_from(["AND", "OR"]), inner, inner)
        return joins | st.tuples(st.just("NOT"), inner) if negation else joins

    return st.recursive(atoms, joined, max_leaves=8)


def render(tree: Tree) -> str:
    """As the server deparses it."""
    if isinstance(tree, str):
        return tree
    if tree[0] == "NOT":
        return f"(NOT {render(tree[1])})"
    return f"({render(tree[1])} {tree[0]} {render(tree[2])})"


def value(tree: Tree, atoms: dict[str, bool]) -> bool:
    if isinstance(tree, str):
        return atoms[tree]
    if tree[0] == "NOT":
        return not value(tree[1], atoms)
    join = all if tree[0] == "AND" else any
    return join(value(part, atoms) for part in tree[1:])


@given(trees(st.sampled_from([*CONSTANTS, *FREE]), negation=True))
def test_a_constant_verdict_is_never_wrong(tree: Tree) -> None:
    verdict = truth(parse(render(tree)), NOTES.not_null)
    if verdict is not None:
        for values in itertools.product([True, False], repeat=len(FREE)):
            assert value(tree, CONSTANTS | dict(zip(FREE, values, strict=True))) is verdict


BINDING = (MEMBER, "(tenant_id IS NULL)", "private.f(tenant_id)")
UNBINDING = (OWN, "(tenant_id IS NOT NULL)", "(tenant_id <> owner)", "(tenant_id = tenant_id)", "true")


@given(trees(st.sampled_from([*BINDING, *UNBINDING]), negation=False))
def test_a_tenant_is_bound_exactly_when_no_way_in_goes_past_it(tree: Tree) -> None:
    open_without = value(tree, dict.fromkeys(BINDING, False) | dict.fromkeys(UNBINDING, True))
    assert binds_tenant(parse(render(tree)), NOTES) is not open_without


@given(st.text(alphabet="abc_'\"()[]., ANDORNOTISLECT=<>:1$\\\n", max_size=80) | st.text(max_size=40))
def test_no_text_is_too_strange_to_be_read(text: str) -> None:
    node = parse(text)
    truth(node, NOTES.not_null)
    binds_row(node, NOTES)
    binds_tenant(node, NOTES)
    asks_caller(node)
    fixed_tenants(node, NOTES)
    assert claim_calls(text) >= (0, 0)
    assert isinstance(functions_per_row(text), tuple)


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        (MEMBER, True),
        ("(NOT (tenant_id IS DISTINCT FROM owner))", True),
        ("(EXISTS ( SELECT 1\n   FROM public.a\n  WHERE (a.tenant_id = notes.tenant_id)))", True),
        ("(EXISTS ( SELECT 1\n   FROM public.a\n  WHERE (a.tenant_id = a.tenant_id)))", False),
        ("private.may_see(notes.*)", True),
        ("(notes.* IS NOT NULL)", False),
        (f"(NOT {MEMBER})", False),
        ("(tenant_id <> ALL (ARRAY( SELECT private.ids())))", False),
        ("((owner)::tenant_id = 1)", False),  # a type of that name
        ("('tenant_id'::text = status)", False),
        ("(b.tenant_id = owner)", False),
    ],
)
def test_binding_the_tenant(text: str, bound: bool) -> None:
    assert binds_tenant(parse(text), NOTES) is bound


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        (f"({UID} IS NOT NULL)", False),
        ("(auth.role() = 'authenticated'::text)", False),
        (f"(EXISTS ( SELECT 1\n   FROM public.m\n  WHERE (m.user_id = {UID})))", False),
        (f"(EXISTS ( SELECT 1\n   FROM public.m\n  WHERE ((m.user_id = {UID}) AND (m.note = notes.id))))", True),
        ("(owner IS NOT NULL)", False),
        (OWN, True),
        ("private.may_see(notes.*)", True),
        (f"({OWN} OR ({UID} IS NOT NULL))", False),
    ],
)
def test_looking_at_the_row(text: str, bound: bool) -> None:
    assert binds_row(parse(text), NOTES) is bound


def test_a_quoted_column_is_the_row_s_too() -> None:
    row = TableRow("Odd Notes", frozenset({"Tenant Id"}), tenant="Tenant Id")
    assert binds_tenant(parse('("Tenant Id" = ANY (ARRAY( SELECT m.t\n   FROM public.m)))'), row)
    assert binds_tenant(parse('(EXISTS ( SELECT 1\n   FROM public.m\n  WHERE (m.t = "Odd Notes"."Tenant Id")))'), row)


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        (MEMBER, True),
        ("(status = 'public'::text)", False),
        ("(CURRENT_USER = 'x'::name)", True),
        ("(status = current_setting('app.x'::text, true))", True),
        ("private.may_see(id)", True),
        (f"({OWN} OR (status = 'public'::text))", False),
        (f"({OWN} AND (status = 'public'::text))", True),
    ],
)
def test_asking_who_calls(text: str, asks: bool) -> None:
    assert asks_caller(parse(text)) is asks


@pytest.mark.parametrize(
    ("text", "fixed"),
    [
        ("(tenant_id = '00000000-0000-0000-0000-000000000001'::uuid)", True),
        ("(tenant_id = ANY (ARRAY['a'::uuid, 'b'::uuid]))", True),
        (f"({OWN} AND (tenant_id = 'a'::uuid))", True),
        (f"({MEMBER} AND (status = 'a'::text))", False),
        ("(tenant_id = (( SELECT (auth.jwt() ->> 'tenant'::text)))::uuid)", False),
        ("(tenant_id = (current_setting('app.tenant'::text))::uuid)", False),
    ],
)
def test_a_tenant_written_into_a_policy(text: str, fixed: bool) -> None:
    assert fixed_tenants(parse(text), NOTES) is fixed


@pytest.mark.parametrize(
    ("text", "calls"),
    [
        ("(owner = auth.uid())", (1, 0)),
        (OWN, (0, 1)),
        (f"({OWN} OR (auth.uid() = id))", (1, 1)),
        ("(id IN ( SELECT m.id\n   FROM public.m\n  WHERE (m.u = auth.uid())))", (1, 0)),
        ("(status = ( SELECT (auth.jwt() ->> 'x'::text)))", (0, 1)),
        ("(status = current_setting('app.x'::text))", (1, 0)),
        ("(status = ( SELECT current_setting('app.x'::text) AS current_setting))", (0, 1)),
        ("('auth.uid()'::text = status)", (0, 0)),
        ("(other.uid() = id)", (0, 0)),
    ],
)
def test_claims_are_counted_bare_and_wrapped(text: str, calls: tuple[int, int]) -> None:
    assert claim_calls(text) == calls


def test_functions_and_look_ups_that_run_once_a_row() -> None:
    assert functions_per_row("private.is_member(tenant_id)") == ("private.is_member",)
    assert functions_per_row("(tenant_id = ANY (ARRAY( SELECT private.ids() AS ids)))") == ()
    assert functions_per_row("((lower(status) = 'a'::text) AND (owner = auth.uid()))") == ()
    assert looks_up_in_query("((tenant_id IN ( SELECT m.t\n   FROM public.m)) AND true)")
    assert looks_up_in_query("(NOT (tenant_id IN ( SELECT m.t\n   FROM public.m)))")
    assert not looks_up_in_query(MEMBER)
    assert not looks_up_in_query(MEMBER.replace(UID, "ANY (ARRAY( SELECT 1 WHERE (1 IN ( SELECT 2))))"))


def test_a_column_compared_with_itself_inside_a_sub_select() -> None:
    inner = "(EXISTS ( SELECT 1\n   FROM public.m\n  WHERE ((m.t = {}) AND (m.u = auth.uid()))))"
    assert compares_with_itself(inner.format("m.t"))
    assert not compares_with_itself(inner.format("notes.t"))
    assert not compares_with_itself("(t = t)")  # a tautology of the row's own, told as such


def test_metadata_that_users_write_themselves() -> None:
    assert reads_user_metadata("(((auth.jwt() -> 'user_metadata'::text) ->> 'tenant'::text) = (tenant_id)::text)")
    assert reads_user_metadata("((auth.jwt() #>> '{user_metadata,tenant}'::text[]) = status)")
    assert reads_user_metadata("(EXISTS ( SELECT u.raw_user_meta_data\n   FROM auth.users u))")
    assert not reads_user_metadata("(((auth.jwt() -> 'app_metadata'::text) ->> 'tenant'::text) = (tenant_id)::text)")


def test_strings_and_quoted_names_hide_what_is_in_them() -> None:
    (group,) = items_of("('it''s (a) trap' = \"odd \"\"(name)\")")
    assert not isinstance(group, str)
    assert parse("(status = ' OR true'::text)") == parse("status = ' OR true'::text")
    assert truth(parse("(status = E'\\' OR true OR \\''::text)"), NOTES.not_null) is None


# ------------------------------------------------------------------------------------------------------------- policies
def policy(
    name: str,
    command: str,
    using: str | None = None,
    check: str | None = None,
    *,
    permissive: bool = True,
    roles: tuple[str, ...] = ("authenticated",),
) -> PolicyFacts:
    bound = ("anon", "authenticated") if "public" in roles else tuple(role for role in roles if role != "service_role")
    return PolicyFacts(name, command, permissive, roles, bound, using, check)


def broken(*policies: PolicyFacts, tenant: str = "tenant_id", rls: bool = True) -> set[tuple[str, str]]:
    table = TableFacts("public.notes", "notes", rls, tenant, COLUMNS, ("id", "tenant_id"), ("SELECT",), policies)
    return {(found.code, found.policy) for found in broken_rules(table, API, "anon")}


def test_the_form_that_the_project_uses_breaks_nothing() -> None:
    assert not broken(
        policy("s", "SELECT", MEMBER),
        policy("i", "INSERT", check=f"({MEMBER} AND {OWN})"),
        policy("u", "UPDATE", MEMBER, MEMBER),
        policy("d", "DELETE", MEMBER),
        policy("service", "INSERT", check="true", roles=("service_role",)),
    )


def test_the_worst_of_a_clause_is_told_and_not_the_rest() -> None:
    others = policy("s", "SELECT", MEMBER)
    assert broken(others, policy("u", "UPDATE", MEMBER, "true")) == {("R101", "u")}
    assert broken(others, policy("u", "UPDATE", MEMBER, f"({UID} IS NOT NULL)")) == {("R102", "u")}
    assert broken(others, policy("u", "UPDATE", MEMBER, OWN)) == {("R104", "u")}
    assert broken(others, policy("i", "INSERT", check=f"({OWN} OR {MEMBER})")) == {("R104", "i")}


def test_update_without_a_check_is_checked_by_its_using() -> None:
    assert broken(policy("s", "SELECT", MEMBER), policy("u", "UPDATE", OWN)) == {("R104", "u")}
    assert broken(policy("s", "SELECT", MEMBER), policy("d", "DELETE", OWN)) == {("R105", "d")}


def test_a_restrictive_policy_binds_the_tenant_for_the_others() -> None:
    others = (policy("s", "SELECT", OWN), policy("i", "INSERT", check=OWN))
    fence = policy("fence", "ALL", MEMBER, MEMBER, permissive=False, roles=("anon", "authenticated"))
    assert broken(*others, fence) == set()
    assert broken(*others) == {("R104", "i"), ("R117", "")}
    half = policy("fence", "SELECT", MEMBER, permissive=False)
    assert broken(*others, half) == {("R104", "i")}
    elsewhere = policy("fence", "ALL", MEMBER, permissive=False, roles=("anon",))
    assert broken(*others, elsewhere) == {("R104", "i"), ("R105", "s")}


def test_what_only_reference_data_may_do() -> None:
    assert broken(policy("s", "SELECT", "true"), tenant="") == {("R103", "s")}
    assert broken(policy("s", "SELECT", f"({UID} IS NOT NULL)"), tenant="") == {("R103", "s")}
    assert broken(policy("d", "DELETE", "true"), tenant="") == {("R101", "d")}
    assert broken(policy("s", "SELECT", OWN), tenant="") == set()


def test_policies_for_public_reach_those_who_have_not_signed_in() -> None:
    assert broken(policy("s", "SELECT", MEMBER, roles=("public",))) == {("R114", "s"), ("R115", "s")}
    assert broken(policy("s", "DELETE", MEMBER, roles=("public",))) == {("R114", "s")}  # no such grant


def test_a_command_with_two_permissive_policies_is_told_per_role() -> None:
    found = broken(policy("a", "ALL", MEMBER, MEMBER), policy("b", "SELECT", MEMBER))
    assert found == {("R116", "SELECT for authenticated")}
    fence = policy("b", "SELECT", MEMBER, permissive=False)
    assert not broken(policy("a", "ALL", MEMBER, MEMBER), fence)


def test_with_row_level_security_off_only_what_holds_all_the_same_is_told() -> None:
    assert broken(policy("s", "SELECT", "true"), rls=False) == set()
    assert broken(policy("s", "SELECT", "(auth.jwt() ? 'user_metadata'::text)"), rls=False) == {("R113", "s")}


def test_a_policy_without_an_expression_lets_nobody_through() -> None:
    assert broken(policy("s", "SELECT"), policy("i", "INSERT", check=MEMBER)) == set()


# ------------------------------------------------------------------------------------------------------------- findings
def rows(*extra: Row, tables: int = 3, absent: tuple[str, ...] = ()) -> list[Row]:
    examined = {
        "schemas": ["public"],
        "roles": sorted(API - set(absent)),
        "absent": list(absent),
        "tables": tables,
        "policies": 1,
        "functions": 0,
        "defaults": "classic",
    }
    return [Row("scope", "schema", "", "", msgspec.json.encode(examined).decode()), *extra]


OPEN = Row("R001", "table", "public.notes", "notes", "anon may SELECT")
CLOSED = Row("R003", "table", "public.notes", "notes", "no permissive policy")
DEFINER = Row("R304", "function", "", "public.f(uuid, text)", "EXECUTE for authenticated")


def test_findings_are_ordered_and_named_for_mutes() -> None:
    found = judge(rows(CLOSED, DEFINER, OPEN))
    assert [(finding.rule.code, finding.key, finding.fails) for finding in found] == [
        ("R001", "public.notes", True),
        ("R304", "public.f(uuid, text)", True),
        ("R003", "public.notes", False),
    ]


def test_policies_are_judged_where_their_table_comes_by() -> None:
    table = TableFacts(
        "public.notes", "notes", True, "tenant_id", COLUMNS, ("id",), (), (policy("open", "ALL", "true", "true"),)
    )
    row = Row("table", "table", "public.notes", "notes", msgspec.json.encode(table).decode())
    by_code = {finding.rule.code: finding for finding in judge(rows(row))}
    assert set(by_code) == {"R101", "R117"}
    opened = by_code["R101"]
    assert (opened.object, opened.key) == ("policy", "public.notes.open")
    assert opened.detail == "USING true; WITH CHECK true"


def test_a_mute_holds_for_its_code_and_object_only() -> None:
    def muted(code: str, name: str) -> dict[str, str | None]:
        found = judge(rows(OPEN, CLOSED, DEFINER), [Mute(code, name, "meant")])
        return {finding.rule.code: finding.muted_by for finding in found if finding.muted_by}

    assert muted("R001", "public.notes") == {"R001": "meant"}
    assert muted("R001", "public.*") == {"R001": "meant"}
    assert muted("R304", "public.f(*") == {"R304": "meant"}
    assert muted("R001", "public.note") == {}
    assert muted("R001", "public.notes2") == {}
    assert muted("R002", "public.notes") == {}


def test_a_baseline_tells_new_from_old() -> None:
    before = baseline_of(judge(rows(OPEN)))
    assert [(finding.rule.code, finding.new) for finding in judge(rows(OPEN, DEFINER), baseline=before)] == [
        ("R001", False),
        ("R304", True),
    ]
    assert [finding.new for finding in judge(rows(OPEN))] == [None]
    assert [finding.new for finding in judge(rows(OPEN), baseline=frozenset())] == [True]


def test_checks_fail_for_what_is_neither_muted_nor_information() -> None:
    listed = rows(OPEN, CLOSED, DEFINER)
    checks = to_checks(judge(listed, [Mute("R304", "public.f*", "an RPC that is meant")]), scope(listed))
    (failed,) = [check for check in checks if not check.ok]
    assert (failed.layer, failed.outcome, failed.object) == ("safety", "finding", "table")
    assert (failed.table, failed.name, failed.expected, failed.actual) == ("public.notes", "notes", "", OPEN.detail)
    assert failed.why.startswith("R001 ")
    assert "rls_disabled_in_public" in failed.why
    told = {check.name[:4]: check for check in checks if check.object == "rule"}
    assert told["R304"].actual == "muted: an RPC that is meant"
    assert set(told) == {rule.code for rule in RULES if rule.level != "info"} - {"R001"}


def test_nobody_and_nothing_to_examine_is_not_proven() -> None:
    for listed, word in ((rows(absent=("anon",)), "anon"), (rows(tables=0), "public")):
        unproved = [check for check in to_checks(judge(listed), scope(listed)) if check.outcome == "not_proven"]
        assert len(unproved) == 1
        assert word in unproved[0].why
    assert unproven("the line was lost").outcome == "not_proven"


def test_names_from_the_database_are_cleaned() -> None:
    (finding,) = judge(rows(Row("R001", "table", "public.a\x1b[31m", "a\x1b[31m", "anon may\n\x1b]0;SELECT")))
    assert "\x1b" not in finding.key + finding.name + finding.detail
    assert "\n" not in finding.detail


@given(st.text(min_size=1, max_size=30), st.text(max_size=30))
def test_a_mute_of_a_key_and_of_its_beginning_covers_it(beginning: str, rest: str) -> None:
    assert Mute("R001", beginning + "*", "x").covers("R001", beginning + rest)
    assert not Mute("R001", beginning + "*", "x").covers("R002", beginning + rest)


# ------------------------------------------------------------------------------------------------------------ catalogue
ADVISORS = {
    "unindexed_foreign_keys", "auth_users_exposed", "auth_rls_initplan", "no_primary_key", "unused_index",
    "multiple_permissive_policies", "policy_exists_rls_disabled", "rls_enabled_no_policy", "duplicate_index",
    "security_definer_view", "function_search_path_mutable", "rls_disabled_in_public", "extension_in_public",
    "rls_references_user_metadata", "materialized_view_in_api", "foreign_table_in_api", "unsupported_reg_types",
    "insecure_queue_exposed_in_api", "fkey_to_auth_unique", "sensitive_columns_exposed", "rls_policy_always_true",
    "pg_graphql_anon_table_exposed", "pg_graphql_authenticated_table_exposed",
    "anon_security_definer_function_executable", "authenticated_security_definer_function_executable",
}  # fmt: skip


def test_the_catalogue_names_each_advisor_once_and_every_rule_is_whole() -> None:
    named = [rule.advisor for rule in RULES if rule.advisor]
    assert len(named) == len(set(named))
    assert set(named) == ADVISORS
    assert len(BY_CODE) == len(RULES)
    for rule in RULES:
        assert rule.title[0].isupper(), rule.code
        assert rule.why.endswith("."), rule.code
        assert rule.mend.endswith("."), rule.code
    assert [rule.code for rule in RULES] == sorted(BY_CODE)
