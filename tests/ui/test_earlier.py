"""A run that was cut off, on the dashboard that is opened next: what became of it, until something else was done."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from tests.ui.support import NOON, ScriptedDeck, checks, dashboard, look, nothing_there, shows, shows_no
from tui.core.earlier import Earlier, Fate

SIZES = [(120, 40), (80, 24), (60, 20)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("fate", "said"),
    [
        ("rolled_back", "Cut off and rolled back: the apply of 20"),
        ("committed", "Cut off, but committed: the apply of 20"),
        ("unknown", "Cut off, and its end is not known yet: the apply"),
    ],
)
async def test_the_dashboard_says_what_became_of_it(fate: Fate, said: str, size: tuple[int, int]) -> None:
    deck = ScriptedDeck()
    found = look(checks(outcome=nothing_there), state="not_applied")
    deck.look_now = replace(found, earlier=(Earlier("apply", NOON, "77", fate),))
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "NOT APPLIED")
        await shows(pilot, said)
        # The next run ends what is told of the one before.
        deck.look_now = found
        app.action_look()
        await shows_no(pilot, said)
