"""The dashboard over a scripted database, read as a person reads it: the text on the screen."""

from __future__ import annotations

import asyncio
import itertools
import re
from datetime import timedelta

import msgspec
import pytest
from msgspec.structs import replace
from rich.cells import cell_len
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tests.ui.support import (
    BUNDLE,
    NOON,
    SHELVES,
    WAITING,
    ScriptedDeck,
    Time,
    checks,
    dashboard,
    differing,
    errors,
    executions,
    look,
    missing,
    nothing_there,
    panels,
    screen_lines,
    screen_text,
    shows,
    shows_no,
    until,
)
from tui.app import Settings
from tui.core.bundle import Script
from tui.core.deck import Problem
from tui.core.panels import Panels, Scope
from tui.core.statements import split
from tui.poller import Pace
from tui.screens import opening
from tui.screens.dashboard import Dashboard, whole_sentences
from tui.store import AuthFailed, Connected, Reconnecting, Stopped
from tui.widgets import band
from tui.widgets.band import Clock
from tui.widgets.lines import Lines
from tui.widgets.reader import Reader
from tui.widgets.table import LineTable

SIZES = [(60, 20), (80, 24), (120, 40), (200, 50)]
HOSTILE = [
    "[/]",
    "[bold red]x",
    "a[/b",
    "[@click=app.exit]z[/]",
    "[link=http://x]l[/link]",
    "\x1b]52;c;aGk=\x07",
    "x\u202ey\u200b",
    "家" * 60,
]


def broken() -> ScriptedDeck:
    deck = ScriptedDeck()
    deck.look_now = look(checks(outcome=missing("flows_delete", "plans_team")))
    return deck


async def test_a_second_of_the_clock_asks_no_other_widget_for_its_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    async with dashboard(ScriptedDeck()) as (app, pilot):
        await shows(pilot, "✓ APPLIED")
        await pilot.pause(0.3)
        asked: list[str] = []
        drawn = Widget.render_lines

        def counted(widget: Widget, crop: Region) -> list[Strip]:
            asked.append(widget.id or type(widget).__name__)
            return drawn(widget, crop)

        monkeypatch.setattr(Widget, "render_lines", counted)
        app.screen.query_one("#clock", Clock).tick(NOON + timedelta(seconds=1))
        await until(pilot, lambda: "clock" in asked)
        assert set(asked) == {"clock"}, "nor what it lies upon"


@pytest.mark.parametrize("size", SIZES)
async def test_says_at_a_glance_that_all_is_well(size: tuple[int, int]) -> None:
    async with dashboard(ScriptedDeck(), size) as (app, pilot):
        await shows(pilot, "✓ APPLIED")
        text = screen_text(app)
        assert "checks 175/175" in text
        assert "acme-prod" in text
        assert "q Quit" in text and "? Help" in text
        assert "✗" not in text


@pytest.mark.parametrize("size", SIZES)
async def test_says_at_a_glance_what_is_broken(size: tuple[int, int]) -> None:
    async with dashboard(broken(), size) as (app, pilot):
        await shows(pilot, "✗ PARTIAL 173/175")
        row = next(line for line in screen_lines(app) if "✗  flows " in line)
        assert "3/4" in row and "3/3" in row


@pytest.mark.parametrize("size", SIZES)
async def test_no_line_is_wider_than_the_screen_and_none_is_lost(size: tuple[int, int]) -> None:
    async with dashboard(broken(), size) as (app, pilot):
        await shows(pilot, "PARTIAL")
        lines = screen_lines(app)
        assert len(lines) == size[1]
        assert all(cell_len(line) <= size[0] for line in lines)


@pytest.mark.parametrize("size", SIZES)
async def test_the_footer_is_never_cut_within_a_word(size: tuple[int, int]) -> None:
    async with dashboard(ScriptedDeck(), size) as (app, pilot):
        await shows(pilot, "APPLIED")
        words = {
            "a Apply",
            "b Roll back",
            "v Verify",
            "i Isolation",
            "d Drift",
            "enter Detail",
            "/ Filter",
            "f Failing",
            "l Locks",
            "h History",
            "o Report",
            "^p Palette",
            "? Help",
            "q Quit",
        }
        shown = [part.strip() for part in screen_lines(app)[-1].strip().split("  ")]
        assert set(shown) <= words
        assert shown[-2:] == ["? Help", "q Quit"]


async def test_paints_before_the_database_answers() -> None:
    deck = ScriptedDeck()
    deck.hold = asyncio.Event()
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "CONNECTING")
        assert f"connecting to {deck.destination.host}" in screen_text(app)
        await pilot.press("question_mark")
        await shows(pilot, "Every key that works here")
        await pilot.press("escape")
        deck.hold.set()
        await shows(pilot, "APPLIED")


async def test_keys_answer_while_a_question_is_on_its_way_and_old_data_stays_greyed_with_its_age() -> None:
    deck, time = ScriptedDeck(), Time()
    async with dashboard(deck, time=time) as (app, pilot):
        await shows(pilot, "APPLIED")
        deck.hold = asyncio.Event()
        asked = deck.asked["tick"] + deck.asked["look"]
        await until(pilot, lambda: deck.asked["tick"] + deck.asked["look"] > asked)
        time.turn_on(14)
        # It goes on from there while a slow machine draws.
        await until(pilot, lambda: re.search(r"(1[4-9]|[2-4]\d) s old", screen_text(app)))
        assert app.query_one("#checklist-table", LineTable).shown[2].ground == "stale"
        assert "agent_runs" in screen_text(app)
        await pilot.press("down")
        assert app.query_one("#checklist-table", LineTable).key == "table public.agent_runs"
        deck.hold.set()
        await shows_no(pilot, "s old")


async def test_looks_that_hang_grey_the_checks_while_the_panels_go_on() -> None:
    deck, time = ScriptedDeck(), Time()
    async with dashboard(deck, settings=Settings(pace=Pace(refresh=0.05, look_every=10)), time=time) as (app, pilot):
        await shows(pilot, "APPLIED")
        deck.hold_looks = asyncio.Event()
        time.turn_on(45)
        await until(pilot, lambda: re.search("checks 4[5-9] s old", screen_text(app)))
        assert app.query_one("#checklist-table", LineTable).shown[2].ground == "stale"
        assert app.query_one("#executions-table", LineTable).shown[0].ground == "plain"
        deck.hold_looks.set()
        await pilot.press("v")
        await shows_no(pilot, "s old")


async def test_a_lost_line_is_said_counted_and_mended_by_itself() -> None:
    deck = ScriptedDeck()
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "APPLIED")
        deck.fail = {
            "tick": Problem("lost", "server closed the connection"),
            "connect": Problem("unreachable", "connection refused", "is it up?"),
        }
        await shows(pilot, "UNREACHABLE")
        await until(pilot, lambda: isinstance(app.store.connection, Reconnecting) and app.store.connection.attempt >= 2)
        text = screen_text(app)
        assert "connection refused" in text and "last known: APPLIED" in text
        assert "agents" in text
        deck.fail = {}
        await shows(pilot, "✓ APPLIED")


async def test_a_refused_sign_in_is_not_tried_again_by_itself() -> None:
    deck = ScriptedDeck()
    deck.fail = {"connect": Problem("auth", "password authentication failed", "check the password", retry=False)}
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "SIGN-IN REFUSED")
        assert "password authentication failed" in screen_text(app)
        await pilot.pause(0.5)
        assert deck.asked["connect"] == 1
        assert isinstance(app.store.connection, AuthFailed)
        deck.fail = {}
        await pilot.press("r")
        await shows(pilot, "APPLIED")


async def test_r_does_not_wait_for_the_next_try() -> None:
    deck, time = ScriptedDeck(), Time()
    deck.fail = {"connect": Problem("unreachable", "connection refused")}
    async with dashboard(deck, time=time) as (app, pilot):
        await until(pilot, lambda: isinstance(app.store.connection, Reconnecting) and app.store.connection.attempt == 4)
        deck.fail = {}
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.store.connection, Connected), timeout=0.5)


async def test_a_failed_question_is_told_and_the_rest_goes_on() -> None:
    deck = ScriptedDeck()
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "APPLIED")
        deck.fail = {"look": Problem("query", "permission denied for table pg_authid", "ask for the right role")}
        await shows(pilot, "permission denied for table pg_authid")
        assert isinstance(app.store.connection, Connected)
        deck.fail = {}
        await shows_no(pilot, "permission denied")


async def test_a_defect_in_the_poll_stops_asking_says_so_and_r_starts_it_again() -> None:
    deck = ScriptedDeck()
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "APPLIED")
        deck.crash = ValueError("oops [/] postgresql://u:hunter2@h/d")
        await shows(pilot, "STOPPED")
        text = screen_text(app)
        assert "ValueError: oops [/]" in text
        assert "hunter2" not in text
        assert isinstance(app.store.connection, Stopped)
        deck.crash = None
        await pilot.press("r")
        await shows(pilot, "✓ APPLIED")


@pytest.mark.parametrize("size", SIZES)
async def test_before_the_migration_the_panels_say_what_they_wait_for(size: tuple[int, int]) -> None:
    deck = ScriptedDeck()
    deck.look_now, deck.panels_now = look(checks(outcome=nothing_there)), WAITING
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "! NOT APPLIED")
        if size[0] < 110:
            await pilot.press("2")
        await until(pilot, lambda: "waits for table runs" in " ".join(screen_text(app).split()))
        if size[0] < 110:
            await pilot.press("3")
        await shows(pilot, "waits for table faults")


async def test_what_is_only_still_to_do_is_no_fault() -> None:
    deck = ScriptedDeck()
    deck.look_now, deck.panels_now = look(checks(outcome=nothing_there)), WAITING
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "! NOT APPLIED")
        assert "○  agents" in screen_text(app)
        assert "✗" not in screen_text(app)
        assert not app.query_one("#migration").has_class("-broken")
        assert not app.query_one("#checks").has_class("-broken")
        deck.look_now = look(checks(outcome=missing("flows_delete")))
        await shows(pilot, "✗  flows")
        assert app.query_one("#migration").has_class("-broken")


async def test_a_panel_that_failed_says_why_and_keeps_its_rows_greyed() -> None:
    deck = ScriptedDeck()
    deck.panels_now = panels(replace(executions(), problem="canceling statement due to statement timeout"))
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "canceling statement due to statement timeout")
        rows = app.query_one("#executions-table", LineTable).shown
        assert rows and all(row.ground == "stale" for row in rows)


async def test_a_changed_source_of_a_panel_asks_for_a_look_at_once() -> None:
    deck = ScriptedDeck()
    deck.look_now, deck.panels_now = look(checks(outcome=nothing_there)), WAITING
    settings = Settings(pace=Pace(refresh=0.05, look_every=3600))
    async with dashboard(deck, settings=settings) as (_, pilot):
        await shows(pilot, "NOT APPLIED")
        assert deck.asked["look"] == 1
        deck.look_now, deck.panels_now = look(), panels()
        await shows(pilot, "✓ APPLIED")
        assert deck.asked["look"] == 2


@pytest.mark.parametrize("size", [(60, 20), (120, 40)])
async def test_text_of_the_database_is_shown_not_obeyed(size: tuple[int, int]) -> None:
    deck = ScriptedDeck()
    runs, faults, text = executions(), errors(), itertools.cycle(HOSTILE)
    deck.panels_now = panels(
        replace(
            runs, rows=tuple(replace(row, name=next(text), status=next(text)) for row in runs.rows), note=HOSTILE[0]
        ),
        replace(
            faults,
            title=HOSTILE[1],
            groups=tuple(replace(group, kind=next(text), message=" ".join(HOSTILE)) for group in faults.groups),
        ),
    )
    deck.look_now = look(
        [msgspec.structs.replace(one, outcome="differs", actual=next(text), why=next(text)) for one in checks()]
    )
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "NOT APPLIED")
        for key in ("enter", "escape", "2", "enter", "escape", "3", "enter", "escape", "ctrl+p", "escape"):
            await pilot.press(key)
            await pilot.pause()
            lines = screen_lines(app)
            assert not [one for one in "".join(lines) if not one.isprintable()]
            assert all(cell_len(line) <= size[0] for line in lines)
        await pilot.press("3")
        assert "[bold red]x" in screen_text(app) or "[@click=app.exit]" in screen_text(app)


async def test_the_cursor_stays_on_its_row_through_refresh_sort_and_filter() -> None:
    deck = broken()
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "PARTIAL")
        table = app.query_one("#checklist-table", LineTable)
        for _ in range(4):
            await pilot.press("j")
        assert table.key == "table public.plans"
        deck.look_now = look(checks(outcome=missing("agents_delete")))
        await shows(pilot, "PARTIAL 174/175")
        assert table.key == "table public.plans"
        for word in ("by name", "worst first", "order of the bundle"):
            await pilot.press("s")
            await shows(pilot, word)
            assert table.key == "table public.plans"
        await pilot.press("slash", *"pl", "enter")
        assert [row.key for row in table.listed] == ["table public.plans"]
        await pilot.press("escape")
        assert table.key == "table public.plans"
        assert len(table.listed) == len(SHELVES) + 3


async def test_the_cursor_follows_an_execution_that_moves_down() -> None:
    deck = ScriptedDeck()
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("2", "j", "j")
        table = app.query_one("#executions-table", LineTable)
        key = table.key
        deck.panels_now = panels(executions(first=3, at=NOON + timedelta(seconds=3)), errors())
        await until(pilot, lambda: table.listed[0].key == "e15")
        assert table.key == key == "e10"
        await pilot.press("enter")
        await shows(pilot, "Execution e10")


async def test_filter_matches_any_part_and_says_what_is_hidden() -> None:
    async with dashboard(ScriptedDeck(), (80, 24)) as (_app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("slash", *"run_lo")
        await shows_no(pilot, "plans")
        await pilot.press("enter")
        await shows(pilot, '"run_lo" · 2 of 19')
        await pilot.press("escape")
        await shows(pilot, "plans")


async def test_a_filter_that_fits_nothing_says_so() -> None:
    async with dashboard(ScriptedDeck(), (80, 24)) as (_, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("slash", *"zzz")
        await shows(pilot, 'nothing here is "zzz": 19 rows are hidden')
        await pilot.press("enter")
        await shows(pilot, '"zzz" · 0 of 19')


@pytest.mark.parametrize("panel", ["2", "3"])
async def test_a_filter_that_fits_nothing_does_not_say_that_there_is_nothing(panel: str) -> None:
    async with dashboard(ScriptedDeck(), (80, 24)) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press(panel, "slash", *"zzz")
        await shows(pilot, "are hidden")
        assert "in the last" not in screen_text(app)


async def test_while_a_filter_is_typed_the_footer_offers_what_ends_it() -> None:
    async with dashboard(ScriptedDeck(), (80, 24)) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("slash", "a")
        await shows(pilot, "enter Keep")
        footer = screen_text(app).splitlines()[-1]
        assert "esc Clear" in footer
        assert "Filter" not in footer, "there its key is a letter"


async def test_before_the_first_answer_nothing_is_known_to_be_well() -> None:
    deck = ScriptedDeck()
    deck.hold = asyncio.Event()
    async with dashboard(deck, (80, 24)) as (app, pilot):
        for panel in "123":
            await pilot.press(panel, "n")
            await shows(pilot, "nothing is known here yet")
        assert "nothing fails" not in screen_text(app)
        deck.hold.set()


async def test_failing_only_and_the_next_problem() -> None:
    async with dashboard(broken()) as (app, pilot):
        await shows(pilot, "PARTIAL")
        table = app.query_one("#checklist-table", LineTable)
        keys = []
        for key in ("n", "n", "n", "N"):
            await pilot.press(key)
            keys.append(table.key)
        assert keys == ["table public.flows", "table public.plans", "table public.flows", "table public.plans"]
        await pilot.press("f")
        assert [row.key for row in table.listed] == ["table public.flows", "table public.plans"]


async def test_detail_shows_both_definitions_with_their_difference_and_copies_them() -> None:
    deck = ScriptedDeck()
    deck.look_now = look(checks(outcome=differing("flows_select", "permissive select to public using (true)")))
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "PARTIAL")
        await pilot.press("n", "enter")
        await shows(pilot, "policy flows_select")
        text = screen_text(app)
        assert "a policy that asks another question opens rows to other teams" in text
        assert "expected" in text and "live" in text
        assert "permissive select to public using (true)" in text
        changed = [
            span
            for line in app.screen.query_one("#detail-pair", Reader).shown
            for span in line.spans
            if span[1] == "changed"
        ]
        assert any("public" in one for one, _ in changed) and any("authenticated" in one for one, _ in changed)
        await pilot.press("y")
        assert "-- live\npermissive select to public using (true)" in app.clipboard
        await pilot.press("escape")
        assert "Checklist" in screen_text(app)


async def test_detail_copies_what_mends_it() -> None:
    made = "create policy flows_select on public.flows for select to authenticated using (team_id = 1)"
    deck = ScriptedDeck(bundle=replace(BUNDLE, patch=Script("PATCH.sql", split(f"{made};"))))
    deck.look_now = look(checks(outcome=differing("flows_select", "permissive select to public using (true)")))
    async with dashboard(deck, (80, 24)) as (app, pilot):
        await shows(pilot, "PARTIAL")
        await pilot.press("n", "enter")
        await shows(pilot, "y copies what mends it: 2 statements")
        await pilot.press("y")
        await shows(pilot, "copied: 2 statements for policy flows_select")
        dropped = 'drop policy if exists "flows_select" on "public"."flows"'
        assert app.clipboard == f"-- policy flows_select: differs\n{dropped};\n{made};"
        await pilot.press("home", "y")
        await shows_no(pilot, "y copies what mends it")
        assert app.clipboard == "-- table public.flows: holds"


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_on_a_low_screen_both_definitions_are_read_a_key_away(size: tuple[int, int]) -> None:
    deck = ScriptedDeck()
    deck.look_now = look(checks(outcome=differing("flows_select", "permissive select to public using (true)")))
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "PARTIAL")
        await pilot.press("n", "enter")
        await shows(pilot, "policy flows_select")
        assert "tab Definitions" in screen_lines(app)[-1]
        assert "live" not in screen_text(app), "there is no room for both"
        await pilot.press("enter")
        await shows(pilot, "tab List")
        await shows(pilot, "expected")
        await shows(pilot, "m.user_id")
        await pilot.press("end")
        await shows(pilot, "permissive select to public using (true)")
        assert any("flows_select" in one for one in screen_lines(app)[2:6]), "its row is still seen"
        await pilot.press("tab")
        await shows(pilot, "tab Definitions")


async def test_apply_and_roll_back_say_why_they_are_off() -> None:
    deck = ScriptedDeck()
    async with dashboard(deck, settings=Settings(read_only=True, pace=Pace(0.05, 0.05))) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("a")
        await shows(pilot, "Apply is off: this session is read-only")
        await pilot.press("b")
        await shows(pilot, "Roll back is off: this session is read-only")
        assert len(app.screen_stack) == 1
        await pilot.press("ctrl+p", *"roll")
        await shows(pilot, "nothing of that name can be done now")
        assert "read-only" in screen_text(app)


async def test_not_connected_nothing_can_be_applied() -> None:
    deck = ScriptedDeck()
    deck.fail = {"connect": Problem("unreachable", "connection refused")}
    async with dashboard(deck) as (_, pilot):
        await shows(pilot, "UNREACHABLE")
        await pilot.press("a")
        await shows(pilot, "Apply is off: not connected to the database")


async def test_the_palette_does_what_is_chosen() -> None:
    async with dashboard(broken()) as (app, pilot):
        await shows(pilot, "PARTIAL")
        await pilot.press("ctrl+p", *"failing", "enter")
        await shows(pilot, "failing only")
        await pilot.press("ctrl+p", *"theme light", "enter")
        await until(pilot, lambda: app.theme == "light")


async def test_help_names_every_key_of_the_dashboard_with_its_meaning() -> None:
    async with dashboard(ScriptedDeck(), (120, 40)) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("question_mark")
        await shows(pilot, "Every key that works here")
        text = screen_text(app)
        for binding in Dashboard.BINDINGS:
            assert binding.tooltip in text  # type: ignore[union-attr]
        await pilot.press("escape")
        assert app.focused is not None and app.focused.id == "checklist-table"


async def test_w_lets_the_panels_look_back_further() -> None:
    class Windowed(ScriptedDeck):
        async def tick(self, window: int, scope: Scope | None = None) -> Panels:
            found = await super().tick(window, scope)
            return replace(found, executions=replace(found.executions, window=window))

    async with dashboard(Windowed()) as (_, pilot):
        await shows(pilot, "Executions · last 15 min")
        for words in ("1 h", "6 h", "5 min", "15 min"):
            await pilot.press("w")
            await shows(pilot, f"panels: the last {words}")
            await shows(pilot, f"Executions · last {words}")
        await pilot.press("space", "w")
        await shows(pilot, "panels: the last 1 h, when asking goes on")


async def test_pause_stops_asking_and_space_goes_on() -> None:
    deck = ScriptedDeck()
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("space")
        await shows(pilot, "paused")
        await pilot.pause(0.2)
        asked = dict(deck.asked)
        await pilot.pause(0.3)
        assert deck.asked == asked
        await pilot.press("space")
        await until(pilot, lambda: deck.asked["tick"] > asked["tick"])
        await until(pilot, lambda: not app.store.paused)


async def test_verify_looks_again_at_once() -> None:
    deck = ScriptedDeck()
    async with dashboard(deck, settings=Settings(pace=Pace(refresh=3600, look_every=3600))) as (_, pilot):
        await shows(pilot, "APPLIED")
        deck.look_now = look(checks(outcome=missing("flows_delete")))
        await pilot.press("v")
        await shows(pilot, "PARTIAL 174/175")


async def test_too_small_is_said_and_everything_is_back_afterwards() -> None:
    async with dashboard(ScriptedDeck(), (80, 24)) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("j", "j")
        await pilot.resize_terminal(50, 12)
        await shows(pilot, "50x12 is too small, 60x20 is needed")
        assert "APPLIED" not in screen_text(app)
        await pilot.resize_terminal(80, 24)
        await shows(pilot, "APPLIED")
        assert app.query_one("#checklist-table", LineTable).key == "table public.flows"
        assert app.focused is not None and app.focused.id == "checklist-table"


async def test_from_narrow_to_wide_and_back_nothing_is_lost() -> None:
    async with dashboard(broken(), (80, 24)) as (app, pilot):
        await shows(pilot, "PARTIAL")
        await pilot.press("2")
        await shows(pilot, "[2 Executions]")
        await pilot.resize_terminal(120, 40)
        await shows(pilot, "─ Migration")
        text = screen_text(app)
        assert all(word in text for word in ("─ Checklist", "─ Executions", "─ Errors", "invoice-sync"))
        await pilot.resize_terminal(80, 24)
        await shows(pilot, "[2 Executions]")
        assert "─ Migration" not in screen_text(app)


async def test_the_mouse_marks_opens_and_presses() -> None:
    async with dashboard(ScriptedDeck(), (80, 24)) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.click("#checklist-table", offset=(5, 4))
        assert app.query_one("#checklist-table", LineTable).key == "table public.flow_runs"
        await pilot.click("#tabs", offset=(20, 0))
        await shows(pilot, "[2 Executions]")
        column = screen_lines(app)[-1].index("? Help")
        await pilot.click("#footer", offset=(column, 0))
        await shows(pilot, "Every key that works here")


async def test_ascii_only_sends_ascii_only() -> None:
    deck = broken()
    deck.panels_now = panels(
        replace(executions(), rows=tuple(replace(row, name="naïve 家 “x”") for row in executions().rows))
    )
    async with dashboard(deck, settings=Settings(ascii=True, pace=Pace(0.05, 0.05))) as (app, pilot):
        await shows(pilot, "x PARTIAL 173/175")
        filtered = [
            one.text
            for y in range(40)
            for one in app._last_door.apply(
                list(app.screen._compositor.render_strips()[y]), app.screen.styles.background
            )
        ]
        assert "".join(filtered).isascii()
        assert "na?ve ?? ?x?" in "".join(filtered)


async def test_the_first_frame_is_laid_out_as_what_follows_it() -> None:
    assert (opening.WIDE, opening.TALL) == (band.WIDE, band.TALL)


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
async def test_the_palette_says_what_the_marked_one_does_to_the_end(size: tuple[int, int]) -> None:
    async with dashboard(broken(), size) as (app, pilot):
        await shows(pilot, "PARTIAL")
        await pilot.press("ctrl+p")
        listed = app.screen.query_one("#palette-table", LineTable).rows
        assert [row.cells[0][0] for row in listed[:3]] == ["Apply", "Roll back", "Verify"]
        assert [row.cells[0][0] for row in listed if not row.cells[0][0].startswith("Theme")][-2:] == ["Help", "Quit"]
        whole = app.screen.query_one("#palette-whole", Lines)

        def said() -> str:
            return " ".join(" ".join(text for one in whole.shown for text, _ in one.spans).split())

        await until(pilot, lambda: said() == "Walk through applying the migration; nothing changes before its step 6")
        await pilot.press("down", "down")
        await until(pilot, lambda: said() == "Look again now, lint, and try who reaches which rows")


async def test_every_way_out_is_one_line_of_the_help() -> None:
    async with dashboard(ScriptedDeck()) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("question_mark")
        await shows(pilot, "q ^q")
        assert screen_text(app).count("Leave; nothing is changed by leaving") == 1


def test_a_sentence_of_the_verdict_is_whole_or_absent() -> None:
    said = "It has changed since: 7 checks fail. What failed says what it means for users."
    assert whole_sentences(said, 100) == said
    assert whole_sentences(said, 77) == "It has changed since: 7 checks fail."
    assert whole_sentences(said, 5) == "It has changed since: 7 checks fail."
    assert whole_sentences("", 10) == ""


@pytest.mark.parametrize("key", ["a", "b", "d", "h", "i", "l", "o", "enter", "ctrl+p"])
async def test_a_key_pressed_twice_at_once_opens_one_screen(key: str) -> None:
    deck = broken()
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "PARTIAL")
        under = app.screen
        app.simulate_key(key)
        app.simulate_key(key)
        await until(pilot, lambda: app.screen is not under)
        await pilot.pause(0.3)
        assert app.screen_stack[-2] is under
