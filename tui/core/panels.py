"""What the live panels show: executions and errors, as frozen snapshots, and how new rows merge into them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

import msgspec
from msgspec.structs import replace

from tui.core.facts import Runner

ROWS_KEPT = 200
"""Rows a panel holds; older ones are the database's to keep."""


class Scope(msgspec.Struct, frozen=True):
    """A part of the rows that the panels can be narrowed down to, one tenant's for instance. `key` is what the bundle's
    queries know it by, "" for the rows that belong to none; `label` is what a person calls it.
    """

    key: str
    label: str


class ScopeShare(msgspec.Struct, frozen=True):
    """What one scope has in the panels' window: how many executions and errors."""

    scope: Scope
    executions: int = 0
    errors: int = 0


class Execution(msgspec.Struct, frozen=True):
    """One execution. `status` is `running`, `ok`, `failed` or the database's own other word; `duration_ms` None while
    it runs; `scope` is the label of the scope it belongs to, "" for none.
    """

    id: str
    kind: str
    name: str
    scope: str
    status: str
    started_at: datetime
    duration_ms: float | None
    message: str = ""


class Bucket(msgspec.Struct, frozen=True):
    """Counts of the executions (or errors: only `total`) that started in one slice of time; `at` None = the whole
    window.
    """

    at: datetime | None
    total: int = 0
    ok: int = 0
    failed: int = 0
    running: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None


class ErrorRow(msgspec.Struct, frozen=True):
    """One error as it was logged; `scope` as of an execution."""

    id: str
    at: datetime
    source: str
    kind: str
    message: str
    scope: str


Row = TypeVar("Row", Execution, ErrorRow)


class ErrorGroup(msgspec.Struct, frozen=True):
    """Errors with the same fingerprint; `message` is a sample."""

    fingerprint: str
    kind: str
    message: str
    total: int
    last_at: datetime


class ExecutionsPanel(msgspec.Struct, frozen=True):
    """The executions panel. `waits_for` is set (and everything else empty) while no source fits this database.

    `rows` is newest first, of the window only and bounded by ROWS_KEPT, `buckets` ascending and complete over the
    window (empty ones included). `scoped` is what a scope is called here, "" where rows belong to none; `scope` is the
    one that everything in the panel is of, None for all.
    """

    title: str
    waits_for: str = ""
    note: str = ""
    rows: tuple[Execution, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    totals: Bucket = msgspec.field(default_factory=lambda: Bucket(None))
    window: int = 900
    problem: str = ""
    scoped: str = ""
    scope: Scope | None = None


class ErrorsPanel(msgspec.Struct, frozen=True):
    """The errors panel; `rows` newest first, `groups` by count, the rest as in ExecutionsPanel."""

    title: str
    waits_for: str = ""
    note: str = ""
    rows: tuple[ErrorRow, ...] = ()
    groups: tuple[ErrorGroup, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    total: int = 0
    window: int = 900
    problem: str = ""
    scoped: str = ""
    scope: Scope | None = None


class Panels(msgspec.Struct, frozen=True):
    """Both panels after one tick; `taken_at` is the server's clock, `rtt` the tick's round trip in seconds, `runner`
    the run of patchdeck that is under way, whoever's it is.
    """

    executions: ExecutionsPanel
    errors: ErrorsPanel
    taken_at: datetime
    rtt: float
    runner: Runner | None = None


def merge_rows(kept: Sequence[Row], fresh: Iterable[Row], since: datetime) -> tuple[Row, ...]:
    """`kept` with `fresh` laid over it by id: newest first, none older than `since`, at most ROWS_KEPT."""
    new = {row.id: row for row in fresh}
    if not new and (not kept or _newest_last(kept[-1])[0] >= since):
        # The usual second on a quiet database.
        return tuple(kept)
    rows = {row.id: row for row in kept} | new
    recent = (row for row in rows.values() if _newest_last(row)[0] >= since)
    return tuple(sorted(recent, key=_newest_last, reverse=True)[:ROWS_KEPT])


def share_out(executions: Iterable[tuple[Scope, int]], errors: Iterable[tuple[Scope, int]]) -> tuple[ScopeShare, ...]:
    """The scopes of both panels with what each has, the busiest first."""
    shares: dict[str, ScopeShare] = {}
    for scope, total in executions:
        shares[scope.key] = ScopeShare(scope, total)
    for scope, total in errors:
        known = shares.get(scope.key, ScopeShare(scope))
        shares[scope.key] = replace(known, errors=total)
    return tuple(sorted(shares.values(), key=lambda one: (-one.executions, -one.errors, one.scope.label)))


def fill_buckets(known: Iterable[Bucket], now: datetime, window: int, width: int) -> tuple[Bucket, ...]:
    """Every bucket of the last `window` seconds, ascending, `width` seconds each and aligned to the epoch.

    Those not among `known` are empty; a later one in `known` wins over an earlier one of the same time.
    """
    found = {bucket.at: bucket for bucket in known if bucket.at is not None}
    return tuple(found.get(at, Bucket(at)) for at in _starts(int(now.timestamp()) // width * width, window, width))


@lru_cache(maxsize=8)
def _starts(last: int, window: int, width: int) -> tuple[datetime, ...]:
    """When the buckets of a window begin, whose newest does at `last`."""
    return tuple(
        datetime.fromtimestamp(start, UTC) for start in range(last - (window // width - 1) * width, last + 1, width)
    )


def sum_buckets(buckets: Iterable[Bucket], whole: Bucket) -> Bucket:
    """The counts of `buckets` added up; the percentiles, which do not add up, are those of `whole`."""
    counted = tuple(buckets)
    return Bucket(
        None,
        total=sum(bucket.total for bucket in counted),
        ok=sum(bucket.ok for bucket in counted),
        failed=sum(bucket.failed for bucket in counted),
        running=sum(bucket.running for bucket in counted),
        p50_ms=whole.p50_ms,
        p95_ms=whole.p95_ms,
    )


def _newest_last(row: Execution | ErrorRow) -> tuple[datetime, str]:
    return (row.started_at if isinstance(row, Execution) else row.at, row.id)
