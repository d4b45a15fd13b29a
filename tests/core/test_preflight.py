"""Every preflight rule: it passes where it should, and says what is wrong and how to mend it where not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_verdict import LEGACY
from tests.core.world import EXPECTATION, change_table, mirror
from tui.core.bundle import Bundle, Manifest, Prerequisites, RequiredTable, Script
from tui.core.catalog import Catalog, Column, Policy, Table, View
from tui.core.facts import Facts, HoldingSession, RelationFact, RowFilter, Runner, SchemaFact, facts_request
from tui.core.look import Server
from tui.core.preflight import PreflightCheck, check_preflight
from tui.core.statements import split

replace = msgspec.structs.replace

MANIFEST = Manifest(
    name="docs",
    version="1",
    title="Docs",
    prerequisites=Prerequisites(
        roles=("anon",),
        functions=("auth.uid()",),
        tables=(
            RequiredTable("app.tenants", {"id": "uuid"}, "ACCESS EXCLUSIVE"),
            RequiredTable("auth.users", {"id": "uuid"}, "SHARE ROW EXCLUSIVE"),
        ),
    ),
)


def bundle(patch: str = "update app.tenants set plan = 'x'") -> Bundle:
    return Bundle(MANIFEST, Script("PATCH.sql", split(patch)), Script("ROLLBACK.sql", ()), EXPECTATION, {}, "", "")


FACTS = Facts(
    in_recovery=False,
    read_only_default=False,
    create_in_database=True,
    ledger=False,
    roles=("anon",),
    functions=("auth.uid()",),
    schemas=(SchemaFact("app", True, True),),
    relations=(RelationFact("app.tenants", 10, True), RelationFact("auth.users", 10, True)),
)
USERS = Table("auth.users", "supabase_auth_admin", False, True, False, (Column("id", "uuid", True),))
LIVE = replace(LEGACY, tables=(*LEGACY.tables, USERS))
SERVER = Server(
    host="127.0.0.1",
    port=5432,
    database="postgres",
    user="operator",
    pooled=False,
    mode="direct",
    version="17.4",
    version_num=170004,
    tls="off",
    tls_verified=False,
    rtt=0.001,
    superuser=False,
    bypass_rls=True,
    writable=True,
)


def server(**fields: object) -> Server:
    values = {name: getattr(SERVER, name) for name in SERVER.__struct_fields__}
    return Server(**(values | fields))


@dataclass(frozen=True)
class Case:
    """A circumstance and the check it must give."""

    name: str
    level: str
    says: str
    facts: Facts = FACTS
    live: Catalog = LIVE
    server: Server = SERVER
    patch: str = "update app.tenants set plan = 'x'"


def facts(**fields: object) -> Facts:
    return replace(FACTS, **fields)


def held(**fields: object) -> Facts:
    session = HoldingSession(
        42, "app", "cron job", "idle in transaction", 61.0, "select 1\n\x1b[2J", "app.tenants", "AccessShareLock"
    )
    return facts(sessions=(replace(session, **fields),))


def tenants(**fields: object) -> Catalog:
    return change_table(LIVE, "app.tenants", **fields)


def with_docs(*columns: Column) -> Catalog:
    docs = replace(mirror().tables[0], columns=columns or mirror().tables[0].columns)
    return replace(LIVE, tables=(*LIVE.tables, docs))


DOCS_COLUMNS = mirror().tables[0].columns

CASES = {
    "too old": Case("server version", "stop", "needs 15", server=server(version="14.9", version_num=140009)),
    "standby": Case("writable", "stop", "standby", facts(in_recovery=True)),
    "disk full": Case("writable", "stop", "disk is full", facts(read_only_default=True)),
    "read-only session": Case("writable", "stop", "read-only", server=server(writable=False)),
    "role lacking": Case("prerequisites", "stop", "Role anon does not exist", facts(roles=())),
    "function lacking": Case("prerequisites", "stop", "auth.uid() does not exist", facts(functions=())),
    "table lacking": Case("prerequisites", "stop", "auth.users does not exist", live=LEGACY),
    "column lacking": Case("prerequisites", "stop", "no column id", live=tenants(columns=())),
    "column of another type": Case(
        "prerequisites", "stop", "is bigint, not uuid", live=tenants(columns=(Column("id", "bigint", True),))
    ),
    "table of another shape": Case(
        "tables of the same name",
        "stop",
        "lacks tenant_id",
        live=with_docs(*(column for column in DOCS_COLUMNS if column.name != "tenant_id")),
    ),
    "table with more columns": Case(
        "tables of the same name", "stop", "also has body", live=with_docs(*DOCS_COLUMNS, Column("body", "text", True))
    ),
    "table with another type": Case(
        "tables of the same name",
        "stop",
        "has id as bigint instead of uuid",
        live=with_docs(Column("id", "bigint", True), *DOCS_COLUMNS[1:]),
    ),
    "table the patch completes": Case(
        "tables of the same name",
        "warn",
        "lacks tenant_id",
        live=with_docs(*(column for column in DOCS_COLUMNS if column.name != "tenant_id")),
        patch="alter table app.docs add column if not exists tenant_id uuid",
    ),
    "view where a table goes": Case(
        "tables of the same name",
        "stop",
        "app.docs is a view",
        live=replace(LIVE, views=(View("app.docs", "owner", (), ""),)),
    ),
    "table where a view goes": Case(
        "tables of the same name",
        "stop",
        "app.my_docs is a table",
        live=replace(LIVE, tables=(*LIVE.tables, Table("app.my_docs", "owner", True, False, False))),
    ),
    "no right to make a schema": Case("rights", "stop", "CREATE on database", facts(create_in_database=False)),
    "no right to create": Case("rights", "stop", "in schema app", facts(schemas=(SchemaFact("app", False, True),))),
    "no right to refer": Case("rights", "stop", "foreign keys to auth.users", facts(no_references=("auth.users",))),
    "publication of another": Case(
        "rights",
        "stop",
        "publication live",
        facts(no_publication=("live",)),
        replace(LIVE, publications=(replace(mirror().publications[0], tables=()),)),
    ),
    "table of another": Case(
        "ownership", "stop", "belongs to supabase_admin", live=tenants(owner="supabase_admin", usable=False)
    ),
    "no right to lock": Case(
        "ownership", "stop", "may not lock auth.users", facts(relations=(RelationFact("auth.users", 1, False),))
    ),
    "function of another": Case("ownership", "stop", "app.touch() exists", facts(not_owned=("app.touch()",))),
    "somebody else's run": Case(
        "other runs",
        "stop",
        "patchdeck apply dana@bastion",
        facts(runner=Runner(7, "op", "patchdeck apply dana@bastion", "12:00")),
    ),
    "blocker": Case("blockers", "warn", "Process 42 (cron job, idle in transaction for 1 min 1 s)", held()),
    "prepared transaction": Case("blockers", "warn", "prepared transaction", held(pid=0, age=0.0)),
    "huge table": Case(
        "sizes", "warn", "can not be written for", facts(relations=(RelationFact("app.tenants", 5e6, True),))
    ),
    "policies of strangers": Case(
        "policies to be dropped",
        "warn",
        "old on app.tenants",
        live=tenants(policies=(Policy("old", "all", True, ("public",)),)),
    ),
    "row filter": Case(
        "publication row filters", "stop", "42P10", facts(row_filters=(RowFilter("cdc", "app.tenants", "(a > 1)"),))
    ),
    "plain text over the net": Case("encryption", "warn", "is not encrypted", server=server(host="db.example")),
    "unverified": Case("encryption", "warn", "was not verified", server=server(host="db.example", tls="require")),
}


def run(case: Case, action: str = "apply") -> tuple[PreflightCheck, ...]:
    assert action in ("apply", "rollback")
    return check_preflight(case.facts, bundle(case.patch), case.server, case.live, action)  # type: ignore[arg-type]


def test_on_a_fitting_database_every_check_passes() -> None:
    checks = run(Case("", "", ""))
    assert {check.level for check in checks} == {"pass"}
    assert [check.name for check in checks] == [
        "server version",
        "writable",
        "prerequisites",
        "tables of the same name",
        "rights",
        "ownership",
        "other runs",
        "blockers",
        "sizes",
        "policies to be dropped",
        "publication row filters",
        "pooler",
        "encryption",
    ]


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_each_circumstance_is_told_with_meaning_and_remedy(case: Case) -> None:
    bad = [check for check in run(case) if check.level != "pass"]
    assert [(check.name, check.level) for check in bad] == [(case.name, case.level)]
    assert case.says in bad[0].meaning
    assert bad[0].remedy
    assert "\x1b" not in bad[0].meaning


def test_each_lacking_prerequisite_is_named() -> None:
    lacking = [c.meaning for c in run(Case("", "", "", facts(roles=(), functions=()), LEGACY)) if c.level == "stop"]
    assert len(lacking) == 3


def test_a_rollback_is_not_asked_what_only_an_apply_needs() -> None:
    for name in ("role lacking", "table of another shape", "no right to create", "policies of strangers", "row filter"):
        assert {check.level for check in run(CASES[name], "rollback")} == {"pass"}
    for name in ("standby", "table of another", "somebody else's run", "blocker", "plain text over the net"):
        case = CASES[name]
        bad = [(check.name, check.level) for check in run(case, "rollback") if check.level != "pass"]
        assert bad == [(case.name, case.level)]


def test_what_passes_in_a_moment_is_no_blocker() -> None:
    assert {check.level for check in run(Case("", "", "", held(age=0.2)))} == {"pass"}


def test_a_row_filter_on_a_table_that_is_not_updated_is_no_matter() -> None:
    case = CASES["row filter"]
    assert {c.level for c in run(Case("", "", "", case.facts, patch="alter table app.tenants add x int"))} == {"pass"}


def test_an_existing_schema_needs_no_right_on_the_database() -> None:
    here = facts(
        create_in_database=False,
        ledger=True,
        schemas=(SchemaFact("app", True, True), SchemaFact("private", True, True)),
    )
    assert {check.level for check in run(Case("", "", "", here))} == {"pass"}


def test_a_pooler_is_named_and_fine() -> None:
    check = next(c for c in run(Case("", "", "", server=server(pooled=True, mode="transaction"))) if c.name == "pooler")
    assert check.level == "pass" and "transaction mode" in check.meaning


def test_the_request_asks_for_what_the_rules_read() -> None:
    assert facts_request(bundle()) == {
        "locks": {
            "app.tenants": "ACCESS EXCLUSIVE",
            "auth.users": "SHARE ROW EXCLUSIVE",
            "app.docs": "ACCESS EXCLUSIVE",
        },
        "references": ["app.tenants"],
        "functions": ["auth.uid()"],
        "roles": ["anon"],
        "views": ["app.my_docs"],
        "creates": ["app.touch()"],
        "schemas": ["app", "private"],
        "publications": ["live"],
    }


texts = st.text(max_size=30)
any_facts: st.SearchStrategy[Facts] = st.builds(
    Facts,
    in_recovery=st.booleans(),
    read_only_default=st.booleans(),
    create_in_database=st.booleans(),
    ledger=st.booleans(),
    roles=st.sampled_from([(), ("anon",)]),
    functions=st.sampled_from([(), ("auth.uid()",)]),
    schemas=st.lists(st.builds(SchemaFact, st.sampled_from(["app", "private"]), st.booleans(), st.booleans())).map(
        tuple
    ),
    relations=st.lists(
        st.builds(
            RelationFact, st.sampled_from(["app.tenants", "auth.users", "app.docs"]), st.floats(-1, 1e12), st.booleans()
        )
    ).map(tuple),
    no_references=st.lists(texts, max_size=2).map(tuple),
    not_owned=st.lists(texts, max_size=2).map(tuple),
    row_filters=st.lists(st.builds(RowFilter, texts, st.just("app.tenants"), texts), max_size=2).map(tuple),
    sessions=st.lists(
        st.builds(HoldingSession, st.integers(0, 9), texts, texts, texts, st.floats(0, 1e7), texts, texts, texts),
        max_size=3,
    ).map(tuple),
    runner=st.none() | st.builds(Runner, st.integers(1, 9), texts, texts, texts),
)


@given(any_facts, st.sampled_from([LIVE, LEGACY, Catalog(), with_docs()]), st.sampled_from(["apply", "rollback"]))
def test_whatever_the_facts_each_rule_answers_and_each_problem_has_a_remedy(
    found: Facts, live: Catalog, action: str
) -> None:
    checks = run(Case("", "", "", found, live), action)
    assert all(check.meaning for check in checks)
    assert all(bool(check.remedy) == (check.level != "pass") for check in checks)
    expected = {check.name for check in run(Case("", "", ""), action)}
    assert {check.name for check in checks} == expected
    stops: Callable[[str], bool] = lambda name: any(c.name == name and c.level == "stop" for c in checks)  # noqa: E731
    assert stops("writable") == (found.in_recovery or found.read_only_default)
    assert stops("other runs") == (found.runner is not None)
