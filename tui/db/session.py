"""One database and one bundle, as screens and commands ask for them: the implementation of `core.deck.Deck`.

What a dashboard asks all the time is loaded with it; what is asked on demand is loaded by the first demand, so that the
dashboard is there sooner.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import TYPE_CHECKING

from tui.core.deck import Control, Problem
from tui.db.feeds import Feeds
from tui.db.glance import Foreseen, Glance
from tui.db.link import Link

if TYPE_CHECKING:
    from tui.core.bundle import Bundle
    from tui.core.check import Layer
    from tui.core.drift import Drift
    from tui.core.locks import Ended, Ending, LockPicture
    from tui.core.look import Look, Server
    from tui.core.opened import OpenedError, OpenedExecution
    from tui.core.panels import Panels, Scope, ScopeShare
    from tui.core.plan import Preview
    from tui.core.preflight import PreflightCheck
    from tui.core.proof import Proof
    from tui.core.report_ledger import LedgerRow
    from tui.core.run import Event, Plan
    from tui.db.locks import LockWatch
    from tui.db.target import Target


class Session(Glance):
    """Looks on one connection, ticks on another: a slow look never holds up the panels. Runs bring their own."""

    def __init__(
        self,
        target: Target,
        bundle: Bundle,
        *,
        journals: Path | None = None,
        by_record: bool = False,
        foreseen: Foreseen | None = None,
    ) -> None:
        self._looks: Link = Link(target, application="patchdeck")
        super().__init__(target, bundle, journals=journals, by_record=by_record, foreseen=foreseen, looks=self._looks)
        self._ticks = Link(target, application="patchdeck panels")
        self._locks: LockWatch | None = None
        self._feeds = Feeds(bundle)
        self._tick_busy = asyncio.Lock()

    def address(self) -> PreflightCheck | None:
        """What the address of the target says by itself, None where it is not one of Supabase's."""
        from tui.db.planning import address_check

        return address_check(self._target)

    async def connect(self) -> Server:
        """Connect where there is no connection, and look. Raises Problem."""
        return (await self.look()).server

    async def tick(self, window: int, scope: Scope | None = None) -> Panels:
        """The live panels over the last `window` seconds of `scope` (None: all), in one round trip. Raises Problem."""
        async with self._tick_busy:
            await self._ticks.open()
            return await self._feeds.tick(self._ticks, window, scope)

    async def scopes(self, window: int) -> tuple[ScopeShare, ...]:
        """The scopes that the last `window` seconds hold rows of, the busiest first. Raises Problem."""
        from tui.db.opening import find_scopes

        async with self._tick_busy:
            await self._ticks.open()
            return await find_scopes(self._ticks, self._bundle, self._feeds.executions, self._feeds.errors, window)

    async def open_execution(self, key: str) -> OpenedExecution:
        """The execution with the id `key` in full, as it is now, in one round trip. Raises Problem."""
        from tui.core.opened import OpenedExecution
        from tui.db.opening import open_execution

        source = self._feeds.executions
        if source is None:
            return OpenedExecution()
        async with self._tick_busy:
            await self._ticks.open()
            return await open_execution(self._ticks, self._bundle, source, key)

    async def open_error(self, fingerprint: str, window: int, scope: Scope | None) -> OpenedError:
        """The errors of one fingerprint over the last `window` seconds, in one round trip. Raises Problem."""
        from tui.core.opened import OpenedError
        from tui.db.opening import open_error

        source = self._feeds.errors
        if source is None:
            return OpenedError(window)
        async with self._tick_busy:
            await self._ticks.open()
            return await open_error(self._ticks, self._bundle, source, fingerprint, window, scope)

    async def preflight(self, plan: Plan) -> tuple[PreflightCheck, ...]:
        """The preflight checks for a plan. Raises Problem."""
        from tui.db.planning import preflight_of

        sight = await self._sight(facts=True)
        async with self._look_busy:
            return await preflight_of(self._looks, plan, sight)

    async def preview(self, plan: Plan) -> Preview:
        """What the plan would do here, nothing executed: a look and, for apply, the bundle's counts. Raises Problem."""
        from tui.db.planning import preview_of

        look = await self.look()
        async with self._look_busy:
            return await preview_of(self._looks, plan, look)

    async def drift(self) -> Drift | None:
        """What changed since the last recorded run; None where nothing is recorded. Raises Problem."""
        from tui.core.drift import Drift, changes_since
        from tui.core.text import visible

        look = await self.look()
        async with self._look_busy:
            last = (await self._observer.records(self._looks)).last
        if last is None:
            return None
        return Drift(
            run_id=last.run_id,
            action=last.action,
            mode=last.mode,
            operator=visible(last.operator),
            finished_at=last.finished_at,
            same_version=last.server_number == look.server.version,
            changes=changes_since(last.surface_after, look.catalog),
        )

    async def find_runs(self, run: str) -> tuple[LedgerRow, ...]:
        """The newest committed runs of the bundle whose id begins with `run`, at most two. Raises Problem."""
        async with self._look_busy:
            await self._looks.open()
            return await self._observer.find(self._looks, run)

    async def prove(self, layers: Collection[Layer]) -> Proof:
        """Run the safety lint and the isolation matrix, those of them that `layers` asks for. Raises Problem.

        The matrix works in a transaction that is rolled back. What keeps either from running on a line that stands is
        in the proof, not raised.
        """
        from tui.db.proving import proof_of

        # Whoever asks for a proof is not answered from a record, whatever the glance before it believed.
        self._observer.believe_twins_only()
        look = await self.look()
        async with self._look_busy:
            return await proof_of(
                self._looks, self._observer, self._bundle, look, layers, read_only=self._target.read_only
            )

    async def ping(self, times: int = 3) -> list[float]:
        """Seconds of `times` round trips with a trivial statement. Raises Problem."""
        async with self._look_busy:
            await self._looks.open()
            return [(await self._looks.run("select 1")).seconds for _ in range(times)]

    async def locks(self) -> LockPicture:
        """Who holds and who waits for locks on the migration's tables, in one round trip. Raises Problem."""
        return await self._watch().picture()

    async def end_session(self, pid: int, token: str, how: Ending) -> Ended:
        """Cancel or terminate the session whose transaction `token` names. Raises Problem, also when it may not."""
        return await self._watch().end(pid, token, how)

    def run(self, plan: Plan, control: Control) -> AsyncIterator[Event]:
        """Run the plan on connections of its own; the last event is always a Finished."""
        from tui.db import applier

        # What is told of earlier runs ends with the next one, and its own end may be the next to be asked for.
        self._earlier = None
        return applier.run(self._target, plan, control, journals=self._journals)

    async def hung_up(self) -> Problem:
        """Wait until the other end closes the line of the looks or that of the ticks; returns what it said."""
        waiting = [asyncio.create_task(line.hung_up()) for line in (self._looks, self._ticks)]
        try:
            over, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            return over.pop().result()
        finally:
            for one in waiting:
                one.cancel()

    async def close(self) -> None:
        """Close every connection; safe to call twice."""
        open_lines = (self._looks, self._ticks) if self._locks is None else (self._looks, self._ticks, self._locks)
        await asyncio.gather(*(line.close() for line in open_lines))

    def _watch(self) -> LockWatch:
        if self._locks is None:
            from tui.db.locks import LockWatch

            self._locks = LockWatch(self._target, self._bundle)
        return self._locks

    def _seen(self, look: Look) -> None:
        super()._seen(look)
        self._feeds.choose(look.catalog)
