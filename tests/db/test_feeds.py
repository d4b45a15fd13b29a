"""What the panels hold on a real server: of one window and one scope only, a round trip a tick, one row in full."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic

import pytest
from msgspec.structs import replace

from tests.bundle.support import PATCH, expand, ident, populate, run_script
from tests.support import MakeDatabase, ask
from tui.core.bundle import Bundle
from tui.core.deck import Problem
from tui.core.panels import Scope
from tui.db import feeds
from tui.db.feeds import Feeds
from tui.db.link import Link
from tui.db.session import Session
from tui.db.target import resolve
from tui.files import read_bundle

A, B = Scope(ident("a"), "A"), Scope(ident("b"), "B")


@dataclass(slots=True)
class Rig:
    """A database with two tenants and the feeds on it."""

    dsn: str
    session: Session
    link: Link
    feeds: Feeds

    def run(self, sql: str) -> None:
        """One statement in which `{name}` is an id."""
        ask(self.dsn, expand(sql))


@pytest.fixture
async def rig(make_database: MakeDatabase) -> AsyncIterator[Rig]:
    database = make_database("bare")
    run_script(database.dsn, PATCH)
    populate(database.dsn)
    ask(database.dsn, "delete from public.workflow_executions")
    ask(database.dsn, "delete from public.agent_executions")
    ask(database.dsn, "delete from public.error_logs")
    target, bundle = resolve(database.dsn, environ={}), read_bundle()
    session, link, made = Session(target, bundle), Link(target), Feeds(bundle)
    made.choose((await session.look()).catalog)
    await link.open()
    yield Rig(database.dsn, session, link, made)
    await link.close()
    await session.close()


RAN = """insert into public.agent_executions (id, tenant_id, agent_id, status, started_at, completed_at, error)
         values ({%s}, {%s}, {agent_%s}, '%s', now() - interval '%s', now() - interval '%s' + interval '%s', '%s')"""


def ran(name: str, tenant: str, status: str, ago: str, took: str, error: str = "") -> str:
    """An execution that started `ago`."""
    return RAN % (name, tenant, tenant, status, ago, ago, took, error)


@pytest.mark.parametrize("route", ["direct"])
async def test_rows_and_figures_are_those_of_the_window_that_is_named(rig: Rig) -> None:
    rig.run(ran("x1", "a", "completed", "1 minute", "1 second"))
    rig.run(ran("x2", "a", "failed", "10 minutes", "3 seconds"))
    rig.run(ran("x3", "b", "completed", "40 minutes", "9 seconds"))
    rig.run(ran("x4", "b", "running", "50 minutes", "0 seconds"))
    rig.run("update public.agent_executions set completed_at = null where id = {x4}")
    expected = {
        3600: (["x1", "x2", "x3", "x4"], 4, 1, 1, 3000.0),
        900: (["x1", "x2"], 2, 1, 0, 2000.0),
        300: (["x1"], 1, 0, 0, 1000.0),
    }
    for window in (3600, 900, 300, 900, 3600, 300):
        for _ in range(2):  # the first answer of a window and the next one say the same
            panel = (await rig.feeds.tick(rig.link, window)).executions
            names, total, failed, running, p50 = expected[window]
            assert [row.id for row in panel.rows] == [ident(name) for name in names], window
            assert (panel.window, len(panel.buckets)) == (window, 60)
            got = panel.totals
            assert (got.total, got.failed, got.running, got.p50_ms) == (total, failed, running, p50), window


async def test_a_tick_of_one_scope_shows_that_scope_only_in_one_round_trip(rig: Rig) -> None:
    for name, tenant in (("x1", "a"), ("x2", "b"), ("x3", "b")):
        rig.run(ran(name, tenant, "failed", "1 minute", "1 second"))
        rig.run(f"insert into public.error_logs (tenant_id, source, message) values ({{{tenant}}}, 'w', 'E: {name}')")
    rig.run("insert into public.workflow_executions (id, workflow_id) values ({x4}, {workflow_a})")
    for scope, rows, faults in ((None, 4, 3), (B, 2, 2), (A, 1, 1), (Scope("", "none"), 1, 0), (B, 2, 2), (None, 4, 3)):
        before = rig.link.round_trips
        both = await rig.feeds.tick(rig.link, 900, scope)
        assert rig.link.round_trips == before + 1
        assert (both.executions.scope, both.errors.scope, both.executions.scoped) == (scope, scope, "tenant")
        assert (len(both.executions.rows), both.executions.totals.total) == (rows, rows), scope
        assert sum(group.total for group in both.errors.groups) == both.errors.total == len(both.errors.rows) == faults
        if scope in (A, B):
            assert (
                {row.scope for row in both.executions.rows} == {row.scope for row in both.errors.rows} == {scope.label}
            )
    rig.run(ran("x5", "a", "completed", "1 second", "1 second"))
    rig.run(ran("x6", "b", "completed", "1 second", "1 second"))
    await rig.feeds.tick(rig.link, 900, A)
    rig.run(ran("x7", "b", "completed", "0 seconds", "1 second"))
    rig.run(ran("x8", "a", "completed", "0 seconds", "1 second"))
    panel = (await rig.feeds.tick(rig.link, 900, A)).executions
    assert [row.id for row in panel.rows] == [ident(name) for name in ("x8", "x5", "x1")], "new ones, too"


@pytest.mark.parametrize("route", ["direct"])
async def test_after_a_long_while_without_an_answer_nothing_in_between_is_left_uncounted(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (await rig.feeds.tick(rig.link, 300)).executions.totals.total == 0
    rig.run(ran("x1", "a", "completed", "14 seconds", "1 second"))
    rig.run(ran("x2", "a", "completed", "7 seconds", "1 second"))
    monkeypatch.setattr(feeds, "monotonic", lambda: monotonic() + feeds.WIDE_EVERY - 0.9)
    panel = (await rig.feeds.tick(rig.link, 300)).executions
    assert panel.totals.total == len(panel.rows) == 2


@pytest.mark.parametrize("route", ["direct"])
async def test_an_execution_that_ends_is_read_again_by_its_id(rig: Rig) -> None:
    rig.run("insert into public.agent_executions (id, tenant_id, agent_id) values ({x1}, {a}, {agent_a})")
    assert (await rig.feeds.tick(rig.link, 900, A)).executions.rows[0].status == "running"
    rig.run("update public.agent_executions set status = 'failed', error = 'E: 1', completed_at = now()")
    (row,) = (await rig.feeds.tick(rig.link, 900, A)).executions.rows
    assert (row.status, row.message) == ("failed", "E: 1")


@pytest.mark.parametrize("route", ["direct"])
async def test_before_the_migration_rows_belong_to_nobody_and_a_scope_is_not_asked_for(
    make_database: MakeDatabase,
) -> None:
    session = Session(resolve(make_database("legacy").dsn, environ={}), read_bundle())
    try:
        await session.look()
        both = await session.tick(21_600, A)
        assert (both.executions.scope, both.executions.scoped, both.errors.scope) == (None, "", None)
        assert both.executions.rows and both.errors.groups
        assert await session.scopes(21_600) == ()
        failed = next(row for row in both.executions.rows if row.status == "failed")
        opened = await session.open_execution(failed.id)
        assert opened.execution == failed and opened.log is None
        assert {"id", "workflow_id", "error"} <= {value.name for value in opened.values}
        group = both.errors.groups[0]
        error = await session.open_error(group.fingerprint, 21_600, None)
        assert sum(bucket.total for bucket in error.buckets) == len(error.occurrences) == group.total
        assert all(one.execution == one.id for one in error.occurrences)
    finally:
        await session.close()


@pytest.mark.parametrize("route", ["direct"])
async def test_one_execution_and_one_error_in_full(rig: Rig) -> None:
    rig.run(ran("x1", "a", "failed", "3 hours", "1 second", "password=hunter2 \x1b]52;c;aGk=\x07"))
    rig.run("""insert into public.agent_execution_logs (tenant_id, execution_id, event, level, message)
               select {a}, {x1}, 'e', 'error', 'line ' || n from generate_series(1, 502) n""")
    rig.run("""insert into public.error_logs (tenant_id, source, message, context)
               select {a}, 'w', 'E: ' || n, jsonb_build_object('execution_id', {x1}::text)
                 from generate_series(1, 3) n""")
    rig.run("insert into public.error_logs (tenant_id, source, message) values ({b}, 'w', 'E: 9')")
    session = rig.session
    shares = await session.scopes(900)
    assert [(share.scope, share.executions, share.errors) for share in shares] == [(A, 0, 3), (B, 0, 1)]
    opened = await session.open_execution(ident("x1"))
    assert opened.execution is not None, "however long ago it started"
    assert (opened.execution.status, opened.execution.scope, opened.execution.duration_ms) == ("failed", "A", 1000.0)
    values = {value.name: value for value in opened.values}
    assert len(values) == 11 and values["output"].text is None
    assert values["error"].text is not None and "hunter2" not in values["error"].text
    assert values["error"].text.isprintable()
    assert opened.log is not None and len(opened.log) == 500 and opened.log_cut
    assert {line.level for line in opened.log} == {"error"}
    gone = await session.open_execution(ident("never"))
    assert (gone.execution, gone.values, gone.log) == (None, (), ())
    (group,) = (await session.tick(900)).errors.groups
    for scope, total in ((None, 4), (A, 3), (B, 1)):
        error = await session.open_error(group.fingerprint, 900, scope)
        assert sum(bucket.total for bucket in error.buckets) == len(error.occurrences) == total
        assert len(error.buckets) == 60
    assert {one.execution for one in (await session.open_error(group.fingerprint, 900, A)).occurrences} == {ident("x1")}
    with pytest.raises(Problem) as refused:
        await session.open_execution("no id")
    assert refused.value.kind == "query"
    assert (await session.tick(900)).errors.total == 4, "the line stands"


def broken(bundle: Bundle, file: str, text: str) -> Bundle:
    """The bundle with another text in one of its queries."""
    return replace(bundle, queries={**bundle.queries, file: text})


@pytest.mark.parametrize("route", ["direct"])
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("select 1", "parameter"),
        ("select 1, $1::text, $2::text, $3::text, $4::text, $5::text", "otherwise than agreed"),
    ],
)
async def test_a_query_that_breaks_its_contract_stops_its_panel_only_and_says_why(
    rig: Rig, text: str, reason: str
) -> None:
    rig.run("insert into public.error_logs (tenant_id, source, message) values ({b}, 'w', 'E: 9')")
    misled = Feeds(broken(read_bundle(), "panels/executions_new.sql", text))
    misled.choose((await rig.session.look()).catalog)
    both = await misled.tick(rig.link, 900)
    assert reason in both.executions.problem
    assert both.errors.total == 1 and not both.errors.problem
