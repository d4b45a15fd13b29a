"""The state of a database as lines, one for each change: for a screen reader, a log, a terminal that can not draw.

No line moves a cursor or has a colour; the words are those of `status` and of the dashboard.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

import msgspec
from msgspec.structs import replace

from tui.commands import words
from tui.core.bundle import Bundle
from tui.core.check import Check
from tui.core.deck import Destination
from tui.core.drift import drift_said
from tui.core.locks import LockPicture
from tui.core.look import LEDGER_SAID, Look
from tui.core.panels import ErrorGroup, ErrorsPanel, ExecutionsPanel
from tui.core.proof import Proof
from tui.core.proof_words import control_said, counted_cases, counted_findings
from tui.core.report import label
from tui.core.text import count, duration
from tui.moment import Moment
from tui.output import plain
from tui.store import AuthFailed, Connected, Connecting, Connection, Notice, Proving, Reconnecting, Stopped

FIGURES_EVERY = 30.0
"""Seconds that a panel's figures rest after they were said: who listens to them can not skim."""
NOTABLE = 0.25
"""The share by which a panel's figures move before they are worth saying again."""
NOTABLE_FAILURES = 0.01
"""The same for the share of executions that fail, in failures per execution."""
MOST = 5
"""Lines of one kind at once; how many more there are is said."""


class Teller:
    """Tells moment after moment of one database.

    `late`: after how many seconds without an answer what was told counts as old.
    """

    def __init__(self, bundle: Bundle, destination: Destination, late: float) -> None:
        self._bundle, self._destination, self._late = bundle, destination, late
        self._told = Moment()
        self._opened = self._old = False
        self._figures: dict[str, _Figures] = {}
        self._kinds: dict[str, float] | None = None
        self._told_errors: deque[float] = deque()

    def tell(self, moment: Moment, now: float) -> Iterator[str]:
        """A line for each thing that differs from the moment told before; `now` on the clock of the moments' times."""
        before, self._told = self._told, moment
        if not self._opened:
            self._opened = True
            yield self._opening()
        if moment.connection != before.connection:
            yield from _connection(before.connection, moment.connection, now, known=before.look is not None)
        yield from self._age(moment, now)
        if moment.look is not None and moment.look is not before.look:
            yield from self._look(before.look, moment.look)
        if moment.drift_known and moment.look is not None and moment.look.runs:
            yield from _drift(before, moment)
        yield from _runner(before, moment)
        yield from _proof(before.proving, moment.proving)
        yield from self._panels(before, moment, now)
        yield from _locks(before.locks, moment.locks)
        yield from _notice(before.notice, moment.notice)
        if moment.paused != before.paused:
            yield "paused: the database is not asked" if moment.paused else "going on"

    def _opening(self) -> str:
        where = self._destination
        marked = "" if where.environment == "local" else f", {words.environment(where)[0].strip()}"
        return f"{plain(where.name)}{marked}: {words.place(where)}, {_title(self._bundle)}"

    def _age(self, moment: Moment, now: float) -> Iterator[str]:
        """Silence on a line that stands: what was said last is then no news any more."""
        newest = max(moment.look_at, moment.panels_at)
        old = bool(newest) and isinstance(moment.connection, Connected) and not moment.paused
        old = old and now - newest > self._late
        if old and not self._old:
            yield f"no answer for {duration(int(now - newest))}: what was said before is old"
        elif self._old and not old and isinstance(moment.connection, Connected):
            yield "answers again"
        self._old = old

    def _look(self, before: Look | None, after: Look) -> Iterator[str]:
        if before is None or before.verdict != after.verdict:
            verdict = after.verdict
            said = f"{words.counted(verdict)}. {plain(verdict.sentence, 500)}"
            yield f"{plain(verdict.headline, 80)}, {_title(self._bundle)}: {said}"
        for earlier in after.earlier if before is None or before.earlier != after.earlier else ():
            yield plain(earlier.said, 500)
        if before is None or before.runs[:1] != after.runs[:1]:
            run = after.last_run
            took = f", {plain(run.outcome)}, took {duration(run.seconds)}" if run else ""
            yield f"last run: {words.last_run(after)}{took}" if run else LEDGER_SAID[after.ledger]
        known = {} if before is None else {_key(check): check for check in before.checks}
        changed = [check for check in after.checks if _outcome(known.get(_key(check))) != check.outcome]
        yield from _some(
            [_check(check) for check in words.gathered(check for check in changed if not check.ok)],
            "more that do not hold: patchdeck verify",
        )
        there = {_key(check) for check in after.checks}
        mended = [check for check in changed if check.ok and _key(check) in known]
        mended += [check for key, check in known.items() if key not in there and not check.ok]
        yield from _some([f"holds now: {plain(label(check))}" for check in mended], "more hold now")

    def _panels(self, before: Moment, after: Moment, now: float) -> Iterator[str]:
        executions, errors = after.executions, after.errors
        if executions is not None:
            was = before.executions.problem if before.executions else ""
            yield from self._panel(executions, _executions_figures(executions), was, now)
        if errors is not None:
            was = before.errors.problem if before.errors else ""
            yield from self._panel(errors, _errors_figures(errors), was, now)
            yield from self._new_errors(errors, now)

    def _panel(self, panel: ExecutionsPanel | ErrorsPanel, figures: _Figures, was: str, now: float) -> Iterator[str]:
        """What stands where figures would, or the figures where they are worth it and not just said."""
        title = plain(panel.title, 60)
        if panel.problem != was:
            yield f"{title}: {plain(panel.problem, 500)}" if panel.problem else f"{title}: can be read again"
        said = self._figures.get(title)
        if said is None or said.instead != figures.instead:
            due = True
        else:
            due = not figures.instead and now - said.at >= FIGURES_EVERY and figures.notable(said)
        if due:
            figures.at = now
            self._figures[title] = figures
            news = f" ({figures.note})" if figures.note and (said is None or said.note != figures.note) else ""
            yield f"{title}: {figures.instead}" if figures.instead else f"{title}, {figures.words}{news}"

    def _new_errors(self, panel: ErrorsPanel, now: float) -> Iterator[str]:
        """A line for each kind of errors that was not there within the window; in a storm so many, not a flood."""
        known = self._kinds
        fresh = [group for group in panel.groups if known is not None and group.fingerprint not in known]
        seen = (known or {}) | {group.fingerprint: now for group in panel.groups}
        # The panel lists the most frequent kinds only: one that left the list and comes back is no news.
        self._kinds = {kind: at for kind, at in seen.items() if now - at <= panel.window}
        while self._told_errors and now - self._told_errors[0] > FIGURES_EVERY:
            self._told_errors.popleft()
        left = MOST - len(self._told_errors)
        for group in fresh[:left]:
            self._told_errors.append(now)
            yield f"new error: {_error(group)}"
        if len(fresh) > left > 0:
            yield f"{count(len(fresh) - left)} more kinds of new errors"


class _Figures(msgspec.Struct):
    """A panel's figures in words, and what decides whether they are worth saying again; `instead` of them stands why
    there are none; `note` is the panel's, said once. `at`: when they were said.
    """

    words: str
    total: int
    failed: int = 0
    p95_ms: float = 0.0
    instead: str = ""
    note: str = ""
    at: float = 0.0

    def notable(self, said: _Figures) -> bool:
        """Whether they differ from what was `said` by more than the ordinary."""
        shares = [figures.failed / figures.total if figures.total else 0.0 for figures in (self, said)]
        return (
            bool(self.total) != bool(said.total)
            or bool(self.failed) != bool(said.failed)
            or abs(self.total - said.total) > NOTABLE * max(said.total, 1)
            or abs(shares[0] - shares[1]) >= NOTABLE_FAILURES
            or abs(self.p95_ms - said.p95_ms) > NOTABLE * said.p95_ms
        )


def _executions_figures(panel: ExecutionsPanel) -> _Figures:
    totals = panel.totals
    parts = [f"{count(totals.running)} running", f"{count(totals.ok)} ok", f"{count(totals.failed)} failed"]
    if totals.failed and totals.total:
        parts[-1] += f" ({100 * totals.failed / totals.total:.1f} %)"
    for name, milliseconds in (("p50", totals.p50_ms), ("p95", totals.p95_ms)):
        parts += [] if milliseconds is None else [f"{name} {duration(milliseconds / 1000)}"]
    said = f"last {duration(panel.window)}: {', '.join(parts)}"
    return _Figures(
        said, totals.total, totals.failed, totals.p95_ms or 0.0, plain(panel.waits_for, 300), plain(panel.note, 300)
    )


def _errors_figures(panel: ErrorsPanel) -> _Figures:
    kinds = f" of {count(len(panel.groups))} {'kind' if len(panel.groups) == 1 else 'kinds'}" if panel.groups else ""
    most = f"; most often {_error(panel.groups[0])}" if panel.groups else ""
    said = f"last {duration(panel.window)}: {count(panel.total)}{kinds}{most}"
    return _Figures(said, panel.total, instead=plain(panel.waits_for, 300), note=plain(panel.note, 300))


def _error(group: ErrorGroup) -> str:
    kind = plain(group.kind, 80)
    message = plain(group.message, 300).removeprefix(f"{kind}: ")
    return f"{kind}: {message}, {count(group.total)} {'time' if group.total == 1 else 'times'}"


def _title(bundle: Bundle) -> str:
    return plain(f"{bundle.name} {bundle.version}")


def _connection(before: Connection, after: Connection, now: float, *, known: bool) -> Iterator[str]:
    match after:
        case Connecting():
            yield "connecting"
        case Connected(server):
            if isinstance(before, Connected) and before.server == server:
                return  # the round trip alone moves all day
            away = f" after {duration(int(now - before.since))}" if isinstance(before, Reconnecting) else ""
            yield f"connected{' again' if known else ''}{away}: {words.connection(replace(server, rtt=after.rtt))}"
        case Reconnecting(reason=reason, hint=hint) if not isinstance(before, Reconnecting):
            yield f"UNREACHABLE, tried again by itself: {_reason(reason, hint)}"
        case Reconnecting(reason=reason, hint=hint):
            if isinstance(before, Reconnecting) and before.reason != reason:
                yield f"still UNREACHABLE: {_reason(reason, hint)}"
        case AuthFailed(reason, hint):
            yield f"SIGN-IN REFUSED: {_reason(reason, hint)}"
        case Stopped(reason, hint):
            yield f"STOPPED: {_reason(reason, hint)}"


def _reason(reason: str, hint: str) -> str:
    return plain(f"{reason.rstrip('.')}; {hint}" if hint else reason, 500)


def _drift(before: Moment, after: Moment) -> Iterator[str]:
    if not before.drift_known or after.drift != before.drift:
        yield f"drift: {drift_said(after.drift)}"
        changes = after.drift.changes if after.drift else ()
        yield from _some([f"{change.kind}: {plain(change.object)}" for change in changes], "more: patchdeck drift")


def _runner(before: Moment, after: Moment) -> Iterator[str]:
    if before.runner == after.runner:
        return
    if after.runner is None:
        yield "the run is over"
    else:
        runner = after.runner
        who = plain(runner.application or runner.user or "a run", 63)
        yield f"{who} is running{f' since {plain(runner.since)}' if runner.since else ''}"


def _proof(before: Proving, after: Proving) -> Iterator[str]:
    if after.running and not before.running:
        yield "isolation: proving"
    if after.trouble is not None and after.trouble != before.trouble:
        yield f"isolation: not proven: {_reason(after.trouble.text, after.trouble.hint)}"
    if after.proof is not None and after.proof is not before.proof:
        yield from _proven(after.proof)
    if after.outdated and not before.outdated:
        yield "isolation: proven before the last change"


def _proven(proof: Proof) -> Iterator[str]:
    matrix = proof.matrix
    if matrix is not None:
        yield f"isolation: {matrix.state.replace('_', ' ')}, {counted_cases(matrix)}"
        yield plain(control_said(matrix.control), 500)
        yield from _some([f"isolation: {plain(reason, 500)}" for reason in matrix.reasons], "more reasons")
    yield f"findings: {counted_findings(proof.findings)}"


def _locks(before: LockPicture | None, after: LockPicture | None) -> Iterator[str]:
    waiting = [sum(bool(session.waits_for) for session in picture.sessions) if picture else 0
               for picture in (before, after)]  # fmt: skip
    if waiting[0] != waiting[1]:
        yield f"locks: {count(waiting[1])} {'session waits' if waiting[1] == 1 else 'sessions wait'}"


def _notice(before: Notice | None, after: Notice | None) -> Iterator[str]:
    if after != before:
        yield f"trouble: {_reason(after.text, after.hint)}" if after else "no trouble any more"


def _check(check: Check) -> str:
    why = f". {plain(check.why, 500)}" if check.why else ""
    return f"does not hold: {plain(label(check))}: {check.outcome.replace('_', ' ')}{why}"


def _key(check: Check) -> tuple[str, str, str]:
    return check.object, check.table, check.name


def _outcome(check: Check | None) -> str:
    return "ok" if check is None else check.outcome


def _some(lines: Sequence[str], more: str) -> Iterator[str]:
    """At most so many of `lines`, and how many `more` there are."""
    yield from lines[:MOST]
    if len(lines) > MOST:
        yield f"{count(len(lines) - MOST)} {more}"
