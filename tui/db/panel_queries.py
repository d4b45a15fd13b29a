"""A bundle's panel queries: the commands that ask them, and their rows as core values, cleaned at this door."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from tui.core.bundle import Bundle
from tui.core.opened import LogLine, Occurrence, Value
from tui.core.panel_source import PANEL_QUERIES, PanelSource
from tui.core.panels import Bucket, ErrorGroup, ErrorRow, Execution, Scope
from tui.core.text import redact, visible
from tui.db.batch import Command, Row
from tui.db.probe import LOOK_LIMITS

CLOCK = Command("""select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')""")
"""The server's time, by which its rows are dated."""

LIMITS = LOOK_LIMITS | {"statement_timeout": "3s", "max_parallel_workers_per_gather": "0"}
"""Set for every transaction that asks panel queries. Starting workers takes longer than reading a window (200,000
executions: 5.1 ms with, 1.8 ms without), and whoever only watches leaves them to others.
"""

BUCKETS = 60
"""Slices a window is cut into."""

WHOLE = 100_000
"""Characters of a text that are kept; whoever wants more has a database client."""


def asking(bundle: Bundle, source: PanelSource, name: str, *parameters: str | None, scope: Scope | None) -> Command:
    """The command of query `name` of `source`, which has it; `scope` is None for all."""
    if source.scopes and PANEL_QUERIES[name].scoped:
        parameters = (*parameters, scope.key if scope else None)
    return Command(bundle.queries[getattr(source, name)], parameters)


def ids(keys: Iterable[str]) -> str:
    """Keys as the text of an array."""
    quoted = (key.replace("\\", "\\\\").replace('"', '\\"') for key in keys)
    return "{" + ",".join(f'"{key}"' for key in quoted) + "}"


def execution(row: Row) -> Execution:
    """A row of `new` or `running` of executions."""
    identity, kind, name, scope, status, started, took, message = row
    return Execution(
        id=visible(identity or ""),
        kind=_short(kind),
        name=_short(name),
        scope=_short(scope),
        status=visible(status or ""),
        started_at=moment(started),
        duration_ms=float(took) if took is not None else None,
        message=_long(message),
    )


def error(row: Row) -> ErrorRow:
    """A row of `new` of errors."""
    identity, at, source, kind, message, scope = row
    return ErrorRow(
        id=visible(identity or ""),
        at=moment(at),
        source=_short(source),
        kind=_short(kind),
        message=_long(message),
        scope=_short(scope),
    )


def group(row: Row) -> ErrorGroup:
    """A row of `top`."""
    fingerprint, kind, message, total, last_at = row
    return ErrorGroup(
        fingerprint=visible(fingerprint or ""),
        kind=_short(kind),
        message=_long(message),
        total=int(total or 0),
        last_at=moment(last_at),
    )


def bucket(row: Row) -> Bucket:
    """A row of `window` of executions."""
    at, total, ok, failed, running, p50, p95 = row
    return Bucket(
        at=moment(at) if at is not None else None,
        total=int(total or 0),
        ok=int(ok or 0),
        failed=int(failed or 0),
        running=int(running or 0),
        p50_ms=float(p50) if p50 is not None else None,
        p95_ms=float(p95) if p95 is not None else None,
    )


def tally(row: Row) -> Bucket:
    """A row of `window` of errors, or of `course`."""
    at, total = row
    return Bucket(at=moment(at) if at is not None else None, total=int(total or 0))


def scope(row: Row) -> tuple[Scope, int]:
    """A row of `scopes`: the scope, and how many rows of the window are its."""
    key, label, total = row
    # The key goes back to the server as it came; only the label is ever shown.
    return Scope(key or "", _short(label)), int(total or 0)


def value(row: Row) -> Value:
    """A row of `detail`."""
    name, text, length = row
    missing = max(0, int(length or 0) - len(text or ""))
    return Value(_short(name), None if text is None else _long(text), missing)


def log_line(row: Row) -> LogLine:
    """A row of `log`."""
    at, level, step, message, ms = row
    return LogLine(moment(at), _short(level), _short(step), _long(message), float(ms) if ms is not None else None)


def occurrence(row: Row) -> Occurrence:
    """A row of `occurrences`."""
    identity, at, source, message, of, run = row
    return Occurrence(
        id=visible(identity or ""),
        at=moment(at),
        source=_short(source),
        message=_long(message),
        scope=_short(of),
        execution=visible(run or ""),
    )


def moment(text: str | None) -> datetime:
    """A timestamptz as the server prints it in ISO style."""
    return datetime.fromisoformat(text or "1970-01-01T00:00:00+00:00")


def _short(text: str | None) -> str:
    return redact(visible(text or ""))


def _long(text: str | None) -> str:
    return redact(visible(text or "", limit=WHOLE, newlines=True))
