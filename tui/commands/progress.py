"""A run's progress on standard error: one line a phase, and on a terminal a line that moves with the statements."""

from __future__ import annotations

from time import monotonic

from tui.commands.words import place
from tui.core.deck import Destination
from tui.core.proof_words import counted_cases
from tui.core.run import (
    QUIET,
    Attempt,
    Blocker,
    Building,
    Committing,
    Connected,
    Connecting,
    Event,
    Finished,
    Plan,
    Preflighted,
    Proven,
    Proving,
    StatementDone,
    Validating,
    Verified,
    Verifying,
    WaitingForLock,
)
from tui.core.statements import title
from tui.core.text import duration
from tui.output import BAD, CAREFUL, DIM, Output, plain

REDRAW_EVERY = 0.1
"""Seconds. Statements finish faster than an eye follows and than a slow line should carry."""

REPEAT_WAIT_EVERY = 5.0
"""Seconds after which an unchanged list of blockers is said again."""


class Progress:
    """Tells the operator what a run does, event by event."""

    def __init__(self, plan: Plan, destination: Destination, out: Output) -> None:
        self._plan, self._place, self._out = plan, place(destination), out
        self._marked = ("PRODUCTION", BAD) if destination.environment == "production" else ()
        self._drawn_at = self._waiting_said_at = 0.0
        self._waiting_for: tuple[tuple[int, str], ...] = ()

    def show(self, event: Event) -> None:
        """Say what `event` means, if it is worth a line."""
        match event:
            case Connecting():
                self._say(f"connecting to {self._place}", *self._marked)
            case Connected(verdict, _):
                self._say(f"connected: {verdict.headline}")
            case Preflighted(checks):
                for check in checks:
                    if check.level != "pass":
                        style = BAD if check.level == "stop" else CAREFUL
                        words = [check.meaning.rstrip("."), check.remedy]
                        self._say(plain("; ".join(word for word in words if word), 500), check.level, style)
            case Building(name, table, at, total, seconds, done, phase):
                if not seconds:
                    self._say(f"building {plain(name)} on {plain(table)} before the transaction, {at} of {total}")
                elif done == 1.0:
                    self._say(f"built {plain(name)} in {duration(seconds)}")
                elif self._out.live:
                    share = "" if done is None else f" {done:.0%}"
                    self._out.redraw(plain(f"{name}{share} {phase}"))
            case Validating(name, table, at, total):
                self._say(f"validating {plain(name)} on {plain(table)}, {at} of {total}")
            case Attempt(number):
                if number == 1:
                    verb = "rehearsing" if self._plan.rehearse else "running"
                    total = len(self._plan.statements)
                    self._say(f"{verb} {total} statements of {self._plan.files} in one transaction")
            case WaitingForLock(blockers, waited, _):
                self._waiting(blockers, waited)
            case StatementDone():
                self._statement(event)
            case Verifying():
                self._say("verifying the result inside the transaction")
            case Verified(checks):
                held = sum(check.ok for check in checks)
                self._say(f"{held} of {len(checks)} checks hold")
            case Proving():
                self._say("trying on the result who can reach which rows")
            case Proven(matrix):
                self._say(counted_cases(matrix) if matrix.probes else "; ".join(matrix.reasons))
            case Committing():
                self._say("committing")
            case Finished():
                self._out.redraw("")

    def cancelling(self) -> None:
        """The operator asked to stop."""
        self._say("stopping: everything is being rolled back; once more to leave without waiting for it")

    def _say(self, words: str, label: str = "", style: str = DIM) -> None:
        self._out.redraw("")
        if label:
            self._out.notice((f"{label}: ", style), words)
        else:
            self._out.notice((words, style))

    def _statement(self, event: StatementDone) -> None:
        for notice in event.notices:
            if notice.severity not in QUIET:
                line = self._plan.statements[event.index].line
                self._say(
                    f"{self._plan.source(event.index)}:{line}: {plain(notice.message, 500)}",
                    notice.severity.lower(),
                    CAREFUL,
                )
        now = monotonic()
        if self._out.live and now - self._drawn_at >= REDRAW_EVERY:
            self._drawn_at = now
            words = plain(title(self._plan.statements[event.index]), 200)
            counted = f"{event.index + 1}/{len(self._plan.statements)}  "
            self._out.redraw((counted + words)[: max(self._out.width - 1, 20)])

    def _waiting(self, blockers: tuple[Blocker, ...], waited: float) -> None:
        now = monotonic()
        waiting_for = tuple((blocker.pid, blocker.blocks) for blocker in blockers)
        if waiting_for == self._waiting_for and now - self._waiting_said_at < REPEAT_WAIT_EVERY:
            return
        self._waiting_for, self._waiting_said_at = waiting_for, now
        left = max(self._plan.patience - waited, 0)
        self._say(f"a lock is not free; nothing is held meanwhile, trying on for {duration(left)}", "waiting", CAREFUL)
        for blocker in blockers:
            who = plain(blocker.application or blocker.user, 60)
            since = f"{plain(blocker.state, 40)}, its transaction is {duration(blocker.age)} old"
            does = f"holds {plain(blocker.blocks, 120)}" if blocker.blocks else "keeps another of these waiting"
            if blocker.waits_for:
                does += f" and waits for process {', '.join(str(pid) for pid in blocker.waits_for)}"
            self._say(f"  process {blocker.pid} ({who}) {does}: {since}: {plain(blocker.query)}")
