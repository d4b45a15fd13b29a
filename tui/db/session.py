"""One database and one bundle, as screens and commands ask for them: the implementation of `core.deck.Deck`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from pathlib import Path

from tui.core.bundle import Bundle
from tui.core.catalog import Catalog
from tui.core.check import Check, Layer
from tui.core.deck import Control, Problem
from tui.core.drift import Drift, changes_since
from tui.core.isolation import to_checks as isolation_checks
from tui.core.locks import Ended, Ending, LockPicture
from tui.core.look import Look, Server
from tui.core.opened import OpenedError, OpenedExecution
from tui.core.panels import Panels, Scope, ScopeShare
from tui.core.plan import Count, Preview, preview, restore_items
from tui.core.preflight import PreflightCheck, check_preflight
from tui.core.proof import Proof
from tui.core.report_ledger import LedgerRow
from tui.core.run import Event, Plan
from tui.core.safety import Finding, judge, scope, unproven
from tui.core.safety import to_checks as safety_checks
from tui.core.text import visible
from tui.db.feeds import Feeds
from tui.db.glance import Glance
from tui.db.link import Link
from tui.db.lint import lint
from tui.db.locks import LockWatch, look_refused
from tui.db.matrix import prove
from tui.db.opening import find_scopes, open_error, open_execution
from tui.db.pipeline import Command, StatementError
from tui.db.probe import LOOK_LIMITS, set_local
from tui.db.restoring import WorkedOut, work_out
from tui.db.sight import Sight
from tui.db.target import Target


class Session(Glance):
    """Looks on one connection, ticks on another: a slow look never holds up the panels. Runs bring their own."""

    def __init__(
        self, target: Target, bundle: Bundle, *, journals: Path | None = None, by_record: bool = False
    ) -> None:
        super().__init__(target, bundle, by_record=by_record)
        self._journals = journals
        self._ticks = Link(target, application="patchdeck panels")
        self._locks = LockWatch(target, bundle)
        self._feeds = Feeds(bundle)
        self._tick_busy = asyncio.Lock()

    def address(self) -> PreflightCheck | None:
        """What the address of the target says by itself, None where it is not one of Supabase's."""
        found, wrong = self._target.supabase, self._target.mistake()
        if found is None:
            return None
        if wrong:
            return PreflightCheck("address", "warn", f"{found.describe()}: it answers, but {wrong}.")
        return PreflightCheck("address", "pass", f"{found.describe()}.")

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
        async with self._tick_busy:
            await self._ticks.open()
            return await find_scopes(self._ticks, self._bundle, self._feeds.executions, self._feeds.errors, window)

    async def open_execution(self, key: str) -> OpenedExecution:
        """The execution with the id `key` in full, as it is now, in one round trip. Raises Problem."""
        source = self._feeds.executions
        if source is None:
            return OpenedExecution()
        async with self._tick_busy:
            await self._ticks.open()
            return await open_execution(self._ticks, self._bundle, source, key)

    async def open_error(self, fingerprint: str, window: int, scope: Scope | None) -> OpenedError:
        """The errors of one fingerprint over the last `window` seconds, in one round trip. Raises Problem."""
        source = self._feeds.errors
        if source is None:
            return OpenedError(window)
        async with self._tick_busy:
            await self._ticks.open()
            return await open_error(self._ticks, self._bundle, source, fingerprint, window, scope)

    async def preflight(self, plan: Plan) -> tuple[PreflightCheck, ...]:
        """The preflight checks for a plan. Raises Problem."""
        sight = await self._sight(facts=True)
        if sight.facts is None:
            raise AssertionError("a look with facts brings them")
        checks = check_preflight(sight.facts, plan.bundle, sight.look.server, sight.look.catalog, plan.action)
        return checks + (await self._worked_out(plan, sight.look)).checks

    async def preview(self, plan: Plan) -> Preview:
        """What the plan would do here, nothing executed: a look and, for apply, the bundle's counts. Raises Problem."""
        look = await self.look()
        if plan.restores:
            found = await self._worked_out(plan, look)
            stop = next((check.meaning for check in found.checks if check.level == "stop"), "")
            restore = None if stop else found.plan.restore
            return Preview(restore_items(restore) if restore else (), restore=restore, obstacle=stop)
        items = preview(plan.statements, plan.bundle.expectation, look.catalog, plan.action)
        counts = await self._counts(look.catalog) if plan.action == "apply" else ()
        return Preview(items, counts)

    async def drift(self) -> Drift | None:
        """What changed since the last recorded run; None where nothing is recorded. Raises Problem."""
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
        # Whoever asks for a proof is not answered from a record, whatever the glance before it believed.
        self._observer.believe_twins_only()
        look = await self.look()
        checks: list[Check] = []
        findings: tuple[Finding, ...] = ()
        matrix = None
        async with self._look_busy:
            if "safety" in layers:
                try:
                    findings, found = await self._lint()
                except Problem as problem:
                    if problem.kind != "query":
                        raise
                    found = (unproven(problem.message),)
                checks += found
            if "behaviour" in layers:
                read_only = self._target.read_only
                matrix = await prove(self._looks, self._bundle, look.catalog, read_only=read_only)
                checks += isolation_checks(matrix)
        return Proof(findings, matrix, tuple(checks), look.taken_at)

    async def _lint(self) -> tuple[tuple[Finding, ...], tuple[Check, ...]]:
        """The findings with the checks they amount to, compared with what was found before the last apply."""
        safety = self._bundle.manifest.safety
        rows = await lint(self._looks, safety.request())
        apply = (await self._observer.records(self._looks)).apply
        known = apply.findings_before if apply else None
        findings = judge(rows, safety.mutes, None if known is None else frozenset(known))
        return findings, safety_checks(findings, scope(rows))

    async def ping(self, times: int = 3) -> list[float]:
        """Seconds of `times` round trips with a trivial statement. Raises Problem."""
        async with self._look_busy:
            await self._looks.open()
            return [(await self._looks.run("select 1")).seconds for _ in range(times)]

    async def locks(self) -> LockPicture:
        """Who holds and who waits for locks on the migration's tables, in one round trip. Raises Problem."""
        return await self._locks.picture()

    async def end_session(self, pid: int, token: str, how: Ending) -> Ended:
        """Cancel or terminate the session whose transaction `token` names. Raises Problem, also when it may not."""
        return await self._locks.end(pid, token, how)

    def run(self, plan: Plan, control: Control) -> AsyncIterator[Event]:
        """Run the plan on connections of its own; the last event is always a Finished."""
        from tui.db import applier  # a glance, the command that must be quick, needs no engine

        return applier.run(self._target, plan, control, journals=self._journals)

    async def close(self) -> None:
        """Close every connection; safe to call twice."""
        await asyncio.gather(self._looks.close(), self._ticks.close(), self._locks.close())

    async def _worked_out(self, plan: Plan, look: Look) -> WorkedOut:
        async with self._look_busy:
            return await work_out(self._looks, plan, look)

    async def _sight(self, *, facts: bool = False) -> Sight:
        sight = await super()._sight(facts=facts)
        self._feeds.choose(sight.look.catalog)
        return sight

    async def _counts(self, live: Catalog) -> tuple[Count, ...]:
        """The bundle's count queries that this database can answer, in one round trip."""
        fitting = [count for count in self._bundle.manifest.counts if all(live.has(name) for name in count.requires)]
        if not fitting:
            return ()
        commands = [Command("begin read only"), set_local(LOOK_LIMITS)]
        commands += [Command(self._bundle.queries[count.file]) for count in fitting]
        async with self._look_busy:
            try:
                replies = await self._looks.batch([*commands, Command("rollback")])
            except StatementError as error:
                raise await look_refused(self._looks, error, self._bundle) from None
        return tuple(
            Count(visible(count.title), visible(label or ""), int(rows or 0), visible(note or ""))
            for count, reply in zip(fitting, replies[2:-1], strict=True)
            for label, rows, note in reply.rows
        )
