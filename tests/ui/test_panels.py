"""The live panels in a person's hands: whose rows they show, in which order, and one row opened in full."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace

from tests.ui.support import (
    BUNDLE,
    NOON,
    QUICK,
    ScriptedDeck,
    dashboard,
    errors,
    executions,
    panels,
    screen_lines,
    screen_text,
    shows,
    shows_no,
    until,
)
from tui.app import Settings
from tui.core.deck import Problem
from tui.core.opened import LogLine, Occurrence, OpenedError, OpenedExecution, Value
from tui.core.panels import Bucket, Panels, Scope, ScopeShare
from tui.screens import base, execution_detail
from tui.screens.error_detail import ErrorDetail
from tui.screens.execution_detail import ExecutionDetail
from tui.screens.palette import Palette
from tui.widgets.table import LineTable

ACME, GLOBEX, NOBODY = Scope("k1", "acme"), Scope("k2", "globex"), Scope("", "none")
SIZES = [(60, 20), (80, 24), (120, 40), (240, 70)]


class Scoped(ScriptedDeck):
    """Executions belong to teams, errors to nobody in particular; a tick answers for whom it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_for: list[tuple[int, Scope | None]] = []
        self.scopes_now = (ScopeShare(ACME, 1204, 12), ScopeShare(GLOBEX, 3, 1), ScopeShare(NOBODY, 1, 0))

    async def tick(self, window: int, scope: Scope | None = None) -> Panels:
        self.asked_for.append((window, scope))
        found = await super().tick(window, scope)
        runs = replace(found.executions, window=window, scoped="team", scope=scope)
        if scope is not None:
            runs = replace(runs, rows=tuple(row for row in runs.rows if row.scope == scope.label))
        return replace(found, executions=runs)


@pytest.mark.parametrize("size", SIZES)
async def test_the_panels_are_narrowed_down_to_one_scope_and_stay_so(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Narrow screens name the scope where they also say things for a while.
    monkeypatch.setattr(base, "SAY_SECONDS", 0.1)
    deck = Scoped()
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("2")
        await shows(pilot, "Executions · last 15 min")
        await pilot.press("t")
        await shows(pilot, "Whose rows: team, last 15 min")
        text = screen_text(app)
        assert "1 204, 12 errors" in text and "1 208, 13 errors" in text and "3, 1 error " in text
        await pilot.press(*"glo", "enter")
        await shows(pilot, "Executions · last 15 min · team globex")
        table = app.query_one("#executions-table", LineTable)
        assert table.listed == ()
        asked = len(deck.asked_for)
        await until(pilot, lambda: len(deck.asked_for) > asked + 3)
        assert deck.asked_for[-1] == (900, GLOBEX)
        await pilot.press("w")
        await shows(pilot, "Executions · last 1 h · team globex")
        assert deck.asked_for[-1] == (3600, GLOBEX)
        await pilot.press("t")
        await until(pilot, lambda: any("globex" in one and "shown" in one for one in screen_text(app).splitlines()))
        await pilot.press("enter")
        await shows_no(pilot, "team globex")
        assert deck.asked_for[-1][1] is None
        assert len(table.listed) == 12


async def test_the_rows_of_none_are_a_choice_and_equal_names_are_told_apart() -> None:
    deck = Scoped()
    twins = (ScopeShare(Scope("0a1b2c3d-1", "acme"), 2), ScopeShare(Scope("9f8e7d6c-2", "acme"), 1))
    deck.scopes_now = (*twins, ScopeShare(NOBODY, 1))
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("t")
        await shows(pilot, "acme (9f8e7d6c)")
        assert "acme (0a1b2c3d)" in screen_text(app)
        await pilot.press("down", "down", "enter")
        await shows(pilot, "team acme (9f8e7d6c)")
        assert deck.asked_for[-1][1] == Scope("9f8e7d6c-2", "acme (9f8e7d6c)")
        await pilot.press("t")
        await shows(pilot, "Whose rows")
        await pilot.press(*"none", "enter")
        await shows(pilot, "team none")
        assert deck.asked_for[-1][1] == NOBODY


async def test_while_paused_the_choice_waits_and_says_so() -> None:
    deck = Scoped()
    async with dashboard(deck) as (_, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("space")
        await shows(pilot, "paused")
        await pilot.press("t")
        await shows(pilot, "Whose rows")
        await pilot.press(*"acme", "enter")
        await shows(pilot, "panels: acme only, when asking goes on")
        await pilot.press("space")
        await shows(pilot, "Executions · last 15 min · team acme")


async def test_a_bundle_whose_rows_belong_to_nobody_has_no_such_key() -> None:
    bundle = replace(BUNDLE, manifest=msgspec.structs.replace(BUNDLE.manifest, panels=()))
    deck = ScriptedDeck(bundle=bundle)
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "APPLIED")
        assert "t" not in app.screen.active_bindings
        await pilot.press("t")
        assert "scopes" not in deck.asked
        await pilot.press("question_mark")
        await shows(pilot, "Every key that works here")
        assert "one tenant's" not in screen_text(app)


async def test_where_rows_do_not_belong_to_anybody_yet_or_nobody_answers_the_reason_is_said() -> None:
    deck = Scoped()
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "APPLIED")
        deck.fail = {"scopes": Problem("query", "canceling statement due to statement timeout")}
        await pilot.press("t")
        await shows(pilot, "canceling statement due to statement timeout")
        assert not isinstance(app.screen, Palette)
        deck.fail = {"tick": Problem("lost", "gone"), "connect": Problem("unreachable", "refused")}
        await shows(pilot, "UNREACHABLE")
        await pilot.press("t")
        await shows(pilot, "nobody to choose: not connected")
    async with dashboard(ScriptedDeck()) as (_, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("t")
        await shows(pilot, "nobody to choose: what the panels read here belongs to nobody")


async def test_an_answer_that_comes_late_does_not_fall_on_what_was_opened_meanwhile() -> None:
    class Slow(Scoped):
        answer = asyncio.Event()
        answered = False

        async def scopes(self, window: int) -> tuple[ScopeShare, ...]:
            await self.answer.wait()
            self.answered = True
            return self.scopes_now

    deck = Slow()
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("t", "question_mark")
        await shows(pilot, "Every key that works here")
        deck.answer.set()
        await until(pilot, lambda: deck.answered)
        await pilot.pause(0.1)
        assert not isinstance(app.screen, Palette)


LOG = (
    LogLine(NOON, "info", "prompt", "asked for the invoice", 12.0),
    LogLine(
        NOON + timedelta(seconds=1), "error", "tool_call", "RateLimitError: " + "try later, " * 20 + "the log ends"
    ),
    LogLine(NOON + timedelta(seconds=2), "a level of its own", "", "x"),
)
VALUES = (Value("id", "e12"), Value("input", '{"prompt": "pay"}'), Value("output", None), Value("error", "oops", 7))


@pytest.mark.parametrize("size", SIZES)
async def test_an_execution_opens_with_its_log_and_every_column(size: tuple[int, int]) -> None:
    deck = Scoped()
    runs = executions()
    first = replace(runs.rows[0], status="failed", duration_ms=1234.0, message="RateLimitError: too many")
    deck.panels_now = panels(replace(runs, rows=(first, *runs.rows[1:])))
    deck.opened_now = OpenedExecution(first, VALUES, LOG)
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("2", "g", "enter")
        await shows(pilot, f"Execution {first.id}")
        await shows(pilot, "1.2 s")
        await until(pilot, lambda: deck.asked.get("open"))
        seen = screen_text(app)
        for _ in range(12):
            await pilot.press("pagedown")
            await pilot.pause()
            seen += screen_text(app)
        for text in ("team", "RateLimitError: too many", "log, 3 lines", "12 ms", "a level of its own", "null"):
            assert text in seen, text
        await pilot.press("y")
        copied = app.clipboard.splitlines()
        assert f"{'id':16}e12" in copied and f"{'error':16}oops (7 more characters)" in copied
        assert next(one for one in copied if one.endswith("the log ends")).count("try later") == 20, "unwrapped"
        await shows(pilot, f"copied {len(copied)} lines")


async def test_an_execution_that_runs_is_read_again_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution_detail, "EVERY", 0.05)
    deck = ScriptedDeck()
    running = replace(executions().rows[0], status="running", duration_ms=None)
    deck.panels_now = panels(replace(executions(), rows=(running,)))
    deck.opened_now = OpenedExecution(running, log=())
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("2", "enter")
        await shows(pilot, "it logged nothing")
        assert "still running" in screen_text(app)
        deck.opened_now = OpenedExecution(replace(running, status="ok", duration_ms=5000.0), log=LOG[:1])
        await shows(pilot, "asked for the invoice")
        assert "5 s" in screen_text(app)
        deck.panels_now = panels(replace(executions(), rows=(replace(running, status="ok", duration_ms=5000.0),)))
        await until(pilot, lambda: app.store.executions and app.store.executions.rows[0].status == "ok")
        await pilot.pause(0.1)
        asked = deck.asked["open"]
        await pilot.pause(0.3)
        assert deck.asked["open"] == asked, "what has ended is not asked for again by itself"
        await pilot.press("r")
        await until(pilot, lambda: deck.asked["open"] == asked + 1)


async def test_an_execution_that_can_not_be_read_shows_what_the_panel_knows_and_why() -> None:
    deck = ScriptedDeck()
    deck.fail = {"open": Problem("query", "permission denied for table run_logs", "ask for the right")}
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("2", "enter")
        await shows(pilot, "permission denied for table run_logs")
        assert "invoice-sync" in screen_text(app) or "started" in screen_text(app)
        deck.fail = {}
        await pilot.press("r")
        await shows_no(pilot, "permission denied")


def occurred(number: int, execution: str = "") -> Occurrence:
    """One of the errors of the first group."""
    at = NOON - timedelta(seconds=60 * number)
    return Occurrence(f"o{number}", at, "worker", f"429 from provider, try {number}", "acme", execution)


@pytest.mark.parametrize("size", SIZES)
async def test_an_error_opens_with_its_course_its_occurrences_and_their_executions(size: tuple[int, int]) -> None:
    deck = ScriptedDeck()
    buckets = tuple(Bucket(NOON, total=n % 5) for n in range(60))
    deck.error_now = OpenedError(900, buckets, (occurred(1, "e7"), occurred(2)))
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("3", "enter")
        await shows(pilot, "Occurrences · 2")
        text = screen_text(app)
        assert "21 in the last 15 min" in text and "per 15 s" in text
        assert "e7  enter opens it" in text
        await pilot.press("y")
        assert app.clipboard == "429 from provider, try 1"
        await pilot.press("j")
        await shows(pilot, "names none")
        await pilot.press("y")
        assert app.clipboard == "429 from provider, try 2"
        await pilot.press("enter")
        await shows(pilot, "this one names no execution")
        await pilot.press("k", "enter")
        await until(pilot, lambda: isinstance(app.screen, ExecutionDetail))
        await shows(pilot, "Execution e7")
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, ErrorDetail))
        await pilot.press("tab", "enter")
        await until(pilot, lambda: len(app.screen_stack) == 1)


async def test_an_error_asks_again_when_there_are_more_of_it_and_keeps_the_marked_one() -> None:
    deck = ScriptedDeck()
    deck.error_now = OpenedError(900, (), (occurred(1), occurred(2)))
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("3", "enter", "j")
        await shows(pilot, "Occurrences · 2")
        table = app.screen.query_one("#occurrences-table", LineTable)
        await pilot.press("end")
        assert table.key == "o2"
        asked = deck.asked["open"]
        deck.error_now = OpenedError(900, (), (occurred(0), occurred(1), occurred(2)))
        faults = errors()
        deck.panels_now = panels(None, replace(faults, groups=(replace(faults.groups[0], total=22),)))
        await shows(pilot, "Occurrences · 3")
        assert deck.asked["open"] == asked + 1
        assert table.key == "o2"
        assert "22 in the last 15 min" in screen_text(app)


async def test_the_whole_message_of_an_error_is_there_before_its_occurrences() -> None:
    deck = ScriptedDeck()
    deck.fail = {"open": Problem("query", "too slow")}
    long = "429 from provider: " + "tokens per minute exceeded, " * 30 + "the end"
    faults = errors()
    first, *others = faults.groups
    deck.panels_now = panels(None, replace(faults, groups=(replace(first, message=long), *others)))
    async with dashboard(deck, (80, 24)) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("3", "enter")
        await shows(pilot, "they could not be asked for")
        await pilot.press("tab", "end")
        await shows(pilot, "the end")
        await pilot.press("y")
        assert app.clipboard == long


async def test_each_panel_has_its_orders_and_the_marked_row_stays_marked() -> None:
    deck = ScriptedDeck()
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("2", "j", "j")
        table = app.query_one("#executions-table", LineTable)
        marked = table.key
        rows = {row.id: row for row in deck.panels_now.executions.rows}
        for words in ("longest first", "failed first", "by name", "newest first"):
            await pilot.press("s")
            await shows(pilot, f"executions: {words}")
            shown = [rows[row.key] for row in table.listed]
            order: dict[str, list[tuple[float | str, ...]]] = {
                "longest first": [(row.duration_ms is not None, -(row.duration_ms or 0)) for row in shown],
                "failed first": [(row.status != "failed",) for row in shown],
                "by name": [(row.name,) for row in shown],
                "newest first": [(-row.started_at.timestamp(),) for row in shown],
            }
            assert order[words] == sorted(order[words])
            assert table.key == marked
        await pilot.press("3")
        faults = app.query_one("#errors-table", LineTable)
        for words, first in (("latest first", "f1"), ("by kind", "f3"), ("commonest first", "f1")):
            await pilot.press("s")
            await shows(pilot, f"errors: {words}")
            assert faults.listed[0].key == first
        await pilot.press("1", "s")
        await shows(pilot, "checklist: by name")
        await pilot.press("2", "g", "s", "s")
        assert table.key == table.listed[0].key and rows[str(table.key)].status == "failed", "the first stays the first"


async def test_an_order_survives_the_next_answers_and_is_named() -> None:
    deck = ScriptedDeck()
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("2", "s", "s", "s")
        deck.panels_now = panels(executions(first=3, at=NOON + timedelta(seconds=3)))
        table = app.query_one("#executions-table", LineTable)
        await until(pilot, lambda: "e15" in {row.key for row in table.listed})
        names = [row.cells[2][0] for row in table.listed]
        assert names == sorted(names)
        assert str(app.query_one("#executions").border_subtitle) == "by name"


@pytest.mark.parametrize(("panel", "keys"), [("2", ["e11", "e6", "e1"]), ("3", ["f2", "f3", "f4"])])
async def test_n_goes_from_problem_to_problem_and_the_filter_finds_whose(panel: str, keys: list[str]) -> None:
    async with dashboard(ScriptedDeck()) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press(panel)
        table = app.query_one("#executions-table" if panel == "2" else "#errors-table", LineTable)
        seen = []
        for _ in keys:
            await pilot.press("n")
            seen.append(table.key)
        assert seen == keys
        await pilot.press("N")
        assert table.key == keys[-2]
        await pilot.press("slash", *("acme" if panel == "2" else "Validation"), "enter")
        assert len(table.listed) == (12 if panel == "2" else 1)
        await pilot.press("escape")


async def test_text_of_the_database_is_shown_not_obeyed_wherever_it_is_opened() -> None:
    bad = "[/] [@click=app.exit]z[/] \x1b]52;c;aGk=\x07 x\u202ey\u200b " + "家" * 40
    deck = Scoped()
    scope = Scope("k", bad)
    deck.scopes_now = (ScopeShare(scope, 1, 1),)
    runs, faults = executions(), errors()
    run = replace(runs.rows[0], scope=bad, message=bad)
    deck.panels_now = panels(
        replace(runs, rows=(run,)), replace(faults, groups=(replace(faults.groups[0], kind=bad, message=bad),))
    )
    deck.opened_now = OpenedExecution(run, (Value(bad, bad),), (LogLine(NOON, bad, bad, bad, 1.0),), log_cut=True)
    deck.error_now = OpenedError(900, (), (Occurrence(bad, NOON, bad, bad, bad, bad),))
    async with dashboard(deck, (80, 24)) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("t")
        await shows(pilot, "Whose rows")
        await pilot.press("down", "enter")
        await until(pilot, lambda: deck.asked_for[-1][1] == scope)
        for keys in (
            ("2", "enter"),
            ("end", "y"),
            ("escape",),
            ("3", "enter"),
            ("tab", "end"),
            ("tab", "enter"),
            ("y",),
        ):
            await pilot.press(*keys)
            await pilot.pause(0.1)
            assert all(one.isprintable() for one in screen_text(app).replace("\n", ""))
            assert all(one.isprintable() or one == "\n" for one in app.clipboard)
        assert len(app.screen_stack) == 3
        assert "[@click=app.exit]z[/]" in app.clipboard and "\\x1b]52;c;aGk=\\x07" in app.clipboard


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (109, 30), (120, 40), (240, 70)])
async def test_the_head_has_every_figure_at_every_size(size: tuple[int, int]) -> None:
    deck = ScriptedDeck()
    totals = Bucket(NOON, total=4260, ok=4211, failed=37, running=12, p50_ms=410.0, p95_ms=1800.0)
    deck.panels_now = replace(panels(), executions=replace(executions(), totals=totals))
    async with dashboard(deck, size) as (app, pilot):
        await pilot.press("2")
        await shows(pilot, "p95 1.8 s")
        text = screen_text(app)
        for figure in ("12", "ok 4 211", "0.9 %", "p50 410 ms"):
            assert figure in text


@pytest.mark.parametrize(("size", "whole"), [((60, 20), False), ((80, 24), True)])
async def test_a_narrow_panel_names_its_own_keys_whole(size: tuple[int, int], whole: bool) -> None:
    async with dashboard(Scoped(), size, settings=Settings(pace=QUICK, keys={"sort": "S"})) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("2")
        await shows(pilot, "Executions · last 15 min   w window  t team  S order")
        assert ("space pause" in screen_text(app)) is whole
        assert "…" not in screen_lines(app)[-2]
