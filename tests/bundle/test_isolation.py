"""What users of the API can do to each other's rows: nothing, whichever way they try, and enough to their own."""

from __future__ import annotations

import pytest

from tests.bundle.support import (
    ROLLBACK,
    TABLES,
    acting,
    attempt,
    connect,
    expand,
    ident,
    run_script,
    unmet,
)
from tests.support import Database

pytestmark = pytest.mark.parametrize("route", ["direct"])

DENIED = "42501"

# How many rows each user finds in each table; one that is not named here finds none.
SEEN = {
    "tenants": {"owner_a": 1, "admin_a": 1, "member_a": 1, "both": 2, "owner_b": 1},
    "tenant_members": {"owner_a": 4, "admin_a": 4, "member_a": 4, "both": 6, "owner_b": 2},
    "workflow_executions": {"owner_a": 1, "admin_a": 1, "member_a": 1, "both": 2, "owner_b": 1, "nobody": 1},
    "telemetry_events": {"owner_a": 1, "admin_a": 1, "member_a": 1, "owner_b": 1},
    "billing_events": {"owner_a": 1, "admin_a": 1, "owner_b": 1},
    "error_logs": {"owner_a": 1, "admin_a": 1, "owner_b": 1},
    "webhook_endpoints": {"owner_a": 1, "admin_a": 1, "owner_b": 1},
}  # fmt: skip
EVERYBODY = {"owner_a": 1, "admin_a": 1, "member_a": 1, "both": 2, "owner_b": 1}
USERS = ("owner_a", "admin_a", "member_a", "both", "owner_b", "nobody")


def test_users_see_their_tenants_rows_and_no_others(world: Database) -> None:
    with connect(world.dsn) as connection:
        cases: list[tuple[str, str, int | str]] = []
        for table in TABLES:
            seen = SEEN.get(table, EVERYBODY)
            cases += [(user, f"select * from public.{table}", seen.get(user, 0)) for user in USERS]
            cases.append(("anon", f"select * from public.{table}", DENIED))
        assert unmet(connection, cases) == []


def test_anon_can_do_nothing(world: Database) -> None:
    with connect(world.dsn) as connection:
        cases: list[tuple[str, str, int | str]] = [
            ("anon", sql, DENIED)
            for table in TABLES
            for sql in (
                f"delete from public.{table}",
                f"truncate public.{table}",
                f"insert into public.{table} default values",
            )
        ]
        cases += [
            # Granted on the view, refused by the tables behind it: no rows leave.
            ("anon", "select * from public.user_tenants", DENIED),
            ("anon", "select public.generate_webhook_secret()", DENIED),
            ("anon", "select private.current_tenant_ids()", DENIED),
        ]
        assert unmet(connection, cases) == []
        assert connection.execute("select has_table_privilege('anon', 'public.user_tenants', 'select')").fetchone() == (
            True,
        )


AGENT = "insert into public.agents (tenant_id, created_by, name) values"
RUN = "insert into public.agent_executions (tenant_id, agent_id, user_id) values"
FLOW = "insert into public.workflow_executions (tenant_id, workflow_id, user_id) values"
LOG = "insert into public.agent_execution_logs (tenant_id, execution_id, agent_id, event) values"
STEP = "insert into public.workflow_execution_logs (tenant_id, execution_id, workflow_id, message) values"
INVITE = "insert into public.tenant_members (tenant_id, user_id, role) values"
SUBSCRIBE = "insert into public.subscriptions (tenant_id, plan, status, seats) values"
HOOK = "insert into public.webhook_endpoints (tenant_id, url) values"
ERROR = "insert into public.error_logs (tenant_id, user_id, source, message) values"

OWN: list[tuple[str, str, int | str]] = [
    ("member_a", f"{AGENT} ({{a}}, {{member_a}}, 'x') returning id", 1),
    ("member_a", "update public.agents set name = 'y', updated_at = now() where id = {agent_a}", 1),
    ("admin_a", "delete from public.agents where id = {agent_a}", 1),
    ("member_a", "delete from public.agents where id = {agent_a}", 0),
    ("member_a", "insert into public.workflows (tenant_id, created_by, name) values ({a}, {member_a}, 'x')", 1),
    ("both", "update public.workflows set enabled = false", 2),
    ("member_a", f"{RUN} ({{a}}, {{agent_a}}, {{member_a}}) returning id", 1),
    ("member_a", f"{FLOW} ({{a}}, {{workflow_a}}, {{member_a}}) returning id", 1),
    ("member_a", "update public.workflow_executions set status = 'cancelled' where id = {flow_a}", 1),
    ("both", "update public.workflow_executions set status = 'cancelled'", 0),
    ("admin_a", "update public.workflow_executions set status = 'cancelled'", 1),
    ("member_a", f"{LOG} ({{a}}, {{run_a}}, {{agent_a}}, 'step')", 1),
    ("member_a", f"{STEP} ({{a}}, {{flow_a}}, {{workflow_a}}, 'step')", 1),
    ("member_a", f"{ERROR} ({{a}}, {{member_a}}, 'app', 'x')", 1),
    ("member_a", f"{ERROR} ({{a}}, {{member_a}}, 'app', 'x') returning id", DENIED),
    ("admin_a", f"{ERROR} ({{a}}, {{admin_a}}, 'app', 'x') returning id", 1),
    ("admin_a", f"{HOOK} ({{a}}, 'https://x.invalid') returning secret", 1),
    ("admin_a", "update public.webhook_endpoints set url = 'https://y.invalid'", 1),
    ("owner_a", f"{SUBSCRIBE} ({{a}}, 'free', 'incomplete', 1)", 1),
    ("owner_a", "update public.subscriptions set cancel_at_period_end = true", 1),
    ("owner_a", f"{INVITE} ({{a}}, {{nobody}}, 'owner')", 1),
    ("admin_a", f"{INVITE} ({{a}}, {{nobody}}, 'member')", 1),
    ("owner_a", "update public.tenant_members set role = 'admin' where user_id = {member_a}", 1),
    ("member_a", "delete from public.tenant_members where user_id = {member_a}", 1),
    ("admin_a", "delete from public.tenant_members where user_id = {member_a}", 1),
    ("owner_a", "update public.tenants set name = 'Ä'", 1),
    ("member_a", "update public.tenants set name = 'Ä'", 0),
    ("member_a", "insert into public.artifacts (tenant_id, execution_id, name, storage_path) "
                 "values ({a}, {run_a}, 'f', 'a/f')", 1),
    ("member_a", "select public.generate_webhook_secret()", 1),
    ("both", "select * from public.user_tenants where user_id = {both}", 2),
    ("service_role", "select * from public.user_tenants", 6),
    ("service_role", "insert into public.usage_metrics (tenant_id, metric, quantity) values ({a}, 'runs', 1)", 1),
]  # fmt: skip


def test_users_can_do_their_work(world: Database) -> None:
    """Without this, refusing everything would pass every other test."""
    with connect(world.dsn) as connection:
        assert unmet(connection, OWN) == []


ATTACKS: list[tuple[str, str, int | str]] = [
    # Rows for another tenant.
    ("member_a", f"{AGENT} ({{b}}, {{member_a}}, 'x')", DENIED),
    ("member_a", f"{RUN} ({{b}}, {{agent_b}}, {{member_a}})", DENIED),
    ("member_a", f"{FLOW} ({{b}}, {{workflow_b}}, {{member_a}})", DENIED),
    ("member_a", f"{FLOW} (null, {{workflow_a}}, {{member_a}})", DENIED),
    ("owner_a", f"{HOOK} ({{b}}, 'https://x.invalid')", DENIED),
    ("nobody", f"{ERROR} ({{a}}, {{nobody}}, 'app', 'x')", DENIED),
    # Rows that point into another tenant; an unknown parent answers the same, so nothing can be learned.
    ("member_a", f"{RUN} ({{a}}, {{agent_b}}, {{member_a}})", DENIED),
    ("member_a", f"{RUN} ({{a}}, {{unknown}}, {{member_a}})", DENIED),
    ("both", f"{RUN} ({{a}}, {{agent_b}}, {{both}})", DENIED),
    ("both", f"{FLOW} ({{a}}, {{workflow_b}}, {{both}})", DENIED),
    ("both", f"{LOG} ({{a}}, {{run_b}}, null, 'x')", DENIED),
    ("both", f"{STEP} ({{a}}, {{flow_b}}, null, 'x')", DENIED),
    ("both", "insert into public.artifacts (tenant_id, execution_id, name, storage_path) "
             "values ({a}, {run_b}, 'f', 'p')", DENIED),
    # In somebody else's name, and into somebody else's run.
    ("member_a", f"{AGENT} ({{a}}, {{owner_a}}, 'x')", DENIED),
    ("admin_a", f"{RUN} ({{a}}, {{agent_a}}, {{member_a}})", DENIED),
    ("admin_a", f"{LOG} ({{a}}, {{run_a}}, {{agent_a}}, 'x')", DENIED),
    # Moving a row, with and without WHERE, by a user of one tenant and of both.
    *((user, f"update public.{table} set tenant_id = {{b}}{where}", DENIED)
      for user in ("member_a", "owner_a", "both")
      for table in TABLES if table != "tenants"
      for where in ("", " where tenant_id = {a}")),
    ("member_a", "update public.agents set id = gen_random_uuid()", DENIED),
    ("member_a", "update public.agents set created_by = {owner_b}", DENIED),
    ("member_a", "update public.workflow_executions set user_id = {owner_b}", DENIED),
    ("member_a", "update public.workflow_executions set workflow_id = {workflow_b}", DENIED),
    ("both", "update public.tenant_members set user_id = {nobody}", DENIED),
    # Another tenant's rows.
    ("member_a", "update public.agents set name = 'mine' where id = {agent_b}", 0),
    ("owner_a", "delete from public.agents where id = {agent_b}", 0),
    ("owner_a", "delete from public.tenant_members where tenant_id = {b}", 0),
    ("owner_a", "update public.tenants set name = 'mine' where id = {b}", 0),
    ("owner_a", "select * from public.user_tenants where tenant_id = {b} and user_id = {owner_b}", 0),
    ("nobody", "select * from public.user_tenants", 0),
    # Rank.
    ("nobody", f"{INVITE} ({{a}}, {{nobody}}, 'owner')", DENIED),
    ("member_a", f"{INVITE} ({{b}}, {{member_a}}, 'owner')", DENIED),
    ("member_a", f"{INVITE} ({{a}}, {{nobody}}, 'member')", DENIED),
    ("admin_a", f"{INVITE} ({{a}}, {{nobody}}, 'admin')", DENIED),
    ("member_a", "update public.tenant_members set role = 'owner' where user_id = {member_a}", 0),
    ("admin_a", "update public.tenant_members set role = 'owner' where user_id = {admin_a}", 0),
    ("admin_a", "delete from public.tenant_members where user_id = {owner_a}", 0),
    ("member_a", "delete from public.tenant_members where user_id = {both}", 0),
    ("owner_a", "insert into public.tenants (name, slug) values ('C', 'c')", DENIED),
    ("owner_a", "delete from public.tenants", 0),
    # Money.
    ("owner_a", f"{SUBSCRIBE} ({{a}}, 'enterprise', 'active', 1)", DENIED),
    ("owner_a", f"{SUBSCRIBE} ({{a}}, 'free', 'incomplete', 1000)", DENIED),
    ("admin_a", f"{SUBSCRIBE} ({{a}}, 'free', 'incomplete', 1)", DENIED),
    ("owner_a", "update public.subscriptions set plan = 'enterprise'", DENIED),
    ("owner_a", "insert into public.usage_metrics (tenant_id, metric) values ({a}, 'x')", DENIED),
    ("owner_a", "delete from public.usage_metrics", 0),
    ("owner_a", "insert into public.billing_events (tenant_id, event_type) values ({a}, 'refund')", DENIED),
    ("owner_a", "delete from public.billing_events", 0),
    ("owner_a", "insert into public.performance_metrics (tenant_id, metric, value) values ({a}, 'x', 1)", DENIED),
    # Secrets, history, and what no policy covers.
    ("owner_a", "update public.webhook_endpoints set secret = 'known'", DENIED),
    ("member_a", "select secret from public.webhook_endpoints", 0),
    ("member_a", "update public.agent_execution_logs set message = 'was not me'", DENIED),
    ("member_a", "delete from public.agent_execution_logs", 0),
    ("member_a", "select private.current_tenant_ids()", DENIED),
    *(("owner_a", f"truncate public.{table} cascade", DENIED) for table in TABLES),
]  # fmt: skip


def test_attacks_fail(world: Database) -> None:
    with connect(world.dsn) as connection:
        assert len(ATTACKS) > 100
        assert unmet(connection, ATTACKS) == []


def test_somebody_who_left_sees_nothing_more(world: Database) -> None:
    """The policies of before knew users only: whoever had left a tenant kept reading."""
    with connect(world.dsn) as connection:
        connection.execute(expand("delete from public.tenant_members where user_id = {member_a}").encode())
        for table in TABLES:
            seen = 1 if table == "telemetry_events" else 0  # one's own clicks stay one's own
            assert unmet(connection, [("member_a", f"select * from public.{table}", seen)]) == []


def test_the_boundary_holds_against_a_careless_policy(world: Database) -> None:
    with connect(world.dsn) as connection:
        connection.execute("create policy careless on public.workflow_executions using (true) with check (true)")
        cases: list[tuple[str, str, int | str]] = [
            ("member_a", "select * from public.workflow_executions", 1),
            ("nobody", "select * from public.workflow_executions", 1),
            ("member_a", f"{FLOW} ({{b}}, {{workflow_b}}, {{member_a}})", DENIED),
            ("member_a", "delete from public.workflow_executions where id = {flow_b}", 0),
        ]
        assert unmet(connection, cases) == []


@pytest.mark.parametrize(
    "sql",
    [
        f"{RUN} ({{a}}, {{agent_b}}, null)",
        f"{LOG} ({{a}}, {{run_b}}, null, 'x')",
        f"{LOG} ({{a}}, {{run_a}}, {{agent_b}}, 'x')",
        f"{STEP} ({{a}}, {{flow_b}}, null, 'x')",
        f"{STEP} ({{a}}, {{flow_a}}, {{workflow_b}}, 'x')",
        f"{STEP} ({{a}}, {{flow_left}}, null, 'x')",
        "insert into public.artifacts (tenant_id, execution_id, name, storage_path) values ({a}, {run_b}, 'f', 'p')",
        "update public.agents set tenant_id = {b} where id = {agent_a}",
        "update public.workflow_executions set tenant_id = {b} where id = {flow_a}",
    ],
)
def test_not_even_the_service_can_point_across_tenants(world: Database, sql: str) -> None:
    with connect(world.dsn) as connection:
        assert unmet(connection, [("service_role", sql, "23503")]) == []


def test_what_a_deletion_takes_along(world: Database) -> None:
    with connect(world.dsn) as connection:

        def count(table: str, where: str = "true") -> int:
            row = connection.execute(expand(f"select count(*) from public.{table} where {where}").encode()).fetchone()
            assert row is not None
            return int(row[0])

        # An agent: its history stays, without it.
        with acting(connection, "service_role"):
            connection.execute(expand("delete from public.agents where id = {agent_a}").encode())
            assert count("agent_executions", "id = {run_a} and agent_id is null and tenant_id = {a}") == 1
            assert count("agent_execution_logs", "execution_id = {run_a} and agent_id is null") == 1
        # An execution: its log goes, its artifact stays.
        with acting(connection, "service_role"):
            connection.execute(expand("delete from public.agent_executions where id = {run_a}").encode())
            assert count("agent_execution_logs", "tenant_id = {a}") == 0
            assert count("artifacts", "tenant_id = {a} and execution_id is null") == 1
        # A user: memberships go, executions stay.
        with connection.transaction(force_rollback=True):
            connection.execute("delete from auth.users where id = %s", [ident("member_a")])
            assert count("agent_executions", "id = {run_a} and user_id is null") == 1
            assert count("tenant_members", "user_id = {member_a}") == 0
        # A tenant: not while there is something to bill; then with all its rows and no others.
        with acting(connection, "service_role"):
            refused = attempt(connection, "delete from public.tenants where id = {a}")
            assert refused in ("23503", "23001")  # the latter since PostgreSQL 18
            for table in ("subscriptions", "usage_metrics", "billing_events"):
                connection.execute(expand(f"delete from public.{table} where tenant_id = {{a}}").encode())
            connection.execute(expand("delete from public.tenants where id = {a}").encode())
            for table in TABLES:
                if table != "tenants":
                    assert count(table, "tenant_id = {a}") == 0
                    assert count(table, "tenant_id = {b}") >= 1


def test_updated_at_moves_and_can_not_be_forged(world: Database) -> None:
    with connect(world.dsn) as connection, acting(connection, "authenticated", "member_a"):
        row = connection.execute(
            "update public.agents set name = 'z', updated_at = '2001-01-01' returning updated_at = now()"
        ).fetchone()
        assert row == (True,)


def test_a_token_without_a_user_sees_nothing(world: Database) -> None:
    with connect(world.dsn) as connection, acting(connection, "authenticated"):
        for table in TABLES:
            assert attempt(connection, f"select * from public.{table}") == 0


def test_rollback_is_the_outage_its_header_says(world: Database) -> None:
    run_script(world.dsn, ROLLBACK)
    with connect(world.dsn) as connection:
        cases: list[tuple[str, str, int | str]] = []
        for table in TABLES:
            cases += [
                ("owner_a", f"select * from public.{table}", 0),
                ("owner_a", f"delete from public.{table}", 0),
                ("service_role", f"select * from public.{table} limit 1", 1),
            ]
        cases += [
            ("member_a", f"{AGENT} ({{a}}, {{member_a}}, 'x')", DENIED),
            ("owner_a", "update public.agents set name = 'y'", 0),
            ("owner_a", "select * from public.user_tenants", "42P01"),
            ("anon", "select * from public.tenants", DENIED),
        ]
        assert unmet(connection, cases) == []
