"""The events of a run and the pure state machine over them.

One engine (`tui.db.applier`) yields these events for apply, rehearsal and every kind of rollback. The walkthrough
screen, a command's progress, the journal, the ledger row and the report read the same events and nothing else.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import msgspec
from msgspec.structs import replace

from tui.core.bundle import Bundle
from tui.core.checklist import Check
from tui.core.preflight import PreflightCheck
from tui.core.restore import RECORD, Restore
from tui.core.statements import Statement
from tui.core.surface import Change
from tui.core.text import duration
from tui.core.verdict import Verdict

if TYPE_CHECKING:
    from tui.core.isolation import Matrix  # who only looks at a run that is not a rehearsal need not load it

Action = Literal["apply", "rollback"]
RollbackMode = Literal["lock", "restore", "restore-closed"]


class Outcome(StrEnum):
    """How a run ended. ROLLED_BACK: the database is as it was. UNKNOWN: the line was lost around COMMIT; resolve it
    first.
    """

    REHEARSED = "rehearsed"
    COMMITTED = "committed"
    ROLLED_BACK = "rolled_back"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Phase(StrEnum):
    """Where a run is."""

    IDLE = "idle"
    CONNECTING = "connecting"
    PREFLIGHT = "preflight"
    BUILDING = "building"
    LOCKING = "locking"
    WAITING = "waiting"
    RUNNING = "running"
    VERIFYING = "verifying"
    PROVING = "proving"
    COMMITTING = "committing"
    VALIDATING = "validating"
    FINISHED = "finished"


class Limits(msgspec.Struct, frozen=True):
    """Limits set with SET LOCAL inside the transaction, in seconds.

    `idle_in_transaction` is how long a frozen client may hold its locks: a healthy one needs a round trip and the
    comparison between its batch and COMMIT.
    `silence` bounds every wait for the server's next byte on top of the statement timeout; nothing waits for ever
    (facts: migrations 0.5).
    """

    lock_timeout: float = 2.0
    statement_timeout: float = 600.0
    idle_in_transaction: float = 2.0
    connection_check: float = 0.5
    silence: float = 20.0


class Plan(msgspec.Struct, frozen=True):
    """What to run. `confirmed` is the database name the operator typed (None for a rehearsal); `patience` in seconds.

    `again` runs the patch although everything already holds (decision 28). `restore` is what a mode that restores does
    after the rollback file; it is worked out from the database, so a plan begins without it. `record_supabase` also
    writes the row of the Supabase CLI's history (decision 23); a rollback takes it back by itself. `online` builds what
    it can of a big table's indexes before the transaction, and validates constraints after it.
    """

    bundle: Bundle
    action: Action = "apply"
    mode: RollbackMode = "lock"
    rehearse: bool = False
    confirmed: str | None = None
    again: bool = False
    patience: float = 30.0
    limits: Limits = Limits()
    operator: str = ""
    client_host: str = ""
    restore: Restore | None = None
    record_supabase: bool = False
    online: bool = False

    @property
    def restores(self) -> bool:
        """Whether what was recorded before the apply is to come back."""
        return self.action == "rollback" and self.mode != "lock"

    @property
    def file(self) -> str:
        """The file whose statements run."""
        return self.bundle.patch.file if self.action == "apply" else self.bundle.rollback.file

    @property
    def files(self) -> str:
        """The file, and the record beside it where a restore adds to it."""
        return f"{self.file} and {RECORD}" if self.restore else self.file

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The statements to run, in order."""
        if self.action == "apply":
            return self.bundle.patch.statements
        return self.bundle.rollback.statements + (self.restore.statements if self.restore else ())

    def source(self, index: int) -> str:
        """Where the 0-based statement comes from: the file, or for what a restore adds the ledger's record."""
        return RECORD if self.action == "rollback" and index >= len(self.bundle.rollback.statements) else self.file


def plan_of(bundle: Bundle, mode: RollbackMode | None) -> Plan:
    """The plan of an apply, or of a rollback in `mode`, before anything is asked or confirmed."""
    return Plan(bundle) if mode is None else Plan(bundle, action="rollback", mode=mode)


class Blocker(msgspec.Struct, frozen=True):
    """A session in the way of a lock, one for each relation. `age` is seconds since its transaction began, `blocks` the
    relation we wanted; it and `mode` are "" for a session that only keeps another blocker waiting. `waits_for`: the
    processes it waits for itself.
    """

    pid: int
    user: str
    application: str
    state: str
    age: float
    query: str
    mode: str
    blocks: str
    waits_for: tuple[int, ...] = ()


class Notice(msgspec.Struct, frozen=True):
    """A NOTICE or WARNING the server sent while a statement ran."""

    severity: str
    message: str


class Failure(msgspec.Struct, frozen=True):
    """A statement that failed. `index` is 0-based, None when the failure belongs to no statement of the file."""

    message: str
    index: int | None = None
    file: str = ""
    line: int | None = None
    column: int | None = None
    sqlstate: str | None = None
    detail: str | None = None
    hint: str | None = None

    @property
    def place(self) -> str:
        """`PATCH.sql:57:12`, as far as it is known; empty when the failure is not in a file."""
        parts = [self.file] + [str(part) for part in (self.line, self.column) if part is not None]
        return ":".join(parts) if self.file else ""


class Connecting(msgspec.Struct, frozen=True):
    """A connection is being opened for the run."""


class Connected(msgspec.Struct, frozen=True):
    """Connected and looked: what was found before anything is changed."""

    verdict: Verdict
    pid: int


class Preflighted(msgspec.Struct, frozen=True):
    """The preflight checks, in order."""

    checks: tuple[PreflightCheck, ...]


class Building(msgspec.Struct, frozen=True):
    """Index `at` (from 1) of `total` is being built before the transaction, for `seconds`; `done` is the share of it
    that the server reports, None while it reports none.
    """

    name: str
    table: str
    at: int
    total: int
    seconds: float
    done: float | None
    phase: str


class Validating(msgspec.Struct, frozen=True):
    """After COMMIT: constraint `at` (from 1) of `total` is being validated."""

    name: str
    table: str
    at: int
    total: int


class Attempt(msgspec.Struct, frozen=True):
    """A new transaction begins; `number` counts from 1."""

    number: int


class WaitingForLock(msgspec.Struct, frozen=True):
    """A lock was not free: everything was rolled back, and it is tried again in `retry_in` seconds until patience
    ends.
    """

    blockers: tuple[Blocker, ...]
    waited: float
    retry_in: float


class StatementDone(msgspec.Struct, frozen=True):
    """Statement `index` (0-based) is done; `seconds` since the previous one's result arrived."""

    index: int
    seconds: float
    tag: str
    notices: tuple[Notice, ...] = ()


class StatementFailed(msgspec.Struct, frozen=True):
    """A statement failed; the server has undone everything since BEGIN."""

    failure: Failure


class Verifying(msgspec.Struct, frozen=True):
    """All statements are done; the catalog is being compared inside the transaction."""


class Verified(msgspec.Struct, frozen=True):
    """The checks on the not yet committed result."""

    checks: tuple[Check, ...]


class Proving(msgspec.Struct, frozen=True):
    """A rehearsal: every check passed, and who can reach which rows is being tried on the result."""


class Proven(msgspec.Struct, frozen=True):
    """A rehearsal: the isolation matrix of the result that is about to be rolled back."""

    matrix: Matrix


class Committing(msgspec.Struct, frozen=True):
    """COMMIT is about to be sent; `xid` names the transaction for pg_xact_status after a lost line."""

    xid: str


class Compared(msgspec.Struct, frozen=True):
    """What the verified result changed against the catalog before the first statement. Worked out after COMMIT or
    ROLLBACK, so that nobody waits for it.
    """

    changes: tuple[Change, ...]


class Finished(msgspec.Struct, frozen=True):
    """The end. `problem` is the kind of Problem when the database could not even be looked at. `reason` is one sentence
    on what happened, `state` on what state the database is in, `next_step` what to do. `lock_seconds`: from the first
    lock on, as long as a writer may have waited; `alone_seconds`: from when every lock was had in full, as long as a
    reader may, None where that is not known. Of a rehearsal both are what the real run would need.
    """

    outcome: Outcome
    reason: str
    state: str
    next_step: str
    seconds: float
    lock_seconds: float
    round_trips: int
    verdict: Verdict | None
    ran: bool = True
    locks: tuple[str, ...] = ()
    problem: str = ""
    alone_seconds: float | None = None

    @property
    def held(self) -> str:
        """How long the locks were held, and how long of that nobody could read."""
        held = duration(self.lock_seconds)
        if not self.alone_seconds or self.alone_seconds == self.lock_seconds:
            return held
        return f"{held}, {duration(self.alone_seconds)} of it readers waited too"


Event = (
    Connecting
    | Connected
    | Preflighted
    | Building
    | Validating
    | Attempt
    | WaitingForLock
    | StatementDone
    | StatementFailed
    | Verifying
    | Verified
    | Proving
    | Proven
    | Committing
    | Compared
    | Finished
)


QUIET = frozenset({"NOTICE", "INFO", "LOG", "DEBUG"})
"""Severities that a second run has by the dozen ("already exists, skipping"); more than that is worth a line each."""

KEPT = 100
"""Warnings and statements that wrote rows that are kept: of fifty thousand each may give one."""


class RunState(msgspec.Struct, frozen=True):
    """Everything that is known of a run so far; `advance` makes the next one. Its cost does not grow with the run:
    `warnings` are the newest of `warned`, with their statement's index; of the `noticed` quiet ones only the `newest`.
    `written` are the newest statements that wrote rows, by index, with how many of the `rows`.
    """

    total: int = 0
    phase: Phase = Phase.IDLE
    done: int = 0
    rows: int = 0
    written: tuple[tuple[int, int], ...] = ()
    attempts: int = 0
    waited: float = 0.0
    retry_in: float = 0.0
    blockers: tuple[Blocker, ...] = ()
    preflight: tuple[PreflightCheck, ...] = ()
    warnings: tuple[tuple[int, Notice], ...] = ()
    warned: int = 0
    noticed: int = 0
    newest: tuple[int, Notice] | None = None
    failure: Failure | None = None
    checks: tuple[Check, ...] = ()
    changes: tuple[Change, ...] = ()
    matrix: Matrix | None = None
    xid: str | None = None
    online: Building | Validating | None = None
    finished: Finished | None = None

    @property
    def outcome(self) -> Outcome | None:
        """How it ended, None while it runs."""
        return self.finished.outcome if self.finished else None


def _heard(state: RunState, index: int, notices: tuple[Notice, ...]) -> RunState:
    loud = tuple((index, notice) for notice in notices if notice.severity not in QUIET)
    quiet = [notice for notice in notices if notice.severity in QUIET]
    return replace(
        state,
        warnings=(*state.warnings, *loud)[-KEPT:],
        warned=state.warned + len(loud),
        noticed=state.noticed + len(quiet),
        newest=(index, quiet[-1]) if quiet else state.newest,
    )


def rows_written(tag: str) -> int:
    """How many rows a statement wrote, by its command tag: `UPDATE 12`, `INSERT 0 3`."""
    verb, _, number = tag.partition(" ")
    last = number.rpartition(" ")[2]
    return int(last) if verb in ("INSERT", "UPDATE", "DELETE", "MERGE", "COPY") and last.isdigit() else 0


def advance(state: RunState, event: Event) -> RunState:
    """The state after `event`. Total: every event has a meaning in every state, so a reader can join late."""
    match event:
        case Connecting():
            return replace(state, phase=Phase.CONNECTING)
        case Connected():
            return replace(state, phase=Phase.PREFLIGHT)
        case Preflighted(checks):
            return replace(state, preflight=checks)
        case Building():
            return replace(state, phase=Phase.BUILDING, online=event)
        case Validating():
            return replace(state, phase=Phase.VALIDATING, online=event)
        case Attempt(number):
            # A new attempt is a new transaction: nothing of the one before survives it.
            return replace(
                state,
                phase=Phase.LOCKING,
                attempts=number,
                done=0,
                rows=0,
                written=(),
                warnings=(),
                warned=0,
                noticed=0,
                newest=None,
                failure=None,
                checks=(),
                changes=(),
                matrix=None,
                xid=None,
            )
        case WaitingForLock(blockers, waited, retry_in):
            return replace(
                state, phase=Phase.WAITING, blockers=blockers, waited=waited, retry_in=retry_in, failure=None
            )
        case StatementDone(index, _, tag, notices):
            done = replace(state, phase=Phase.RUNNING, blockers=(), done=index + 1)
            if rows := rows_written(tag):
                done = replace(done, rows=done.rows + rows, written=(*done.written, (index, rows))[-KEPT:])
            return _heard(done, index, notices) if notices else done
        case StatementFailed(failure):
            return replace(state, failure=failure)
        case Verifying():
            return replace(state, phase=Phase.VERIFYING)
        case Verified(checks):
            return replace(state, checks=checks)
        case Proving():
            return replace(state, phase=Phase.PROVING)
        case Proven(matrix):
            return replace(state, matrix=matrix)
        case Committing(xid):
            return replace(state, phase=Phase.COMMITTING, xid=xid)
        case Compared(changes):
            return replace(state, changes=changes)
        case Finished():
            return replace(state, phase=Phase.FINISHED, blockers=(), finished=event)
