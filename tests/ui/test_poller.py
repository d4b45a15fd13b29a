"""The loop that asks, over a scripted deck and without any screen: what is asked when, and what it makes of answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from time import monotonic

import pytest
from msgspec.structs import replace

from tests.ui.support import ScriptedDeck, checks, look, missing
from tui.core.catalog import Catalog
from tui.core.deck import Problem
from tui.core.panels import Panels, Scope
from tui.poller import Pace, Poller
from tui.store import Connected, Reconnecting, Store


@asynccontextmanager
async def polling(deck: ScriptedDeck, pace: Pace) -> AsyncIterator[tuple[Poller, Store]]:
    """A poller at work."""
    store = Store(lambda _: None)
    poller = Poller(deck, store, pace, monotonic, lambda: 0.0)
    task = asyncio.create_task(poller.run())
    try:
        yield poller, store
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], object], timeout: float = 3.0) -> None:
    async with asyncio.timeout(timeout):
        while not condition():  # noqa: ASYNC110 - any condition, not an event of ours
            await asyncio.sleep(0.005)


class SlowLooks(ScriptedDeck):
    """A deck whose looks after the first hang until `answer` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = asyncio.Event()

    async def look(self):  # type: ignore[no-untyped-def]
        found = await super().look()
        if self.asked["look"] > 1:
            await self.answer.wait()
        return found


async def test_a_slow_look_does_not_hold_up_the_panels() -> None:
    deck = SlowLooks()
    async with polling(deck, Pace(refresh=0.01, look_every=0.01)) as (_, store):
        await until(lambda: deck.asked["look"] == 2)
        ticks = deck.asked["tick"]
        deck.look_now = look(checks(outcome=missing("flows_delete")))
        await until(lambda: deck.asked["tick"] >= ticks + 3)
        assert deck.asked["look"] == 2
        assert store.look is not None and store.look.verdict.state == "applied"
        deck.answer.set()
        await until(lambda: store.look is not None and store.look.verdict.state == "partial")


async def test_connecting_is_the_first_look() -> None:
    deck = ScriptedDeck()
    async with polling(deck, Pace(refresh=0.01, look_every=3600)) as (_, store):
        await until(lambda: store.executions is not None)
        assert deck.asked["look"] == 1
        assert store.look is not None


async def test_nothing_is_asked_twice_at_once() -> None:
    deck = ScriptedDeck()
    async with polling(deck, Pace(refresh=0.01, look_every=0.01)) as (_, store):
        await until(lambda: store.executions is not None)
        deck.hold = asyncio.Event()
        await until(lambda: deck.waiting == 2)
        asked = dict(deck.asked)
        await asyncio.sleep(0.1)
        assert deck.asked == asked


async def test_looks_are_rarer_than_ticks_until_asked_for() -> None:
    deck = ScriptedDeck()
    async with polling(deck, Pace(refresh=0.01, look_every=3600)) as (poller, store):
        await until(lambda: deck.asked["tick"] >= 5)
        assert deck.asked["look"] == 1
        deck.look_now = look(checks(outcome=missing("flows_delete")))
        poller.look_now()
        await until(lambda: store.look is not None and store.look.verdict.state == "partial")
        assert deck.asked["look"] == 2


async def test_a_pause_asks_nothing_but_a_look_that_is_wanted() -> None:
    deck = ScriptedDeck()
    async with polling(deck, Pace(refresh=0.01, look_every=0.02)) as (poller, store):
        await until(lambda: store.executions is not None)
        poller.pause(True)
        await asyncio.sleep(0.1)
        asked = dict(deck.asked)
        await asyncio.sleep(0.1)
        assert deck.asked == asked
        poller.look_now()
        await until(lambda: deck.asked["look"] > asked["look"])
        assert deck.asked["tick"] == asked["tick"]
        poller.pause(False)
        await until(lambda: deck.asked["tick"] > asked["tick"])


async def test_data_is_back_soon_after_a_short_outage() -> None:
    deck = ScriptedDeck()
    async with polling(deck, Pace(refresh=0.05, look_every=0.05)) as (_, store):
        await until(lambda: store.executions is not None)
        deck.fail = {"tick": Problem("lost", "gone"), "connect": Problem("unreachable", "refused")}
        await until(lambda: isinstance(store.connection, Reconnecting))
        await asyncio.sleep(0.6)
        deck.fail = {}
        began = monotonic()
        await until(lambda: isinstance(store.connection, Connected))
        assert monotonic() - began < 1.5


async def test_a_line_that_is_closed_is_noticed_before_the_next_question() -> None:
    deck = ScriptedDeck()
    async with polling(deck, Pace(refresh=60, look_every=60)) as (poller, store):
        await until(lambda: store.executions is not None)
        asked = dict(deck.asked)
        deck.hangs_up.set()
        await until(lambda: isinstance(store.connection, Reconnecting))
        await until(lambda: deck.asked["look"] > asked["look"] and isinstance(store.connection, Connected))
        poller.pause(True)
        deck.hangs_up.set()
        await until(lambda: not deck.hangs_up.is_set())
        assert isinstance(store.connection, Connected), "a pause keeps what is shown"
        poller.pause(False)
        await until(lambda: isinstance(store.connection, Reconnecting))


@pytest.mark.parametrize("question", ["look", "tick"])
async def test_trouble_with_one_question_is_told_until_that_one_succeeds(question: str) -> None:
    deck = ScriptedDeck()
    async with polling(deck, Pace(refresh=0.01, look_every=0.01)) as (_, store):
        await until(lambda: store.executions is not None)
        deck.fail = {question: Problem("query", "permission denied")}
        await until(lambda: store.notice is not None)
        other = "tick" if question == "look" else "look"
        asked = deck.asked[other]
        await until(lambda: deck.asked[other] > asked + 2)
        assert store.notice is not None and store.notice.text == "permission denied"
        assert isinstance(store.connection, Connected)
        deck.fail = {}
        await until(lambda: store.notice is None)


async def test_a_defect_ends_the_loop_as_an_exception() -> None:
    deck = ScriptedDeck()
    deck.crash = ValueError("oops")
    poller = Poller(deck, Store(lambda _: None), Pace(), monotonic, lambda: 0.0)
    with pytest.raises(ValueError, match="oops"):
        await asyncio.wait_for(poller.run(), 2)


class SlowTicks(ScriptedDeck):
    """A deck whose ticks take ten times their interval; notes when each was asked and which window it was for."""

    def __init__(self) -> None:
        super().__init__()
        self.took = 0.1
        self.spans: list[tuple[float, float]] = []
        self.windows: list[int] = []

    async def tick(self, window: int, scope: Scope | None = None) -> Panels:
        began = monotonic()
        self.windows.append(window)
        await asyncio.sleep(self.took)
        found = await super().tick(window, scope)
        self.spans.append((began, monotonic()))
        return found


async def test_a_tick_longer_than_its_interval_is_not_followed_by_a_queue() -> None:
    deck, pause = SlowTicks(), 0.02
    async with polling(deck, Pace(refresh=pause, look_every=3600)):
        await until(lambda: len(deck.spans) == 4)
        deck.took = 0.0
        await until(lambda: len(deck.spans) == 8)
    gaps = [later[0] - earlier[1] for earlier, later in pairwise(deck.spans)]
    assert min(gaps) >= pause * 0.9, "each waits its interval after the answer, also those after a slow one"


async def test_another_window_is_asked_for_at_once_and_only_when_not_paused() -> None:
    deck = SlowTicks()
    deck.took = 0.0
    async with polling(deck, Pace(refresh=3600, look_every=3600, window=900)) as (poller, store):
        await until(lambda: store.executions is not None)
        for window in (3600, 21_600, 300, 900):
            assert poller.next_window() == window
            await until(lambda window=window: deck.windows[-1] == window)  # type: ignore[misc]
        poller.pause(True)
        asked = len(deck.windows)
        poller.next_window()
        await asyncio.sleep(0.05)
        assert len(deck.windows) == asked
        poller.pause(False)
        await until(lambda: deck.windows[-1] == 3600)


async def test_the_answer_is_on_the_screen_before_more_is_asked() -> None:
    deck, shown = ScriptedDeck(), asyncio.Event()
    store = Store(lambda _: None)
    task = asyncio.create_task(Poller(deck, store, Pace(refresh=0.01), monotonic, lambda: 0.0, shown.wait).run())
    try:
        await until(lambda: store.look is not None)
        await asyncio.sleep(0.05)
        assert deck.asked["tick"] == 0
        shown.set()
        await until(lambda: deck.asked["tick"] > 1)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_panels_follow_a_change_of_the_catalog_at_once() -> None:
    deck = ScriptedDeck()
    async with polling(deck, Pace(refresh=60, look_every=60)) as (poller, _):
        await until(lambda: deck.asked["tick"] == 1)
        poller.look_now()
        await until(lambda: deck.asked["look"] == 2)
        await asyncio.sleep(0.05)
        assert deck.asked["tick"] == 1, "nothing has changed"
        deck.look_now = replace(deck.look_now, catalog=Catalog())
        poller.look_now()
        await until(lambda: deck.asked["tick"] == 2)
