"""The first look at the database, by a process of its own while this one loads what shows it."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tui.commands.forked import Channel, Forked, leave_terminal
from tui.exits import Stop
from tui.options import Options

if TYPE_CHECKING:
    from tui.core.deck import Problem
    from tui.core.look import Look
    from tui.db.target import Target


class FirstLook(Forked):
    """What the other process finds.

    It says nothing where it could not begin to look (no such bundle, no target, a password that somebody or a command
    has to give): that is found again, and told, by whoever has the screen.
    """

    def __init__(self, options: Options) -> None:
        super().__init__(lambda channel: _until_left(channel, options))

    async def target(self) -> Target | None:
        """Where it looks, None where it does not."""
        found: Target | None = await self.channel.receive()
        self.busy = found is not None
        return found

    async def look(self) -> Look | None:
        """What it saw, once the target is known; its last word. Raises the Problem that kept it from looking."""
        from tui.core.deck import Problem

        found: Look | Problem | None = await self.channel.receive()
        self.busy = False
        self.end()
        if isinstance(found, Problem):
            raise found
        return found


async def _until_left(channel: Channel, options: Options) -> None:
    """Look, and tell; whoever goes away meanwhile needs it no more."""
    import asyncio

    ends = {asyncio.create_task(_look(channel, options)), asyncio.create_task(channel.receive())}
    over, _ = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for one in over:
        one.result()


async def _look(channel: Channel, options: Options) -> None:
    import asyncio

    from tui import loop
    from tui.commands.looking import JUDGES
    from tui.commands.session import open_glance
    from tui.config import named
    from tui.core.bundle import BundleError
    from tui.core.config import ConfigError
    from tui.core.deck import Problem

    with suppress(Stop, BundleError, ConfigError):
        if (chosen := named(options)) is not None and chosen.settings.password_command is not None:
            return
        glance = open_glance(options)
        if glance.needs_line:
            return
        glance.target.ask = None
        leave_terminal()
        await channel.send(glance.target)
        judges = asyncio.create_task(loop.meanwhile(JUDGES))
        said: Look | Problem
        try:
            said = await glance.look()
            await judges
        except Problem as problem:
            said = problem
        finally:
            await glance.close()
        # The last step: from here on the process may be ended, and a server hears of a line that is cut.
        await channel.send(said)
