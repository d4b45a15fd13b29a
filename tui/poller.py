"""The loop that asks the database and puts the answers into the store: connect, look, tick, and again when it was lost.

Looks and ticks are asked beside each other, so that a slow look never holds up the panels. Each waits after its answer:
a slow database is never asked the same twice at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Literal

from tui.core.deck import Deck, Problem
from tui.core.panels import Scope
from tui.core.surface import digest
from tui.pace import Pace as Pace
from tui.store import AuthFailed, Connected, Notice, Reconnecting, Stopped, Store, lost_line

WINDOWS = (300, 900, 3600, 21_600)
"""Seconds that the panels may look back. A window costs with its rows: beyond 6 h more than 10 ms on a busy database
(facts: terminal-costs 10).
"""

Question = Literal["look", "tick", "drift"]


class Poller:
    """Asks one deck for ever. `monotonic` gives seconds, `jitter` a number in 0..1; `drawn` waits until an answer is on
    the screen, where there is one.
    """

    def __init__(
        self,
        deck: Deck,
        store: Store,
        pace: Pace,
        monotonic: Callable[[], float],
        jitter: Callable[[], float],
        drawn: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._deck, self._store, self._pace, self._drawn = deck, store, pace, drawn
        self._monotonic, self._jitter = monotonic, jitter
        self._retry, self._look_due, self._going = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._tick_due = asyncio.Event()
        self._going.set()
        self._window = pace.window
        self._scope: Scope | None = None
        self._trouble: dict[Question, Notice] = {}
        self._compared: object = None

    def look_now(self) -> None:
        """Look at the catalog at once, also while paused."""
        self._look_due.set()

    def compare_now(self) -> None:
        """Look at once, and compare with what was recorded whether or not anything seems to have changed."""
        self._compared = None
        self._look_due.set()

    def next_window(self) -> int:
        """Look back further, after the longest the shortest; at once, unless paused. Returns the new window."""
        self._window = next((window for window in WINDOWS if window > self._window), WINDOWS[0])
        self._tick_due.set()
        return self._window

    def narrow(self, scope: Scope | None) -> None:
        """Let the panels show the rows of `scope` only, None for all; at once, unless paused."""
        self._scope = scope
        self._tick_due.set()

    def retry_now(self) -> None:
        """Connect at once, whatever was decided to wait for."""
        if not isinstance(self._store.connection, Connected):
            self._store.connecting()
        self._retry.set()

    def pause(self, paused: bool) -> None:
        """Stop asking after the answers that are on their way, or go on."""
        self._store.pause(paused)
        if paused:
            self._going.clear()
        else:
            self._going.set()
            self._look_due.set()
            self._tick_due.set()

    async def run(self) -> None:
        """Ask until cancelled. What is not a Problem ends it, as an exception group: a defect of ours."""
        while True:
            await self._turn()
            self._look_due.clear()
            try:
                # Connecting is a look: one round trip for both, and the panels know what they can read.
                await self._look()
                # What is asked next costs this processor, too: first the operator sees the answer.
                if self._drawn is not None:
                    await self._drawn()
                async with asyncio.TaskGroup() as questions:
                    questions.create_task(self._looks())
                    questions.create_task(self._ticks())
                    questions.create_task(self._hears())
            except* Problem as lost:
                problem = _first(lost)
                self._store.failed(problem, self._monotonic(), self._jitter())
                self._trouble.clear()
                # A line that is gone is the band's to tell; a first look that the database refused takes a sentence.
                self._store.tell(None if lost_line(problem) else Notice(problem.message, problem.hint))

    async def _turn(self) -> None:
        """Until it is time to connect: at once, after the back-off, or when the operator says so."""
        self._retry.clear()
        match self._store.connection:
            case AuthFailed() | Stopped():
                await self._retry.wait()
            case Reconnecting(next_at=next_at):
                await _wait(self._retry, next_at - self._monotonic())

    async def _looks(self) -> None:
        """Look again and again; the first look has been had."""
        while True:
            await self._ask("drift", self._compare)
            await _wait(self._look_due, None if self._store.paused else self._pace.look_every)
            self._look_due.clear()
            await self._ask("look", self._look)

    async def _ticks(self) -> None:
        while True:
            self._tick_due.clear()
            await self._ask("tick", self._tick)
            # The interval begins with the answer: after a tick that took longer than it there is no queue to work off.
            await _wait(self._tick_due, self._pace.refresh)
            await self._going.wait()

    async def _hears(self) -> None:
        """Raise Problem as soon as the other end closes a line, whenever the next question is due; not while paused."""
        problem = await self._deck.hung_up()
        await self._going.wait()
        raise problem

    async def _ask(self, question: Question, answer: Callable[[], Awaitable[None]]) -> None:
        """Ask; what failed on a line that stands is told until it succeeds. Raises Problem on a lost line."""
        try:
            await answer()
        except Problem as problem:
            if lost_line(problem):
                raise
            self._trouble[question] = Notice(problem.message, problem.hint)
        else:
            self._trouble.pop(question, None)
        self._store.tell(next(iter(self._trouble.values()), None))

    async def _look(self) -> None:
        before = self._store.look
        look = await self._deck.look()
        self._store.put_look(look, self._monotonic())
        self._store.connected(look.server)
        if before is not None and before.catalog != look.catalog:
            # What the panels read from may be another table now.
            self._tick_due.set()

    async def _compare(self) -> None:
        """Ask for the drift where a run is recorded, when what is compared has changed: it costs a look more."""
        look = self._store.look
        of = look and (digest(look.catalog), look.runs)
        if look is None or of == self._compared:
            return
        self._store.put_drift(await self._deck.drift() if look.runs else None)
        self._compared = of

    async def _tick(self) -> None:
        panels = await self._deck.tick(self._window, self._scope)
        if self._deck.server is not None:
            self._store.connected(self._deck.server, panels.rtt)
        if self._store.put_panels(panels, self._monotonic()):
            # What a panel reads from has changed, hence the catalog.
            self._look_due.set()


async def _wait(event: asyncio.Event, seconds: float | None) -> None:
    """Until the event is set, at most `seconds` long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _first(group: BaseExceptionGroup[Problem]) -> Problem:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, Problem)  # noqa: S101 - except* gives nothing else
    return error
