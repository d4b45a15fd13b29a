"""The types of the JSON documents: what mypy holds the commands to, and what `patchdeck schema COMMAND` publishes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, NotRequired, TypedDict

import msgspec

from tui.core.bundle_faults import FaultLevel
from tui.core.check import Layer, Outcome
from tui.core.deck import Environment
from tui.core.drift import DriftState
from tui.core.earlier import Fate
from tui.core.isolation import CellState, ControlState, Mark
from tui.core.isolation import State as MatrixState
from tui.core.look import PoolerMode
from tui.core.plan import PlanVerb
from tui.core.preflight import Level
from tui.core.proof import LayerState
from tui.core.report_tables import Became
from tui.core.run import Action, RollbackMode
from tui.core.surface import ChangeKind
from tui.core.verdict import State


class Place(TypedDict):
    """Where a command goes, known without a connection."""

    name: str
    environment: Environment
    host: str
    port: int
    database: str
    user: str
    read_only: bool


class Target(Place):
    """Where it went, and what was found there."""

    pooled: bool
    mode: PoolerMode
    server_version: str
    tls: str
    tls_verified: bool
    rtt_seconds: float


class Bundle(TypedDict):
    """What is judged or run; `checksum` is the SHA-256 of the patch."""

    name: str
    version: str
    checksum: str


class Checks(TypedDict):
    """How many checks came out how."""

    total: int
    passed: int
    failed: int
    not_proven: int


class Verdict(TypedDict):
    """The state in one word, and in words."""

    verdict: State
    healthy: bool
    headline: str
    message: str
    checks: Checks


class Run(TypedDict):
    """One row of the ledger; times are the server's, durations in seconds."""

    run_id: str
    bundle: str
    version: str
    checksum: str
    action: Action
    mode: str
    operator: str
    client_host: str
    server_version: str
    started_at: datetime
    finished_at: datetime
    seconds: float
    lock_hold_seconds: float
    statements: int
    outcome: str


class EarlierRun(TypedDict):
    """A run of this machine that was cut off, and what the server says became of it."""

    action: str
    at: datetime
    outcome: Fate
    message: str


class Status(Verdict):
    """`status --json`."""

    target: Target
    bundle: Bundle
    last_run: Run | None
    earlier_runs: list[EarlierRun]


class Glance(TypedDict):
    """One target of many: its status, or the problem that kept it from being looked at."""

    name: str
    environment: Environment
    exit: int
    problem: str | None
    hint: str | None
    status: Status | None


class StatusOfAll(TypedDict):
    """`status --all --json`; `healthy` when every target is."""

    healthy: bool
    targets: list[Glance]


class Check(TypedDict):
    """One comparison and how it came out."""

    layer: Layer
    object: str
    table: str
    name: str
    outcome: Outcome
    expected: str
    actual: str
    why: str


class Finding(TypedDict):
    """One finding of the safety lint."""

    code: str
    level: str
    title: str
    object: str
    table: str
    name: str
    key: str
    detail: str
    why: str
    mend: str
    advisor: str | None
    standing: str | None
    new: bool | None
    muted_by: str | None
    fails: bool


class Marks(TypedDict):
    """How many cases came out how."""

    ok: int
    leak: int
    lost: int
    differs: int
    not_probed: int


class NegativeControl(TypedDict):
    """Whether a policy that was broken on purpose was seen."""

    state: ControlState
    tables: list[str]
    cells: int
    turned: int
    reason: str | None


class NotProbed(TypedDict):
    """Cases that could not be tried, and why."""

    reason: str
    cases: int


class Lock(TypedDict):
    """A lock held until the rollback."""

    relation: str
    mode: str


class MatrixRow(TypedDict):
    """One command on one table, by persona."""

    table: str
    command: str
    cells: dict[str, CellState]


class Probe(TypedDict):
    """A case that did not come out as it must, with what reproduces it."""

    mark: Mark
    table: str
    command: str
    persona: str
    scope: str
    detail: str | None
    expected: str
    actual: str
    why: str | None
    role: str
    claims: str
    statement: str
    reproduction: str


class Matrix(TypedDict):
    """Who reaches which rows."""

    state: MatrixState
    cases: int
    cells: int
    outcomes: Marks
    control: NegativeControl
    reasons: list[str]
    not_probed: list[NotProbed]
    unseeded: dict[str, str]
    unsaid: list[str]
    locks: list[Lock]
    seconds: float
    round_trips: int
    personas: list[str]
    matrix: list[MatrixRow]
    failures: list[Probe]


class Isolation(Matrix):
    """`isolation --json`."""

    target: Target
    bundle: Bundle


class Judged(TypedDict):
    """One layer: its state, its checks, and for safety and behaviour what is known beyond them."""

    state: LayerState
    checks: list[Check]
    findings: NotRequired[list[Finding]]
    isolation: NotRequired[Matrix]


class Verification(Status):
    """`verify --format json`; `layers` has those that were asked for."""

    layers: dict[Layer, Judged]
    seconds: float


class Loss(TypedDict):
    """An object that does not come back, and why."""

    object: str
    reason: str


class Restore(TypedDict):
    """What a rollback that restores means; null for what restores nothing."""

    meaning: list[str] | None
    not_restored: list[Loss] | None
    kept_back: list[Loss] | None


class PlanItem(TypedDict):
    """What would become of one object; `definition` is what stands there now, `line` that of the statement."""

    verb: PlanVerb
    object: str
    table: str
    line: int | None
    definition: str


class Count(TypedDict):
    """A row of one of the bundle's count queries."""

    title: str
    label: str
    rows: int
    note: str


class Plan(Verdict, Restore):
    """`plan --json`."""

    target: Target
    bundle: Bundle
    action: Action
    mode: RollbackMode | None
    file: str
    statements: int
    obstacle: str | None
    summary: dict[PlanVerb, int]
    items: list[PlanItem]
    counts: list[Count]


class Statements(TypedDict):
    """How many statements there were, ran, failed."""

    total: int
    done: int
    failed: int


class FailedStatement(TypedDict):
    """The statement that failed; `index` is 0-based and null when the failure belongs to none of the file."""

    index: int | None
    file: str
    line: int | None
    column: int | None
    sqlstate: str | None
    message: str
    detail: str | None
    hint: str | None


class ReportFiles(TypedDict):
    """Where the report of a run was written."""

    markdown: str
    json: str


RunOutcome = Literal["rehearsed", "committed", "rolled_back", "refused", "unknown"]


class RunResult(Restore):
    """How a run ended."""

    target: Place
    bundle: Bundle
    action: Literal["apply", "rollback", "rehearse"]
    mode: RollbackMode | None
    outcome: RunOutcome
    message: str
    state: str
    next_step: str
    statements: Statements
    failed_statement: FailedStatement | None
    created: list[str]
    altered: list[str]
    dropped: list[str]
    unchanged: list[str]
    failed_checks: list[Check]
    seconds: float
    lock_hold_seconds: float
    readers_blocked_seconds: float | None
    round_trips: int
    attempts: int
    verdict: State | None


class LayerTally(TypedDict):
    """What a layer came to: how many of its checks hold."""

    state: LayerState
    total: int
    passed: int


class RunDocument(RunResult):
    """`rehearse`, `apply`, `rollback --json`, with the files the command left; null where there is none. `layers` is
    what was proven after an apply was committed, `isolation` the matrix of a rehearsal.
    """

    migration_file: str | None
    report: ReportFiles | None
    isolation: Matrix | None
    layers: dict[Layer, LayerTally] | None


class Role(TypedDict):
    """The connected role."""

    name: str
    superuser: bool
    bypass_rls: bool


class RoundTrip(TypedDict):
    """The line, measured."""

    median_seconds: float
    best_seconds: float
    worst_seconds: float


class PreflightCheck(TypedDict):
    """One thing looked at before a run."""

    name: str
    level: Level
    meaning: str
    remedy: str


class Doctor(TypedDict):
    """`doctor --json`."""

    target: Target
    role: Role
    writable: bool
    round_trip: RoundTrip
    checks: list[PreflightCheck]


class History(TypedDict):
    """`history --json`, newest run first."""

    target: Target
    bundle: Bundle
    runs: list[Run]


class Recorded(TypedDict):
    """The run that drift is measured from."""

    run_id: str
    action: str
    mode: str
    operator: str
    finished_at: str
    same_server_version: bool


class Change(TypedDict):
    """What became of one object."""

    kind: ChangeKind
    object: str
    before: str
    after: str


class Drift(TypedDict):
    """`drift --json`; `recorded` is null where no run is."""

    target: Target
    bundle: Bundle
    state: DriftState
    message: str
    recorded: Recorded | None
    changes: list[Change]


class ReportTarget(TypedDict):
    """Where a run went; what was found there is missing where it was not asked for."""

    name: str
    host: str
    port: int
    database: str
    user: str
    address: str | None
    pooled: NotRequired[bool]
    mode: NotRequired[PoolerMode]
    server_version: NotRequired[str]
    tls: NotRequired[str]
    tls_verified: NotRequired[bool]


class ReportCheck(TypedDict):
    """A check that did not hold."""

    object: str
    outcome: Outcome
    expected: str
    actual: str
    why: str


class Tally(TypedDict):
    """Checks counted, and those that did not hold."""

    total: int
    passed: int
    failing: list[ReportCheck]


class ReportTable(TypedDict):
    """A table or view of the bundle after the run. `rls` is null for a view; `policies` counts them by command."""

    name: str
    kind: Literal["table", "view"]
    became: Became
    columns: int
    added_columns: list[str]
    indexes: list[str]
    rls: bool | None
    policies: dict[str, int]
    triggers: list[str]
    grants: dict[str, str]
    publications: list[str]


class RowsWritten(TypedDict):
    """How many rows one statement wrote; `statement` counts from 0."""

    statement: int
    line: int
    object: str
    rows: int


class ReportChecks(TypedDict):
    """The checks inside the transaction, and on what was committed."""

    before_commit: Tally
    afterwards: Tally


class Definitions(TypedDict):
    """What stood there before, and what stands there now; "" for nothing."""

    before: str
    after: str


class Report(TypedDict):
    """`report --format json`, and the file beside a run. `not_recorded`: keys that are null because the database keeps
    nothing of it; in a file beside a run it is empty.
    """

    action: str
    outcome: RunOutcome
    ran: bool
    message: str
    state: str
    next_step: str
    at: datetime
    target: ReportTarget
    operator: str
    client_host: str
    run_id: str | None
    xid: str | None
    bundle: Bundle
    file: str
    mode: RollbackMode | None
    not_restored: list[Loss] | None
    kept_back: list[Loss] | None
    rehearsal: str | None
    statements: Statements
    failed_statement: FailedStatement | None
    created: list[str]
    altered: list[str]
    dropped: list[str]
    unchanged: list[str]
    definitions: dict[str, Definitions]
    seconds: float
    lock_hold_seconds: float
    readers_blocked_seconds: float | None
    locks: list[str] | None
    round_trips: int | None
    attempts: int | None
    verdict: State | None
    layers: dict[Layer, LayerTally] | None
    tables: list[ReportTable]
    rows_written: list[RowsWritten] | None
    checks: ReportChecks | None
    counts: list[Count] | None
    counts_afterwards: list[Count] | None
    notes: list[str]
    not_recorded: list[str]


class BundleFault(TypedDict):
    """One thing that is wrong, or likely is; `line` and `column` count from 1, null for the whole file or line."""

    level: FaultLevel
    file: str
    line: int | None
    column: int | None
    reason: str


class BundleHolds(TypedDict):
    """How much of what a bundle holds; `personas` is 0 where it has no isolation matrix."""

    statements: int
    rollback_statements: int
    tables: int
    policies: int
    indexes: int
    triggers: int
    views: int
    functions: int
    panels: int
    counts: int
    personas: int


class BundleCheck(TypedDict):
    """`bundle check --json`; `bundle` and `holds` are null where it can not be used."""

    folder: str
    usable: bool
    bundle: Bundle | None
    errors: int
    warnings: int
    faults: list[BundleFault]
    holds: BundleHolds | None


DOCUMENTS: dict[str, type] = {
    "status": Status,
    "status-all": StatusOfAll,
    "verify": Verification,
    "plan": Plan,
    "rehearse": RunDocument,
    "apply": RunDocument,
    "rollback": RunDocument,
    "isolation": Isolation,
    "drift": Drift,
    "history": History,
    "report": Report,
    "doctor": Doctor,
    "bundle-check": BundleCheck,
}
"""The document of each command that has one; `status-all`: `status --all`, `bundle-check`: `bundle check`."""


def schema(command: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the document of `command`, a key of DOCUMENTS."""
    found = msgspec.json.schema(DOCUMENTS[command])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"patchdeck {command}",
        **found,
    }
