"""Looking at real databases: the whole catalog in one statement, twins, and each single fault named by its check."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
import pytest

from tests.support import BUNDLE, Cluster, MakeDatabase, ask
from tui.core.bundle import Bundle, load
from tui.core.catalog import Catalog, decode
from tui.core.check import Check
from tui.core.checklist import compare
from tui.core.facts import Facts, decode_facts, facts_request
from tui.core.look import Look
from tui.core.plan import preview
from tui.core.preflight import check_preflight
from tui.core.surface import diff, digest
from tui.core.twin import quote_ident, twin_statements
from tui.db.queries import query
from tui.db.session import Session
from tui.db.target import resolve
from tui.files import Folder

LookAt = Callable[..., Awaitable[Look]]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load(Folder(BUNDLE))


@pytest.fixture
async def look_at(bundle: Bundle) -> AsyncIterator[LookAt]:
    """look_at(dsn, read_only=False) -> one complete look, as the product takes it."""
    sessions: list[Session] = []

    async def look(dsn: str, *, read_only: bool = False) -> Look:
        session = Session(resolve(dsn, environ={}, read_only=read_only), bundle)
        sessions.append(session)
        return await session.look()

    yield look
    for session in sessions:
        await session.close()


def failing(look: Look) -> list[tuple[str, str, str, str]]:
    return [(check.object, check.table, check.name, check.outcome) for check in look.checks if not check.ok]


def by_name(look: Look, kind: str, table: str, name: str) -> Check:
    (check,) = [c for c in look.checks if (c.object, c.table, c.name) == (kind, table, name)]
    return check


async def test_an_applied_database_holds_to_the_last_definition(make_database: MakeDatabase, look_at: LookAt) -> None:
    look = await look_at(make_database("applied").dsn)
    assert failing(look) == []
    assert (look.verdict.state, look.verdict.healthy) == ("applied", True)
    assert look.verdict.total > 300


async def test_a_legacy_database_is_not_applied(make_database: MakeDatabase, look_at: LookAt) -> None:
    look = await look_at(make_database("legacy").dsn)
    assert (look.verdict.state, look.verdict.not_proven) == ("not_applied", 0)
    old = [check.name for check in look.checks if check.object == "policy" and check.outcome == "unexpected"]
    assert old == ["Users can insert own executions", "Users can view own executions"]


async def test_a_read_only_look_proves_what_it_can(make_database: MakeDatabase, look_at: LookAt) -> None:
    database = make_database("applied")
    look = await look_at(database.dsn, read_only=True)
    assert {outcome for *_, outcome in failing(look)} == {"not_proven"}
    assert (look.verdict.state, look.verdict.healthy) == ("applied", False)
    assert look.verdict.passed > 4 * look.verdict.not_proven
    ask(database.dsn, "alter table public.agents disable trigger update_agents_updated_at")
    look = await look_at(database.dsn, read_only=True)
    found = ("trigger", "public.agents", "update_agents_updated_at", "differs")
    assert [fault for fault in failing(look) if fault[3] != "not_proven"] == [found]


@dataclass(frozen=True)
class Fault:
    """SQL that damages an applied database in one place, and the checks that must name it."""

    sql: str
    found: tuple[tuple[str, str, str, str], ...]
    says: str
    superuser: bool = False


def one(sql: str, kind: str, table: str, name: str, outcome: str, says: str, *, superuser: bool = False) -> Fault:
    return Fault(sql, ((kind, table, name, outcome),), says, superuser)


AGENTS, MEMBERS, LOGS = "public.agents", "public.tenant_members", "public.error_logs"
RUNS = "public.workflow_executions"
FAULTS = {
    "policy dropped": one(
        f"drop policy agents_delete on {AGENTS}", "policy", AGENTS, "agents_delete", "missing", "agents"
    ),
    "policy opened": one(
        f"alter policy agents_select on {AGENTS} using (true)", "policy", AGENTS, "agents_select", "differs", "USING"
    ),
    "policy for everybody": one(
        f"alter policy agents_select on {AGENTS} to public", "policy", AGENTS, "agents_select", "differs", "public"
    ),
    "policy of a stranger": one(
        f'create policy "Enable read access for all users" on {LOGS} for select using (true)',
        "policy",
        LOGS,
        "Enable read access for all users",
        "unexpected",
        "OR-ed",
    ),
    "boundary made permissive": one(
        f"""do $$ declare old record; begin
          select pg_get_expr(polqual, polrelid) u, pg_get_expr(polwithcheck, polrelid) c into old from pg_policy
           where polname = 'workflow_executions_tenant_boundary';
          drop policy workflow_executions_tenant_boundary on {RUNS};
          execute format('create policy workflow_executions_tenant_boundary on {RUNS} to authenticated using (%s)
            with check (%s)', old.u, old.c); end $$""",
        "policy",
        RUNS,
        "workflow_executions_tenant_boundary",
        "differs",
        "it is permissive",
    ),
    "row level security off": one(
        f"alter table {AGENTS} disable row level security", "rls", AGENTS, "row level security", "differs", "off"
    ),
    "trigger disabled": one(
        f"alter table {AGENTS} disable trigger update_agents_updated_at",
        "trigger",
        AGENTS,
        "update_agents_updated_at",
        "differs",
        "disabled",
    ),
    "trigger on another event": one(
        f"""drop trigger update_agents_updated_at on {AGENTS};
            create trigger update_agents_updated_at before insert on {AGENTS}
              for each row execute function public.update_updated_at_column()""",
        "trigger",
        AGENTS,
        "update_agents_updated_at",
        "differs",
        "definition",
    ),
    "trigger of a stranger": one(
        f"create trigger spy after insert on {AGENTS} for each row execute function public.update_updated_at_column()",
        "trigger",
        AGENTS,
        "spy",
        "unexpected",
        "nobody expected",
    ),
    "index dropped": one(
        "drop index public.agents_category_idx", "index", AGENTS, "agents_category_idx", "missing", ""
    ),
    "index of another shape": one(
        f"drop index public.agents_category_idx; create index agents_category_idx on {AGENTS} (name)",
        "index",
        AGENTS,
        "agents_category_idx",
        "differs",
        "definition",
    ),
    "index invalid": one(
        "update pg_index set indisvalid = false where indexrelid = 'public.agents_category_idx'::regclass",
        "index",
        AGENTS,
        "agents_category_idx",
        "differs",
        "invalid",
        superuser=True,
    ),
    "column of another type": one(
        f"alter table {AGENTS} alter column version type bigint", "column", AGENTS, "version", "differs", "bigint"
    ),
    "column takes NULL": one(
        f"alter table {AGENTS} alter column name drop not null", "column", AGENTS, "name", "differs", "takes NULL"
    ),
    "default changed": one(
        f"alter table {AGENTS} alter column enabled set default false",
        "column",
        AGENTS,
        "enabled",
        "differs",
        "default",
    ),
    "column of a stranger": one(
        f"alter table {AGENTS} add column note text", "column", AGENTS, "note", "unexpected", "nobody expected"
    ),
    "foreign key without cascade": one(
        f"""alter table {AGENTS} drop constraint agents_tenant_id_fkey;
            alter table {AGENTS} add constraint agents_tenant_id_fkey
              foreign key (tenant_id) references public.tenants (id)""",
        "constraint",
        AGENTS,
        "agents_tenant_id_fkey",
        "differs",
        "definition",
    ),
    "right to anon": one(f"grant select on {LOGS} to anon", "grant", LOGS, "anon", "unexpected", "anon may SELECT"),
    "right past the policies": one(
        f"grant truncate on {AGENTS} to authenticated", "grant", AGENTS, "authenticated", "differs", "TRUNCATE"
    ),
    "right taken": one(
        f"revoke insert on {AGENTS} from authenticated", "grant", AGENTS, "authenticated", "differs", "42501"
    ),
    "column right to the tenant": one(
        f"grant update (tenant_id) on {AGENTS} to authenticated",
        "grant",
        AGENTS,
        "authenticated UPDATE of columns",
        "differs",
        "tenant_id",
    ),
    "right of the service taken": one(
        f"revoke all on {AGENTS} from service_role", "grant", AGENTS, "service_role", "missing", "service_role"
    ),
    "view with its owner's rights": one(
        "alter view public.user_tenants reset (security_invoker)",
        "view",
        "public.user_tenants",
        "public.user_tenants",
        "differs",
        "rights of its owner",
    ),
    "function for everybody": one(
        "grant execute on function public.generate_webhook_secret() to public",
        "function",
        "",
        "public.generate_webhook_secret()",
        "differs",
        "PUBLIC",
    ),
    "function of another body": one(
        """create or replace function public.update_updated_at_column() returns trigger language plpgsql
             set search_path = '' as $$ begin return new; end $$""",
        "function",
        "",
        "public.update_updated_at_column()",
        "differs",
        "body",
    ),
    "function without its search path": one(
        "alter function public.update_updated_at_column() reset search_path",
        "function",
        "",
        "public.update_updated_at_column()",
        "differs",
        "settings",
    ),
    "schema opened": one(
        "grant usage on schema private to authenticated", "schema", "", "private", "differs", "authenticated"
    ),
    "table left out of realtime": one(
        f"alter publication supabase_realtime drop table {RUNS}",
        "publication",
        RUNS,
        "supabase_realtime",
        "missing",
        "",
    ),
    "secrets into realtime": one(
        "alter publication supabase_realtime add table public.webhook_endpoints",
        "publication",
        "public.webhook_endpoints",
        "supabase_realtime",
        "unexpected",
        "must not",
    ),
    "rows filtered in realtime": one(
        f"alter publication supabase_realtime set table {RUNS} where (status = 'failed'), public.agent_executions",
        "publication",
        RUNS,
        "supabase_realtime",
        "differs",
        "not all rows",
    ),
}


@pytest.mark.parametrize("route", ["direct"])
def test_each_single_fault_is_named_and_only_it(make_database: MakeDatabase, bundle: Bundle) -> None:
    """One database, each fault in a savepoint of its own that is undone: a look inside the transaction."""
    database = make_database("applied")
    missed: list[str] = []
    with psycopg.connect(database.admin_dsn, cursor_factory=psycopg.RawCursor) as connection:
        for name, fault in FAULTS.items():
            with connection.transaction(force_rollback=True):
                connection.execute("select set_config('search_path', 'public', true)")
                if not fault.superuser:
                    connection.execute("set local role postgres")
                psycopg.ClientCursor(connection).execute(fault.sql.encode())
                look = _checks_inside(connection, bundle)
                found = tuple((c.object, c.table, c.name, c.outcome) for c in look if not c.ok)
                why = "; ".join(check.why for check in look if not check.ok)
                if found != fault.found or fault.says not in why:
                    missed.append(f"{name}: expected {fault.found} saying {fault.says!r}, found {found} saying {why!r}")
    assert missed == []


async def test_a_broken_database_is_told_fault_by_fault(make_database: MakeDatabase, look_at: LookAt) -> None:
    look = await look_at(make_database("broken").dsn)
    assert failing(look) == [
        ("trigger", "public.agents", "update_agents_updated_at", "differs"),
        ("policy", "public.agent_executions", "Enable read access for all users", "unexpected"),
        ("policy", "public.workflows", "workflows_delete", "missing"),
        ("index", RUNS, "workflow_executions_started_at_idx", "missing"),
        ("rls", "public.usage_metrics", "row level security", "differs"),
        ("policy", "public.telemetry_events", "telemetry_events_select", "differs"),
        ("grant", LOGS, "anon", "unexpected"),
    ]


@pytest.mark.parametrize("route", ["direct"])
async def test_a_database_without_the_publication_is_not_at_fault(make_database: MakeDatabase, look_at: LookAt) -> None:
    database = make_database("applied")
    ask(database.dsn, "drop publication supabase_realtime")
    look = await look_at(database.dsn)
    assert failing(look) == []
    assert "skipped" in by_name(look, "publication", "", "supabase_realtime").actual


@pytest.mark.parametrize("route", ["direct"])
async def test_a_publication_of_a_schema_or_of_everything_is_seen_through(
    make_database: MakeDatabase, look_at: LookAt
) -> None:
    database = make_database("applied")
    for how in ("for tables in schema public", "for all tables"):
        ask(database.admin_dsn, f"drop publication supabase_realtime; create publication supabase_realtime {how}")
        look = await look_at(database.dsn)
        wrong = failing(look)
        assert ("publication", "public.webhook_endpoints", "supabase_realtime", "unexpected") in wrong
        assert {fault[3] for fault in wrong} == {"unexpected"}


async def test_looking_leaves_nothing_behind_and_takes_no_strong_lock(
    make_database: MakeDatabase, look_at: LookAt, bundle: Bundle
) -> None:
    database = make_database("applied")
    before = await look_at(database.dsn)
    for _ in range(2):
        after = await look_at(database.dsn)
    assert {change.kind for change in diff(before.catalog, after.catalog)} == {"unchanged"}
    assert digest(before.catalog) == digest(after.catalog)
    temporary = "select relname from pg_class where relnamespace::regnamespace::text ~ '^pg_temp'"
    assert ask(database.admin_dsn, temporary) == []
    with psycopg.connect(database.direct_dsn, cursor_factory=psycopg.RawCursor) as connection:
        _checks_inside(connection, bundle)
        strong = connection.execute(
            """select c.relname, l.mode from pg_locks l join pg_class c on c.oid = l.relation
                where l.pid = pg_backend_pid() and c.relkind in ('r', 'p', 'v') and l.mode <> 'AccessShareLock'
                  and c.relnamespace in ('public'::regnamespace, 'auth'::regnamespace)"""
        ).fetchall()
        connection.rollback()
    assert strong == []


@pytest.mark.parametrize("route", ["direct"])
def test_the_catalog_read_works_for_a_stranger_and_in_a_read_only_transaction(
    make_database: MakeDatabase, bundle: Bundle
) -> None:
    database = make_database("applied")
    with psycopg.connect(database.admin_dsn, cursor_factory=psycopg.RawCursor) as connection:
        connection.execute("begin read only")
        connection.execute("set local search_path = ''")
        full = _catalog(connection, bundle)
        connection.execute("set local role supabase_read_only_user")
        strange = _catalog(connection, bundle)
    assert digest(strange) == digest(full)
    assert all(table.usable for table in full.tables) and not any(table.usable for table in strange.tables)


@pytest.mark.parametrize("route", ["direct"])
def test_nothing_asked_is_nothing_answered(make_database: MakeDatabase) -> None:
    database = make_database("bare")
    empty = {"tables": [], "views": [], "functions": [], "publications": [], "schemas": [], "roles": [], "twin": False}
    names = {"tables": ["nope.nope", "public.\"x'", "a.b.c"], "functions": ["nope.f(int)"], "schemas": ["no' or 1"]}
    with psycopg.connect(database.dsn, cursor_factory=psycopg.RawCursor) as connection:
        connection.execute("set local search_path = ''")
        for asked in (empty, empty | names):
            row = connection.execute(query("catalog"), (json.dumps(asked),)).fetchone()
            assert row is not None and decode(row[0]) == Catalog()


@pytest.mark.parametrize("route", ["direct"])
def test_odd_names_and_kinds_are_read_as_they_are(make_database: MakeDatabase) -> None:
    """Quoted names, an identity, a generated column, a dropped one, an exclusion, a constraint trigger, an overload."""
    database = make_database("bare")
    schema = quote_ident('odd "one"')
    odd, relation = 'odd "one".ta.ble', f'{schema}."ta.ble"'
    setup = '''
        create schema $s;
        create table $s."ta.ble" (
          gone int, id bigint generated always as identity, twice bigint generated always as (2 * 3) stored,
          span int4range, "A b" text default 'x''y', unique (id), exclude using gist (span with &&));
        alter table $s."ta.ble" drop column gone;
        create function $s.f(int, p text) returns text[] language sql stable begin atomic select array[p]; end;
        create function $s.f(int) returns void language plpgsql as 'begin end';
        create function $s.t() returns trigger language plpgsql as 'begin return null; end';
        create constraint trigger "T r" after insert on $s."ta.ble" deferrable initially deferred
          for each row execute function $s.t();
        create policy "p ""q""" on $s."ta.ble" to anon, authenticated using ("A b" = 'y');
        comment on policy "p ""q""" on $s."ta.ble" is 'said';
        grant select ("A b") on $s."ta.ble" to anon with grant option;
        grant usage on schema $s to public;
    '''.replace("$s", schema)
    asked: dict[str, Any] = {
        "tables": [odd],
        "views": [],
        "functions": ['odd "one".f(integer, p text)', 'odd "one".f(integer)'],
        "publications": [],
        "schemas": ['odd "one"'],
        "roles": ["public", "anon"],
        "twin": False,
    }
    with psycopg.connect(database.dsn, cursor_factory=psycopg.RawCursor) as connection:
        psycopg.ClientCursor(connection).execute(setup.encode())
        connection.execute("select set_config('search_path', '', true)")
        row = connection.execute(query("catalog"), (json.dumps(asked),)).fetchone()
        connection.rollback()
    assert row is not None
    catalog = decode(row[0])
    (table,) = catalog.tables
    assert table.name == odd
    assert [(c.name, c.type, c.identity, c.generated) for c in table.columns] == [
        ("id", "bigint", "a", ""),
        ("twice", "bigint", "", "s"),
        ("span", "int4range", "", ""),
        ("A b", "text", "", ""),
    ]
    assert sorted(constraint.kind for constraint in table.constraints) == ["exclusion", "trigger", "unique"]
    assert table.indexes == ()
    (trigger,) = table.triggers
    assert trigger.name == "T r"
    assert trigger.definition.startswith(f"AFTER INSERT ON {relation} DEFERRABLE INITIALLY DEFERRED")
    (policy,) = table.policies
    assert (policy.name, policy.roles, policy.comment) == ('p "q"', ("anon", "authenticated"), "said")
    assert [(g.grantee, g.column, g.grantable) for g in table.grants if g.column] == [("anon", "A b", True)]
    assert [(f.name, f.volatility) for f in catalog.functions] == [
        ('odd "one".f(integer)', "volatile"),
        ('odd "one".f(integer, p text)', "stable"),
    ]
    assert "SELECT" in catalog.functions[1].body
    assert catalog.schemas[0].usage == ("public",)


@pytest.mark.parametrize("route", ["direct"])
def test_a_twin_that_can_not_be_made_does_not_take_others_with_it(make_database: MakeDatabase) -> None:
    statements = [
        {"key": "table public.a", "sql": 'create table pg_temp."a" (id int)'},
        {"key": "policy bad on public.a", "sql": 'create policy bad on pg_temp."a" using (nope)'},
        {
            "key": "policy soon on public.a",
            "sql": 'create policy soon on pg_temp."a" using (id in (table public.later))',
        },
        {"key": "policy good on public.a", "sql": 'create policy good on pg_temp."a" using (id > 0)'},
        {"key": "table public.b", "sql": 'create table pg_temp."b" (id nope)'},
        {"key": "index b_idx on public.b", "sql": 'create index b_idx on pg_temp."b" (id)'},
        {"key": "table public.c", "sql": 'create table pg_temp."c" (id int default 1)'},
        {"key": "view public.v", "sql": 'create temporary view "v" as select id from pg_temp."c"'},
    ]
    asked = {
        "tables": ["public.a", "public.b", "public.c"],
        "views": ["public.v"],
        "functions": ["auth.uid()"],
        "publications": ["supabase_realtime"],
        "schemas": ["public"],
        "roles": [],
        "twin": True,
    }
    database = make_database("bare")
    with psycopg.connect(database.dsn, cursor_factory=psycopg.RawCursor) as connection:
        connection.execute("select set_config('search_path', '', true)")
        twins, failed = _twins(connection, statements, json.dumps(asked))
        left = _value(connection, "select count(*) from pg_class where relnamespace = pg_my_temp_schema()")
        connection.execute("create table public.later (id int)")
        again, still = _twins(connection, statements, json.dumps(asked), again=True)
    never = {"table public.b", "index b_idx on public.b", "policy bad on public.a"}
    assert set(failed) == {*never, "policy soon on public.a"}
    assert failed["policy bad on public.a"].startswith("42703 ")
    assert failed["index b_idx on public.b"] == failed["table public.b"]
    assert [table.name for table in twins.tables] == ["public.a", "public.c"]
    assert [policy.name for policy in twins.tables[0].policies] == ["good"]
    assert "pg_temp" not in twins.views[0].definition
    assert left == "0", "the twins are undone by the statement that makes them"
    assert set(still) == never
    assert [table.name for table in again.tables] == ["public.a"], "only what failed, and what it hangs on"
    assert [policy.name for policy in again.tables[0].policies] == ["soon"]
    assert not (twins.functions or twins.publications or twins.schemas)


@pytest.mark.parametrize("route", ["direct"])
def test_the_facts_tell_who_is_in_the_way_and_what_is_not_allowed(make_database: MakeDatabase, bundle: Bundle) -> None:
    database = make_database("legacy")
    with (
        psycopg.connect(database.dsn, application_name="cron job") as reader,
        psycopg.connect(database.dsn, application_name="patchdeck apply dana@bastion") as runner,
        psycopg.connect(database.admin_dsn, cursor_factory=psycopg.RawCursor) as connection,
    ):
        reader.execute("select * from public.tenants")
        runner.execute("select pg_advisory_xact_lock(hashtextextended('patchdeck.run', 0))")
        connection.execute("set local role postgres")
        facts = _facts(connection, bundle)
        connection.execute("set local role supabase_read_only_user")
        stranger = _facts(connection, bundle)
    (session,) = facts.sessions
    assert (session.application, session.state) == ("cron job", "idle in transaction")
    assert (session.relation, session.mode) == ("public.tenants", "AccessShareLock")
    assert facts.runner is not None and facts.runner.application == "patchdeck apply dana@bastion"
    assert set(bundle.manifest.prerequisites.roles) == set(facts.roles)
    assert facts.functions == bundle.manifest.prerequisites.functions
    assert facts.create_in_database and not (facts.no_references or facts.not_owned or facts.no_publication)
    assert all(relation.lockable and relation.rows >= 0 for relation in facts.relations)
    assert not stranger.create_in_database and "auth.users" in stranger.no_references
    assert stranger.no_publication == ("supabase_realtime",)
    assert not any(relation.lockable for relation in stranger.relations)


async def test_preflight_and_plan_on_a_legacy_database(
    make_database: MakeDatabase, look_at: LookAt, bundle: Bundle
) -> None:
    database = make_database("legacy")
    look = await look_at(database.dsn)
    with psycopg.connect(database.direct_dsn, cursor_factory=psycopg.RawCursor) as connection:
        facts = _facts(connection, bundle)
    checks = check_preflight(facts, bundle, look.server, look.catalog, "apply")
    loud = [(check.name, check.level) for check in checks if check.level != "pass"]
    assert loud == [("policies to be dropped", "warn")]
    items = preview(bundle.patch.statements, bundle.expectation, look.catalog, "apply")
    dropped = [item for item in items if item.verb == "drop"]
    assert [item.object for item in dropped] == [
        f"policy Users can insert own executions on {RUNS}",
        f"policy Users can view own executions on {RUNS}",
    ]
    assert dropped[1].definition == "permissive for select to public using (auth.uid() = user_id)"
    created = {item.object for item in items if item.verb == "create"}
    assert created >= {f"table {AGENTS}", f"column {RUNS}.tenant_id", "view public.user_tenants", "schema private"}
    assert len({item.object for item in items}) == len(items)


async def test_on_an_applied_database_preflight_passes_and_the_plan_creates_and_drops_nothing(
    make_database: MakeDatabase, look_at: LookAt, bundle: Bundle
) -> None:
    database = make_database("applied")
    look = await look_at(database.dsn)
    with psycopg.connect(database.direct_dsn, cursor_factory=psycopg.RawCursor) as connection:
        facts = _facts(connection, bundle)
    actions: tuple[Literal["apply", "rollback"], ...] = ("apply", "rollback")
    for action in actions:
        checks = check_preflight(facts, bundle, look.server, look.catalog, action)
        assert {check.level for check in checks} == {"pass"}
    items = preview(bundle.patch.statements, bundle.expectation, look.catalog, "apply")
    assert [item for item in items if item.verb in ("create", "drop")] == []
    gone = preview(bundle.rollback.statements, bundle.expectation, look.catalog, "rollback")
    policies = sum(len(table.policies) for table in bundle.expectation.tables)
    assert sum(item.object.startswith("policy ") for item in gone) == policies
    assert all(item.verb == "drop" and item.definition for item in gone)


def test_the_catalog_read_is_cheap(make_database: MakeDatabase, bundle: Bundle, cluster: Cluster) -> None:
    """Sent every few seconds: the server's work for it stays below what anybody would notice."""
    database = make_database("applied")
    with psycopg.connect(database.direct_dsn, cursor_factory=psycopg.RawCursor) as connection:
        connection.execute("set local search_path = ''")
        explained = "explain (analyze, buffers, timing off, format json) " + query("catalog")
        for _ in range(2):
            # The second time the catalogs' own caches are warm, as they are for a look every few seconds.
            (plan,) = connection.execute(explained.encode(), (_asked(bundle),)).fetchone() or ([],)
        blocks = plan[0]["Plan"]["Shared Hit Blocks"] + plan[0]["Plan"]["Shared Read Blocks"]
        size = len(_value(connection, query("catalog"), _asked(bundle)))
    assert blocks < 6_000, f"{blocks} blocks on {cluster.id}"
    assert size < 80_000
    assert plan[0]["Plan"]["Total Cost"] < 100_000, "above jit_above_cost the server would compile the query every time"


def _checks_inside(connection: psycopg.Connection[Any], bundle: Bundle) -> tuple[Check, ...]:
    """The checks of what stands inside the open transaction of `connection`, by the product's own statements."""
    connection.execute("select set_config('search_path', '', true)")
    live = _catalog(connection, bundle)
    statements = [{"key": statement.key, "sql": statement.sql} for statement in twin_statements(bundle.expectation)]
    return compare(bundle.expectation, live, *_twins(connection, statements, _asked(bundle, twin=True)))


def _twins(
    connection: psycopg.Connection[Any], statements: list[dict[str, str]], asked: str, *, again: bool = False
) -> tuple[Catalog, dict[str, str]]:
    """The twins that could be made of `statements`, and why the others could not."""
    settings = {
        "twin": json.dumps(statements), "catalog_query": query("catalog"), "twin_wanted": asked,
        "twin_again": "on" if again else "off",
    }  # fmt: skip
    for name, value in settings.items():
        connection.execute("select set_config($1, $2, true)", (f"patchdeck.{name}", value))
    connection.execute(query("twin"))
    failed, catalog = (
        _value(connection, f"select current_setting('patchdeck.{it}')") for it in ("twin_failed", "twin_catalog")
    )
    return decode(catalog or "{}"), json.loads(failed)


def _asked(bundle: Bundle, *, twin: bool = False) -> str:
    expectation = bundle.expectation
    return json.dumps(
        {
            "tables": [table.name for table in expectation.tables],
            "views": [view.name for view in expectation.views],
            "functions": [function.name for function in expectation.functions],
            "publications": [publication.name for publication in expectation.publications],
            "schemas": [schema.name for schema in expectation.schemas],
            "roles": ["public", "anon", "authenticated", "service_role"],
            "twin": twin,
        }
    )


def _catalog(connection: psycopg.Connection[Any], bundle: Bundle, *, twin: bool = False) -> Catalog:
    return decode(_value(connection, query("catalog"), _asked(bundle, twin=twin)))


def _facts(connection: psycopg.Connection[Any], bundle: Bundle) -> Facts:
    connection.execute("select set_config('search_path', '', true)")
    return decode_facts(_value(connection, query("facts"), json.dumps(facts_request(bundle))))


def _value(connection: psycopg.Connection[Any], sql: str, *parameters: str) -> str:
    row = connection.execute(sql.encode(), parameters).fetchone()
    assert row is not None
    return str(row[0])
