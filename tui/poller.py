"""The loop that asks the database and puts the answers into the store: look, tick, wait, and reconnect when lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from tui.core.deck import Deck, Problem
from tui.store import AuthFailed, Connected, Notice, Reconnecting, Stopped, Store, lost_line


@dataclass(frozen=True, slots=True)
class Pace:
    """How often to ask, in seconds; `window` is how far back the panels look."""

    refresh: float = 2.0
    look_every: float = 10.0
    window: int = 900


class Poller:
    """Asks one deck for ever. `monotonic` gives seconds, `jitter` a number in 0..1."""

    def __init__(
        self, deck: Deck, store: Store, pace: Pace, monotonic: Callable[[], float], jitter: Callable[[], float]
    ) -> None:
        self._deck, self._store, self._pace = deck, store, pace
        self._monotonic, self._jitter = monotonic, jitter
        self._wake = asyncio.Event()
        self._look_due = True

    def look_now(self) -> None:
        """Look at the catalog at once."""
        self._look_due = True
        self._wake.set()

    def retry_now(self) -> None:
        """Connect at once, whatever was decided to wait for."""
        if not isinstance(self._store.connection, Connected):
            self._store.connecting()
        self._wake.set()

    def resume(self) -> None:
        """Go on after a pause."""
        self._wake.set()

    async def run(self) -> None:
        """Ask until cancelled. The pause comes after the answer: a slow database is never asked twice at once."""
        while True:
            wait = self._wait_before()
            if wait is None or wait > 0:
                await self._sleep(wait)
                continue
            await self._ask()
            if isinstance(self._store.connection, Connected):
                await self._sleep(self._pace.refresh)

    def _wait_before(self) -> float | None:
        """Seconds until the next question: None waits for the operator."""
        if self._store.paused and not self._look_due:
            return None
        match self._store.connection:
            case AuthFailed() | Stopped():
                return None
            case Reconnecting(next_at=next_at):
                return next_at - self._monotonic()
        return 0.0

    async def _ask(self) -> None:
        store = self._store
        try:
            if not isinstance(store.connection, Connected):
                store.connected(await self._deck.connect())
                self._look_due = True
        except Problem as problem:
            store.failed(problem, self._monotonic(), self._jitter())
            return
        try:
            await self._questions()
        except Problem as problem:
            if lost_line(problem):
                store.failed(problem, self._monotonic(), self._jitter())
            else:
                store.tell(Notice(problem.message, problem.hint))
        else:
            store.tell(None)

    async def _questions(self) -> None:
        store, now = self._store, self._monotonic
        if self._look_due or now() - store.look_at >= self._pace.look_every:
            self._look_due = False
            look = await self._deck.look()
            store.put_look(look, now())
            store.connected(look.server)
        panels = await self._deck.tick(self._pace.window)
        if self._deck.server is not None:
            store.connected(self._deck.server, panels.rtt)
        if store.put_panels(panels, now()):
            self.look_now()

    async def _sleep(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()
