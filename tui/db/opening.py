"""What a person asks of the panels beside the ticks: one execution, one error, whose rows there are."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tui.core.bundle import Bundle
from tui.core.opened import LOG_LINES, OCCURRENCES, OpenedError, OpenedExecution
from tui.core.panel_source import PanelSource
from tui.core.panels import Scope, ScopeShare, fill_buckets, share_out
from tui.db import panel_queries as panel
from tui.db.batch import Command, Reply, StatementError, set_local
from tui.db.link import Link, query_problem

SCOPES = 500
"""Scopes that are offered: the busiest of each panel."""


async def open_execution(link: Link, bundle: Bundle, source: PanelSource, key: str) -> OpenedExecution:
    """The execution with the id `key` as it is now. Raises Problem."""
    # No time of its own: an execution in flight is found by its id however long ago it started.
    asked = {"running": (panel.ids([key]), "0"), "detail": (key,), "log": (key, str(LOG_LINES + 1))}
    known = [name for name in asked if getattr(source, name)]
    _, replies = await _ask(link, [panel.asking(bundle, source, name, *asked[name], scope=None) for name in known])
    found = dict(zip(known, replies, strict=True))
    rows = [panel.execution(row) for row in found["running"].rows]
    log = tuple(panel.log_line(row) for row in found["log"].rows) if "log" in found else None
    return OpenedExecution(
        execution=next((row for row in rows if row.id == key), None),
        values=tuple(panel.value(row) for row in found["detail"].rows) if "detail" in found else (),
        log=log[-LOG_LINES:] if log else log,
        log_cut=log is not None and len(log) > LOG_LINES,
    )


async def open_error(
    link: Link, bundle: Bundle, source: PanelSource, fingerprint: str, window: int, scope: Scope | None
) -> OpenedError:
    """The errors of one fingerprint over the last `window` seconds of `scope`, None for all. Raises Problem."""
    if not (source.course and source.occurrences):
        return OpenedError(window)
    width = window // panel.BUCKETS
    now, (course, occurrences) = await _ask(
        link,
        [
            panel.asking(bundle, source, "course", fingerprint, str(window), str(width), scope=scope),
            panel.asking(bundle, source, "occurrences", fingerprint, str(window), str(OCCURRENCES), scope=scope),
        ],
    )
    return OpenedError(
        window,
        fill_buckets((panel.tally(row) for row in course.rows), now, window, width),
        tuple(panel.occurrence(row) for row in occurrences.rows),
    )


async def find_scopes(
    link: Link, bundle: Bundle, executions: PanelSource | None, errors: PanelSource | None, window: int
) -> tuple[ScopeShare, ...]:
    """The scopes that rows of the last `window` seconds belong to, the busiest first. Raises Problem."""
    sources = [source for source in (executions, errors) if source is not None and source.scopes]
    asked = (str(window), str(SCOPES))
    _, replies = await _ask(link, [panel.asking(bundle, one, "scopes", *asked, scope=None) for one in sources])
    found = {
        id(source): [panel.scope(row) for row in reply.rows] for source, reply in zip(sources, replies, strict=True)
    }
    return share_out(found.get(id(executions), []), found.get(id(errors), []))


async def _ask(link: Link, commands: Sequence[Command]) -> tuple[datetime, list[Reply]]:
    """The server's time, and the replies to `commands`."""
    framed = [Command("begin read only"), set_local(panel.LIMITS), panel.CLOCK, *commands, Command("rollback")]
    try:
        replies = await link.batch(framed)
    except StatementError as error:
        await link.run("rollback")
        raise query_problem(error) from None
    return datetime.fromisoformat(replies[2].value), replies[3:-1]
