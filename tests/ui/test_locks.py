"""The Locks view: the tree, the session in full, and ending one by typing its process."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from tests.ui.support import HERE, ScriptedDeck, dashboard, screen_lines, screen_text, shows, shows_no, until
from tui.core.deck import Problem
from tui.core.facts import Runner
from tui.core.locks import LockHeld, LockPicture, LockSession

SIZES = [(60, 20), (80, 24), (120, 40)]
HELD = LockHeld("public.agents", "AccessShareLock", True)
READER = LockSession(
    41, "1/1", "dana", "nightly report", "idle in transaction", 312.0, "select * from agents", (HELD,), (), False, True
)
WAITER = LockSession(
    57, "2/2", "postgres", "other tool", "active", 9.0, "alter table agents add x int",
    (LockHeld("public.agents", "AccessExclusiveLock", False),), (41,), False, True,
)  # fmt: skip
VICTIM = LockSession(
    63, "3/3", "authenticated", "app", "active", 8.0, "select id from agents",
    (LockHeld("public.agents", "AccessShareLock", False),), (57,), False, False,
)  # fmt: skip
RUNNER = Runner(99, "postgres", "patchdeck apply dana@bastion-2", "2026-11-20 14:02:10 UTC")


def queue() -> ScriptedDeck:
    deck = ScriptedDeck()
    deck.locks_now = LockPicture((VICTIM, READER, WAITER), RUNNER)
    return deck


@pytest.mark.parametrize("size", SIZES)
async def test_who_blocks_whom_is_seen_at_a_glance(size: tuple[int, int]) -> None:
    async with dashboard(queue(), size) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("l")
        await shows(pilot, "2 sessions wait for a lock")
        await shows(pilot, "x End session")
        lines = screen_lines(app)
        rows = {pid: next(line for line in lines if f" {pid} " in line and "│" in line) for pid in (41, 57, 63)}
        assert [rows[pid].index(str(pid)) - rows[41].index("41") for pid in (41, 57, 63)] == [0, 2, 4]
        assert " 5 min " in rows[41] and "2 behind it" in rows[41] and "idle in" in rows[41]
        assert "nightly report" in rows[41] or size[0] < 76
        assert "waits for agents" in rows[57]
        assert "patchdeck apply dana@bastion-2" in screen_text(app)
        # The marked one in full.
        assert "nightly report, role dana" in screen_text(app)
        assert "ran last" in screen_text(app)


@pytest.mark.parametrize(("key", "how"), [("x", "terminate"), ("c", "cancel")])
async def test_its_number_has_to_be_typed(key: str, how: str) -> None:
    deck = queue()
    deck.locks_now = LockPicture((msgspec.structs.replace(READER, state="active"), WAITER))
    async with dashboard(deck) as (app, pilot):
        await pilot.press("l")
        await shows(pilot, "1 session waits for a lock")
        await pilot.press(key)
        await shows(pilot, "type 41 to")
        await shows(
            pilot, f"type 41 to {'end the session of' if key == 'x' else 'cancel the statement of'} that process"
        )
        await pilot.press("enter")
        await shows(pilot, "nothing was sent")
        await pilot.press("4", "2", "enter")
        await shows(pilot, '"42" is not 41')
        assert deck.ended == []
        assert " 42" in screen_lines(app)[-3], "what is typed is seen"
        await pilot.press("backspace", "1")
        deck.locks_now = LockPicture((msgspec.structs.replace(WAITER, waits_for=()),))
        await pilot.press("enter")
        await until(pilot, lambda: deck.ended == [(41, "1/1", how)])
        await shows(pilot, "process 41 has ended")
        await shows(pilot, "Locks · 1 session")


async def test_escape_leaves_it_and_sends_nothing() -> None:
    deck = queue()
    async with dashboard(deck) as (_, pilot):
        await pilot.press("l")
        await shows(pilot, "2 sessions wait")
        await pilot.press("x", "4", "1", "escape")
        await shows_no(pilot, "type 41")
        await pilot.press("enter")
        assert deck.ended == []
        await pilot.press("escape")
        await shows(pilot, "Checklist")


async def test_who_is_asked_for_is_who_is_ended_whoever_comes_meanwhile() -> None:
    """The list moves under the question: the process and the transaction that were marked are what counts."""
    deck = queue()
    async with dashboard(deck) as (app, pilot):
        await pilot.press("l")
        await shows(pilot, "2 sessions wait")
        await pilot.press("x")
        deck.locks_now = LockPicture((msgspec.structs.replace(READER, token="1/7"), WAITER))
        app.screen.action_again()  # type: ignore[attr-defined]
        await until(pilot, lambda: deck.asked["locks"] > 1)
        await pilot.press("4", "1", "enter")
        await until(pilot, lambda: deck.ended == [(41, "1/1", "terminate")])


@pytest.mark.parametrize(
    ("session", "key", "said"),
    [
        (READER, "c", "no statement that could be cancelled"),
        (msgspec.structs.replace(READER, may_end=False), "x", "pg_signal_backend"),
        (msgspec.structs.replace(READER, may_end=False, superuser=True), "x", "superuser"),
    ],
)
async def test_what_can_not_be_ended_says_why(session: LockSession, key: str, said: str) -> None:
    deck = queue()
    deck.locks_now = LockPicture((session,))
    async with dashboard(deck) as (_, pilot):
        await pilot.press("l")
        await shows(pilot, "nightly report")
        await pilot.press(key)
        await shows(pilot, said)
        assert deck.ended == []


async def test_read_only_ends_nobody() -> None:
    deck = ScriptedDeck(destination=replace(HERE, read_only=True))
    deck.locks_now = LockPicture((READER,))
    async with dashboard(deck) as (_, pilot):
        await pilot.press("l")
        await shows(pilot, "nightly report")
        await pilot.press("x")
        await shows(pilot, "this session is read-only")


async def test_a_refusal_of_the_server_is_said() -> None:
    deck = queue()
    deck.fail["end"] = Problem("query", "permission denied to terminate process (42501)", "it takes pg_signal_backend")
    async with dashboard(deck) as (_, pilot):
        await pilot.press("l")
        await shows(pilot, "2 sessions wait")
        await pilot.press("x", "4", "1", "enter")
        await shows(pilot, "permission denied")
        await shows(pilot, "it takes pg_signal_backend")


async def test_old_locks_stay_with_their_age_when_the_line_is_lost() -> None:
    deck = queue()
    async with dashboard(deck) as (app, pilot):
        await pilot.press("l")
        await shows(pilot, "2 sessions wait")
        deck.fail["locks"] = Problem("lost", "server closed the connection", "it is tried again")
        app.screen.action_again()  # type: ignore[attr-defined]
        await shows(pilot, "server closed the connection")
        await shows(pilot, " old")
        assert "nightly report" in screen_text(app)


async def test_the_narrow_dashboard_has_it_as_a_tab() -> None:
    async with dashboard(queue(), (60, 20)) as (app, pilot):
        await shows(pilot, "4 Locks")
        await pilot.press("4")
        await shows(pilot, "2 sessions wait")
        await pilot.press("escape")
        await shows(pilot, "4 Locks")
        row = next(at for at, text in enumerate(screen_lines(app)) if "4 Locks" in text)
        await pilot.click("#tabs", offset=(screen_lines(app)[row].index("Locks"), 0))
        await shows(pilot, "2 sessions wait")


HOSTILE = "[bold]x[/] \x1b]52;c;aGk=\x07 \u202ey 家" + "家" * 80


async def test_names_from_outside_do_nothing() -> None:
    from tui.core.locks import decode_picture

    raw = msgspec.structs.replace(READER, application=HOSTILE, user=HOSTILE, state=HOSTILE, query=HOSTILE)
    deck = queue()
    deck.locks_now = decode_picture(msgspec.json.encode(LockPicture((raw, WAITER))))
    async with dashboard(deck, (80, 24)) as (app, pilot):
        await pilot.press("l")
        await shows(pilot, "[bold]x[/]")
        assert "\x1b" not in screen_text(app) and "\u202e" not in screen_text(app)


async def test_another_question_is_not_answered_by_what_was_said_of_the_one_before() -> None:
    async with dashboard(queue()) as (_, pilot):
        await pilot.press("l")
        await shows(pilot, "2 sessions wait")
        await pilot.press("x", "7", "enter")
        await shows(pilot, '"7" is not 41: nothing was sent')
        await pilot.press("escape", "x")
        await shows(pilot, "its connection ends, and what it has open is rolled back")
