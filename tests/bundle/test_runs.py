"""PATCH.sql and ROLLBACK.sql as scripts: again and again, from every start, with psql, and what they refuse."""

from __future__ import annotations

import os
import subprocess
import tomllib
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tests.bundle.support import NEW_TABLES, OLD_TABLES, PATCH, ROLLBACK, TABLES, catalog, connect, run_script
from tests.support import BUNDLE, MakeDatabase, ask
from tui.demo.installation import embedded_installation

direct = pytest.mark.parametrize("route", ["direct"])


@direct
@pytest.mark.parametrize("state", ["legacy", "bare2026"])
def test_a_second_run_changes_nothing(make_database: MakeDatabase, state: str) -> None:
    dsn = make_database(state).dsn
    run_script(dsn, PATCH)
    rows = "select count(*), count(tenant_id) from public.workflow_executions"
    first, counted = catalog(dsn), ask(dsn, rows)
    assert len(first) > 300
    run_script(dsn, PATCH)
    assert catalog(dsn) == first
    assert ask(dsn, rows) == counted


@direct
def test_every_way_leads_to_the_same_schema(make_database: MakeDatabase) -> None:
    """Rows or none, default privileges of either generation: not one grant differs."""
    found = {}
    for state in ("legacy", "bare", "legacy2026", "bare2026"):
        dsn = make_database(state).dsn
        run_script(dsn, PATCH)
        found[state] = catalog(dsn)
    assert found["legacy"] == found["bare"] == found["legacy2026"] == found["bare2026"]


@direct
def test_rollback_takes_the_rules_and_nothing_else(make_database: MakeDatabase) -> None:
    dsn = make_database("legacy").dsn
    run_script(dsn, PATCH)
    applied = catalog(dsn)
    counts = [ask(dsn, f"select count(*) from public.{table}") for table in TABLES]
    run_script(dsn, ROLLBACK)
    left = catalog(dsn)
    rules = (" policy ", "CREATE TRIGGER ", "user_tenants")
    assert [line for line in applied if not any(rule in line for rule in rules)] == left
    assert [ask(dsn, f"select count(*) from public.{table}") for table in TABLES] == counts
    run_script(dsn, ROLLBACK)
    assert catalog(dsn) == left
    run_script(dsn, PATCH)
    assert catalog(dsn) == applied


@direct
def test_rollback_of_what_was_never_applied_is_no_error(make_database: MakeDatabase) -> None:
    dsn = make_database("legacy").dsn
    before = catalog(dsn)
    run_script(dsn, ROLLBACK)
    assert catalog(dsn) == before


def test_psql_runs_both_scripts(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("legacy")
    psql = embedded_installation().binaries / "psql"
    passfile = parse_qs(urlsplit(database.dsn).query)["passfile"][0]
    with connect(database.dsn) as connection:
        server = connection.info
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(tmp_path), "PGPASSFILE": passfile, "PGUSER": "postgres",
            "PGHOST": server.host, "PGPORT": str(server.port), "PGDATABASE": database.name, "PGSSLMODE": "disable",
        }  # fmt: skip
    limit = "set local lock_timeout = '2s'"
    for script in ("PATCH.sql", "PATCH.sql", "ROLLBACK.sql"):
        command = [str(psql), "-X", "-1", "-v", "ON_ERROR_STOP=1", "-c", limit, "-f", str(BUNDLE / script)]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
    assert len([line for line in catalog(database.dsn) if " kind r rls t" in line]) == len(TABLES)


@direct
def test_only_the_policies_of_before_are_dropped_and_each_is_named(make_database: MakeDatabase) -> None:
    dsn = make_database("bare").dsn
    ask(dsn, 'create policy "let me in" on public.tenants using (true)')
    notices = run_script(dsn, PATCH)
    dropped = [notice for notice in notices if notice.startswith("dropping policy")]
    assert len(dropped) == 3
    assert any('"let me in"' in notice and "tenants" in notice for notice in dropped)
    # On a table of the migration's own it is not the migration's to judge: the checklist fails on it.
    ask(dsn, "create policy mine on public.agents for select to authenticated using (false)")
    assert not [notice for notice in run_script(dsn, PATCH) if notice.startswith("dropping policy")]
    assert ask(dsn, "select count(*) from pg_policies where policyname = 'mine'") == [(1,)]


@direct
def test_a_disabled_trigger_and_a_lost_policy_come_back(make_database: MakeDatabase) -> None:
    dsn = make_database("bare").dsn
    run_script(dsn, PATCH)
    whole = catalog(dsn)
    ask(dsn, "alter table public.agents disable trigger update_agents_updated_at")
    ask(dsn, "drop policy agents_select on public.agents")
    ask(dsn, "drop index public.agents_enabled_idx")
    ask(dsn, "grant truncate, update on public.agents to anon, authenticated")
    assert catalog(dsn) != whole
    run_script(dsn, PATCH)
    assert catalog(dsn) == whole


WRONG = {
    "lacks columns": (
        "create table public.agents (id uuid primary key, name text)",
        "55000",
        ["another shape", "public.agents.tenant_id is missing", "public.agents.tools is missing"],
    ),
    "has another type": (
        "alter table public.workflow_executions alter column user_id type text",
        "55000",
        ["public.workflow_executions.user_id is text, not uuid"],
    ),
    "tenant_id of another type": (
        "alter table public.telemetry_events add column tenant_id bigint",
        "55000",
        ["public.telemetry_events.tenant_id is bigint, not uuid"],
    ),
    "a table where the view goes": (
        "create table public.user_tenants (user_id uuid)",
        "55000",
        ["public.user_tenants is a table, not a view"],
    ),
    "an old table is missing": (
        "drop table public.telemetry_events",
        "55000",
        ["lacks what the migration stands on", "public.telemetry_events does not exist"],
    ),
    "schema private is open": (
        "create schema private; grant usage on schema private to authenticated",
        "55000",
        ["role authenticated may use it"],
    ),
}


@direct
@pytest.mark.parametrize("case", list(WRONG))
def test_what_stands_in_the_way_is_named(make_database: MakeDatabase, case: str) -> None:
    change, sqlstate, said = WRONG[case]
    dsn = make_database("bare").dsn
    if "alter column user_id" in change:
        ask(dsn, 'drop policy "Users can view own executions" on public.workflow_executions')
        ask(dsn, 'drop policy "Users can insert own executions" on public.workflow_executions')
        ask(dsn, "alter table public.workflow_executions drop constraint workflow_executions_user_id_fkey")
    run_script(dsn, change)
    before = catalog(dsn)
    with pytest.raises(psycopg.Error) as refused:
        run_script(dsn, PATCH)
    assert refused.value.sqlstate == sqlstate
    for words in said:
        assert words in str(refused.value.diag.message_primary)
    assert catalog(dsn) == before


@direct
def test_a_table_of_somebody_else_is_refused(make_database: MakeDatabase) -> None:
    database = make_database("bare")
    ask(database.admin_dsn, "alter table public.tenants owner to supabase_admin")
    with pytest.raises(psycopg.Error, match=r"public\.tenants belongs to supabase_admin, not to postgres"):
        run_script(database.dsn, PATCH)


@direct
def test_rows_get_a_tenant_only_where_it_is_certain(make_database: MakeDatabase) -> None:
    dsn = make_database("legacy").dsn
    of_user = """
      select e.id::text, case when count(m.tenant_id) = 1 then min(m.tenant_id::text) end
        from public.{table} e left join public.tenant_members m on m.user_id = e.user_id group by e.id"""
    for_table = {table: of_user.format(table=table) for table in ("workflow_executions", "telemetry_events")}
    certain = {table: set(ask(dsn, query)) for table, query in for_table.items()}
    assert {bool(tenant) for rows in certain.values() for _, tenant in rows} == {True, False}
    run_script(dsn, PATCH)
    for table, rows in certain.items():
        assert set(ask(dsn, f"select id::text, tenant_id::text from public.{table}")) == rows
    # What was assigned by hand stays as it is.
    mine = "select id from public.workflow_executions where tenant_id is not null order by id limit 1"
    other = f"(select t.id from public.tenants t where t.id <> e.tenant_id order by t.id limit 1) where e.id = ({mine})"
    ask(dsn, f"update public.workflow_executions e set tenant_id = {other}")
    by_hand = set(ask(dsn, "select id::text, tenant_id::text from public.workflow_executions"))
    assert by_hand != certain["workflow_executions"]
    run_script(dsn, PATCH)
    assert set(ask(dsn, "select id::text, tenant_id::text from public.workflow_executions")) == by_hand


@direct
@pytest.mark.parametrize(
    ("change", "published"),
    [
        ("drop publication supabase_realtime", set[str]()),
        (
            "alter publication supabase_realtime add table public.workflow_executions, public.tenants",
            {"agent_executions", "workflow_executions", "tenants"},
        ),
    ],
)
def test_realtime_is_served_as_far_as_it_is_there(
    make_database: MakeDatabase, change: str, published: set[str]
) -> None:
    dsn = make_database("bare").dsn
    ask(dsn, change)
    run_script(dsn, PATCH)
    assert {name for (name,) in ask(dsn, "select tablename from pg_publication_tables")} == published


@direct
def test_a_publication_of_all_tables_is_left_alone(make_database: MakeDatabase) -> None:
    database = make_database("bare")
    ask(database.dsn, "drop publication supabase_realtime")
    ask(database.admin_dsn, "create publication supabase_realtime for all tables")
    run_script(database.dsn, PATCH)
    assert ask(database.dsn, "select count(*) from pg_publication_rel") == [(0,)]


@direct
def test_the_bundle_names_every_lock_the_scripts_take(make_database: MakeDatabase) -> None:
    """Locks that stop readers or writers of tables from before until the commit: all are asked for first."""
    database = make_database("legacy")
    held = """
      select n.nspname || '.' || c.relname, l.mode from pg_locks l join pg_class c on c.oid = l.relation
        join pg_namespace n on n.oid = c.relnamespace
       where l.pid = pg_backend_pid() and c.relkind = 'r' and c.oid = any (%s)
         and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')"""
    tables = tomllib.loads((BUNDLE / "bundle.toml").read_text(encoding="utf-8"))["prerequisites"]["tables"]
    promised = {table["name"]: table["lock"].title().replace(" ", "") + "Lock" for table in tables}
    assert set(promised) == {"auth.users", *(f"public.{table}" for table in OLD_TABLES)}
    implied = {"AccessExclusiveLock": {"ShareLock", "ShareRowExclusiveLock", "ExclusiveLock"}}
    for script in (PATCH, PATCH, ROLLBACK):
        with psycopg.connect(database.dsn) as connection:
            old = connection.execute("select array_agg(oid) from pg_class where relkind = 'r'").fetchone()
            assert old is not None
            connection.execute(script.encode())
            took = set(connection.execute(held, old).fetchall())
        strange = {
            (table, mode)
            for table, mode in took
            if table.removeprefix("public.") not in NEW_TABLES
            and mode != promised.get(table)
            and mode not in implied.get(promised.get(table, ""), set())
        }
        assert strange == set()
        assert "public.tenants" in {table for table, _ in took}
