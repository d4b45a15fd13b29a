"""All that is known in one walkthrough: the answers of the database, the rehearsal, the run, and what came of it.

The steps read it and draw; keys change it through the methods here. It imports nothing of the terminal.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Generic, Literal, TypeVar, get_args

import msgspec
from msgspec.structs import replace

from tui.core.aftermath import aftermath
from tui.core.check import Check
from tui.core.deck import Control, Deck, Problem
from tui.core.look import Look
from tui.core.plan import Preview
from tui.core.preflight import PreflightCheck
from tui.core.proof import BEYOND_STRUCTURE, Proof
from tui.core.removal import removal_checks
from tui.core.report import Report
from tui.core.restore import restore_checks
from tui.core.restore_words import meaning
from tui.core.run import Action, Finished, Outcome, Phase, Plan, RollbackMode, RunState, advance
from tui.core.surface import Change, diff
from tui.core.text import duration

T = TypeVar("T")

Told = Callable[[], object]

MODES: tuple[RollbackMode, ...] = get_args(RollbackMode)
NOT_WORKED_OUT = "What that means here, and what can not be put back, is worked out from the ledger: the plan says it."


class Question(Generic[T]):
    """One question to the database: its last answer, or why there is none."""

    def __init__(self, ask: Callable[[], Awaitable[T]], told: Told) -> None:
        self._ask, self._told = ask, told
        self.answer: T | None = None
        self.problem: Problem | None = None
        self.busy = False

    @property
    def asked(self) -> bool:
        """Whether it was asked at all."""
        return self.busy or self.answer is not None or self.problem is not None

    async def ask(self) -> None:
        """Ask, or ask again; a question that is under way is not asked twice."""
        if self.busy:
            return
        self.busy, self.problem = True, None
        self._told()
        try:
            self.answer = await self._ask()
        except Problem as problem:
            self.answer, self.problem = None, problem
        finally:
            self.busy = False
            self._told()


class Run:
    """One run of the engine as it is watched: its state, its times, and the operator's hand on it."""

    def __init__(self, deck: Deck, plan: Plan, monotonic: Callable[[], float], told: Told) -> None:
        self._deck, self._monotonic, self._told = deck, monotonic, told
        self.plan = plan
        self.control = Control()
        self.state = RunState(total=len(plan.statements))
        self._began: float | None = None
        self._ended: float | None = None

    @property
    def end(self) -> Finished | None:
        """How it ended, None while it runs."""
        return self.state.finished

    @property
    def live(self) -> bool:
        """Whether it is going on."""
        return self._began is not None and self._ended is None

    @property
    def elapsed(self) -> float:
        """Seconds since it began, at its end those it took."""
        if self._began is None:
            return 0.0
        return (self._monotonic() if self._ended is None else self._ended) - self._began

    @property
    def outcome(self) -> Outcome | None:
        """How it ended, None while it runs."""
        return self.state.outcome

    def cancel(self) -> None:
        """Ask it to stop and roll back."""
        self.control.cancel()
        self._told()

    async def follow(self) -> None:
        """Run it to its end. However this is left the connection is closed, and the server rolls back what is open.

        A defect of ours is raised after it has been given an end like any other.
        """
        self._began = self._monotonic()
        try:
            async for event in self._deck.run(self.plan, self.control):
                self.state = advance(self.state, event)
                self._told()
            if self.end is None:
                raise AssertionError("the last event of a run is Finished")
        except Exception as error:
            self.state = advance(self.state, self._broken(error))
            raise
        finally:
            self._ended = self._monotonic()
            self._told()

    def _broken(self, error: Exception) -> Finished:
        """The end of a run that a defect of ours threw out; what had not come to COMMIT the server rolls back."""
        reason = f"A defect in patchdeck: {type(error).__name__}: {error}."
        committing = self.state.phase is Phase.COMMITTING
        state = (
            "Not known yet: COMMIT was on its way."
            if committing
            else "COMMIT was not sent: the server rolls everything back, the database is as it was."
        )
        after = "Run `patchdeck status`; do not run this again before." if committing else "Please report this defect."
        outcome = Outcome.UNKNOWN if committing else Outcome.ROLLED_BACK
        return Finished(outcome, reason, state, after, self.elapsed, 0.0, 0, None)


class Verification(msgspec.Struct, frozen=True):
    """What a look after the run found. `checks` judge the committed state; `changes` are what differs from before the
    run although nothing was committed, which somebody else then did.
    """

    look: Look
    checks: tuple[Check, ...] = ()
    changes: tuple[Change, ...] = ()

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that do not hold; what is not proven is among them."""
        return tuple(check for check in self.checks if not check.ok)


def judge(plan: Plan, outcome: Outcome | None, before: Look | None, after: Look) -> Verification:
    """The verification of a run with this outcome between two looks (`before` None: only the later one is judged)."""
    committed = outcome in (Outcome.COMMITTED, Outcome.UNKNOWN)
    if committed and plan.action == "rollback" and before is not None and outcome is Outcome.COMMITTED:
        if plan.restore is not None:
            return Verification(after, restore_checks(plan.restore, before.catalog, after.catalog))
        return Verification(after, removal_checks(plan.statements, before.catalog, after.catalog))
    if committed:
        return Verification(after, after.checks)
    changes = diff(before.catalog, after.catalog) if before is not None else ()
    return Verification(after, changes=tuple(change for change in changes if change.kind != "unchanged"))


Rehearsed = Literal["", "worked", "skipped"]


class Walk:
    """One walkthrough. `told` is called whenever something that a step shows may have changed."""

    def __init__(
        self,
        deck: Deck,
        action: Action,
        look: Look | None,
        *,
        who: tuple[str, str],
        monotonic: Callable[[], float],
        told: Told,
    ) -> None:
        """`who` is the operator and the name of this machine."""
        self.deck, self.action, self._monotonic, self._told = deck, action, monotonic, told
        operator, host = who
        self.plan = Plan(deck.bundle, action, rehearse=True, operator=operator, client_host=host)
        self.looking = Question(deck.look, told)
        self.looking.answer = look
        self._begin_again()
        self.run: Run | None = None
        self._before: Look | None = None
        self.verifying = Question(self._verify, told)
        self.proving: Question[Proof] = Question(self._prove, told)

    def _begin_again(self) -> None:
        """Nothing is known yet of the plan as it is now."""
        plan = self.plan
        self.preflight: Question[tuple[PreflightCheck, ...]] = Question(lambda: self.deck.preflight(plan), self._told)
        self.preview: Question[Preview] = Question(self._foresee, self._told)
        self.rehearsal: Run | None = None
        self.skipped = False

    async def _foresee(self) -> Preview:
        """What the plan would do; a restore is thereby worked out, and that one is run."""
        mode = self.plan.mode
        found = await self.deck.preview(self.plan)
        if self.plan.mode == mode:
            self.plan = replace(self.plan, restore=found.restore)
        return found

    def turn_online(self) -> None:
        """Build big tables' indexes before the transaction, or not."""
        if self.live is None and not self.settled:
            self.plan = replace(self.plan, online=not self.plan.online)
            self._told()

    def next_mode(self) -> None:
        """Another way back: what was asked and rehearsed was about the one before. Not during or after a run."""
        if self.action == "rollback" and self.live is None and not self.settled:
            at = MODES.index(self.plan.mode)
            self.plan = replace(self.plan, mode=MODES[(at + 1) % len(MODES)], restore=None)
            self._begin_again()
            self._told()

    @property
    def consequences(self) -> tuple[str, ...]:
        """What the rollback as chosen means, in sentences, the gravest last; none for an apply."""
        if self.action == "apply":
            return ()
        if self.plan.restore is not None:
            return meaning(self.plan.restore)
        if self.plan.restores:
            return (NOT_WORKED_OUT,)
        return aftermath(self.deck.bundle, self.look.catalog if self.look else None).sentences()

    @property
    def look(self) -> Look | None:
        """The newest look before the run."""
        return self.looking.answer

    @property
    def rehearsed(self) -> Rehearsed:
        """Whether it is known that it works here."""
        if self.rehearsal is not None and self.rehearsal.outcome is Outcome.REHEARSED:
            return "worked"
        return "skipped" if self.skipped else ""

    @property
    def rehearsed_in(self) -> str:
        """How long the rehearsal took and held its locks: what the real run will need; "" while that is not known."""
        end = self.rehearsal.end if self.rehearsal is not None else None
        if self.rehearsed == "worked" and end is not None:
            return f"{duration(end.seconds)}, locks held {duration(end.lock_seconds)} of it"
        return "not: how long it takes here is not known" if self.skipped else ""

    @property
    def live(self) -> Run | None:
        """The run or rehearsal that is going on."""
        return next((run for run in (self.rehearsal, self.run) if run is not None and run.live), None)

    @property
    def settled(self) -> bool:
        """Whether the run may have changed the database: then nothing is run again in this walkthrough."""
        return self.run is not None and self.run.outcome in (Outcome.COMMITTED, Outcome.UNKNOWN)

    @property
    def stops(self) -> tuple[PreflightCheck, ...]:
        """The preflight checks that forbid the run."""
        return tuple(check for check in self.preflight.answer or () if check.level == "stop")

    def matches(self, typed: str) -> bool:
        """Whether this is the database's name, exactly."""
        return typed == self.deck.destination.database

    def rehearse(self) -> Run | None:
        """A rehearsal to be followed, None while a run is going on."""
        if self.live is not None or self.settled:
            return None
        self.skipped = False
        self.rehearsal = Run(self.deck, self.plan, self._monotonic, self._told)
        return self.rehearsal

    def skip(self) -> None:
        """Go on without a rehearsal."""
        self.skipped = True
        self._told()

    def go(self, typed: str) -> Run | None:
        """The run itself to be followed; None when the name is wrong, a run is going on, or one has settled it."""
        if not self.matches(typed) or self.live is not None or self.settled:
            return None
        self._before = self.look
        self.run = Run(self.deck, replace(self.plan, rehearse=False, confirmed=typed), self._monotonic, self._told)
        self.verifying = Question(self._verify, self._told)
        self.proving = Question(self._prove, self._told)
        return self.run

    @property
    def proves(self) -> bool:
        """Whether what was committed is to be proven beyond its structure: a rollback promises nothing there."""
        return self.action == "apply" and self.run is not None and self.run.outcome is Outcome.COMMITTED

    async def verify(self) -> None:
        """Look again, and prove what a look can not see."""
        await self.verifying.ask()
        if self.proves and self.verifying.answer is not None:
            await self.proving.ask()

    def report(self) -> Report | None:
        """The report of the run; None before it has ended."""
        run = self.run
        if run is None or run.end is None:
            return None
        found, proof = self.verifying.answer, self.proving.answer
        return Report(
            plan=run.plan,
            destination=self.deck.destination,
            run=run.state,
            end=run.end,
            at=found.look.taken_at if found else datetime.now(UTC),
            before=self._before,
            after=found.look if found else None,
            verified=(*(found.checks if found else ()), *(proof.checks if proof else ())),
            proof=proof,
            counts=self.preview.answer.counts if self.preview.answer else (),
            rehearsal=self.rehearsed,
        )

    async def _verify(self) -> Verification:
        look = await self.deck.look()
        run = self.run
        return judge(self.plan, run.outcome if run else None, self._before, look)

    async def _prove(self) -> Proof:
        return await self.deck.prove(BEYOND_STRUCTURE)
