"""A run of somebody else on the dashboard: seen while it goes on, gone when it has ended."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.ui.support import ScriptedDeck, dashboard, screen_text, shows, shows_no
from tui.core.facts import Runner

SIZES = [(60, 20), (80, 24), (120, 40)]


@pytest.mark.parametrize("size", SIZES)
async def test_the_band_says_who_runs_what_since_when(size: tuple[int, int]) -> None:
    deck = ScriptedDeck()
    deck.look_now = replace(deck.look_now, runs=())
    runner = Runner(99, "postgres", "patchdeck apply dana@bastion-2", "2026-11-20 14:02:10 UTC")
    deck.panels_now = replace(deck.panels_now, runner=runner)
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "apply dana@bastion-2")
        if size[0] >= 110:
            assert "patchdeck apply dana@bastion-2 is running since 14:02:10 UTC" in screen_text(app)
        deck.panels_now = replace(deck.panels_now, runner=None)
        await shows_no(pilot, "apply dana@bastion-2")
