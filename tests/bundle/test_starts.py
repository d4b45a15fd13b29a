"""From every start the same end: half of it done by hand, three times over, under load; and no row is touched that need
not.
"""

from __future__ import annotations

import asyncio
from threading import Event, Thread

import psycopg
import pytest

from tests.bundle.support import OLD_TABLES, PATCH, catalog, run_script
from tests.db.test_applier import run
from tests.support import MakeDatabase, ask
from tui.core.run import Outcome, Plan
from tui.db.session import Session
from tui.db.target import resolve
from tui.files import read_bundle

direct = pytest.mark.parametrize("route", ["direct"])


@direct
def test_half_of_it_by_hand_and_three_times_over(make_database: MakeDatabase) -> None:
    whole_of = make_database("legacy").dsn
    for _ in range(3):
        run_script(whole_of, PATCH)
    statements = read_bundle().patch.statements
    for half in (len(statements) // 4, len(statements) // 2, len(statements) * 3 // 4):
        dsn = make_database("legacy").dsn
        with psycopg.connect(dsn) as by_hand:
            for statement in statements[:half]:
                by_hand.execute(statement.text.encode())
        assert catalog(dsn) != catalog(whole_of)
        run_script(dsn, PATCH)
        assert catalog(dsn) == catalog(whole_of), half


@direct
def test_in_old_rows_nothing_changes_but_the_tenant(make_database: MakeDatabase) -> None:
    dsn = make_database("legacy").dsn
    tables = [f"public.{table}" for table in OLD_TABLES] + ["auth.users"]

    def checksums() -> dict[str, object]:
        # tenant_id is what the patch adds to a row; of the membership it is part of the row from before.
        less = {table: "" if table == "public.tenant_members" else " - 'tenant_id'" for table in tables}
        row = "md5((to_jsonb(t){less})::text)"
        query = f"select md5(string_agg({row}, '' order by {row})) from {{table}} t"
        return {table: ask(dsn, query.format(less=less[table], table=table)) for table in tables}

    before = checksums()
    assert len({str(value) for value in before.values()}) == len(tables)
    run_script(dsn, PATCH)
    assert checksums() == before


@direct
async def test_a_row_filter_on_what_the_backfill_updates_is_found_beforehand(make_database: MakeDatabase) -> None:
    """The server would refuse the update with 42P10 in the middle of the run (facts: supabase D5)."""
    database = make_database("legacy")
    filtered = "alter publication supabase_realtime add table public.workflow_executions where (status = 'failed')"
    ask(database.dsn, filtered)
    before = catalog(database.dsn)
    target = resolve(database.dsn, environ={})
    finished, _, _ = await run(target, Plan(read_bundle(), confirmed=database.name))
    assert finished.outcome is Outcome.REFUSED
    assert "filter" in finished.reason
    assert catalog(database.dsn) == before


async def test_readers_and_writers_go_on_while_it_is_applied(make_database: MakeDatabase) -> None:
    database = make_database("legacy")
    over, failed, done = Event(), list[str](), [0, 0]

    def work(at: int, query: str) -> None:
        with psycopg.connect(database.direct_dsn, autocommit=True, prepare_threshold=None) as busy:
            busy.execute("set statement_timeout = '5s'")
            while not over.is_set():
                try:
                    busy.execute(query.encode())
                    done[at] += 1
                except psycopg.Error as error:
                    failed.append(f"{query}: {error}")

    queries = (
        "select count(*) from public.tenants t join public.tenant_members m on m.tenant_id = t.id",
        "update public.workflow_executions set error = error where id = "
        "(select id from public.workflow_executions limit 1)",
    )
    workers = [Thread(target=work, args=(at, query)) for at, query in enumerate(queries)]
    for worker in workers:
        worker.start()
    try:
        target = resolve(database.dsn, environ={})
        finished, _, _ = await run(target, Plan(read_bundle(), confirmed=database.name))
    finally:
        over.set()
        await asyncio.gather(*(asyncio.to_thread(worker.join) for worker in workers))
    assert finished.outcome is Outcome.COMMITTED, finished
    assert failed == []
    assert min(done) > 10
    session = Session(target, read_bundle())
    look = await session.look()
    await session.close()
    assert look.verdict.healthy


DEFERRED = """
create function public.noted() returns trigger language plpgsql as $$
begin
  insert into public.notes (seen) values (new.id);
  return null;
end $$;
create table public.notes (seen uuid);
create constraint trigger later after update on public.workflow_executions
  deferrable initially deferred for each row execute function public.noted();
create constraint trigger later after update on public.telemetry_events
  deferrable initially deferred for each row execute function public.noted()
"""


@direct
def test_triggers_that_wait_for_the_commit_do_not_wait_here(make_database: MakeDatabase) -> None:
    """A table with a trigger event pending can neither be altered nor get an index (55006)."""
    dsn = make_database("legacy").dsn
    with psycopg.connect(dsn) as owner:
        owner.execute(DEFERRED.encode())
    run_script(dsn, PATCH)
    ((seen,),) = ask(dsn, "select count(*) from public.notes")
    ((rows,),) = ask(
        dsn,
        "select (select count(*) from public.workflow_executions where tenant_id is not null)"
        " + (select count(*) from public.telemetry_events where tenant_id is not null)",
    )
    assert seen == rows > 0
