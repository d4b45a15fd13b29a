"""The one place that holds what screens show: frozen snapshots in, changes out.

Times here are seconds of a monotonic clock that the caller passes in, so that everything is pure and testable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, get_args

import msgspec
from msgspec.structs import replace
from textual.message import Message

from tui.core.deck import Problem
from tui.core.facts import Runner
from tui.core.look import Look, Server
from tui.core.panels import ErrorsPanel, ExecutionsPanel, Panels

if TYPE_CHECKING:
    from tui.core.drift import Drift
    from tui.core.locks import LockPicture
    from tui.core.proof import Proof
    from tui.moment import Moment

Part = Literal["connection", "look", "executions", "errors", "paused", "notice", "proof", "drift", "locks"]
ALL_PARTS: frozenset[Part] = frozenset(get_args(Part))

PARTS_OF: Mapping[str, Part] = {
    "connection": "connection",
    "runner": "connection",
    "executions": "executions",
    "errors": "errors",
    "paused": "paused",
    "notice": "notice",
    "proving": "proof",
    "drift": "drift",
    "drift_known": "drift",
    "locks": "locks",
}
"""Which part each thing that the store holds belongs to, beside the look, whose times alone are no change."""

FIRST_RETRIES = (0.25, 0.5, 1.0)
"""Seconds before the first retries: data again within 1.5 s of the return of a server that was away for a moment."""
RETRY_CAP = 30.0
"""Seconds between tries at a server or pooler that answers and declines: every try costs it work."""
NOBODY_CAP = 1.0
"""Seconds between tries where nobody answers: such a try costs a packet, and data is there again within 1.5 s of the
return, however long it was away.
"""
STALE_TICKS = 3
"""Ticks that may be missed before what is shown or was said counts as old."""
RTT_STEP = 0.25
RTT_FLOOR = 0.010
"""A shown round trip moves only when it changed by this share, and by 10 ms: a number that trembles says nothing, and
costs bytes.
"""


class Connecting(msgspec.Struct, frozen=True):
    """The first connection is being made."""


class Connected(msgspec.Struct, frozen=True):
    """Connected; `rtt` is the round trip to show, in seconds."""

    server: Server
    rtt: float


class Reconnecting(msgspec.Struct, frozen=True):
    """Not connected; tried again by itself. `since` and `next_at` are monotonic seconds, `attempt` counts from 1."""

    attempt: int
    since: float
    next_at: float
    reason: str
    hint: str


class AuthFailed(msgspec.Struct, frozen=True):
    """The sign-in was refused: never tried again by itself (facts: migrations A3, a circuit breaker would close)."""

    reason: str
    hint: str


class Stopped(msgspec.Struct, frozen=True):
    """Asking stopped for a reason that trying again does not mend."""

    reason: str
    hint: str


Connection = Connecting | Connected | Reconnecting | AuthFailed | Stopped


def backoff(attempt: int, jitter: float, cap: float) -> float:
    """Seconds to wait before attempt `attempt` (from 1), never more than `cap`; `jitter` in 0..1 spreads clients by up
    to a quarter.
    """
    if attempt <= len(FIRST_RETRIES):
        return FIRST_RETRIES[attempt - 1]
    # The exponent is bounded first: a night of tries would overflow a float.
    delay = min(cap, 2.0 ** min(attempt - len(FIRST_RETRIES), 10))
    return delay * (1 - 0.25 * jitter)


def after_problem(state: Connection, problem: Problem, now: float, jitter: float) -> Connection:
    """The connection state after a failed attempt to connect or a lost line.

    A query that failed on a connection that stands is not a loss: that is `lost_line`'s to tell.
    """
    if problem.kind == "auth":
        return AuthFailed(problem.message, problem.hint)
    if not problem.retry:
        return Stopped(problem.message, problem.hint)
    attempt, since = (state.attempt + 1, state.since) if isinstance(state, Reconnecting) else (1, now)
    wait = backoff(attempt, jitter, RETRY_CAP if problem.kind == "refused" else NOBODY_CAP)
    return Reconnecting(attempt, since, now + wait, problem.message, problem.hint)


def lost_line(problem: Problem) -> bool:
    """Whether the problem means that the connection is gone, and not only that one question failed."""
    return problem.kind not in ("query", "timeout")


class Changed(Message):
    """Parts of the store differ from what was shown. A newer one replaces an older one that waits, so that a slow
    terminal skips to the newest.
    """

    def __init__(self, parts: frozenset[Part]) -> None:
        super().__init__()
        self.parts = parts

    def can_replace(self, message: Message) -> bool:
        """Every message names all parts not yet taken, so the newest says everything."""
        return isinstance(message, Changed)


class Notice(msgspec.Struct, frozen=True):
    """What a query or a worker had to report: shown until it is over, never in the way of the data."""

    text: str
    hint: str = ""


class Proving(msgspec.Struct, frozen=True):
    """The newest proof, None before the first; `at`: when it was had, in monotonic seconds; `running`: another is under
    way; `trouble`: what kept the last one from being had; `outdated`: the checks have changed since.
    """

    proof: Proof | None = None
    at: float = 0.0
    running: bool = False
    trouble: Notice | None = None
    outdated: bool = False


class Store:
    """What screens show. `post` is called with one `Changed` whenever something differs, never when nothing does."""

    def __init__(self, post: Callable[[Changed], object]) -> None:
        self._post = post
        self._pending: frozenset[Part] = frozenset()
        self.connection: Connection = Connecting()
        self.look: Look | None = None
        self.look_at = 0.0
        self.executions: ExecutionsPanel | None = None
        self.errors: ErrorsPanel | None = None
        self.panels_at = 0.0
        self.runner: Runner | None = None
        self.taken_at: datetime | None = None
        """The server's clock at `panels_at`."""
        self.paused = False
        self.notice: Notice | None = None
        self.proving = Proving()
        self.drift: Drift | None = None
        """None also where no run is recorded, once `drift_known`."""
        self.drift_known = False
        self.locks: LockPicture | None = None

    def take(self) -> frozenset[Part]:
        """The parts that differ since the last call."""
        parts, self._pending = self._pending, frozenset()
        return parts

    def server_time(self, now: float) -> datetime | None:
        """The server's clock at monotonic second `now`, None before the first answer."""
        return None if self.taken_at is None else self.taken_at + timedelta(seconds=now - self.panels_at)

    def connected(self, server: Server, rtt: float | None = None) -> None:
        """Connected to `server`, with the newest measured round trip in seconds."""
        new = server.rtt if rtt is None else rtt
        old = self.connection.rtt if isinstance(self.connection, Connected) else 0.0
        shown = old if old and abs(new - old) <= max(RTT_STEP * old, RTT_FLOOR) else new
        # The server's own measure moves with every look: it must not make equal servers differ.
        self._turn(Connected(replace(server, rtt=0.0), shown))

    def failed(self, problem: Problem, now: float, jitter: float) -> None:
        """The line is lost or could not be had."""
        self._turn(after_problem(self.connection, problem, now, jitter))

    def stopped(self, reason: str, hint: str) -> None:
        """Asking has ended for a reason of our own."""
        self._turn(Stopped(reason, hint))

    def connecting(self) -> None:
        """A connection is asked for by the operator."""
        self._turn(Connecting())

    def put_look(self, look: Look, now: float) -> None:
        """A new look; its time and the server's changing measures alone are no change."""
        old, self.look_at = self.look, now
        self.look = look
        if old is None or _comparable(old) != _comparable(look):
            self._differs("look")
        proof = self.proving.proof
        # What changed since a look from before the proof was most likely proven: an apply with the proof of its end.
        if old is not None and proof is not None and old.checks != look.checks and old.taken_at >= proof.taken_at:
            self._prove(replace(self.proving, outdated=True))

    def put_drift(self, drift: Drift | None) -> None:
        """What changed since the last recorded run, None where nothing is recorded."""
        if not self.drift_known or drift != self.drift:
            self.drift, self.drift_known = drift, True
            self._differs("drift")

    def put_locks(self, locks: LockPicture) -> None:
        """Who holds and who waits for locks, where somebody asked."""
        if locks != self.locks:
            self.locks = locks
            self._differs("locks")

    def proof_begun(self) -> None:
        """A proof is under way; the one before stays."""
        self._prove(replace(self.proving, running=True, trouble=None))

    def put_proof(self, proof: Proof, now: float) -> None:
        """A new proof."""
        self._prove(Proving(proof, now))

    def proof_failed(self, trouble: Notice) -> None:
        """No proof could be had; the one before stays."""
        self._prove(replace(self.proving, running=False, trouble=trouble))

    def put_panels(self, panels: Panels, now: float) -> bool:
        """New panels. Returns whether the source of one changed, which means that the catalog did."""
        other = False
        self.panels_at, self.taken_at = now, panels.taken_at
        if panels.runner != self.runner:
            self.runner = panels.runner
            self._differs("connection")
        if panels.executions != self.executions:
            other |= self.executions is not None and _source(self.executions) != _source(panels.executions)
            self.executions = panels.executions
            self._differs("executions")
        if panels.errors != self.errors:
            other |= self.errors is not None and _source(self.errors) != _source(panels.errors)
            self.errors = panels.errors
            self._differs("errors")
        return other

    def pause(self, paused: bool) -> None:
        """Whether asking is paused."""
        if paused != self.paused:
            self.paused = paused
            self._differs("paused")

    def tell(self, notice: Notice | None) -> None:
        """What a query or worker had to report; None when it is over."""
        if notice != self.notice:
            self.notice = notice
            self._differs("notice")

    def become(self, moment: Moment) -> None:
        """Hold `moment`, whatever was held before: what a replay shows."""
        if moment.look is not self.look and (
            moment.look is None or self.look is None or _comparable(moment.look) != _comparable(self.look)
        ):
            self._differs("look")
        self.look, self.look_at = moment.look, moment.look_at
        self.panels_at, self.taken_at = moment.panels_at, moment.taken_at
        for name, part in PARTS_OF.items():
            value = getattr(moment, name)
            if value != getattr(self, name):
                setattr(self, name, value)
                self._differs(part)

    def _prove(self, proving: Proving) -> None:
        if proving != self.proving:
            self.proving = proving
            self._differs("proof")

    def _turn(self, connection: Connection) -> None:
        if connection != self.connection:
            self.connection = connection
            self._differs("connection")

    def _differs(self, part: Part) -> None:
        self._pending |= {part}
        self._post(Changed(self._pending))


def _comparable(look: Look) -> tuple[object, ...]:
    return (look.checks, look.verdict, look.runs, look.earlier, replace(look.server, rtt=0.0))


def _source(panel: ExecutionsPanel | ErrorsPanel) -> tuple[str, str, str]:
    return (panel.title, panel.waits_for, panel.note)
