"""Apply, rehearse, roll back: one engine, an async stream of `core.run` events.

COMMIT is sent only after the catalog, read inside the transaction, has passed every check (decision 21). A rehearsal is
the same path with ROLLBACK.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import NoReturn
from uuid import uuid4

from tui.core import run as events
from tui.core.catalog import Catalog
from tui.core.checklist import Check
from tui.core.deck import Control, Problem
from tui.core.isolation import Matrix
from tui.core.online import Size, builds, validations
from tui.core.preflight import PreflightCheck, check_preflight
from tui.core.proof_words import counted_cases
from tui.core.restore_words import meaning
from tui.core.run import Blocker, Compared, Event, Failure, Finished, Notice, Outcome, Plan
from tui.core.safety import Key, baseline_of, judge
from tui.core.surface import diff
from tui.core.text import count, redact, visible
from tui.core.verdict import Verdict
from tui.db.attempt import SEQUENCES, Attempt
from tui.db.batch import Command, LineLost, StatementError
from tui.db.commit import Record, commit_commands, resolve, row_command
from tui.db.journal import Journal
from tui.db.link import Link
from tui.db.lint import lint
from tui.db.locks import find_blockers
from tui.db.matrix import ended, prepare, read
from tui.db.online import NotBuilt, build, validate
from tui.db.probe import fingerprint_commands
from tui.db.recovery import recover
from tui.db.restoring import work_out
from tui.db.run_locks import RunLocks, run_locks
from tui.db.sight import Observer, Sight
from tui.db.supabase import NO_HISTORY
from tui.db.target import Target
from tui.db.watchdog import Watchdog

LOCK_NOT_HAD = frozenset({"55P03", "40P01"})
"""lock_not_available (NOWAIT or lock_timeout) and deadlock_detected: only these are worth another try."""

CANCEL_GRACE = 5.0
"""Seconds a cancelled statement has to end before the line is given up; the server then rolls back by itself."""

FINGERPRINT_SILENCE = 2.0
"""Seconds without a byte after which a run ends without its fingerprint: somebody waits to hear that it committed."""

RUN_ELSEWHERE = "PD001"
"""Our own SQLSTATE of run_guard.sql: somebody else's run holds the database."""

UNCHANGED = "Nothing was changed: the database is as it was."
ROLLED_BACK = "Everything was rolled back: the database is as it was."
TRY_AGAIN = "Run it again when you are ready."
NO_JOURNAL = "Make room where journals are kept (XDG_STATE_HOME, else ~/.local/state), or mend the folder's rights."


class _Ended(Exception):  # noqa: N818 - a way out, not an error
    """The run is over; carries what the last event says."""

    def __init__(
        self, outcome: Outcome, reason: str, state: str, next_step: str, *, ran: bool = True, problem: str = ""
    ) -> None:
        super().__init__(reason)
        self.outcome, self.reason, self.state, self.next_step = outcome, reason, state, next_step
        self.ran, self.problem = ran, problem


async def run(target: Target, plan: Plan, control: Control, *, journals: Path | None = None) -> AsyncGenerator[Event]:
    """Run `plan` on `target` on connections of its own; the last event is always a `Finished`.

    `journals` overrides the folder for the journal. A consumer that stops listening closes the connection, and the
    server rolls back within `limits.connection_check` seconds.
    """
    engine = _Run(target, plan, control, journals)
    try:
        # Whoever stops listening ends every step below at once: nothing of it may be left for the garbage collector.
        async with aclosing(engine.events()) as said:
            async for event in said:
                yield event
    except _Ended as end:
        engine.over(end.outcome)
        if (compared := engine.compared()) is not None:
            yield compared
        yield engine.finished(end)
    finally:
        await engine.close()


class _Run:
    """One run from the first connection to the last word."""

    def __init__(self, target: Target, plan: Plan, control: Control, journals: Path | None) -> None:
        self._target, self._plan, self._control, self._journals = target, plan, control, journals
        self._run_id = str(uuid4())
        self._journal: Journal | None = None
        self._application = _application(plan)
        self._link = Link(target, application=self._application)
        self._watch = Link(target, application="patchdeck watch")
        self._observer = Observer(target, plan.bundle)
        self._began = monotonic()
        self._locked_at: float | None = None
        self._alone_at: float | None = None
        self._request: asyncio.Task[None] | None = None
        self._lock_seconds = self._alone_seconds = 0.0
        self._locks_held: tuple[str, ...] = ()
        self._findings: tuple[Key, ...] | None = None
        self._restorable: tuple[PreflightCheck, ...] = ()
        self._verdict: Verdict | None = None
        self._verified: tuple[Catalog, Catalog] | None = None
        self._after: Catalog | None = None
        self._closing: tuple[Command, ...] | None = None
        self._committing = False
        self._deadline: asyncio.TimerHandle | None = None

    async def events(self) -> AsyncGenerator[Event]:
        """Every event but the last; ends by raising `_Ended`."""
        self._refuse_unconfirmed()
        yield events.Connecting()
        await self._settle_earlier_runs()
        sight = await self._connect_and_look()
        look = sight.look
        self._verdict = look.verdict
        yield events.Connected(look.verdict, sight.pid)
        self._stop_when_done(look.verdict)
        if sight.facts is None:
            raise AssertionError("the look of a run brings the preflight facts")
        preflight = check_preflight(sight.facts, self._plan.bundle, look.server, look.catalog, self._plan.action)
        preflight += self._restorable
        yield events.Preflighted(preflight)
        stops = [check for check in preflight if check.level == "stop"]
        if stops:
            raise _Ended(Outcome.REFUSED, stops[0].meaning, UNCHANGED, stops[0].remedy)
        async with aclosing(self._build(sight)) as said:
            async for event in said:
                yield event
        more = self._plan.restore.tables if self._plan.restore else ()
        locks = run_locks(self._plan.bundle, look.catalog, self._plan.action, more)
        try:
            async with aclosing(self._attempts(locks)) as said:
                async for event in said:
                    yield event
        except _Ended as end:
            if end.outcome is Outcome.COMMITTED:
                async with aclosing(self._validate(end)) as said:
                    async for event in said:
                        yield event
            raise

    async def _build(self, sight: Sight) -> AsyncGenerator[Event]:
        """Build big tables' indexes before the transaction, where the plan says so; raises `_Ended` when one fails."""
        plan = self._plan
        if not plan.online or plan.action != "apply" or plan.rehearse or sight.facts is None:
            return
        sizes = {one.name: Size(one.rows, one.bytes) for one in sight.facts.relations}
        steps = builds(plan.bundle, sight.look.catalog, sizes)
        try:
            async with aclosing(build(self._link, self._watch, steps, self._control)) as said:
                async for event in said:
                    yield event
        except (NotBuilt, Problem) as error:
            state = "The transaction was not begun. Indexes that are complete stay: they change nothing but speed."
            onward = "Run it again: it goes on where it stopped. Without --online the patch builds them itself."
            raise _Ended(Outcome.REFUSED, str(error), state, onward) from None

    async def _validate(self, end: _Ended) -> AsyncGenerator[Event]:
        """Validate what the committed patch left NOT VALID, where the plan says so; says in `end` what was not."""
        steps = validations(self._plan.bundle, self._after) if self._plan.online and self._after else ()
        try:
            async with aclosing(validate(self._link, steps)) as said:
                async for event in said:
                    yield event
        except (NotBuilt, Problem) as error:
            end.state += f" {error}"
            end.next_step = f"Validate the rest: alter table ... validate constraint. {end.next_step}"
        if steps:
            await self._look_again()

    def finished(self, end: _Ended) -> Finished:
        """The last event."""
        return Finished(
            outcome=end.outcome,
            reason=end.reason,
            state=end.state,
            next_step=end.next_step,
            seconds=monotonic() - self._began,
            lock_seconds=self._lock_seconds,
            round_trips=self._link.round_trips,
            verdict=self._verdict,
            ran=end.ran,
            locks=self._locks_held,
            problem=end.problem,
            alone_seconds=self._alone_seconds,
        )

    def compared(self) -> Compared | None:
        """What the result changed, None where it did not come to one that could be verified."""
        return Compared(diff(*self._verified)) if self._verified else None

    def over(self, outcome: Outcome) -> None:
        """The end is known, unless it is not: then the next start asks for it."""
        if self._journal is not None and outcome is not Outcome.UNKNOWN:
            # COMMIT is over: a full disk can not undo it. The entry then stays open, and the next start asks again.
            with suppress(OSError):
                self._journal.record("finished", outcome=str(outcome))

    async def close(self) -> None:
        """Close both connections; what is open is rolled back by the server."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None
        await self._request_has_arrived()
        await asyncio.gather(self._link.close(), self._watch.close())

    def _refuse_unconfirmed(self) -> None:
        place = self._target.destination
        if place.read_only:
            raise _Ended(
                Outcome.REFUSED,
                "This session is read-only.",
                UNCHANGED,
                "Start without --read-only to run it.",
                ran=False,
            )
        if not self._plan.rehearse and self._plan.confirmed != place.database:
            raise _Ended(
                Outcome.REFUSED,
                f"The confirmation does not match: this database is called {place.database}.",
                UNCHANGED + " Nothing was sent.",
                f"Confirm with the database's name: {place.database}.",
                ran=False,
            )

    async def _settle_earlier_runs(self) -> None:
        """Nothing is run while the end of an earlier run from this machine is not known (decision 22)."""
        for earlier in await recover(self._target, self._journals):
            if earlier.fate == "unknown":
                raise _Ended(
                    Outcome.UNKNOWN,
                    earlier.said,
                    "Nothing was sent now.",
                    "Try again when the database answers: the earlier run is resolved first.",
                    ran=False,
                )

    async def _connect_and_look(self) -> Sight:
        """Open both connections side by side, then one round trip for the look and the preflight facts."""
        try:
            await asyncio.gather(self._link.open(), self._open_watch())
            sight, self._findings = await asyncio.gather(self._observer.look(self._link, facts=True), self._lint())
            shown, worked_out = self._plan.restore, await work_out(self._link, self._plan, sight.look)
            self._plan, self._restorable = worked_out.plan, worked_out.checks
        except Problem as problem:
            reason = f"Could not look at the database: {problem}."
            raise _Ended(Outcome.REFUSED, reason, UNCHANGED, problem.hint, ran=False, problem=problem.kind) from None
        if shown is not None and (found := self._plan.restore) is not None and shown.statements != found.statements:
            reason = "The database has changed since this restore was worked out: it would be another one now."
            raise _Ended(Outcome.REFUSED, reason, UNCHANGED, "Look at the plan again, then decide.", ran=False)
        return sight

    async def _open_watch(self) -> None:
        # Without a second connection the run still works; only blockers are then looked for on the first.
        with suppress(Problem):
            await self._watch.open()

    async def _lint(self) -> tuple[Key, ...] | None:
        """What the safety lint finds before an apply, so that later findings can be told to be new; beside the look."""
        if self._plan.action != "apply" or not self._watch.is_open:
            return None
        with suppress(Problem):
            rows = await lint(self._watch, self._plan.bundle.manifest.safety.request())
            return tuple(sorted(baseline_of(judge(rows))))
        return None

    def _stop_when_done(self, verdict: Verdict) -> None:
        plan = self._plan
        if plan.rehearse:
            return
        if plan.action == "apply" and verdict.state == "applied" and verdict.healthy and not plan.again:
            raise _Ended(
                Outcome.COMMITTED,
                "Already applied, and every check holds: nothing was run.",
                UNCHANGED,
                "Nothing to do. --again runs it all the same.",
                ran=False,
            )
        back = plan.restore is not None and all(change.kind == "unchanged" for change in plan.restore.changes)
        if plan.action == "rollback" and (back if plan.restores else verdict.state == "rolled_back"):
            reason = "Already rolled back: nothing was run."
            raise _Ended(Outcome.COMMITTED, reason, UNCHANGED, "Nothing to do.", ran=False)
        if plan.action == "rollback" and verdict.state == "not_applied":
            reason = "The patch is not applied here: there is nothing to roll back."
            raise _Ended(Outcome.REFUSED, reason, UNCHANGED, "Nothing to do.", ran=False)

    async def _attempts(self, locks: RunLocks) -> AsyncGenerator[Event]:
        """Attempts until one ends the run, or patience does."""
        number, first_try = 0, monotonic()
        while True:
            number += 1
            yield events.Attempt(number)
            if self._control.cancelled:
                raise _cancelled()
            row = None if self._plan.rehearse else row_command(self._plan, self._run_id, self._findings)
            self._open_journal()
            attempt = Attempt(self._plan, locks, self._application, self._observer.twin, row)
            try:
                async with aclosing(self._transaction(attempt)) as said:
                    async for event in said:
                        yield event
            except LineLost as lost:
                if self._committing:
                    await self._end_unanswered(attempt, lost)
                self._locks_ended()
                self._end_line_lost(lost)
            except StatementError as error:
                self._locks_ended()
                if self._committing:
                    # COMMIT was skipped, or refused: what is put off until then can fail.
                    refusal = f"{redact(visible(error.message))} (SQLSTATE {error.sqlstate})"
                    await self._end_committing(attempt, Outcome.ROLLED_BACK, refusal)
                failure = attempt.failure(error)
                # Side by side: who waits for us to try again waits for one round trip less.
                _, blockers = await asyncio.gather(self._undo(), self._blockers(locks, error))
                waited = monotonic() - first_try
                if not self._worth_another_try(error, waited):
                    self._end_refused(error, failure, blockers)
                    yield events.StatementFailed(failure)
                    raise _statement_failed(failure) from None
                # Jitter, so that two runs or a busy job do not meet again and again at the same moment.
                pause = random.uniform(0.05, 0.2)  # noqa: S311 - not a secret
                yield events.WaitingForLock(blockers, waited, pause)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._control.wait(), pause)
                if self._control.cancelled:
                    raise _cancelled() from None

    def _worth_another_try(self, error: StatementError, waited: float) -> bool:
        return error.sqlstate in LOCK_NOT_HAD and not self._control.cancelled and waited < self._plan.patience

    def _end_line_lost(self, lost: LineLost) -> None:
        if self._control.cancelled:
            raise _cancelled() from None
        raise _Ended(
            Outcome.ROLLED_BACK,
            f"The connection was lost before COMMIT: {redact(visible(lost.message))}.",
            "COMMIT was never sent, so the server rolls everything back: the database is as it was.",
            "Run it again when the line is back.",
        ) from None

    def _end_refused(self, error: StatementError, failure: Failure, blockers: Sequence[Blocker]) -> None:
        """Raise the end for what is not a failing statement: cancelled, somebody else's run, locks not had in time."""
        if self._control.cancelled:
            raise _cancelled() from None
        if error.sqlstate == RUN_ELSEWHERE and failure.index is None:
            raise _Ended(Outcome.REFUSED, f"{failure.message}.", UNCHANGED, "Wait until that run has ended.") from None
        if error.sqlstate == NO_HISTORY and failure.index is None:
            reason = f"It can not be recorded for the Supabase CLI: {failure.message}."
            onward = "Mend that, or run it without --record-supabase."
            raise _Ended(Outcome.REFUSED, reason, UNCHANGED, onward) from None
        if error.sqlstate in LOCK_NOT_HAD:
            who = "; ".join(
                f"process {b.pid} ({b.application or b.user}, {b.state}) on {b.blocks}"
                for b in [b for b in blockers if b.blocks][:3]
            )
            raise _Ended(
                Outcome.REFUSED,
                f"The locks were not free within {self._plan.patience:g} s" + (f": {who}." if who else "."),
                UNCHANGED,
                "End the blocking sessions or choose a quieter moment; a higher --patience waits longer.",
            ) from None

    async def _transaction(self, attempt: Attempt) -> AsyncGenerator[Event]:
        """One transaction. Raises StatementError, LineLost, or _Ended when it came through."""
        previous, rows, tag = 0.0, 0, ""
        last = len(self._plan.statements) - 1
        limits = self._plan.limits
        # A rehearsal ends in any case: its answers need not be waited for.
        self._closing = () if self._plan.rehearse else None
        with self._cancellable():
            stream = self._link.stream(self._commands(attempt), silence=limits.statement_timeout + limits.silence)
            watchdog = Watchdog(self._link, self._watch, limits.idle_in_transaction)
            async with aclosing(watchdog.over(stream, lambda: (attempt.pid, attempt.xid))) as replies:
                async for reply in replies:
                    statement = attempt.statement_at(reply.index)
                    if statement is None:
                        attempt.keep(reply)
                        if attempt.locks_are_had(reply.index):
                            self._locked_at = monotonic()
                            self._announce(attempt.xid)
                        if attempt.is_alone(reply.index):
                            self._alone_at = monotonic()
                        if attempt.is_complete(reply.index):
                            for event in self._judge(attempt):
                                yield event
                    else:
                        notices = tuple(
                            Notice(n.severity, redact(visible(n.message, newlines=True))) for n in reply.notices
                        )
                        rows += events.rows_written(reply.tag)
                        yield events.StatementDone(statement, reply.seconds - previous, reply.tag, notices)
                        if statement == last:
                            yield events.Verifying()
                    previous, tag = reply.seconds, reply.tag
        self._locks_held = attempt.locks_held
        if self._committing:
            # COMMIT of an aborted transaction is no error: the server answers ROLLBACK.
            committed = tag == "COMMIT"
            outcome = Outcome.COMMITTED if committed else Outcome.ROLLED_BACK
            await self._end_committing(attempt, outcome, "" if committed else "the server rolled back")
        failed = [check for check in attempt.checks if not check.ok]
        matrix: Matrix | None = None
        if self._plan.rehearse and not failed:
            async with aclosing(self._prove(attempt)) as said:
                async for event in said:
                    if isinstance(event, events.Proven):
                        matrix = event.matrix
                    yield event
        lasting = ""
        if self._plan.rehearse:
            lasting = await self._lasting(attempt, rows)
            await self._undo()
        self._locks_ended()
        self._end_undone(failed, matrix, lasting)

    def _commands(self, attempt: Attempt) -> Iterator[Command | None]:
        """The batch of one transaction, and its end, which is held back until the result was judged."""
        yield from attempt.commands
        while self._closing is None:
            yield None
        yield from self._closing

    def _judge(self, attempt: Attempt) -> Iterator[Event]:
        """Say whether every check holds on the result, and for a real run choose how the batch ends: while that is on
        its way the server does what is left to do before.
        """
        self._verified = (attempt.before, attempt.promised)
        yield events.Verified(attempt.checks)
        if self._plan.rehearse:
            return
        if all(check.ok for check in attempt.checks) and not self._control.cancelled:
            yield events.Committing(attempt.xid)
            self._committing = not self._control.cancelled
        self._link.round_trips += 1
        if not self._committing:
            self._closing = (Command("rollback"),)
            return
        # The batch's own deadline has a statement's time in it; nothing of the file is waited for any more.
        self._deadline = asyncio.get_running_loop().call_later(self._plan.limits.silence, self._link.give_up)
        now = monotonic()
        lock_seconds = now - self._locked_at if self._locked_at is not None else 0.0
        promised = attempt.promised if self._plan.online else None
        self._closing = commit_commands(Record(self._run_id, now - self._began, lock_seconds, promised))

    def _open_journal(self) -> None:
        """Raises _Ended where there can be no journal: whoever starts next could not know what to ask."""
        if self._plan.rehearse or self._journal is not None:
            return
        try:
            self._journal = Journal(self._run_id, self._journals)
        except OSError as error:
            reason = f"There can be no journal of this run: {error.strerror}."
            raise _Ended(Outcome.REFUSED, reason, UNCHANGED, NO_JOURNAL) from None

    def _announce(self, xid: str) -> None:
        """The run goes to the journal, and to the disk, before COMMIT can be sent; the server is at work meanwhile.

        Raises _Ended where that can not be.
        """
        if self._journal is None:
            return
        place, bundle = self._target.destination, self._plan.bundle
        try:
            self._journal.record(
                "running",
                run_id=self._run_id,
                xid=xid,
                bundle=bundle.name,
                version=bundle.version,
                action=self._plan.action,
                host=place.host,
                port=place.port,
                database=place.database,
            )
        except OSError as error:
            # Who stops listening in the middle of a batch gives its connection up, and the server rolls back.
            self._locks_ended()
            reason = f"The journal of this run could not be written: {error.strerror}. COMMIT was not sent."
            raise _Ended(Outcome.ROLLED_BACK, reason, ROLLED_BACK, NO_JOURNAL) from None

    async def _prove(self, attempt: Attempt) -> AsyncGenerator[Event]:
        """Who can reach which rows, tried on the result before it is rolled back. The real run holds its locks for a
        round trip more and not for this, so their time is taken before it.
        """
        bundle = self._plan.bundle
        if bundle.isolation is None or self._plan.action != "apply" or self._control.cancelled:
            return
        self._locks_ended(self._link.rtt)
        yield events.Proving()
        proof = prepare(bundle.isolation, bundle, attempt.after)
        trips = self._link.round_trips
        try:
            with self._cancellable():
                replies = [reply async for reply in self._link.stream(proof.commands)]
        except StatementError as error:
            matrix = ended(error)
        else:
            matrix = read(proof, replies, seconds=replies[-1].seconds, round_trips=self._link.round_trips - trips)
        yield events.Proven(matrix)

    async def _lasting(self, attempt: Attempt, rows: int) -> str:
        """What of a rehearsal no rollback takes back, in one sentence; "" for nothing."""
        found: list[str] = []
        # A line that breaks here breaks the rollback, too, which the server then makes by itself.
        with suppress(Problem, StatementError):
            found += attempt.moved(await self._link.run(SEQUENCES.sql))
        if rows:
            found.append(f"at most {count(rows)} versions of rows, dead until the next vacuum")
        return f" What no rollback takes back: {'; '.join(found)}." if found else ""

    def _end_undone(self, failed: list[Check], matrix: Matrix | None, lasting: str) -> None:
        """Raise the end of a transaction that was rolled back on purpose."""
        if self._control.cancelled:
            raise _cancelled()
        if failed:
            first = failed[0]
            what = f"{first.object} {first.name}{' on ' + first.table if first.table else ''}"
            raise _Ended(
                Outcome.ROLLED_BACK,
                f"{len(failed)} checks failed on the result, first: {what} {first.outcome.replace('_', ' ')}.",
                ROLLED_BACK,
                "Read the failed checks: the file and what the bundle expects do not agree on this database.",
            )
        if matrix is not None and matrix.state == "failed":
            raise _Ended(
                Outcome.ROLLED_BACK,
                f"Every check passed, but the isolation matrix failed on the result: {counted_cases(matrix)}.",
                ROLLED_BACK,
                "Read what leaked: the policies do not keep the tenants of this database apart.",
            )
        proven = {"passed": " and isolation is proven", "not_proven": "; isolation is NOT PROVEN"}
        raise _Ended(
            Outcome.REHEARSED,
            "The rehearsal worked: every statement ran, every check passed"
            f"{proven[matrix.state] if matrix is not None and matrix.state in proven else ''}.",
            f"It was rolled back: the database is as it was.{lasting}",
            "Apply it." if self._plan.action == "apply" else "Roll back for real.",
        )

    async def _end_unanswered(self, attempt: Attempt, lost: LineLost) -> NoReturn:
        """Raise the end of a run whose line was lost when COMMIT may have been on it: the server is asked."""
        outcome = await resolve(self._target, self._run_id, attempt.xid)
        confirmed = "the answer to COMMIT was lost, the server confirms it when asked again"
        said = confirmed if outcome is Outcome.COMMITTED else redact(visible(lost.message))
        await self._end_committing(attempt, outcome, said)

    async def _end_committing(self, attempt: Attempt, outcome: Outcome, said: str) -> NoReturn:
        """Raise the end of a run that was to be committed."""
        plan = self._plan
        self._locks_ended()
        if outcome is Outcome.COMMITTED:
            self._after = attempt.after
            if (twin := attempt.twin) is not None:
                self._observer.keep(twin, attempt.after)
            await self._look_again()
            also = f" ({said})" if said else ""
            reason = f"Committed{also}: {len(plan.statements)} statements; every check passed before COMMIT."
            onward = "Users see no rows until the patch is applied again."
            if plan.action == "apply":
                onward = "Watch the panels; the way back is `patchdeck rollback`."
            elif plan.restore is not None:
                onward = meaning(plan.restore)[-1]
            raise _Ended(outcome, reason, f"The change is in force. {attempt.history}".rstrip(), onward)
        if outcome is Outcome.ROLLED_BACK:
            await self._undo()
            raise _Ended(outcome, f"COMMIT did not go through: {said}.", ROLLED_BACK, TRY_AGAIN)
        raise _Ended(
            outcome,
            f"The line was lost at COMMIT and the server could not be asked since: {said}.",
            f"Not known yet: transaction {attempt.xid} is either committed or rolled back as a whole.",
            "Run `patchdeck status` as soon as the database can be reached; do not run the patch again before.",
        )

    async def _look_again(self) -> None:
        """The verdict on the committed state; None when it can not be had, since the one from before is history."""
        self._verdict = None
        async with asyncio.TaskGroup() as beside:
            beside.create_task(self._keep_fingerprint())
            with suppress(Problem):
                self._verdict = (await self._observer.look(self._link)).look.verdict

    async def _keep_fingerprint(self) -> None:
        """Let the next glance recognise what the run left; where it can not, it reads the catalog."""
        if self._plan.action == "apply" and self._watch.is_open:
            with suppress(Problem, StatementError):
                commands = fingerprint_commands(self._plan.bundle, self._run_id)
                await self._watch.batch(commands, silence=FINGERPRINT_SILENCE)

    async def _undo(self) -> None:
        await self._request_has_arrived()
        # A line that breaks here changes nothing: the server rolls back what was never committed.
        with suppress(Problem, StatementError):
            await self._link.run("rollback")

    async def _request_has_arrived(self) -> None:
        """A request to cancel that is still on its way would hit whatever the server process does next, behind a pooler
        somebody else's statement; and PgBouncer 1.18 dies ("bad client state") when one is called back half-way.
        """
        if self._request is not None:
            await self._request

    async def _blockers(self, locks: RunLocks, error: StatementError) -> tuple[Blocker, ...]:
        if error.sqlstate not in LOCK_NOT_HAD:
            return ()
        return await find_blockers(self._watch if self._watch.is_open else self._link, locks.wanted)

    async def _cancel_on_request(self) -> None:
        """Stops the running statement once the operator asks; is itself stopped when the batch is through."""
        await self._control.wait()
        if self._committing:
            return
        self._request = asyncio.create_task(self._link.cancel())
        await asyncio.shield(self._request)
        # A line that went silent carries no answer to that either, and the operator is waiting.
        await asyncio.sleep(CANCEL_GRACE)
        self._link.give_up()

    @contextmanager
    def _cancellable(self) -> Iterator[None]:
        """While this lasts, the operator's wish to stop reaches the server."""
        watcher = asyncio.create_task(self._cancel_on_request())
        try:
            yield
        finally:
            watcher.cancel()
            if self._deadline is not None:
                self._deadline.cancel()

    def _locks_ended(self, more: float = 0.0) -> None:
        """`more` seconds from now they would have ended."""
        now = monotonic() + more
        if self._locked_at is not None:
            self._lock_seconds = now - self._locked_at
        if self._alone_at is not None:
            self._alone_seconds = now - self._alone_at
        self._locked_at = self._alone_at = None


def _application(plan: Plan) -> str:
    """How other sessions see this run in pg_stat_activity: at most 63 ASCII characters (NAMEDATALEN - 1)."""
    word = "rehearse" if plan.rehearse else plan.action
    who = f"{plan.operator or 'unknown'}@{plan.client_host or 'unknown'}"
    return f"patchdeck {word} {who}".encode("ascii", "replace").decode()[:63]


def _cancelled() -> _Ended:
    return _Ended(Outcome.ROLLED_BACK, "Cancelled by the operator.", ROLLED_BACK, TRY_AGAIN)


def _statement_failed(failure: Failure) -> _Ended:
    where = f"{failure.place}: " if failure.place else ""
    return _Ended(
        Outcome.ROLLED_BACK,
        f"{where}{failure.message} (SQLSTATE {failure.sqlstate})",
        ROLLED_BACK,
        failure.hint or "Mend the statement, then rehearse again.",
    )
