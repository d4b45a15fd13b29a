"""The Supabase CLI's history on real servers: written in the run's transaction, in its own format, and taken back."""

from __future__ import annotations

import re
from typing import Any

import psycopg
import pytest

from tests.db.test_applier import library, plan_for, run
from tests.support import Database, MakeDatabase, ask
from tui.core.run import Outcome, StatementDone
from tui.core.supabase_ledger import migration
from tui.db.target import Target, resolve

HISTORY = "supabase_migrations.schema_migrations"
BY_THE_CLI = (
    "SET lock_timeout = '4s'",
    "CREATE SCHEMA IF NOT EXISTS supabase_migrations",
    f"CREATE TABLE IF NOT EXISTS {HISTORY} (version text NOT NULL PRIMARY KEY)",
    f"ALTER TABLE {HISTORY} ADD COLUMN IF NOT EXISTS statements text[]",
    f"ALTER TABLE {HISTORY} ADD COLUMN IF NOT EXISTS name text",
)
"""What the CLI sends before every push (pkg/migration/history.go of v2.104)."""

SHAPE = f"""
select array_agg(format('%s %s %s %s', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.atthasdef)
                 order by a.attnum),
       (select array_agg(conname || ' ' || pg_get_constraintdef(oid)) from pg_constraint
         where conrelid = a.attrelid and contype = 'p'),
       (select nspacl::text from pg_namespace where nspname = 'supabase_migrations')
  from pg_attribute a
 where a.attrelid = '{HISTORY}'::regclass and a.attnum > 0 and not a.attisdropped
 group by a.attrelid
"""
ROWS = f"select version, name, statements from {HISTORY} order by version"


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    return make_database("bare")


@pytest.fixture
def target(database: Database) -> Target:
    return resolve(database.dsn, environ={})


def as_the_cli(dsn: str, *more: str) -> None:
    with psycopg.connect(dsn) as connection:
        for statement in (*BY_THE_CLI, *more):
            connection.execute(statement.encode())


def exists(database: Database) -> bool:
    return bool(ask(database.admin_dsn, f"select to_regclass('{HISTORY}') is not null")[0][0])


def rows(database: Database) -> list[tuple[Any, ...]]:
    return ask(database.admin_dsn, ROWS)


async def test_its_shape_and_row_are_the_clis_own(
    database: Database, target: Target, make_database: MakeDatabase
) -> None:
    finished, _, seen = await run(target, plan_for(database, record_supabase=True))
    assert finished.outcome is Outcome.COMMITTED, finished
    assert "20260101000000" in finished.state
    bundle = library()
    wanted = migration(bundle)
    assert rows(database) == [("20260101000000", "library", list(wanted.statements))]
    # Nothing of it counts as a statement of the patch.
    assert sum(isinstance(event, StatementDone) for event in seen) == len(bundle.patch.statements)
    theirs = make_database("bare")
    as_the_cli(theirs.direct_dsn)
    assert ask(database.admin_dsn, SHAPE) == ask(theirs.admin_dsn, SHAPE)


async def test_joined_and_run_by_the_cli_the_statements_make_the_same_database(
    database: Database, target: Target, make_database: MakeDatabase
) -> None:
    """`supabase migration fetch` writes a file from the row, `db push` runs the statements one by one."""
    await run(target, plan_for(database, record_supabase=True))
    theirs = make_database("bare")
    with psycopg.connect(theirs.direct_dsn) as connection:
        for statement in rows(database)[0][2]:
            connection.execute(statement.encode())
    finished, _, _ = await run(resolve(theirs.dsn, environ={}), plan_for(theirs))
    assert (finished.outcome, finished.ran) == (Outcome.COMMITTED, False)


async def test_without_the_option_there_is_no_history(database: Database, target: Target) -> None:
    finished, _, _ = await run(target, plan_for(database))
    assert finished.outcome is Outcome.COMMITTED
    assert HISTORY not in finished.state
    assert not exists(database)


async def test_what_does_not_commit_is_not_recorded(database: Database, target: Target) -> None:
    finished, _, _ = await run(target, plan_for(database, rehearse=True, record_supabase=True))
    assert finished.outcome is Outcome.REHEARSED
    assert not exists(database)
    as_the_cli(database.direct_dsn)
    bundle = library(PATCH=lambda text: text + "\nselect nosuch;\n")
    finished, _, _ = await run(target, plan_for(database, bundle, record_supabase=True))
    assert finished.outcome is Outcome.ROLLED_BACK
    assert rows(database) == []


async def test_a_history_with_more_columns_and_other_migrations_is_added_to(database: Database, target: Target) -> None:
    as_the_cli(
        database.direct_dsn,
        f"alter table {HISTORY} add column created_by text, add column idempotency_key text unique",
        f"insert into {HISTORY} (version, name, statements) values ('20240101000000', 'init', '{{select 1}}')",
    )
    finished, _, _ = await run(target, plan_for(database, record_supabase=True))
    assert finished.outcome is Outcome.COMMITTED, finished
    assert [row[:2] for row in rows(database)] == [("20240101000000", "init"), ("20260101000000", "library")]
    assert ask(database.admin_dsn, f"select count(created_by) from {HISTORY}") == [(0,)]


async def test_a_history_from_before_names_and_statements_gets_its_columns(database: Database, target: Target) -> None:
    with psycopg.connect(database.direct_dsn) as connection:
        for statement in BY_THE_CLI[1:3]:
            connection.execute(statement.encode())
    finished, _, _ = await run(target, plan_for(database, record_supabase=True))
    assert finished.outcome is Outcome.COMMITTED, finished
    assert [row[:2] for row in rows(database)] == [("20260101000000", "library")]


async def test_no_right_on_the_database_is_needed_where_the_history_exists(database: Database, target: Target) -> None:
    """The CLI's own `create schema if not exists` would fail here (42501)."""
    await run(target, plan_for(database))  # makes the ledger's schema
    with psycopg.connect(database.admin_dsn) as admin:
        for statement in BY_THE_CLI[1:]:
            admin.execute(statement.encode())
        admin.execute(
            f"grant usage on schema supabase_migrations to postgres; grant all on {HISTORY} to postgres".encode()
        )
        admin.execute(f'revoke create on database "{database.name}" from postgres, public'.encode())
    finished, _, _ = await run(target, plan_for(database, again=True, record_supabase=True))
    assert finished.outcome is Outcome.COMMITTED, finished
    assert [row[:2] for row in rows(database)] == [("20260101000000", "library")]


async def test_another_migration_of_that_version_stops_it(database: Database, target: Target) -> None:
    as_the_cli(database.direct_dsn, f"insert into {HISTORY} (version, name) values ('20260101000000', 'theirs')")
    finished, state, _ = await run(target, plan_for(database, record_supabase=True))
    assert finished.outcome is Outcome.REFUSED
    assert "theirs" in finished.reason
    assert state.done == 0
    assert rows(database) == [("20260101000000", "theirs", None)]
    # Nor is it taken back.
    await run(target, plan_for(database))
    finished, _, _ = await run(target, plan_for(database, action="rollback"))
    assert finished.outcome is Outcome.COMMITTED
    assert rows(database) == [("20260101000000", "theirs", None)]


async def test_a_history_that_wants_more_than_the_cli_writes_stops_it(database: Database, target: Target) -> None:
    as_the_cli(database.direct_dsn, f"alter table {HISTORY} add column ticket text not null")
    finished, _, _ = await run(target, plan_for(database, record_supabase=True))
    assert finished.outcome is Outcome.REFUSED
    assert re.search("ticket.*does not write", finished.reason)


async def test_run_again_it_renews_the_row(database: Database, target: Target) -> None:
    as_the_cli(
        database.direct_dsn,
        f"insert into {HISTORY} (version, name, statements) values ('20260101000000', 'library', '{{old}}')",
    )
    finished, _, _ = await run(target, plan_for(database, record_supabase=True))
    assert finished.outcome is Outcome.COMMITTED, finished
    assert "renewed" in finished.state
    assert rows(database)[0][2] == list(migration(library()).statements)


async def test_a_rollback_takes_it_back(database: Database, target: Target) -> None:
    await run(target, plan_for(database, record_supabase=True))
    finished, _, _ = await run(target, plan_for(database, action="rollback", rehearse=True))
    assert finished.outcome is Outcome.REHEARSED
    assert len(rows(database)) == 1
    finished, _, _ = await run(target, plan_for(database, action="rollback"))
    assert finished.outcome is Outcome.COMMITTED, finished
    assert "taken back" in finished.state
    assert rows(database) == []


async def test_a_rollback_that_may_not_take_it_back_says_so(database: Database, target: Target) -> None:
    await run(target, plan_for(database, record_supabase=True))
    with psycopg.connect(database.admin_dsn) as admin:
        admin.execute(f"alter table {HISTORY} owner to supabase_admin; revoke all on {HISTORY} from postgres".encode())
    finished, _, _ = await run(target, plan_for(database, action="rollback"))
    assert finished.outcome is Outcome.COMMITTED, finished
    assert "migration repair --status reverted 20260101000000" in finished.state
    assert len(rows(database)) == 1
