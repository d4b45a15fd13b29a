"""History and the report of a run: what the ledger remembers, read, copied and written to files."""

from __future__ import annotations

import re
import stat
from datetime import timedelta

import pytest
from msgspec.structs import replace
from msgspec.structs import replace as replaced

from tests.support import MakeDatabase, ask
from tests.ui.support import (
    APPLIED_RUN,
    HERE,
    NOON,
    ScriptedDeck,
    dashboard,
    look,
    screen_lines,
    screen_text,
    shows,
    shows_no,
    until,
)
from tui.core.catalog import Catalog, Policy, Table
from tui.core.deck import Problem
from tui.core.look import LedgerState, RunRecord
from tui.core.report_ledger import LedgerRow, from_ledger
from tui.core.report_markdown import markdown
from tui.db.session import Session
from tui.db.target import resolve
from tui.files import read_bundle
from tui.report_files import folder
from tui.screens.report import ReportScreen
from tui.widgets.document import document_lines

SIZES = [(60, 20), (80, 24), (120, 40)]
HOSTILE = "[bold]x[/] \x1b]52;c;aGk=\x07 \u202ey |`*_ 家" + "家" * 80
APPLY = replace(APPLIED_RUN, run_id="0199aaaa-0000-4000-8000-000000000001")
BACK = replace(
    APPLY,
    run_id="0199bbbb-0000-4000-8000-000000000002",
    action="rollback",
    mode="restore-closed",
    operator="kim",
    finished_at=NOON + timedelta(hours=2),
    seconds=0.9,
)
TABLE = Table("public.agents", "postgres", True, True, False)
POLICY = Policy("agents_select", "select", True, ("authenticated",), using="team_id = any(my_teams())")


def row(record: RunRecord) -> LedgerRow:
    return LedgerRow(
        record, "77", "0" * 64, Catalog(tables=(TABLE,)), Catalog(tables=(replaced(TABLE, policies=(POLICY,)),))
    )


def remembering(*records: RunRecord, ledger: LedgerState = "read") -> ScriptedDeck:
    deck = ScriptedDeck()
    deck.look_now = replace(look(), runs=records, ledger=ledger, taken_at=NOON + timedelta(hours=3))
    deck.recorded_now = tuple(row(record) for record in records)
    return deck


@pytest.mark.parametrize("size", SIZES)
async def test_every_run_is_listed_with_its_outcome_and_the_marked_one_in_full(size: tuple[int, int]) -> None:
    async with dashboard(remembering(BACK, APPLY), size) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("h")
        await shows(pilot, "kim@bastion-2")
        assert "enter Report  tab Run" in screen_lines(app)[-1]
        listed = [one for one in screen_lines(app) if re.search(r"2026-11-20 \d\d:\d\d ", one)]
        assert ["rollback" in one for one in listed] == [True, False]
        assert all("committed" in one for one in listed)
        assert "restore-closed" in screen_text(app)
        assert "History · 2 runs" in screen_text(app)
        await pilot.press("down")
        await shows(pilot, "3 h ago")
        assert APPLY.run_id in screen_text(app)
        assert not any(len(one) > size[0] for one in screen_lines(app))


@pytest.mark.parametrize("size", SIZES)
async def test_enter_opens_the_words_of_the_report_command(size: tuple[int, int]) -> None:
    deck = remembering(BACK, APPLY)
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("5", "down", "enter")
        await shows(pilot, "as the ledger of the database records it")
        assert isinstance(app.screen, ReportScreen)
        expected = markdown(from_ledger(deck.bundle, deck.destination, row(APPLY)))
        await pilot.press("y")
        assert app.clipboard == expected
        assert "agents_select" in expected
        await pilot.press("escape")
        await shows(pilot, "enter opens the report")


def test_the_view_says_every_word_of_the_report() -> None:
    report = markdown(from_ledger(ScriptedDeck().bundle, HERE, row(replace(APPLY, operator="o_o|x `y` *z*"))))
    words = re.findall(r"\w+", re.sub(r"^\|[-| :]+\|$", "", report, flags=re.MULTILINE))
    for cells in (40, 78, 200):
        shown = document_lines(report, cells)
        text = " ".join("".join(part for part, _ in line.spans) for line in shown)
        said = "".join(text.split())
        assert [word for word in words if word not in said] == []
        assert all(sum(len(part) for part, _ in line.spans) <= cells for line in shown)
        assert "\\" not in text and "**" not in text and "o_o|x y *z*" in " ".join(text.split())


async def test_what_is_too_long_for_a_clipboard_is_copied_into_a_file() -> None:
    many = tuple(replaced(POLICY, name=f"{number:>060}") for number in range(1300))
    deck = remembering(APPLY)
    deck.recorded_now = (replace(row(APPLY), after=Catalog(tables=(replaced(TABLE, policies=many),))),)
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("h", "enter")
        await shows(pilot, "as the ledger of the database records it")
        await pilot.press("y")
        await shows(pilot, "too long for a terminal's clipboard")
        (file,) = folder().parent.glob("copied.txt")
        assert file.name in screen_text(app)
        assert file.read_text(encoding="utf-8") == markdown(from_ledger(deck.bundle, HERE, deck.recorded_now[0]))
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert app.clipboard == ""


@pytest.mark.parametrize("size", [(60, 20), (120, 40)])
async def test_the_report_key_writes_files_for_their_owner_only_and_shows_where(size: tuple[int, int]) -> None:
    deck = remembering(BACK, APPLY)
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "APPLIED")
        assert size[0] < 100 or ("o Report" in screen_text(app) and "h History" in screen_text(app))
        await pilot.press("o")
        await shows(pilot, "only you can read them")
        files = sorted(folder().iterdir())
        assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600, 0o600]
        assert "restore-closed" in files[-1].read_text(encoding="utf-8")
        assert str(files[-1]) in "".join(screen_text(app).replace("│", "").split())
        # The same report again is the same file.
        await pilot.press("escape", "o")
        await until(pilot, lambda: deck.asked.get("find_runs") == 2)
        await shows(pilot, "only you can read them")
        assert sorted(folder().iterdir()) == files


@pytest.mark.parametrize(
    ("ledger", "said"),
    [
        ("read", "no run is recorded in this database"),
        ("none", "it has no ledger yet"),
        ("unreadable", "this role may not read it"),
    ],
)
async def test_why_there_is_nothing_is_said(ledger: LedgerState, said: str) -> None:
    async with dashboard(remembering(ledger=ledger), (80, 24)) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("h")
        await until(pilot, lambda: said in " ".join(screen_text(app).replace("│", " ").split()))
        await pilot.press("escape", "o")
        await shows(pilot, "no run that this role may read is recorded for bundle teams")
        await pilot.press("y")
        await shows(pilot, "there is no report yet")


async def test_a_lost_line_is_said_and_asked_over() -> None:
    deck = remembering(APPLY)
    async with dashboard(deck) as (_, pilot):
        await shows(pilot, "APPLIED")
        deck.fail["find_runs"] = Problem("lost", "server closed the connection", "it is tried again")
        await pilot.press("h", "enter")
        await shows(pilot, "server closed the connection")
        deck.fail.clear()
        await pilot.press("r")
        await shows(pilot, "as the ledger of the database records it")


async def test_trying_to_connect_and_the_report_are_two_keys() -> None:
    """`r` asks again on every screen; it is in the footer where it is what is wanted."""
    deck = remembering(APPLY)
    async with dashboard(deck) as (_, pilot):
        await shows(pilot, "o Report")
        await shows_no(pilot, "r Try now")
        lost = Problem("unreachable", "no route to host", "check the network")
        deck.fail |= {"look": lost, "tick": lost, "connect": lost}
        await shows(pilot, "r Try now")
        deck.fail.clear()
        await pilot.press("r")
        await shows_no(pilot, "r Try now")


@pytest.mark.parametrize("size", [(60, 20), (80, 24)])
async def test_the_narrow_dashboard_has_it_as_a_tab(size: tuple[int, int]) -> None:
    async with dashboard(remembering(APPLY), size) as (app, pilot):
        await shows(pilot, "5 History")
        row = next(at for at, text in enumerate(screen_lines(app)) if "5 History" in text)
        await pilot.click("#tabs", offset=(screen_lines(app)[row].index("History"), 0))
        await shows(pilot, "enter opens the report")


async def test_the_tabs_of_the_smallest_screen_hold_the_worst_news() -> None:
    from tests.ui.support import checks, errors, missing, panels

    deck = remembering(APPLY)
    broken = [f"{name}_select" for name in ("agents", "agent_runs", "flows", "plans", "meters", "bills", "events",
                                            "hooks", "files", "members", "teams")]  # fmt: skip
    deck.look_now = look(checks(outcome=missing(*broken)))
    deck.panels_now = panels(faults=replace(errors(), total=12_345))
    async with dashboard(deck, (60, 20)) as (_, pilot):
        await shows(pilot, "Checklist ✗11")
        await shows(pilot, "3 Errors 12 345")
        await shows(pilot, "5 History")


async def test_names_from_outside_do_nothing() -> None:
    hostile = replace(APPLY, operator=HOSTILE, client_host=HOSTILE, server_version=HOSTILE, mode=HOSTILE)
    deck = remembering(hostile)
    async with dashboard(deck, (80, 24)) as (app, pilot):
        await pilot.press("h")
        await shows(pilot, "[bold]x[/]")
        assert "\x1b" not in screen_text(app) and "\u202e" not in screen_text(app)
        await pilot.press("enter")
        await shows(pilot, "as the ledger of the database records it")
        assert "\x1b" not in screen_text(app) and "\u202e" not in screen_text(app)
        await pilot.press("y")
        assert "\x1b" not in app.clipboard


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
async def test_a_ledger_that_may_not_be_read_is_told_from_none(make_database: MakeDatabase) -> None:
    database = make_database("legacy")
    session = Session(resolve(database.api_dsn, environ={}), read_bundle())
    steps: tuple[tuple[str, LedgerState], ...] = (
        ("select 1", "none"),
        ("create schema patchdeck; create table patchdeck.runs ()", "unreadable"),
        # Rows that row level security hides are no empty ledger.
        ("grant usage on schema patchdeck to authenticator; grant select on patchdeck.runs to authenticator; "
         "alter table patchdeck.runs enable row level security", "unreadable"),
    )  # fmt: skip
    try:
        for statements, state in steps:
            ask(database.admin_dsn, statements)
            assert (await session.look()).ledger == state
    finally:
        await session.close()


async def test_without_a_run_no_key_does_nothing_without_a_word() -> None:
    async with dashboard(remembering(ledger="none")) as (app, pilot):
        await pilot.press("h")
        await shows(pilot, "it has no ledger yet")
        entries = {entry.action: entry.off for entry in app.screen.footer._entries}  # type: ignore[attr-defined]
        assert entries["choose"] and entries["copy"] and not entries["app.back"]
        await pilot.press("y")
        await shows(pilot, "nothing to copy: no run is marked")
