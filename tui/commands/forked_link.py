"""A connection in a process of its own, which loads the driver and connects while this one loads what judges."""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from tui.commands.forked import Channel, Forked
from tui.exits import Stop

if TYPE_CHECKING:
    from asyncio import Task

    from tui.core.deck import Problem
    from tui.db.batch import Command, Reply, StatementError
    from tui.db.link import Line, Reached
    from tui.db.target import Target
    from tui.options import Options


SHARED = ("tui.loop", "tui.db.link")
"""What either process needs, loaded before there are two: a machine with one processor would do it twice in turn."""


class _Answer(NamedTuple):
    """To a batch, or (no reply) to the wish to connect, the first of which goes without saying."""

    is_open: bool
    reached: Reached
    replies: list[Reply]
    failure: Problem | StatementError | None = None


class ForkedLink(Forked):
    """A `Line` (tui/db/link.py) whose other half is the other process. As a context manager it ends with that.

    There is no `target` where it could not be understood, or a person or a command may have to be asked for a password:
    that is for whoever has the terminal.
    """

    def __init__(self) -> None:
        for module in SHARED:
            import_module(module)
        super().__init__(_serve)
        self._answer: _Answer | None = None

    def begin(self, options: Options) -> None:
        """Connect to where `options` lead, as soon as the driver is loaded. Needs no event loop."""
        self.channel.post((options.dsn, options.target, options.read_only))
        self.busy = True

    async def target(self) -> Target | None:
        """Where it leads to; to be asked first, once it was begun."""
        found: Target | None = await self.channel.receive()
        self.busy = found is not None
        return found

    @property
    def is_open(self) -> bool:
        """Whether the connection is there as far as the other process knows."""
        return self._answer is not None and self._answer.is_open

    @property
    def reached(self) -> Reached:
        """What it said of itself last; only once it was open."""
        assert self._answer is not None  # noqa: S101 - a look opens it first
        return self._answer.reached

    async def open(self) -> None:
        """Connect; does nothing when connected. Raises Problem."""
        if self._answer is None:
            await self._take()
        else:
            await self._ask(None)

    async def batch(self, commands: Iterable[Command]) -> list[Reply]:
        """All replies of one batch, in order. Raises StatementError, or Problem when the connection is lost."""
        return await self._ask([*commands])

    async def run(self, sql: str, *parameters: str | None) -> Reply:
        """One statement in a batch of its own. Raises as `batch`."""
        from tui.db.batch import Command

        return (await self.batch([Command(sql, parameters)]))[0]

    async def close(self) -> None:
        """Close the connection, after which there is no other; safe to call twice."""
        if self.is_open:
            await self.channel.send(())
            await self.channel.receive()
            self._answer = None
            self.busy = False
            self.end()

    async def _ask(self, commands: list[Command] | None) -> list[Reply]:
        await self.channel.send((commands,))
        return await self._take()

    async def _take(self) -> list[Reply]:
        from tui.core.deck import Problem

        answer: _Answer | None = await self.channel.receive()
        if answer is None:
            raise Problem("lost", "the process that held the connection has ended", "try again")
        self._answer = answer
        if answer.failure is not None:
            raise answer.failure
        return answer.replies


async def _serve(channel: Channel) -> None:
    """The other half, until nobody listens any more."""
    import asyncio

    from tui.db.link import Link

    # The driver comes before the options do.
    import_module("tui.db.libpq")

    given: tuple[str | None, str | None, bool] | None = await channel.receive()
    if given is None or (target := _target(*given)) is None:
        return
    await channel.send(target)
    link = Link(target, application="patchdeck")
    answering: Task[None]
    try:
        async with asyncio.TaskGroup() as answers:
            answering = answers.create_task(_answer(channel, link, None))
            # One question at a time; beside its answer this end learns whether anybody still waits for it.
            while (asked := await channel.receive()) is not None:
                answering = answers.create_task(_answer(channel, link, *asked) if asked else _close(channel, link))
            answering.cancel()
    finally:
        await link.close()


def _target(dsn: str | None, name: str | None, read_only: bool) -> Target | None:
    if name is None:
        # The most common case does without all that knows of configurations.
        from tui.db.target import TargetError, resolve

        try:
            target = resolve(dsn, environ=os.environ, read_only=read_only)
        except TargetError:
            return None
    else:
        from tui.commands.session import find_target
        from tui.config import named
        from tui.core.config import ConfigError
        from tui.options import Options

        try:
            chosen = named(Options(target=name))
            target = find_target(chosen, dsn=dsn, read_only=read_only)
        except (ConfigError, Stop):
            return None
        if chosen is not None and (dsn is not None or chosen.settings.password_command is not None):
            return None
    if target.has_password:
        return target
    from tui.passwords import somebody_there

    return None if somebody_there() else target


async def _answer(channel: Channel, link: Line, commands: list[Command] | None) -> None:
    from tui.core.deck import Problem
    from tui.db.batch import StatementError

    replies: list[Reply] = []
    failure: Problem | StatementError | None = None
    try:
        if commands is None:
            await link.open()
        else:
            replies = await link.batch(commands)
    except (Problem, StatementError) as error:
        failure = error
    await channel.send(_Answer(link.is_open, link.reached, replies, failure))


async def _close(channel: Channel, link: Line) -> None:
    await link.close()
    await channel.send(None)
