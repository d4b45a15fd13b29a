"""Restore on real servers: everything from before the apply comes back exactly, or nothing is committed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from tests.cli.support import schema_of
from tests.support import BUNDLE, Database, MakeDatabase, ask
from tui.core.bundle import Bundle, load
from tui.core.catalog import Catalog
from tui.core.deck import Control
from tui.core.restore import plain
from tui.core.run import Event, Finished, Outcome, Plan, RollbackMode, RunState, WaitingForLock, advance
from tui.core.surface import surface
from tui.db import applier
from tui.db.session import Session
from tui.db.target import resolve
from tui.files import Folder

ANNEX = Path(__file__).parent.parent / "bundles" / "annex"


def annex(**changed: str) -> Bundle:
    """The bundle that changes nearly everything; a keyword such as ROLLBACK adds a statement to that file."""
    files = dict(Folder(ANNEX))
    for name, more in changed.items():
        files[f"{name}.sql"] += more
    return load(files)


def migration() -> Bundle:
    return load(dict(Folder(BUNDLE)))


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    made = make_database("bare")
    ask(made.dsn, (ANNEX / "BEFORE.sql").read_text(encoding="utf-8"))
    return made


async def run(database: Database, plan: Plan) -> tuple[Finished, RunState]:
    state, seen = RunState(total=len(plan.statements)), list[Event]()
    async for event in applier.run(resolve(database.dsn, environ={}), plan, Control()):
        seen.append(event)
        state = advance(state, event)
    assert state.finished is not None
    return state.finished, state


async def apply(database: Database, bundle: Bundle, **options: bool) -> None:
    finished, state = await run(database, Plan(bundle, confirmed=database.name, **options))  # type: ignore[arg-type]
    failed = [check for check in state.checks if not check.ok]
    assert finished.outcome is Outcome.COMMITTED, (finished.reason, failed, state.failure)


def back(database: Database, bundle: Bundle, mode: RollbackMode = "restore") -> Plan:
    return Plan(bundle, action="rollback", mode=mode, confirmed=database.name)


async def look(database: Database, bundle: Bundle) -> Catalog:
    session = Session(resolve(database.dsn, environ={}), bundle)
    try:
        return (await session.look()).catalog
    finally:
        await session.close()


def missing(before: Catalog, after: Catalog) -> dict[str, tuple[str, str]]:
    """What was there before and is not the same now."""
    here = surface(plain(after))
    return {
        label: (text, here.get(label, "")) for label, text in surface(plain(before)).items() if here.get(label) != text
    }


def grantees(catalog: Catalog) -> set[str]:
    """Everybody but the owners who may do anything with any of it."""
    held = [grant for table in catalog.tables for grant in table.grants]
    held += [grant for view in catalog.views for grant in view.grants]
    held += [grant for function in catalog.functions for grant in function.grants]
    return {grant.grantee for grant in held}


def dump(database: Database) -> list[str]:
    """The schema as pg_dump writes it, which knows nothing of our catalog query."""
    return [line for line in schema_of(database.admin_dsn).splitlines() if line and not line.startswith("--")]


async def test_everything_comes_back_exactly(database: Database) -> None:
    bundle = annex()
    before, dumped = await look(database, bundle), dump(database)
    await apply(database, bundle)
    applied = await look(database, bundle)
    assert len(missing(before, applied)) > 15

    rehearsed, state = await run(database, replace(back(database, bundle), rehearse=True))
    assert rehearsed.outcome is Outcome.REHEARSED, (rehearsed.reason, state.failure)
    assert missing(applied, await look(database, bundle)) == {}

    finished, state = await run(database, back(database, bundle))
    assert finished.outcome is Outcome.COMMITTED, (finished.reason, state.failure)
    assert finished.verdict is not None
    assert finished.verdict.state == "rolled_back"
    assert "(restore)" in finished.verdict.sentence
    after = await look(database, bundle)
    assert missing(before, after) == {}
    new = set(surface(plain(after))) - set(surface(plain(before)))
    assert {label.partition(" ")[0] for label in new} == {"table", "column", "constraint", "index"}
    # The last line of a CREATE TABLE gets a comma when a column follows; nothing else of the old dump is lost.
    lost = Counter(dumped) - Counter(dump(database))
    assert all("touched_at timestamp with time zone" in line for line in lost), lost
    more = Counter(dump(database)) - Counter(dumped)
    strange = [
        line for line in more if line.startswith(("GRANT", "REVOKE", "CREATE POLICY")) and "patchdeck" not in line
    ]
    assert strange == []
    assert ask(database.dsn, "select mode from patchdeck.runs order by finished_at") == [("",), ("restore",)]


async def test_a_closed_restore_opens_nothing(database: Database) -> None:
    bundle = annex()
    before = await look(database, bundle)
    await apply(database, bundle)
    session = Session(resolve(database.dsn, environ={}), bundle)
    preview = await session.preview(back(database, bundle, "restore-closed"))
    await session.close()
    assert preview.restore is not None
    assert {loss.object for loss in preview.restore.withheld} >= {
        "row level security on public.rooms",
        "grant SELECT to public on public.shelves",
        'grant INSERT to anon on public.shelves.Odd "col"',
        "grant SELECT to anon on public.shelf_list",
        "grant EXECUTE to anon on public.stamp()",
    }
    finished, state = await run(database, replace(back(database, bundle, "restore-closed"), restore=preview.restore))
    assert finished.outcome is Outcome.COMMITTED, (finished.reason, state.failure)
    assert finished.verdict is not None
    assert finished.verdict.state == "rolled_back"
    assert "public.rooms" in finished.next_step
    after = await look(database, bundle)
    assert all(table.rls for table in after.tables)
    assert grantees(after) == {"authenticated", "service_role"}
    for label in missing(before, after):
        assert label in ("table public.rooms", "function public.stamp()") or label.startswith(
            ("grant anon", "grant public")
        )
    # What anybody who has not signed in can reach, asked from outside.
    for relation in ("shelves", "rooms", "tags", "shelf_list", "a_list"):
        rights = ask(
            database.dsn, f"select has_any_column_privilege('anon', 'public.{relation}', 'SELECT, INSERT, UPDATE')"
        )
        assert rights == [(False,)]

    # The other restore is still possible from here, and then everything is back.
    finished, _ = await run(database, back(database, bundle))
    assert finished.outcome is Outcome.COMMITTED, finished.reason
    assert missing(before, await look(database, bundle)) == {}
    finished, _ = await run(database, back(database, bundle))
    assert (finished.outcome, finished.ran) == (Outcome.COMMITTED, False)


@pytest.mark.parametrize("between", ["again", "lock"])
async def test_the_first_record_counts(database: Database, between: str) -> None:
    """An apply that is repeated, and a rollback that only locked, recorded the patch's own doing."""
    bundle = annex()
    before = await look(database, bundle)
    await apply(database, bundle)
    if between == "again":
        await apply(database, bundle, again=True)
    else:
        finished, _ = await run(database, back(database, bundle, "lock"))
        assert finished.outcome is Outcome.COMMITTED
    finished, state = await run(database, back(database, bundle))
    assert finished.outcome is Outcome.COMMITTED, (finished.reason, state.failure)
    assert missing(before, await look(database, bundle)) == {}


async def test_after_a_restore_the_patch_can_be_applied_and_taken_back_again(database: Database) -> None:
    bundle = annex()
    before = await look(database, bundle)
    modes: tuple[RollbackMode, ...] = ("restore", "restore-closed", "restore")
    for mode in modes:
        await apply(database, bundle)
        finished, state = await run(database, back(database, bundle, mode))
        assert finished.outcome is Outcome.COMMITTED, (mode, finished.reason, state.failure)
        if mode == "restore-closed":
            closed = await look(database, bundle)
    # A closed state that was applied upon is what comes back after that.
    assert missing(closed, await look(database, bundle)) == {}
    assert missing(before, closed) != {}


async def test_drift_is_refused_and_shown(database: Database) -> None:
    bundle = annex()
    await apply(database, bundle)
    ask(database.dsn, "alter policy shelves_read on public.shelves using (true)")
    drifted = await look(database, bundle)
    finished, state = await run(database, back(database, bundle))
    assert finished.outcome is Outcome.REFUSED
    assert (state.attempts, state.done) == (0, 0)
    for words in ("policy shelves_read on public.shelves", "tag IS NOT NULL", "using (true)"):
        assert words in finished.reason
    assert missing(drifted, await look(database, bundle)) == {}
    assert ask(database.dsn, "select count(*) from patchdeck.runs") == [(1,)]


async def test_without_a_record_there_is_no_way(database: Database) -> None:
    bundle = annex()
    ask(database.dsn, (ANNEX / "PATCH.sql").read_text(encoding="utf-8"))
    finished, _ = await run(database, back(database, bundle))
    assert finished.outcome is Outcome.REFUSED
    assert "is not known" in finished.reason


async def test_a_result_that_is_not_the_record_is_not_committed(database: Database) -> None:
    """The rollback file does more than can be foreseen: the comparison finds it, and nothing stays."""
    bundle = annex()
    await apply(database, bundle)
    applied = await look(database, bundle)
    more = "\ndo $$ begin comment on column public.shelves.name is 'whatever'; end $$;\n"
    finished, state = await run(database, back(database, annex(ROLLBACK=more)))
    assert finished.outcome is Outcome.ROLLED_BACK, finished.reason
    failed = [check for check in state.checks if not check.ok]
    assert [(check.object, check.name, check.outcome) for check in failed] == [
        ("column", "public.shelves.name", "differs")
    ]
    assert missing(applied, await look(database, bundle)) == {}
    assert ask(database.dsn, "select count(*) from patchdeck.runs") == [(1,)]


async def test_what_can_not_be_put_back_is_told_before(database: Database) -> None:
    bundle, gone = annex(), f"gone_{database.name}"
    ask(database.admin_dsn, f"create role {gone}")
    ask(database.dsn, f"grant select on public.rooms to {gone}")
    ask(database.dsn, f"create policy theirs on public.shelves for delete to {gone}, authenticated using (true)")
    more = f"""
        drop policy theirs on public.shelves;
        revoke all on public.rooms from {gone};
        alter table public.shelves alter column name set default 'new';
        """
    whole = annex(PATCH=more)
    await apply(database, whole)
    ask(database.admin_dsn, f"drop role {gone}")
    session = Session(resolve(database.dsn, environ={}), bundle)
    plan = back(database, bundle)
    checks, preview = await session.preflight(plan), await session.preview(plan)
    await session.close()
    assert preview.restore is not None
    losses = {loss.object: loss.reason for loss in preview.restore.losses}
    assert set(losses) == {
        "policy theirs on public.shelves",
        f"grant SELECT to {gone} on public.rooms",
        "column public.shelves.name",
    }
    assert gone in losses["policy theirs on public.shelves"]
    assert [check.level for check in checks if check.name == "not restored"] == ["warn"]
    finished, state = await run(database, replace(plan, restore=preview.restore))
    assert finished.outcome is Outcome.COMMITTED, (finished.reason, state.failure)
    roles = ask(database.dsn, "select roles::text from pg_policies where policyname = 'theirs'")
    assert roles == [("{authenticated}",)]


async def test_a_plan_that_is_not_the_one_shown_is_refused(database: Database) -> None:
    bundle = annex()
    await apply(database, bundle)
    session = Session(resolve(database.dsn, environ={}), bundle)
    shown = (await session.preview(back(database, bundle))).restore
    await session.close()
    finished, _ = await run(database, back(database, bundle, "restore-closed"))
    assert finished.outcome is Outcome.COMMITTED
    finished, _ = await run(database, replace(back(database, bundle), restore=shown))
    assert finished.outcome is Outcome.REFUSED
    assert "another one now" in finished.reason


async def test_owners_come_back_where_they_may_own(database: Database) -> None:
    """service_role may create nothing in public: a view of its own can not be given back to it, and that is told."""
    bundle = annex()
    ask(database.admin_dsn, "grant create on schema public to authenticated")
    ask(database.admin_dsn, "alter view public.a_list owner to authenticated")
    ask(database.admin_dsn, "alter view public.shelf_list owner to service_role")
    before = await look(database, bundle)
    await apply(database, bundle)
    finished, state = await run(database, back(database, bundle))
    assert finished.outcome is Outcome.COMMITTED, (finished.reason, state.failure)
    (warning,) = [check for check in state.preflight if check.name == "not restored"]
    assert "owner of view public.shelf_list (role service_role may not create" in warning.meaning
    after = await look(database, bundle)
    assert set(missing(before, after)) == {"view public.shelf_list"}
    owners = {view.name: view.owner for view in after.views}
    assert owners == {"public.a_list": "authenticated", "public.shelf_list": "postgres"}


async def test_what_changes_while_the_run_waits_is_not_overrun(database: Database) -> None:
    bundle = annex()
    await apply(database, bundle)
    plan, state = replace(back(database, bundle), patience=20), RunState()
    async with await psycopg.AsyncConnection.connect(database.direct_dsn) as somebody:
        await somebody.execute("select count(*) from public.rooms")
        async for event in applier.run(resolve(database.dsn, environ={}), plan, Control()):
            state = advance(state, event)
            if isinstance(event, WaitingForLock) and not somebody.closed:
                await somebody.execute("alter policy tags_read on public.tags using (false)")
                await somebody.commit()
                await somebody.close()
    assert state.outcome is Outcome.ROLLED_BACK
    failed = [(check.object, check.name, check.outcome) for check in state.checks if not check.ok]
    assert failed == [("policy", "tags_read", "differs")]
    assert ask(database.dsn, "select qual from pg_policies where policyname = 'tags_read'") == [("false",)]


async def test_the_migration_and_what_was_before_it(make_database: MakeDatabase) -> None:
    """The bundle that ships, on the old application's database with some of what people add to one."""
    bundle = migration()
    database = make_database("legacy")
    ask(database.dsn, LIVED_IN)
    before, dumped = await look(database, bundle), dump(database)
    await apply(database, bundle)
    finished, state = await run(database, back(database, bundle))
    assert finished.outcome is Outcome.COMMITTED, (finished.reason, state.failure)
    assert missing(before, await look(database, bundle)) == {}
    kept = Counter(dump(database))
    lost = [
        line for line in (Counter(dumped) - kept) if line.startswith(("GRANT", "REVOKE", "CREATE", "ALTER", "COMMENT"))
    ]
    assert lost == []


LIVED_IN = """
create function public.update_updated_at_column() returns trigger language plpgsql as $$
begin new.updated_at = now(); return new; end $$;
create trigger update_tenant_members_updated_at before update of role on public.tenant_members
for each row execute function public.update_updated_at_column();
alter table public.tenant_members disable trigger update_tenant_members_updated_at;
comment on trigger update_tenant_members_updated_at on public.tenant_members is 'off for the import';
comment on policy "Users can view own executions" on public.workflow_executions is 'ticket 12';
revoke update on public.tenants from authenticated;
grant update (name, slug), select (name) on public.tenants to authenticated with grant option;
create view public.user_tenants with (security_barrier = true) as
select tm.user_id, tm.tenant_id, tm.role, t.name as tenant_name, t.slug as tenant_slug, tm.created_at, tm.updated_at
  from public.tenant_members tm join public.tenants t on t.id = tm.tenant_id where tm.role <> 'guest';
comment on view public.user_tenants is 'old';
comment on column public.user_tenants.tenant_name is 'as shown';
alter publication supabase_realtime add table public.tenants (id, name) where (id is not null);
"""


@pytest.mark.parametrize("state", ["legacy", "legacy2026"])
async def test_a_closed_restore_of_the_migration(make_database: MakeDatabase, state: str) -> None:
    bundle = migration()
    database = make_database(state)
    before = await look(database, bundle)
    await apply(database, bundle)
    finished, seen = await run(database, back(database, bundle, "restore-closed"))
    assert finished.outcome is Outcome.COMMITTED, (finished.reason, seen.failure)
    after = await look(database, bundle)
    tables = [table for table in after.tables if table.name.startswith("public.")]
    assert all(table.rls for table in tables)
    assert not {"anon", "public"} & grantees(Catalog(tables=tuple(tables), views=after.views))
    for old in before.tables:
        now = after.table(old.name)
        assert now is not None
        assert now.policies == old.policies
