"""A glance recognises the catalog that an apply left, and nothing that differs from it in any way."""

from __future__ import annotations

from collections.abc import AsyncIterator

import psycopg
import pytest
from msgspec.structs import replace

from tests.db.faults import FAULTS
from tests.db.test_applier import run
from tests.support import Cluster, Database, ask
from tui.core.bundle import Bundle
from tui.core.catalog import Catalog
from tui.core.run import Outcome, Plan
from tui.core.surface import digest
from tui.db import probe
from tui.db.batch import Command, set_local
from tui.db.glance import Glance
from tui.db.link import Link
from tui.db.probe import LOOK_LIMITS, fingerprint_commands, look_commands, read_look
from tui.db.sight import Shared
from tui.db.target import resolve

KEPT = "select coalesce(fingerprint, '') from patchdeck.runs order by finished_at"
MARKED = """
    update patchdeck.runs
       set surface_after = jsonb_set(surface_after, '{tables,0,comment}', '"taken from the record"')
"""
"""Makes the record another than the catalog: it shows where a glance took what it says from."""

OTHER = "create table public.other (id uuid primary key, tenant_id uuid)"

CHECK = "alter table public.agents add constraint odd check (name <> 'x')"
TRIGGER = (
    "create trigger odd before update on public.agents for each row execute function public.update_updated_at_column()"
)

CHANGES = {
    "a column's name": ("", "alter table public.agents rename column name to called"),
    "a column's type": ("", "alter table public.agents alter column name type varchar(999)"),
    "a column's default": ("", "alter table public.agents alter column name set default 'x'"),
    "not null": ("", "alter table public.tenant_members alter column role drop not null"),
    "a constraint's name": (CHECK, "alter table public.agents rename constraint odd to even"),
    "a constraint that is valid now": (f"{CHECK} not valid", "alter table public.agents validate constraint odd"),
    "a trigger's name": (TRIGGER, "alter trigger odd on public.agents rename to even"),
    "a trigger that is off": (TRIGGER, "alter table public.agents disable trigger odd"),
    "a policy's name": ("", "alter policy agents_select on public.agents rename to even"),
    "a policy's rule": ("", "alter policy agents_select on public.agents using (true)"),
    "a rule": ("", "create rule odd as on delete to public.agents do instead nothing"),
    "whom row level security is for": ("", "alter table public.agents force row level security"),
    "rights on a table": ("", "grant truncate on public.agents to anon"),
    "rights on a column": ("", "grant update (id) on public.agents to authenticated"),
    "rights on a function": ("", "grant execute on function public.generate_webhook_secret() to anon"),
    "rights on a schema": ("", "grant usage on schema private to anon"),
    "a function's owner": ("", "alter function public.generate_webhook_secret() owner to supabase_admin"),
    "a function's setting": ("", "alter function public.generate_webhook_secret() set work_mem = '5MB'"),
    "a schema's owner": ("", "alter schema private owner to supabase_admin"),
    "a publication's owner": ("", "alter publication supabase_realtime owner to supabase_admin"),
    "a view's name": ("", "alter view public.user_tenants rename to other"),
    "a view that came": (
        "alter view public.user_tenants rename to other",
        "alter view public.other rename to user_tenants",
    ),
    "the column of another table that a policy reads": (
        f"{OTHER};; create policy odd on public.agents using (id in (select o.id from public.other o))",
        "alter table public.other rename column id to key",
    ),
    "another table that a policy reads": (
        f"{OTHER};; create policy odd on public.agents using (id in (select o.id from public.other o))",
        "alter table public.other set schema private",
    ),
    "a function that a policy calls": (
        "create function private.yes() returns boolean language sql as 'select true';;"
        " create policy odd on public.agents using (private.yes())",
        "alter function private.yes() rename to no",
    ),
    "a role that a policy is for": ("", "alter role authenticated rename to signed_in"),
    "a role that holds rights": ("", "alter role service_role rename to servant"),
    "the label of a default": (
        "create type public.mood as enum ('good', 'bad');;"
        " alter table public.agents add column mood public.mood default 'good'",
        "alter type public.mood rename value 'good' to 'fine'",
    ),
    "a label in the list of a default": (
        "create type public.mood as enum ('good', 'bad');;"
        " alter table public.agents add column moods public.mood[] default '{good}'",
        "alter type public.mood rename value 'good' to 'fine'",
    ),
    "an index": ("create index odd on public.agents (name)", "alter index public.odd rename to even"),
    "an index's option": ("create index odd on public.agents (name)", "alter index public.odd set (fillfactor = 50)"),
    "the name of a column's type": (
        "create domain public.mail as text;; alter table public.agents add column mail public.mail",
        "alter domain public.mail rename to post",
    ),
    "the sequence of a default": (
        "create sequence public.counter;;"
        " alter table public.agents add column number bigint default nextval('public.counter')",
        "alter sequence public.counter rename to meter",
    ),
    "the column that a foreign key points to": (
        f"{OTHER};; alter table public.agents add column other uuid references public.other (id)",
        "alter table public.other rename column id to key",
    ),
    "a schema": ("", "alter schema private rename to hidden"),
    "a table beside it in the publication": (
        f"{OTHER};; alter publication supabase_realtime add table public.other (id)",
        "alter table public.other rename to another",
    ),
    "a column in the publication": (
        f"{OTHER};; alter publication supabase_realtime add table public.other (id)",
        "alter table public.other rename column id to key",
    ),
    "a publication's schema": ("", "alter publication supabase_realtime add tables in schema public"),
    "the function of a trigger": (
        "create function private.touch() returns trigger language plpgsql as 'begin return new; end';;"
        " create trigger odd before update on public.agents for each row execute function private.touch()",
        "alter function private.touch() rename to poke",
    ),
    "a table in the body of a function": (
        f"{OTHER};; create or replace function public.generate_webhook_secret() returns text language sql"
        " begin atomic select o.id::text from public.other o; end",
        "alter table public.other rename to another",
    ),
    "whose rights the role has that reads": (
        "create role keeper;; grant keeper to postgres;; alter table public.agents owner to keeper",
        "revoke keeper from postgres",
    ),
    "whether the role that reads inherits them": (
        "create role keeper;; grant keeper to postgres;; alter table public.agents owner to keeper",
        """
        do $$
        begin
            if current_setting('server_version_num')::int < 160000 then
                alter role postgres noinherit;
            else
                execute 'grant keeper to postgres with inherit false';
            end if;
        end
        $$
        """,
    ),
    "a table's comment": ("", "comment on table public.agents is 'x'"),
    "a column's comment": ("", "comment on column public.agents.id is 'x'"),
    "a policy's comment": ("", "comment on policy agents_select on public.agents is 'x'"),
    "a function's comment": ("", "comment on function public.generate_webhook_secret() is 'x'"),
    "a view's comment": ("", "comment on view public.user_tenants is 'x'"),
    "a view's option": ("", "alter view public.user_tenants set (security_barrier = true)"),
    "an owner": ("", "alter table public.agents owner to supabase_admin"),
    "a column that is gone": ("", "alter table public.tenant_members drop column role cascade"),
}
"""What changes the catalog that is read, often in a row that belongs to something else: what was there, the change."""

UNVOUCHED = (
    "create collation public.odd (locale = 'C');; create index odd on public.agents (name collate public.odd)",
    "create operator class public.odd for type text using btree as"
    " operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >, function 1 bttextcmp(text, text);;"
    " create index odd on public.agents (name public.odd)",
)
"""What definitions may hang on without a fingerprint saying so."""

direct = pytest.mark.parametrize("route", ["direct"])


class Reader:
    """A superuser's connection, on which the fingerprint and the catalog are read as the owner reads them."""

    def __init__(self, database: Database, bundle: Bundle) -> None:
        self._link, self._bundle = Link(resolve(database.admin_dsn, environ={})), bundle

    async def open(self) -> Reader:
        await self._link.open()
        return self

    async def close(self) -> None:
        await self._link.close()

    async def read(self, *stages: str) -> list[tuple[str, Catalog]]:
        """Both after each of `stages`: statements parted by `;;`, in a transaction that is undone. Raises
        StatementError.

        A stage has a transaction id of its own: what is changed twice under the same one looks unchanged to a
        fingerprint, which in earnest is only ever taken of what was committed.
        """
        settings = probe._reading(self._bundle) | {"search_path": ""}
        commands, first = [Command("begin")], []
        for stage in stages:
            commands += [Command("savepoint stage"), *(Command(part) for part in stage.split(";;") if part.strip())]
            commands += [Command("set local role postgres"), set_local(LOOK_LIMITS | settings)]
            commands += [Command(probe.query("fingerprint")), *look_commands(self._bundle, twin=False)[1:-1]]
            first.append(len(commands) - 6)
            commands.append(Command("set local role none"))
        try:
            replies = await self._link.batch(commands, silence=60)
        finally:
            await self._link.run("rollback")
        # Where look_commands begins its own transaction stands the fingerprint.
        return [(replies[at].value, read_look(replies[at:], twin=False).catalog) for at in first]


@pytest.fixture
async def reader(applied: Database, bundle: Bundle) -> AsyncIterator[Reader]:
    opened = await Reader(applied, bundle).open()
    yield opened
    await opened.close()


async def source(database: Database, bundle: Bundle, *, read_only: bool = False, dsn: str = "") -> tuple[str, int]:
    """Where a first glance had the catalog from, and the round trips it took."""
    target = resolve(dsn or database.dsn, environ={}, read_only=read_only)
    looking = Glance(target, bundle, by_record=True)
    try:
        look = await looking.look()
        comment = look.catalog.tables[0].comment
        return "record" if comment == "taken from the record" else "catalog", looking._looks.round_trips
    finally:
        await looking.close()


async def test_what_an_apply_left_is_recognised_in_one_round_trip(applied: Database, bundle: Bundle) -> None:
    ask(applied.admin_dsn, MARKED)
    assert await source(applied, bundle) == ("record", 1)
    assert await source(applied, bundle, read_only=True) == ("record", 1)


@direct
async def test_of_many_databases_one_that_is_not_recognised_takes_a_round_trip_more(
    applied: Database, bundle: Bundle
) -> None:
    async def glance() -> tuple[list[str], int]:
        looking = Glance(resolve(applied.dsn, environ={}), bundle, by_record=True, shared=Shared(bundle))
        try:
            look = await looking.look()
            return [check.name for check in look.checks if not check.ok], looking._looks.round_trips
        finally:
            await looking.close()

    assert await glance() == ([], 1)
    ask(applied.admin_dsn, "alter policy agents_select on public.agents to anon")
    # As recorded it is unlike what stands there, so that twins have the last word.
    assert await glance() == (["agents_select"], 3)


@direct
async def test_rows_and_housekeeping_are_no_change(applied: Database, bundle: Bundle, reader: Reader) -> None:
    kept = ask(applied.admin_dsn, KEPT)
    with psycopg.connect(applied.admin_dsn, autocommit=True) as admin:
        admin.execute("insert into public.tenants (name, slug) values ('more', 'more')")
        for housekeeping in ("analyze", "vacuum", "vacuum freeze pg_policy", "vacuum full pg_attribute", "checkpoint"):
            admin.execute(housekeeping.encode())
    [(fingerprint, _)] = await reader.read("")
    assert [(fingerprint,)] == kept
    ask(applied.admin_dsn, MARKED)
    assert (await source(applied, bundle))[0] == "record"


@direct
async def test_no_fault_is_taken_for_what_was_left(reader: Reader) -> None:
    """The single faults that structure and safety have to name."""
    [(sound, catalog)] = await reader.read("")
    assert sound
    same = []
    for fault in FAULTS:
        [(fingerprint, faulty)] = await reader.read(fault.sql)
        if fingerprint == sound and digest(faulty) != digest(catalog):
            same.append(str(fault))
    assert same == []


@direct
async def test_what_was_changed_is_not_taken_for_what_was_left(reader: Reader) -> None:
    wrong = {}
    for what, (before, change) in CHANGES.items():
        (sound, catalog), (changed, other) = await reader.read(before, change)
        if not sound or other == catalog or changed == sound:
            wrong[what] = (sound, "another catalog" if other != catalog else "no change of the catalog", changed)
    assert wrong == {}


@direct
async def test_there_is_no_fingerprint_where_it_could_not_vouch(reader: Reader) -> None:
    assert [(await reader.read(there))[0][0] for there in UNVOUCHED] == ["", ""]


@direct
async def test_another_release_does_not_recognise_what_it_would_read_otherwise(
    reader: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    [(here, _)] = await reader.read("")
    honest = probe.query
    monkeypatch.setattr(probe, "query", lambda name: honest(name) + (" -- and more" if name == "catalog" else ""))
    [(there, _)] = await reader.read("")
    assert here
    assert there not in ("", here)


@direct
async def test_another_role_reads_for_itself(applied: Database, bundle: Bundle, cluster: Cluster) -> None:
    ask(applied.admin_dsn, MARKED)
    ask(applied.admin_dsn, "grant usage on schema patchdeck to supabase_admin")
    assert (await source(applied, bundle, dsn=cluster.address.admin_dsn(applied.name)))[0] == "catalog"


@direct
async def test_a_run_gets_no_fingerprint_where_the_catalog_is_not_what_it_recorded(
    applied: Database, bundle: Bundle
) -> None:
    """Somebody was there between COMMIT and the look after it."""
    run_id = ask(applied.admin_dsn, "update patchdeck.runs set fingerprint = null returning run_id::text")[0][0]
    ask(applied.admin_dsn, "alter table public.agents disable row level security")
    link = Link(resolve(applied.dsn, environ={}))
    await link.open()
    try:
        await link.batch(fingerprint_commands(bundle, run_id))
        assert ask(applied.admin_dsn, KEPT) == [("",)]
        ask(applied.admin_dsn, "alter table public.agents enable row level security")
        await link.batch(fingerprint_commands(bundle, run_id))
        assert ask(applied.admin_dsn, KEPT) != [("",)]
    finally:
        await link.close()


@direct
async def test_a_ledger_of_an_earlier_release_is_read_and_mended(applied: Database, bundle: Bundle) -> None:
    ask(applied.admin_dsn, "alter table patchdeck.runs drop column fingerprint")
    ask(applied.admin_dsn, MARKED)
    assert await source(applied, bundle) == ("catalog", 1)
    again = replace(Plan(bundle, confirmed=applied.name), again=True)
    finished, _, _ = await run(resolve(applied.dsn, environ={}), again)
    assert finished.outcome is Outcome.COMMITTED, finished
    first, second = (kept for (kept,) in ask(applied.admin_dsn, KEPT))
    assert first == ""
    assert second
