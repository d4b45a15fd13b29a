"""The glance that stays: `status --watch`, for a pane beside the work."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from tui.commands import words
from tui.commands.dashboard import refuse_without_terminal
from tui.commands.session import ask, open_glance
from tui.config import named
from tui.core.deck import Problem
from tui.loop import at_signal
from tui.options import Options
from tui.output import BAD, DIM, Output, plain

if TYPE_CHECKING:
    from tui.db.glance import Glance

EVERY = 5.0
"""Seconds between two looks where the target's configuration does not say."""
CLEAR = "\x1b[H\x1b[2J"


def watch(options: Options) -> int:
    """Look again and again, on one connection, until interrupted. What trying again does not mend ends it.

    Raises Problem for that, and Stop where there is no terminal to redraw.
    """
    refuse_without_terminal("patchdeck status")
    out = Output(ascii_only=options.ascii)
    session = open_glance(options, out)
    chosen = named(options)
    every = (chosen.settings.refresh if chosen else None) or EVERY

    async def question(session: Glance) -> int:
        await session.sign_in()
        interrupted = asyncio.Event()
        # Not left to a task that is cancelled: whatever it waits for just then would have to let that through.
        with at_signal(interrupted.set, signal.SIGINT):
            following = asyncio.create_task(_follow(session, out, every))
            waiting = asyncio.create_task(interrupted.wait())
            await asyncio.wait((following, waiting), return_when=asyncio.FIRST_COMPLETED)
        if waiting.done():
            following.cancel()
            raise KeyboardInterrupt
        waiting.cancel()
        return await following

    return ask(session, question)


async def _follow(session: Glance, out: Output, every: float) -> int:
    while True:
        await _show(session, out, every)
        await asyncio.sleep(every)


async def _show(session: Glance, out: Output, every: float) -> None:
    try:
        look = await session.look()
    except Problem as problem:
        if not problem.retry:
            raise
        out.text(CLEAR)
        out.line((f"{out.marks.bad} NOT REACHED  ", f"bold {BAD}"), (words.place(session.destination), DIM))
        out.line(f"  {plain(problem.message, 500)}", (f"  {plain(problem.hint)}", DIM))
    else:
        out.text(CLEAR)
        words.status(out, session, look)
    out.line((f"  every {every:g} s; Ctrl+C ends it", DIM))
