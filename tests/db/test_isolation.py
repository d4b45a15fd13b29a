"""The isolation matrix on real servers: green where it should be, red in the right cell, honest where it can not know,
and without a trace.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import psycopg
import pytest
from msgspec.structs import replace

from tests.support import Database, MakeDatabase, ask
from tui.core.bundle import Bundle
from tui.core.catalog import Catalog
from tui.core.control import drill
from tui.core.isolation import Matrix, to_checks
from tui.core.isolation_cases import compose
from tui.core.surface import digest
from tui.db import matrix as matrix_module
from tui.db.batch import Command
from tui.db.link import Link
from tui.db.matrix import assemble, prove, read
from tui.db.probe import look_commands, read_look
from tui.db.target import resolve
from tui.files import read_bundle

Prove = Callable[..., Awaitable[Matrix]]

pg18 = pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
direct = pytest.mark.parametrize("route", ["direct"])


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return read_bundle()


@pytest.fixture
def applied(make_database: MakeDatabase) -> Database:
    return make_database("applied")


@pytest.fixture
async def link(applied: Database) -> AsyncIterator[Link]:
    opened = Link(resolve(applied.dsn, environ={}))
    await opened.open()
    yield opened
    await opened.close()


async def live(link: Link, bundle: Bundle) -> Catalog:
    return read_look(await link.batch(look_commands(bundle, twin=False)), twin=False).catalog


@pytest.fixture
def proven(link: Link, bundle: Bundle) -> Prove:
    """proven() -> the matrix of the test's database as it is now."""

    async def run(**options: bool) -> Matrix:
        return await prove(link, bundle, await live(link, bundle), **options)

    return run


def wrong(matrix: Matrix) -> list[tuple[str, ...]]:
    return [(p.mark, p.case.table, p.case.command, p.case.persona, p.case.scope) for p in matrix.failures()]


def traces(database: Database) -> dict[str, object]:
    """Everything that a matrix could leave in the database: rows, sequences, objects."""
    with psycopg.connect(database.admin_dsn, prepare_threshold=None) as admin:
        found: dict[str, object] = {
            "objects": admin.execute("select oid, relname from pg_class where relname !~ '^pg_' order by 1").fetchall(),
            "sequences": admin.execute("select sequencename, last_value from pg_sequences order by 1").fetchall(),
        }
        tables = (
            "select oid::regclass::text from pg_class where relkind = 'r' and relnamespace::regnamespace::text !~ %s"
        )
        for (table,) in admin.execute(tables, ("^(pg_|information_schema)",)).fetchall():
            rows = f"select count(*), sum(hashtextextended(t::text || t.ctid::text, 0)) from {table} as t"
            found[table] = admin.execute(rows.encode()).fetchone()
    return found


SESSION = """
select current_user, session_user, current_setting('role'), current_setting('search_path'),
       current_setting('statement_timeout'), current_setting('lock_timeout'), current_setting('row_security'),
       coalesce(current_setting('request.jwt.claims', true), ''),
       coalesce(current_setting('patchdeck.matrix', true), ''),
       (select count(*) from pg_locks where pid = pg_backend_pid() and locktype = 'relation' and relation >= 16384),
       (select count(*) from pg_class where relpersistence = 't'), (select count(*) from pg_cursors)
"""


async def test_the_applied_database_is_green_and_nothing_is_left(
    applied: Database, link: Link, bundle: Bundle, proven: Prove
) -> None:
    before, surface = traces(applied), digest(await live(link, bundle))
    session = (await link.run(SESSION)).rows
    matrix = await proven()
    assert wrong(matrix) == []
    assert matrix.state == "passed", to_checks(matrix)
    assert len(matrix.probes) >= 1000
    assert matrix.count("ok") == len(matrix.probes)
    assert matrix.round_trips == 1
    assert matrix.control.state == "red"
    assert matrix.control.turned == matrix.control.cells >= 20
    # Ordinary writes' locks: nobody who reads or writes waits for them.
    assert {mode for _, mode in matrix.locks} == {"RowExclusiveLock", "RowShareLock"}
    assert (await link.run(SESSION)).rows == session
    assert traces(applied) == before
    assert digest(await live(link, bundle)) == surface


@pg18
async def test_it_is_quick(proven: Prove) -> None:
    """Seconds of the server are measured by the benchmark; this is ten times what it takes, on a busy machine."""
    await proven()
    assert min([(await proven()).seconds for _ in range(2)]) < 6


@pg18
@direct
async def test_others_read_and_write_while_it_runs(applied: Database, link: Link, bundle: Bundle) -> None:
    spec = bundle.isolation
    assert spec is not None
    catalog = await live(link, bundle)
    proof = assemble(spec, compose(spec, bundle.expectation, catalog), drill(spec, bundle.expectation, catalog))
    replies = await link.batch([Command("begin"), *proof.commands])
    with psycopg.connect(applied.direct_dsn, prepare_threshold=None) as other:
        other.execute("set statement_timeout = '2s'")
        for subject in spec.tables:
            other.execute(f"select count(*) from {subject.name}".encode())
        other.execute("update public.agents set name = name")
        other.execute("update auth.users set last_sign_in_at = now()")
        other.rollback()
    await link.run("rollback")
    assert read(proof, replies[1:], seconds=0, round_trips=1).state == "passed"


# ------------------------------------------------------------------------------------------------------- planted leaks


@pytest.mark.parametrize(
    ("sql", "cell"),
    [
        (
            "alter table public.agents disable row level security",
            ("leak", "public.agents", "select", "outsider", "foreign"),
        ),
        (
            "alter policy tenant_members_insert on public.tenant_members with check (user_id = (select auth.uid()))",
            ("leak", "public.tenant_members", "attack", "outsider", ""),
        ),
        (
            "grant update (tenant_id) on public.workflows to authenticated;"
            "alter policy workflows_update on public.workflows with check (true)",
            ("leak", "public.workflows", "move", "both", "own"),
        ),
        (
            "alter view public.user_tenants reset (security_invoker)",
            ("leak", "public.user_tenants", "select", "anon", "foreign"),
        ),
        (
            "create policy legacy on public.telemetry_events for insert with check (auth.uid() = user_id)",
            ("leak", "public.telemetry_events", "insert", "outsider", "foreign"),
        ),
        ("grant select on public.error_logs to anon", ("differs", "public.error_logs", "select", "anon", "foreign")),
        (
            "alter table public.agents disable trigger update_agents_updated_at",
            ("lost", "public.agents", "works", "owner", "own"),
        ),
        ("drop policy artifacts_select on public.artifacts", ("lost", "public.artifacts", "select", "member", "own")),
    ],
)
async def test_a_planted_fault_is_red_in_its_cell(
    applied: Database, proven: Prove, sql: str, cell: tuple[str, ...]
) -> None:
    ask(applied.direct_dsn, sql)
    matrix = await proven()
    assert cell in wrong(matrix)
    assert {table for _, table, *_ in wrong(matrix)} == {cell[1]}
    assert matrix.state == "failed"
    assert matrix.control.state == "red", "the proof itself still works"


@pg18
@direct
async def test_only_a_statement_without_where_shows_some_leaks(applied: Database, proven: Prove) -> None:
    """PostgreSQL asks the SELECT policy only of a statement that reads columns: this DELETE empties every tenant's."""
    ask(applied.direct_dsn, "alter policy webhook_endpoints_delete on public.webhook_endpoints using (true)")
    leaks = [probe.case for probe in (await proven()).failures()]
    assert {case.command for case in leaks} == {"delete"}
    assert [case.detail for case in leaks if case.scope == "foreign"] == ["without WHERE"] * 5
    with psycopg.connect(applied.direct_dsn, prepare_threshold=None) as connection:
        case = next(case for case in leaks if case.persona == "outsider")
        connection.execute("insert into public.tenants (name, slug) values ('t', 't')")
        connection.execute("insert into public.webhook_endpoints (tenant_id, url) select id, 'u' from public.tenants")
        connection.execute("select set_config('request.jwt.claims', %s, true)", (case.claims,))
        connection.execute("set local role authenticated")
        # As the report says it: the outsider, no WHERE.
        assert connection.execute(case.sql.encode()).rowcount >= 1
        connection.rollback()


@pg18
async def test_the_broken_demo_is_red(make_database: MakeDatabase, bundle: Bundle) -> None:
    opened = Link(resolve(make_database("broken").dsn, environ={}))
    await opened.open()
    matrix = await prove(opened, bundle, await live(opened, bundle))
    await opened.close()
    assert matrix.count("leak") > 0
    assert matrix.state == "failed"


# --------------------------------------------------------------------------------------------------- honest ignorance


def untried(matrix: Matrix, reason: str) -> None:
    """Nothing was tried, and the matrix says why."""
    assert matrix.state == "not_proven"
    assert matrix.probes == ()
    assert any(reason in said for said in matrix.reasons), matrix.reasons
    assert {check.outcome for check in to_checks(matrix)} == {"not_proven"}


@pg18
@direct
async def test_what_keeps_it_from_running_is_said(applied: Database, link: Link, bundle: Bundle, proven: Prove) -> None:
    untried(await proven(read_only=True), "read-only")
    untried(await prove(link, replace(bundle, isolation=None), Catalog()), "no isolation.toml")

    await link.run("set default_transaction_read_only = on")
    untried(await proven(), "this connection is read-only")
    await link.run("set default_transaction_read_only = off")

    ask(applied.admin_dsn, "alter table auth.users owner to supabase_admin; revoke insert on auth.users from postgres")
    untried(await proven(), "role postgres may not insert into auth.users")


@pg18
@direct
async def test_roles_that_can_not_be_played_are_named(link: Link, bundle: Bundle) -> None:
    spec = bundle.isolation
    assert spec is not None
    roles = {"anon": "no_such_role", "service_role": "supabase_admin"}
    people = tuple(msgspec.structs.replace(p, role=roles.get(p.role, p.role)) for p in spec.personas)
    odd = replace(bundle, isolation=msgspec.structs.replace(spec, personas=people))
    matrix = await prove(link, odd, await live(link, bundle))
    untried(matrix, "role no_such_role does not exist")
    untried(matrix, "role postgres may not act as supabase_admin")


OUTSIDE = "create function private.calls_out() returns trigger language plpgsql as $$ begin {body}; return new; end $$;"
ON_AGENTS = "create trigger calls_out after insert on public.agents for each row execute function private.calls_out()"


@pg18
@direct
@pytest.mark.parametrize(
    "body",
    [
        "perform dblink_exec('host=elsewhere', 'insert into t values (1)')",
        "perform extensions.http_post('https://example.invalid', '{}', 'application/json')",
        "perform http((0, 'GET')::text)",
        "copy public.agents to program 'mail'",
    ],
)
async def test_what_a_rollback_would_not_undo_is_not_run(applied: Database, proven: Prove, body: str) -> None:
    ask(applied.direct_dsn, OUTSIDE.replace("{body}", body) + ON_AGENTS)
    untried(await proven(), "trigger calls_out on public.agents runs private.calls_out()")
    ask(applied.direct_dsn, "alter table public.agents disable trigger calls_out")
    assert (await proven()).reasons == ()


@pg18
@direct
async def test_triggers_that_a_rollback_undoes_do_no_harm(applied: Database, proven: Prove) -> None:
    """The common one on auth.users, which makes a profile, and one that queues a call with pg_net."""
    ask(
        applied.direct_dsn,
        "create table private.profiles (id uuid);"
        "create function private.handle_new_user() returns trigger language plpgsql security definer"
        " set search_path = '' as $$ begin insert into private.profiles values (new.id); return new; end $$;"
        "create trigger on_auth_user_created after insert on auth.users"
        " for each row execute function private.handle_new_user();"
        "create schema net; create table net.queue (url text);"
        "create function net.http_post(url text) returns void language sql security definer set search_path = ''"
        " as 'insert into net.queue values (url)'; grant usage on schema net to public;"
        + OUTSIDE.replace("{body}", "perform net.http_post('https://example.invalid')") + ON_AGENTS,
    )  # fmt: skip
    matrix = await proven()
    assert (matrix.state, wrong(matrix)) == ("passed", [])
    assert ask(
        applied.direct_dsn, "select (select count(*) from private.profiles), (select count(*) from net.queue)"
    ) == [(0, 0)]


@pg18
@direct
async def test_a_table_that_can_not_be_seeded_hides_no_other(applied: Database, proven: Prove) -> None:
    ask(applied.direct_dsn, "alter table public.error_logs add column must text not null default 'x';"
                            "alter table public.error_logs alter column must drop default")  # fmt: skip
    matrix = await proven()
    assert list(matrix.unseeded) == ["public.error_logs"]
    assert "23502" in matrix.unseeded["public.error_logs"]
    unprobed = {probe.case.table for probe in matrix.probes if probe.mark == "not_probed"}
    assert unprobed == {"public.error_logs"}
    assert {cell.state for cell in matrix.cells() if cell.table == "public.error_logs"} == {"not probed"}
    assert matrix.count("ok") + matrix.count("not_probed") == len(matrix.probes)
    assert matrix.state == "not_proven"


@pg18
@direct
async def test_a_lock_is_not_waited_for_long(
    applied: Database, link: Link, bundle: Bundle, proven: Prove, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(matrix_module.MATRIX_LIMITS, "lock_timeout", "50ms")
    with psycopg.connect(applied.direct_dsn, prepare_threshold=None) as other:
        other.execute("lock table public.performance_metrics in share mode")
        matrix = await proven()
        other.rollback()
    assert "55P03" in matrix.unseeded["public.performance_metrics"]
    assert matrix.state == "not_proven"
    assert wrong(matrix) == []
    assert (await proven()).state == "passed"


@pg18
async def test_one_that_takes_too_long_ends_and_says_so(
    applied: Database, link: Link, proven: Prove, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = traces(applied)
    with monkeypatch.context() as impatient:
        impatient.setitem(matrix_module.MATRIX_LIMITS, "statement_timeout", "60ms")
        untried(await proven(), "57014")
    assert traces(applied) == before
    assert (await link.run("select current_user")).value == "postgres"
    assert (await proven()).state == "passed"


# ---------------------------------------------------------------------------------------------------- negative control


@pg18
@direct
async def test_a_proof_that_sees_nothing_has_failed(link: Link, bundle: Bundle) -> None:
    spec, catalog = bundle.isolation, await live(link, bundle)
    assert spec is not None
    harmless = replace(drill(spec, bundle.expectation, catalog), breaking=())
    proof = assemble(spec, compose(spec, bundle.expectation, catalog), harmless)
    replies = await link.batch([Command("begin"), *proof.commands, Command("rollback")])
    matrix = read(proof, replies[1:-1], seconds=0, round_trips=1)
    assert wrong(matrix) == []
    assert (matrix.control.state, matrix.control.turned, matrix.state) == ("green", 0, "failed")
    (control,) = [check for check in to_checks(matrix) if not check.ok]
    assert (control.object, control.outcome) == ("control", "differs")
    assert "the proof does not work here" in control.actual


@pg18
@direct
async def test_without_temporary_tables_there_is_no_control(applied: Database, proven: Prove) -> None:
    ask(applied.admin_dsn, f'revoke temporary on database "{applied.name}" from public')
    matrix = await proven()
    assert matrix.control.state == "not_run"
    assert "anon" in matrix.control.reason
    assert (matrix.state, wrong(matrix)) == ("not_proven", [])


@pg18
@direct
async def test_a_control_table_without_rows_has_a_twin_with_some(applied: Database, proven: Prove) -> None:
    ask(applied.direct_dsn, "create unique index one_each on public.webhook_endpoints (tenant_id)")
    matrix = await proven()
    assert list(matrix.unseeded) == ["public.webhook_endpoints"]
    assert matrix.control.state == "red", matrix.control.reason
    assert (matrix.state, wrong(matrix)) == ("not_proven", [])


@pg18
@direct
async def test_a_control_table_that_leaks_itself_still_turns_the_control(applied: Database, proven: Prove) -> None:
    ask(applied.direct_dsn, "alter policy agents_select on public.agents using (true)")
    matrix = await proven()
    assert ("leak", "public.agents", "select", "outsider", "foreign") in wrong(matrix)
    assert matrix.control.state == "red", matrix.control.reason
