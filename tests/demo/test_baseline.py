"""The demo's database is what a Supabase project is: roles, rights, schemas, the tables from before."""

from __future__ import annotations

import psycopg
import pytest

from tests.support import Database, MakeDatabase, ask

pytestmark = pytest.mark.parametrize("route", ["direct"])  # the catalog is the same through a pooler


@pytest.fixture
def legacy(make_database: MakeDatabase) -> Database:
    """A database before the migration, with rows."""
    return make_database("legacy")


def test_the_operator_is_no_superuser_but_passes_row_level_security(legacy: Database) -> None:
    attributes = "rolsuper, rolbypassrls, rolcreaterole, rolcreatedb"
    found = ask(legacy.dsn, f"select current_user::text, {attributes} from pg_roles where rolname = current_user")
    assert found == [("postgres", False, True, True, True)]
    owners = ask(legacy.dsn, "select datdba::regrole::text from pg_database where datname = current_database()")
    assert owners == [("postgres",)]


def test_the_api_roles_have_their_attributes_and_settings(legacy: Database) -> None:
    found = ask(
        legacy.dsn,
        "select rolname::text, rolcanlogin, rolinherit, rolbypassrls, coalesce(rolconfig, '{}') from pg_roles"
        " where rolname in ('anon', 'authenticated', 'service_role', 'authenticator') order by rolname",
    )
    assert found == [
        ("anon", False, True, False, ["statement_timeout=3s"]),
        ("authenticated", False, True, False, ["statement_timeout=8s"]),
        (
            "authenticator",
            True,
            False,
            False,
            ["statement_timeout=8s", "lock_timeout=8s", "pgrst.db_schemas=public, graphql_public"],
        ),
        ("service_role", False, True, True, []),
    ]


def test_the_operator_is_a_member_of_the_roles_a_hosted_project_gives_it(legacy: Database) -> None:
    found = ask(
        legacy.dsn,
        "select roleid::regrole::text from pg_auth_members where member = 'postgres'::regrole"
        " and roleid <> 'pg_database_owner'::regrole order by 1",
    )
    assert [row[0] for row in found] == [
        "anon", "authenticated", "pg_monitor", "pg_read_all_data", "pg_signal_backend", "service_role",
        "supabase_auth_admin", "supabase_storage_admin",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("set session_replication_role = replica", "42501"),
        ("alter default privileges for role supabase_admin in schema public grant select on tables to anon", "42501"),
        ("set role supabase_admin", "42501"),
        ("alter event trigger pgrst_ddl_watch disable", "42501"),
    ],
)
def test_what_a_hosted_operator_can_not_do_is_refused(legacy: Database, statement: str, refusal: str) -> None:
    with pytest.raises(psycopg.Error) as refused:
        ask(legacy.dsn, statement)
    assert refused.value.sqlstate == refusal


def test_the_superuser_signs_in_over_the_socket_only(legacy: Database) -> None:
    assert ask(legacy.admin_dsn, "select current_user::text") == [("supabase_admin",)]
    with pytest.raises(psycopg.OperationalError, match="rejects connection"):
        ask(legacy.direct_dsn.replace("postgres@", "supabase_admin@", 1), "select 1")


def test_auth_functions_read_the_claims_of_today(legacy: Database) -> None:
    owner = ask(
        legacy.dsn, "select distinct proowner::regrole::text from pg_proc where pronamespace = 'auth'::regnamespace"
    )
    assert owner == [("supabase_auth_admin",)]
    with psycopg.connect(legacy.api_dsn, prepare_threshold=None) as connection:
        connection.execute("set local role authenticated")
        assert connection.execute("select auth.uid(), auth.jwt()").fetchone() == (None, None)
        claims = '{"sub": "5eed0000-0000-4000-8000-000000000001", "role": "authenticated", "email": "a@example.com"}'
        connection.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
        found = connection.execute("select auth.uid()::text, auth.role(), auth.email()").fetchone()
    assert found == ("5eed0000-0000-4000-8000-000000000001", "authenticated", "a@example.com")


def test_the_tables_from_before_have_their_columns_policies_and_open_grants(legacy: Database) -> None:
    tables = ask(
        legacy.dsn,
        "select relname::text, relnatts::int, relrowsecurity, relowner::regrole::text,"
        " has_table_privilege('anon', oid, 'TRUNCATE')"
        " from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' order by 1",
    )
    assert tables == [
        ("telemetry_events", 5, False, "postgres", True),
        ("tenant_members", 5, False, "postgres", True),
        ("tenants", 4, False, "postgres", True),
        ("workflow_executions", 10, True, "postgres", True),
    ]
    policies = ask(
        legacy.dsn, "select tablename::text, policyname::text, cmd, roles::text[] from pg_policies order by 2"
    )
    assert policies == [
        ("workflow_executions", "Users can insert own executions", "INSERT", ["public"]),
        ("workflow_executions", "Users can view own executions", "SELECT", ["public"]),
    ]


def test_rows_of_which_a_backfill_can_be_certain_and_of_which_it_can_not(legacy: Database) -> None:
    for table in ("workflow_executions", "telemetry_events"):
        found = ask(
            legacy.dsn,
            "select least(m.tenants, 2), count(*) from (select (select count(*) from public.tenant_members as t"
            f" where t.user_id = e.user_id) as tenants from public.{table} as e where user_id is not null) as m"
            " group by 1",
        )
        assert {tenants for tenants, _ in found} == {0, 1, 2}, table
        assert ask(legacy.dsn, f"select count(*) > 5 from public.{table} where user_id is null") == [(True,)]


def test_executions_are_dated_back_from_now_and_show_every_status(legacy: Database) -> None:
    found = ask(
        legacy.dsn,
        "select status, count(*)::int from public.workflow_executions"
        " where started_at > now() - interval '2 hours 5 minutes' and coalesce(completed_at, now()) <= now()"
        " group by 1",
    )
    counts = dict(found)
    assert set(counts) == {"running", "completed", "failed", "cancelled"}
    assert 200 < sum(counts.values()) <= 300


def test_the_bare_state_has_the_tables_and_no_row(make_database: MakeDatabase) -> None:
    bare = make_database("bare")
    for table in ("public.tenants", "public.tenant_members", "public.workflow_executions", "public.telemetry_events"):
        assert ask(bare.dsn, f"select count(*)::int from {table}") == [(0,)]
    assert ask(bare.dsn, "select count(*)::int from auth.users") == [(0,)]


@pytest.mark.parametrize(("state", "reads"), [("legacy", True), ("legacy2026", False)])
def test_a_new_table_is_open_to_the_api_under_the_classic_default_privileges_only(
    make_database: MakeDatabase, state: str, reads: bool
) -> None:
    database = make_database(state)
    ask(database.dsn, "create table public.fresh (id int)")
    found = ask(
        database.dsn,
        "select has_table_privilege('anon', 'public.fresh', 'SELECT'),"
        " has_table_privilege('service_role', 'public.fresh', 'SELECT'),"
        " has_table_privilege('anon', 'public.fresh', 'TRUNCATE')",
    )
    assert found == [(reads, reads, True)]


def test_the_publication_is_the_operators_and_the_api_learns_of_changed_tables(legacy: Database) -> None:
    found = ask(legacy.dsn, "select pubname::text, pubowner::regrole::text, puballtables from pg_publication")
    assert found == [("supabase_realtime", "postgres", False)]
    with psycopg.connect(legacy.direct_dsn, autocommit=True) as ears:
        ears.execute("listen pgrst")
        ask(legacy.dsn, "create table public.fresh (id int)")
        assert [note.payload for note in ears.notifies(timeout=5, stop_after=1)] == ["reload schema"]


def test_the_applied_state_has_the_migration_on_rows_that_were_there(make_database: MakeDatabase) -> None:
    applied = make_database("applied")
    found = ask(
        applied.dsn,
        "select count(tenant_id) > 100, count(*) - count(tenant_id) > 20 from public.workflow_executions",
    )
    assert found == [(True, True)]


def test_the_broken_state_is_the_applied_one_with_its_faults(make_database: MakeDatabase) -> None:
    faults = {
        "open policy": "select count(*)::int from pg_policies where qual = 'true' and permissive = 'PERMISSIVE'"
        " and cmd = 'SELECT'",
        "policies": "select count(*)::int from pg_policies where schemaname = 'public'",
        "no row-level security": "select count(*)::int from pg_class where relnamespace = 'public'::regnamespace"
        " and relkind = 'r' and not relrowsecurity",
        "disabled trigger": "select count(*)::int from pg_trigger where tgenabled = 'D'",
        "anon reads errors": "select has_table_privilege('anon', 'public.error_logs', 'SELECT')::int",
        "indexes": "select count(*)::int from pg_index as i join pg_class as c on c.oid = i.indrelid"
        " where c.relnamespace = 'public'::regnamespace",
    }
    applied, broken = make_database("applied"), make_database("broken")
    differences = {
        fault: ask(broken.dsn, query)[0][0] - ask(applied.dsn, query)[0][0] for fault, query in faults.items()
    }
    assert differences == {
        "open policy": 2,
        "policies": 0,  # one dropped, one too many: a count sees nothing
        "no row-level security": 1,
        "disabled trigger": 1,
        "anon reads errors": 1,
        "indexes": -1,
    }
