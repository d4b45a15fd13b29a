"""What the live panels show: executions and errors, as frozen snapshots, and how new rows merge into them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

ROWS_KEPT = 200


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution. `status` is `running`, `ok`, `failed` or the database's own other word; `duration_ms` None while it runs."""

    id: str
    kind: str
    name: str
    tenant: str
    status: str
    started_at: datetime
    duration_ms: float | None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Counts of the executions (or errors: only `total`) that started in one slice of time; `at` None = the whole window."""

    at: datetime | None
    total: int = 0
    ok: int = 0
    failed: int = 0
    running: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One error as it was logged."""

    id: str
    at: datetime
    source: str
    kind: str
    message: str
    tenant: str


@dataclass(frozen=True, slots=True)
class ErrorGroup:
    """Errors with the same fingerprint; `message` is a sample."""

    fingerprint: str
    kind: str
    message: str
    total: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class ExecutionsPanel:
    """The executions panel. `waits_for` is set (and everything else empty) while no source fits this database.

    `rows` is newest first and bounded by ROWS_KEPT, `buckets` ascending and complete over the window (empty ones included).
    """

    title: str
    waits_for: str = ""
    note: str = ""
    rows: tuple[Execution, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    totals: Bucket = field(default_factory=lambda: Bucket(None))
    window: int = 900
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ErrorsPanel:
    """The errors panel; `rows` newest first, `groups` by count."""

    title: str
    waits_for: str = ""
    note: str = ""
    rows: tuple[ErrorRow, ...] = ()
    groups: tuple[ErrorGroup, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    total: int = 0
    window: int = 900
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Panels:
    """Both panels after one tick; `taken_at` is the server's clock, `rtt` the tick's round trip in seconds."""

    executions: ExecutionsPanel
    errors: ErrorsPanel
    taken_at: datetime
    rtt: float
