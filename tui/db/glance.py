"""One database and one bundle for whoever only looks: a connection, the looks over it, and what they say of the place.

`tui.db.session.Session` is this and all the rest; what `status` loads is this alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui.db.journal import unfinished
from tui.db.link import Line, Link
from tui.db.sight import Observer, Shared, Sight

if TYPE_CHECKING:
    from tui.core.bundle import Bundle
    from tui.core.deck import Destination
    from tui.core.earlier import Earlier
    from tui.core.look import Look, Server
    from tui.db.target import Target


Foreseen = Callable[[], Awaitable["Look | None"]]
"""Gives a look that somebody else has made, None where there is none; raises the Problem that kept it from being made.
"""

SETTLE = 3.0
"""Seconds that a look waits for what became of an earlier run: a server that lost its client rolls back within them."""


class Glance:
    """Looks on one connection. What became of runs of this machine (by its `journals`) is found out before the first.

    With `by_record` an apply's record may stand in for the twins, which cost the server more than all the rest of a
    look (see `Observer`); `shared` with looks at other databases for the same bundle. `foreseen`
    answers the first look; `looks` is another connection than one of its own.
    """

    def __init__(
        self,
        target: Target,
        bundle: Bundle,
        *,
        journals: Path | None = None,
        by_record: bool = False,
        shared: Shared | None = None,
        foreseen: Foreseen | None = None,
        looks: Line | None = None,
    ) -> None:
        self._target, self._bundle, self._journals = target, bundle, journals
        self._earlier: tuple[Earlier, ...] | None = None
        self._looks = looks or Link(target, application="patchdeck")
        self._observer = Observer(target, bundle, by_record=by_record, shared=shared)
        self._foreseen = foreseen
        self._look_busy = asyncio.Lock()
        self._server: Server | None = None

    @property
    def bundle(self) -> Bundle:
        """The bundle in use."""
        return self._bundle

    @property
    def target(self) -> Target:
        """How it is reached."""
        return self._target

    @property
    def destination(self) -> Destination:
        """Where the database is."""
        return self._target.destination

    @property
    def server(self) -> Server | None:
        """The server as last reached."""
        return self._server

    @property
    def needs_line(self) -> bool:
        """Whether a person may have to type a password, on a line of the terminal."""
        return self._target.ask is not None and not self._target.has_password

    async def sign_in(self) -> None:
        """Connect at once where a person may have to type a password; nobody is asked later. Raises Problem."""
        try:
            if self.needs_line:
                async with self._look_busy:
                    await self._looks.open()
        finally:
            self._target.ask = None

    async def look(self) -> Look:
        """One complete look: a round trip, after the handshake where there is no connection yet. Raises Problem."""
        foreseen, self._foreseen = self._foreseen, None
        look = await foreseen() if foreseen is not None else None
        if look is None:
            return (await self._sight()).look
        self._earlier = look.earlier
        self._seen(look)
        return look

    async def close(self) -> None:
        """Close the connection; safe to call twice."""
        await self._looks.close()

    async def _sight(self, *, facts: bool = False) -> Sight:
        async with self._look_busy:
            again = not self._looks.is_open
            await self._looks.open()
            await self._settle(again)
            sight = await self._observer.look(self._looks, facts=facts)
        self._seen(sight.look)
        return replace(sight, look=replace(sight.look, earlier=self._earlier or ()))

    def _seen(self, look: Look) -> None:
        """Keep what a look says of the place itself."""
        self._server = look.server

    async def _settle(self, again: bool) -> None:
        """Ask what became of unfinished runs, once more on a new line (`again`): losing the old may have cut one."""
        told = self._earlier or ()
        unsure = any(earlier.fate == "unknown" for earlier in told)
        if self._earlier is not None and not again and not unsure:
            return
        self._earlier = tuple(earlier for earlier in told if earlier.fate != "unknown")
        if unfinished(self._target.destination, self._journals):
            from tui.db.recovery import recover

            self._earlier += await recover(self._target, self._journals, within=SETTLE)
