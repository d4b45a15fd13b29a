"""The walkthrough's verification over a scripted database: what was committed is proven, and the dashboard has it."""

from __future__ import annotations

import asyncio

from tests.ui.support import QUICK, ScriptedDeck, checks, look, shows, until
from tests.ui.test_proof import FOUND, matrix, proven
from tests.ui.test_walkthrough import WalkDeck, Walker, walking, works
from tui.app import PatchdeckApp, Settings
from tui.core.deck import Problem
from tui.screens.walkthrough import WalkthroughScreen


async def committed(walker: Walker, deck: ScriptedDeck) -> None:
    """Walk up to the verification of a run that committed."""
    await walker.rehearse()
    await walker.press("n")
    deck.look_now = look()
    await walker.type("postgres")
    await walker.to("Verify")


async def test_what_was_committed_is_proven_and_the_report_waits_for_it() -> None:
    deck = WalkDeck(works)
    deck.proof_now = proven()
    async with walking(deck, size=(120, 40)) as walker:
        await committed(walker, deck)
        await walker.reads("checks pass", "✓ behaviour passed", "60 cases in 60 cells: 0 leaks", "negative control:")
        await walker.sees("proven")
        assert deck.asked["prove"] == 1
        deck.hold = asyncio.Event()
        await walker.press("r")
        deck.hold.set()
        await walker.until(lambda: deck.asked["prove"] == 2 and not walker.screen.step.against_next())
        report = walker.screen.walk.report()
        assert report is not None
        assert {check.layer for check in report.verified} == {"structure", "safety", "behaviour"}


async def test_a_leak_in_what_was_committed_is_told_with_what_shows_it() -> None:
    deck = WalkDeck(works)
    deck.proof_now = proven(matrix(leaks=[("public.plans", "update", "outsider")]), FOUND)
    async with walking(deck, size=(120, 40)) as walker:
        await committed(walker, deck)
        await walker.reads("1 leak", "1 error")


async def test_a_proof_that_could_not_be_had_is_no_proof() -> None:
    deck = WalkDeck(works)
    deck.fail = {"prove": Problem("query", "out of shared memory (53200)")}
    async with walking(deck, size=(120, 40)) as walker:
        await committed(walker, deck)
        await walker.reads("Beyond the structure nothing is proven: out of shared memory (53200). r tries again.")
        await walker.sees("not proven")
        deck.fail = {}
        deck.proof_now = proven()
        await walker.press("r")
        await walker.reads("✓ behaviour passed")


async def test_the_band_has_the_proof_of_the_walkthrough() -> None:
    deck = WalkDeck(works)
    deck.look_now, deck.proof_now = look(checks(), state="not_applied"), proven()
    app = PatchdeckApp(deck, Settings(pace=QUICK))
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "NOT APPLIED")
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, WalkthroughScreen))
        assert isinstance(app.screen, WalkthroughScreen)
        walker = Walker(app, pilot, app.screen)
        await committed(walker, deck)
        await walker.reads("✓ behaviour passed")
        await walker.to("Report")
        await pilot.press("escape")
        await shows(pilot, "isolation proven just now, 0 leaks in 60")
