"""The live panels: what changed since the last keys, in one round trip for all of them.

A tick reads new rows by keyset, re-reads the rows in flight, and the newest buckets. The whole window is counted every
WIDE_EVERY seconds only, so that a tick costs the same on a table of any size (facts: terminal-costs 10); with another
window, or another scope, everything is read from nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import TypedDict

import msgspec
from msgspec.structs import replace

from tui.core.bundle import Bundle
from tui.core.catalog import Catalog
from tui.core.facts import Runner
from tui.core.panel_source import Panel, PanelSource
from tui.core.panels import (
    ROWS_KEPT,
    Bucket,
    ErrorsPanel,
    ExecutionsPanel,
    Panels,
    Scope,
    fill_buckets,
    merge_rows,
    sum_buckets,
)
from tui.core.text import redact, visible
from tui.db.batch import Command, Reply, Row, StatementError, set_local
from tui.db.link import Link, query_problem
from tui.db.panel_queries import BUCKETS, CLOCK, LIMITS, asking, bucket, error, execution, group, ids, tally
from tui.db.queries import query

WIDE_EVERY = 15.0
"""Seconds between two readings of the whole window."""

GROUPS = 50
GROUPS_EVERY = 5.0
"""Seconds between two readings of the groups while errors keep coming."""

REST_AFTER_PROBLEM = 30.0
"""Seconds a panel whose query failed is left alone: one broken panel must not cost the other its ticks."""


class Feeds:
    """The panels of one bundle on one database; holds the keys between ticks."""

    def __init__(self, bundle: Bundle) -> None:
        panels = {panel.kind: panel for panel in bundle.manifest.panels}
        self._executions = _ExecutionsFeed(panels.get("executions"), bundle)
        self._errors = _ErrorsFeed(panels.get("errors"), bundle)

    @property
    def executions(self) -> PanelSource | None:
        """What the executions are read from, None while nothing fits."""
        return self._executions.source

    @property
    def errors(self) -> PanelSource | None:
        """What the errors are read from, None while nothing fits."""
        return self._errors.source

    def choose(self, live: Catalog) -> None:
        """Take, per panel, the first source whose requirements this database meets; a changed source starts anew."""
        self._executions.choose(live)
        self._errors.choose(live)

    async def tick(self, link: Link, window: int, scope: Scope | None = None) -> Panels:
        """One tick over the last `window` seconds of `scope`, None for all. Raises Problem when the line is lost; a
        failing query is the panel's problem.
        """
        feeds: tuple[_Feed, ...] = (self._executions, self._errors)
        while True:
            commands = [Command("begin read only"), set_local(LIMITS), CLOCK, Command(query("runner"))]
            spans: list[tuple[_Feed, int]] = []
            for feed in feeds:
                spans.append((feed, len(commands)))
                commands += feed.commands(window, scope)
            commands.append(Command("rollback"))
            try:
                replies = await link.batch(commands, streamed=False)
            except StatementError as refused:
                await link.run("rollback")
                guilty = [feed for feed, start in spans if start <= refused.index]
                if not guilty:
                    raise query_problem(refused) from None
                guilty[-1].rest(f"{refused.message} ({refused.sqlstate})")
                continue
            break
        now = datetime.fromisoformat(replies[2].value)
        for (feed, start), end in zip(spans, [spans[1][1], len(replies) - 1], strict=True):
            try:
                feed.take(replies[start:end], now)
            except ValueError as broken:
                feed.rest(f"a query of the bundle answers otherwise than agreed: {broken}")
        running = replies[3].value
        runner = msgspec.json.decode(running, type=Runner) if running else None
        return Panels(self._executions.panel, self._errors.panel, now, link.rtt, runner)


class _View(msgspec.Struct, frozen=True):
    """What a tick is asked for: seconds back from now, and the scope, None for all."""

    window: int = 0
    scope: Scope | None = None

    @property
    def width(self) -> int:
        """A bucket in seconds."""
        return self.window // BUCKETS


class _Feed(ABC):
    """What both panels' feeds share: the source, the keys, when the whole window is due."""

    def __init__(self, panel: Panel | None, bundle: Bundle) -> None:
        self._panel, self._bundle = panel, bundle
        self.title = visible(panel.title) if panel else ""
        self.source: PanelSource | None = None
        self._chosen = False
        self._last: tuple[str, str] | None = None
        self._wide_at = self._read_at = self._counted_at = self._resting_until = 0.0
        self._span = 0
        self._wide = self._anew = self._asked = False
        self._view = self._shown = _View()

    def choose(self, live: Catalog) -> None:
        sources = self._panel.sources if self._panel else ()
        fitting = next((source for source in sources if all(live.has(name) for name in source.requires)), None)
        if self._chosen and fitting is self.source:
            return
        self._chosen, self.source = True, fitting
        self._shown, self._resting_until = _View(), 0.0
        waits = (self._panel.waits_for if self._panel else "") or "the tables it reads"
        self._restart(visible(waits) if fitting is None else "", fitting)

    def commands(self, window: int, scope: Scope | None) -> list[Command]:
        """The commands of one tick; none while nothing fits or the panel rests."""
        self._asked = self.source is not None and monotonic() >= self._resting_until
        if self.source is None or not self._asked:
            return []
        self._view = _View(window, scope if self.source.scopes else None)
        # What is held is of the view that is shown.
        self._anew = self._view != self._shown
        self._wide = self._anew or monotonic() >= self._wide_at
        last_at, last_id = (None, "") if self._anew or self._last is None else self._last
        # In between: what was in the bucket that went on at the last answer, and all since.
        since = int(monotonic() - self._read_at) + 1
        self._span = window if self._wide else min(window, since + self._view.width)
        return [
            self._ask("new", last_at, last_id, str(ROWS_KEPT), str(window)),
            self._ask("window", str(self._span), str(self._view.width)),
            *self._more(),
        ]

    def take(self, replies: Sequence[Reply], now: datetime) -> None:
        """Lay the replies of one tick over what is held. Raises ValueError for rows other than agreed."""
        if not self._asked:
            return
        self._read_at = monotonic()
        if self._wide:
            self._counted_at, self._wide_at = self._read_at, self._read_at + WIDE_EVERY
        self._lay(replies, now)
        rows = replies[0].rows
        if rows or self._anew:
            self._last = self._key(rows[-1]) if rows else None
        self._shown = self._view

    def rest(self, reason: str) -> None:
        """Leave the panel alone for a while and say why."""
        self._resting_until = monotonic() + REST_AFTER_PROBLEM
        self._wide_at = 0.0
        self._troubled(redact(visible(reason)))

    def _ask(self, name: str, *parameters: str | None) -> Command:
        if self.source is None:
            raise AssertionError("only a source is asked")
        return asking(self._bundle, self.source, name, *parameters, scope=self._view.scope)

    def _buckets(self, held: Sequence[Bucket], read: Sequence[Bucket], now: datetime) -> tuple[Bucket, ...]:
        window, width = self._view.window, self._view.width
        if self._wide:
            return fill_buckets(read, now, window, width)
        edge = now.timestamp() - self._span
        whole = [bucket for bucket in read if bucket.at is not None and bucket.at.timestamp() >= edge]
        return fill_buckets([*held, *whole], now, window, width)

    def _since(self, now: datetime) -> datetime:
        return now - timedelta(seconds=self._view.window)

    @abstractmethod
    def _restart(self, waits_for: str, source: PanelSource | None) -> None: ...

    @abstractmethod
    def _more(self) -> list[Command]: ...

    @abstractmethod
    def _key(self, row: Row) -> tuple[str, str]: ...

    @abstractmethod
    def _lay(self, replies: Sequence[Reply], now: datetime) -> None: ...

    @abstractmethod
    def _troubled(self, problem: str) -> None: ...


class _ExecutionsFeed(_Feed):
    panel = ExecutionsPanel("")

    def _restart(self, waits_for: str, source: PanelSource | None) -> None:
        self.panel = ExecutionsPanel(self.title, waits_for=waits_for, **_said(source))

    def _more(self) -> list[Command]:
        held = () if self._anew else self.panel.rows
        in_flight = ids(row.id for row in held if row.status == "running")
        return [self._ask("running", in_flight, str(self._view.window))]

    def _key(self, row: Row) -> tuple[str, str]:
        return row[5] or "", row[0] or ""

    def _lay(self, replies: Sequence[Reply], now: datetime) -> None:
        fresh, buckets, running = replies
        read = [bucket(row) for row in buckets.rows]
        held = self._buckets(self.panel.buckets, read, now)
        whole = read[-1] if self._wide and read else self.panel.totals
        rows = [execution(row) for row in (*fresh.rows, *running.rows)]
        self.panel = replace(
            self.panel,
            rows=merge_rows(() if self._anew else self.panel.rows, rows, self._since(now)),
            buckets=held,
            totals=sum_buckets(held, whole),
            window=self._view.window,
            scope=self._view.scope,
            problem="",
        )

    def _troubled(self, problem: str) -> None:
        self.panel = replace(self.panel, problem=problem)


class _ErrorsFeed(_Feed):
    panel = ErrorsPanel("")

    def _restart(self, waits_for: str, source: PanelSource | None) -> None:
        self.panel = ErrorsPanel(self.title, waits_for=waits_for, **_said(source))

    def _more(self) -> list[Command]:
        # Groups move only with new errors, so a tick that brings some makes the next wide reading come sooner.
        return [self._ask("top", str(self._view.window), str(GROUPS))] if self._wide else []

    def _key(self, row: Row) -> tuple[str, str]:
        return row[1] or "", row[0] or ""

    def _lay(self, replies: Sequence[Reply], now: datetime) -> None:
        fresh, buckets = replies[:2]
        held = self._buckets(self.panel.buckets, [tally(row) for row in buckets.rows], now)
        groups = tuple(group(row) for row in replies[2].rows) if self._wide else self.panel.groups
        if fresh.rows:
            self._wide_at = min(self._wide_at, self._counted_at + GROUPS_EVERY)
        rows = [error(row) for row in fresh.rows]
        self.panel = replace(
            self.panel,
            rows=merge_rows(() if self._anew else self.panel.rows, rows, self._since(now)),
            groups=groups,
            buckets=held,
            total=sum(bucket.total for bucket in held),
            window=self._view.window,
            scope=self._view.scope,
            problem="",
        )

    def _troubled(self, problem: str) -> None:
        self.panel = replace(self.panel, problem=problem)


class _Said(TypedDict):
    note: str
    scoped: str


def _said(source: PanelSource | None) -> _Said:
    """What a source says of itself."""
    return {"note": visible(source.note) if source else "", "scoped": visible(source.scope) if source else ""}
