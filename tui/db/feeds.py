"""The live panels: what changed since the last keys, in one round trip for all of them.

A tick reads new rows by keyset, re-reads the rows in flight, and the newest buckets; the whole window is read at the
start and every WIDE_EVERY seconds only, so that a tick costs the same on a table of any size (facts: terminal-costs
10).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from time import monotonic

import msgspec

from tui.core.bundle import Bundle, Panel, PanelSource
from tui.core.catalog import Catalog
from tui.core.facts import Runner
from tui.core.panels import (
    ROWS_KEPT,
    Bucket,
    ErrorGroup,
    ErrorRow,
    ErrorsPanel,
    Execution,
    ExecutionsPanel,
    Panels,
    fill_buckets,
    merge_rows,
    sum_buckets,
)
from tui.core.text import redact, visible
from tui.db.link import Link, query_problem
from tui.db.pipeline import Command, Reply, Row, StatementError
from tui.db.probe import LOOK_LIMITS, set_local
from tui.db.queries import query

WIDE_EVERY = 15.0
"""Seconds between two readings of the whole window."""

BUCKETS = 60
"""Slices a window is cut into."""

NARROW = 3
"""Buckets read in between: the newest, the one before it, and one that the window's edge may cut and that is not
used.
"""

GROUPS = 50
GROUPS_EVERY = 5.0
"""Seconds between two readings of the groups while errors keep coming."""

TICK_LIMITS = {**LOOK_LIMITS, "statement_timeout": "3s"}

REST_AFTER_PROBLEM = 30.0
"""Seconds a panel whose query failed is left alone: one broken panel must not cost the other its ticks."""

_CLOCK = """select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"""


class Feeds:
    """The panels of one bundle on one database; holds the keys between ticks."""

    def __init__(self, bundle: Bundle) -> None:
        panels = {panel.kind: panel for panel in bundle.manifest.panels}
        self._executions = _ExecutionsFeed(panels.get("executions"), bundle)
        self._errors = _ErrorsFeed(panels.get("errors"), bundle)

    def choose(self, live: Catalog) -> None:
        """Take, per panel, the first source whose requirements this database meets; a changed source starts anew."""
        self._executions.choose(live)
        self._errors.choose(live)

    async def tick(self, link: Link, window: int) -> Panels:
        """One tick over the last `window` seconds. Raises Problem when the line is lost; a failing query is the panel's
        problem.
        """
        feeds: tuple[_Feed, ...] = (self._executions, self._errors)
        while True:
            commands = [
                Command("begin read only"), set_local(TICK_LIMITS), Command(_CLOCK), Command(query("runner")),
            ]  # fmt: skip
            spans: list[tuple[_Feed, int]] = []
            for feed in feeds:
                spans.append((feed, len(commands)))
                commands += feed.commands(window)
            commands.append(Command("rollback"))
            try:
                replies = await link.batch(commands)
            except StatementError as error:
                await link.run("rollback")
                guilty = [feed for feed, start in spans if start <= error.index]
                if not guilty:
                    raise query_problem(error) from None
                guilty[-1].rest(f"{error.message} ({error.sqlstate})")
                continue
            break
        now = datetime.fromisoformat(replies[2].value)
        for (feed, start), end in zip(spans, [spans[1][1], len(replies) - 1], strict=True):
            feed.take(replies[start:end], now, window)
        running = replies[3].value
        runner = msgspec.json.decode(running, type=Runner) if running else None
        return Panels(self._executions.panel, self._errors.panel, now, link.rtt, runner)


class _Feed(ABC):
    """What both panels' feeds share: the source, the keys, when the whole window is due."""

    def __init__(self, panel: Panel | None, bundle: Bundle) -> None:
        self._panel, self._bundle = panel, bundle
        self.title = visible(panel.title) if panel else ""
        self._source: PanelSource | None = None
        self._chosen = False
        self._last: tuple[str, str] | None = None
        self._wide_at = self._read_at = self._resting_until = 0.0
        self._wide = self._asked = False
        self._window = 0

    def choose(self, live: Catalog) -> None:
        sources = self._panel.sources if self._panel else ()
        fitting = next((source for source in sources if all(live.has(name) for name in source.requires)), None)
        if self._chosen and fitting is self._source:
            return
        self._chosen, self._source = True, fitting
        waits = (self._panel.waits_for if self._panel else "") or "the tables it reads"
        self._restart(waits if fitting is None else "", fitting.note if fitting else "")

    def commands(self, window: int) -> list[Command]:
        """The commands of one tick; none while nothing fits or the panel rests."""
        self._asked = self._source is not None and monotonic() >= self._resting_until
        if self._source is None or not self._asked:
            return []
        if window != self._window:
            self._window, self._wide_at = window, 0.0
        self._wide = monotonic() >= self._wide_at
        width = window // BUCKETS
        span = window if self._wide else NARROW * width
        last_at, last_id = self._last or (None, "")
        fresh = Command(self._bundle.queries[self._source.new], (last_at, last_id, str(ROWS_KEPT)))
        buckets = Command(self._bundle.queries[self._source.window], (str(span), str(width)))
        return [fresh, buckets, *self._more(self._source, window)]

    def take(self, replies: Sequence[Reply], now: datetime, window: int) -> None:
        """Lay the replies of one tick over what is held."""
        if not self._asked:
            return
        if self._wide:
            self._read_at = monotonic()
            self._wide_at = self._read_at + WIDE_EVERY
        rows = replies[0].rows
        if rows:
            self._last = self._key(rows[-1])
        self._lay(replies, now, window)

    def rest(self, reason: str) -> None:
        """Leave the panel alone for a while and say why."""
        self._resting_until = monotonic() + REST_AFTER_PROBLEM
        self._wide_at = 0.0
        self._troubled(redact(visible(reason)))

    def _buckets(
        self, held: Sequence[Bucket], read: Sequence[Bucket], now: datetime, window: int
    ) -> tuple[Bucket, ...]:
        width = window // BUCKETS
        if self._wide:
            return fill_buckets(read, now, window, width)
        edge = now.timestamp() - NARROW * width
        whole = [bucket for bucket in read if bucket.at is not None and bucket.at.timestamp() >= edge]
        return fill_buckets([*held, *whole], now, window, width)

    @abstractmethod
    def _restart(self, waits_for: str, note: str) -> None: ...

    @abstractmethod
    def _more(self, source: PanelSource, window: int) -> list[Command]: ...

    @abstractmethod
    def _key(self, row: Row) -> tuple[str, str]: ...

    @abstractmethod
    def _lay(self, replies: Sequence[Reply], now: datetime, window: int) -> None: ...

    @abstractmethod
    def _troubled(self, problem: str) -> None: ...


class _ExecutionsFeed(_Feed):
    panel = ExecutionsPanel("")

    def _restart(self, waits_for: str, note: str) -> None:
        self._last, self._wide_at, self._resting_until = None, 0.0, 0.0
        self.panel = ExecutionsPanel(self.title, waits_for=visible(waits_for), note=visible(note))

    def _more(self, source: PanelSource, window: int) -> list[Command]:
        in_flight = ",".join(f'"{row.id}"' for row in self.panel.rows if row.status == "running")
        return [Command(self._bundle.queries[source.running or ""], (f"{{{in_flight}}}",))]

    def _key(self, row: Row) -> tuple[str, str]:
        return row[5] or "", row[0] or ""

    def _lay(self, replies: Sequence[Reply], now: datetime, window: int) -> None:
        fresh, buckets, running = replies
        read = [_bucket(row) for row in buckets.rows]
        held = self._buckets(self.panel.buckets, read, now, window)
        whole = read[-1] if self._wide and read else self.panel.totals
        self.panel = replace(
            self.panel,
            rows=merge_rows(self.panel.rows, [_execution(row) for row in (*fresh.rows, *running.rows)]),
            buckets=held,
            totals=sum_buckets(held, whole),
            window=window,
            problem="",
        )

    def _troubled(self, problem: str) -> None:
        self.panel = replace(self.panel, problem=problem)


class _ErrorsFeed(_Feed):
    panel = ErrorsPanel("")

    def _restart(self, waits_for: str, note: str) -> None:
        self._last, self._wide_at, self._resting_until = None, 0.0, 0.0
        self.panel = ErrorsPanel(self.title, waits_for=visible(waits_for), note=visible(note))

    def _more(self, source: PanelSource, window: int) -> list[Command]:
        # Groups move only with new errors, so a tick that brings some makes the next wide reading come sooner.
        return [Command(self._bundle.queries[source.top or ""], (str(window), str(GROUPS)))] if self._wide else []

    def _key(self, row: Row) -> tuple[str, str]:
        return row[1] or "", row[0] or ""

    def _lay(self, replies: Sequence[Reply], now: datetime, window: int) -> None:
        fresh, buckets = replies[:2]
        held = self._buckets(self.panel.buckets, [_count(row) for row in buckets.rows], now, window)
        groups = tuple(_group(row) for row in replies[2].rows) if self._wide else self.panel.groups
        if fresh.rows:
            self._wide_at = min(self._wide_at, self._read_at + GROUPS_EVERY)
        self.panel = replace(
            self.panel,
            rows=merge_rows(self.panel.rows, [_error(row) for row in fresh.rows]),
            groups=groups,
            buckets=held,
            total=sum(bucket.total for bucket in held),
            window=window,
            problem="",
        )

    def _troubled(self, problem: str) -> None:
        self.panel = replace(self.panel, problem=problem)


def _execution(row: Row) -> Execution:
    identity, kind, name, tenant, status, started, duration, message = row
    return Execution(
        id=visible(identity or ""),
        kind=visible(kind or ""),
        name=visible(name or ""),
        tenant=visible(tenant or ""),
        status=visible(status or ""),
        started_at=_time(started),
        duration_ms=float(duration) if duration is not None else None,
        message=redact(visible(message or "", limit=100_000, newlines=True)),
    )


def _error(row: Row) -> ErrorRow:
    identity, at, source, kind, message, tenant = row
    return ErrorRow(
        id=visible(identity or ""),
        at=_time(at),
        source=visible(source or ""),
        kind=visible(kind or ""),
        message=redact(visible(message or "", limit=100_000, newlines=True)),
        tenant=visible(tenant or ""),
    )


def _group(row: Row) -> ErrorGroup:
    fingerprint, kind, message, total, last_at = row
    return ErrorGroup(
        fingerprint=visible(fingerprint or ""),
        kind=visible(kind or ""),
        message=redact(visible(message or "", limit=100_000, newlines=True)),
        total=int(total or 0),
        last_at=_time(last_at),
    )


def _bucket(row: Row) -> Bucket:
    at, total, ok, failed, running, p50, p95 = row
    return Bucket(
        at=_time(at) if at is not None else None,
        total=int(total or 0),
        ok=int(ok or 0),
        failed=int(failed or 0),
        running=int(running or 0),
        p50_ms=float(p50) if p50 is not None else None,
        p95_ms=float(p95) if p95 is not None else None,
    )


def _count(row: Row) -> Bucket:
    return Bucket(at=_time(row[0]) if row[0] is not None else None, total=int(row[1] or 0))


def _time(text: str | None) -> datetime:
    """A timestamptz as the server prints it in ISO style."""
    return datetime.fromisoformat(text or "1970-01-01T00:00:00+00:00")
