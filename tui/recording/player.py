"""Plays a recording into a store: from its beginning or from wherever somebody seeks, as fast as they like."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from tui.recording.reader import Recording
from tui.store import Store

FASTEST = 1000.0


class Player:
    """One recording and a place in it. `monotonic` gives seconds, `speed` how many recorded ones pass in each."""

    def __init__(self, recording: Recording, monotonic: Callable[[], float], speed: float = 1.0) -> None:
        self.recording, self.speed = recording, speed
        self._monotonic = monotonic
        # Nothing is known before the first line: a replay begins with it.
        self._begin = recording.times[0]
        self._from, self._since = self._begin, monotonic()
        self._going = True
        self._moved = asyncio.Event()

    @property
    def position(self) -> float:
        """Where it is, as an offset in recorded seconds: the clock of everything that is shown."""
        passed = (self._monotonic() - self._since) * self.speed if self._going else 0.0
        return min(self._from + passed, self.recording.end)

    @property
    def going(self) -> bool:
        """Whether the clock moves."""
        return self._going and self.position < self.recording.end

    @property
    def at_end(self) -> bool:
        """Whether there is nothing more to come."""
        return self.position >= self.recording.end

    def wall(self) -> datetime:
        """The recorded time of day, on this machine's clock."""
        return self.recording.wall(self.position).astimezone()

    def pause(self, paused: bool) -> None:
        """Let the clock stand still, or go on."""
        self._place(self.position, going=not paused)

    def seek(self, position: float) -> None:
        """Go to an offset, or as near as the recording has it."""
        self._place(max(self._begin, min(position, self.recording.end)), going=self._going)

    def run_at(self, speed: float) -> None:
        """Another speed from here on."""
        here, going = self.position, self._going
        self.speed = speed
        self._place(here, going=going)

    def skip(self, seconds: float) -> None:
        """Go so many recorded seconds on, or back."""
        self.seek(self.position + seconds)

    def go_trouble(self, step: int) -> bool:
        """Go to where something went wrong next, or last before. Returns whether there is such a place."""
        here = self.position
        if step > 0:
            found = next((at for at in self.recording.troubles if at > here), None)
        else:
            # A moment of grace: while it plays, the place that was gone to has just been passed.
            found = next((at for at in reversed(self.recording.troubles) if at < here - self.speed), None)
        if found is not None:
            self.seek(found)
        return found is not None

    async def play(self, store: Store) -> None:
        """Let `store` hold what was held then, moment after moment, until cancelled."""
        shown, moment = -1.0, None
        while True:
            self._moved.clear()
            here = self.position
            moment = self.recording.moment(here, moment, shown)
            store.become(moment)
            shown = here
            await self._wait(here)

    async def _wait(self, here: float) -> None:
        """Until the next line is due, or somebody moved."""
        following = self.recording.following(here)
        seconds = (following - here) / self.speed if self._going and following is not None else None
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._moved.wait()

    def _place(self, position: float, *, going: bool) -> None:
        self._from, self._since, self._going = position, self._monotonic(), going
        self._moved.set()
