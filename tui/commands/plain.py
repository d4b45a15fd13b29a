"""The dashboard as lines, `--plain`: live, or all of a recording. Each line begins with the local time of day."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tui.commands.recording import recorded
from tui.commands.session import open_session
from tui.commands.telling import Teller
from tui.config import named
from tui.core.deck import Problem
from tui.core.text import strip_controls
from tui.exits import Exit
from tui.loop import at_signal, run
from tui.moment import Moment, moment_of
from tui.options import Options
from tui.output import Output
from tui.pace import Pace
from tui.poller import Poller
from tui.store import STALE_TICKS, AuthFailed, Stopped, Store

if TYPE_CHECKING:
    from tui.db.session import Session
    from tui.recording.reader import Recording
    from tui.recording.recorder import Recorder

CLOCK = 1.0
"""Seconds between two looks at the clock: silence is told by it, not by an answer."""


def plain(options: Options, record: Path | None) -> int:
    """Tell what changes until told to stop, or until nobody reads it; `record`: the file to keep it in.

    Returns 0. Raises Problem when trying again does not mend it, Stop when the file can not be made.
    """
    out = Output(ascii_only=options.ascii)
    session = open_session(options, out)
    chosen = named(options)
    refresh = chosen.settings.refresh if chosen else None
    pace = Pace() if refresh is None else Pace(refresh=refresh)
    with recorded(record, session, pace, out) as recorder:
        run(_live(session, pace, out, recorder))
    return Exit.HEALTHY


def plain_replay(recording: Recording, out: Output) -> int:
    """Tell a whole recording at once, each line with the time it had. Returns 0."""
    lines, header = _Lines(out), recording.header
    teller = Teller(recording.bundle, header.target, _late(header.refresh))
    before, wall = Moment(), header.began
    for at, wall, moment in recording.moments():
        # Silence has no line of its own: it is noticed where it ends.
        lines.write((*teller.tell(before, at), *teller.tell(moment, at)), wall.astimezone())
        before = moment
    flaw = f": {recording.flaw}" if recording.flaw else ""
    lines.write((f"the recording ends here{flaw}",), wall.astimezone())
    return Exit.HEALTHY


class _Lines:
    """Writes lines with the time of day; the date is said first, and when it has changed."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._day: date | None = None

    @property
    def unread(self) -> bool:
        """Whether nobody reads any more."""
        return self._out.unread

    def write(self, texts: Iterable[str], at: datetime) -> None:
        """One line for each text; `at` is aware and on this machine's clock."""
        for text in texts:
            if at.date() != self._day:
                self._day = at.date()
                self._out.text(f"{at:%H:%M:%S} {at:%A, %Y-%m-%d, UTC%z}")
            # The last door: a recording is a file that anybody may have written.
            self._out.text(f"{at:%H:%M:%S} {strip_controls(text)}")


async def _live(session: Session, pace: Pace, out: Output, recorder: Recorder | None) -> None:
    """Ask and tell until a signal ends it or nobody reads. Raises Problem when trying again does not mend it."""
    due, leaving = asyncio.Event(), asyncio.Event()
    store = Store(lambda _: due.set())
    try:
        # Before the signals are ours: who is asked for a password must be able to break it off.
        await session.sign_in()
        with at_signal(leaving.set):
            poller = Poller(session, store, pace, time.monotonic, random.random)
            teller = Teller(session.bundle, session.destination, _late(pace.refresh))
            tasks = {
                asyncio.create_task(poller.run()),
                asyncio.create_task(_tell(store, teller, _Lines(out), recorder, due)),
                asyncio.create_task(_wait(leaving)),
            }
            ended, others = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            for task in ended:
                task.result()
    finally:
        await session.close()


async def _tell(store: Store, teller: Teller, lines: _Lines, recorder: Recorder | None, due: asyncio.Event) -> None:
    """Tell every change of the store, and silence."""
    while not lines.unread:
        moment, now, wall = moment_of(store), time.monotonic(), datetime.now().astimezone()
        if recorder is not None and recorder.going:
            recorder.keep(moment)
            if recorder.trouble:
                lines.write((f"the recording has ended: {recorder.trouble}",), wall)
        lines.write(teller.tell(moment, now), wall)
        match store.connection:
            case AuthFailed(reason, hint):
                raise Problem("auth", reason, hint, retry=False)
            case Stopped(reason, hint):
                raise Problem("refused", reason, hint, retry=False)
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOCK):
                await due.wait()
        due.clear()


async def _wait(event: asyncio.Event) -> None:
    await event.wait()


def _late(refresh: float) -> float:
    """After how many seconds without an answer what was said counts as old, as on the dashboard."""
    return STALE_TICKS * refresh + 1
