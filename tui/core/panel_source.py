"""What a bundle says of a live panel: its sources, the queries each may name, and the contract of each query."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec


class PanelQuery(msgspec.Struct, frozen=True):
    """The contract of one of a panel source's queries.

    `parameters` in order, all sent as text; with `scoped` a source that has scopes is given one more: a scope's key, ""
    for the rows of none, null for all. `columns` by the kind of the panels that have the query; without one that is
    `needed` there is no panel.
    """

    parameters: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    scoped: bool = True
    needed: bool = False


EXECUTION_COLUMNS = ("id", "kind", "name", "scope", "status", "started_at", "duration_ms", "message")
ERROR_COLUMNS = ("id", "at", "source", "kind", "message", "scope")
BUCKET_COLUMNS = ("bucket", "total", "ok", "failed", "running", "p50_ms", "p95_ms")

PANEL_QUERIES: Mapping[str, PanelQuery] = {
    "new": PanelQuery(
        ("time of the last one seen", "its id", "rows at most", "window in seconds"),
        {"executions": EXECUTION_COLUMNS, "errors": ERROR_COLUMNS},
        needed=True,
    ),
    "window": PanelQuery(
        ("window in seconds", "bucket in seconds"),
        {"executions": BUCKET_COLUMNS, "errors": BUCKET_COLUMNS[:2]},
        needed=True,
    ),
    "running": PanelQuery(("ids", "window in seconds"), {"executions": EXECUTION_COLUMNS}, needed=True),
    "top": PanelQuery(
        ("window in seconds", "rows at most"),
        {"errors": ("fingerprint", "kind", "message", "total", "last_at")},
        needed=True,
    ),
    "detail": PanelQuery(("id",), {"executions": ("name", "value", "length")}, scoped=False),
    "log": PanelQuery(("id", "rows at most"), {"executions": ("at", "level", "step", "message", "ms")}, scoped=False),
    "course": PanelQuery(("fingerprint", "window in seconds", "bucket in seconds"), {"errors": BUCKET_COLUMNS[:2]}),
    "occurrences": PanelQuery(
        ("fingerprint", "window in seconds", "rows at most"),
        {"errors": ("id", "at", "source", "message", "scope", "execution")},
    ),
    "scopes": PanelQuery(
        ("window in seconds", "rows at most"),
        dict.fromkeys(("executions", "errors"), ("key", "label", "total")),
        scoped=False,
    ),
}
"""What a panel source may name: every tick asks the needed ones, the others are asked when somebody opens something."""


class PanelSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The queries of one panel for one state of the database; the first source whose `requires` all exist is used.

    `scope` is what the rows can be narrowed down to ("tenant") and `scopes` the query that lists those there are. The
    other queries are PANEL_QUERIES; each file's header states its contract.
    """

    new: str
    window: str
    running: str | None = None
    top: str | None = None
    detail: str | None = None
    log: str | None = None
    course: str | None = None
    occurrences: str | None = None
    scope: str = ""
    scopes: str | None = None
    requires: tuple[str, ...] = ()
    note: str = ""

    def files(self) -> tuple[str, ...]:
        """The .sql files this source names."""
        return tuple(file for name in PANEL_QUERIES if (file := getattr(self, name)))


class Panel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A live panel of the dashboard; `waits_for` is what it says while no source fits."""

    id: str
    kind: Literal["executions", "errors"]
    title: str
    sources: tuple[PanelSource, ...]
    waits_for: str = ""


def panel_flaws(panels: Iterable[Panel]) -> Iterator[str]:
    """What is wrong with the sources, in words, one flaw after the other."""
    for panel in panels:
        for source in panel.sources:
            for name, query in PANEL_QUERIES.items():
                named, has = getattr(source, name) is not None, panel.kind in query.columns
                if named and not has:
                    yield f"panel {panel.id!r}: a source of kind {panel.kind} has no `{name}`"
                elif has and query.needed and not named:
                    yield f"panel {panel.id!r}: a source of kind {panel.kind} needs `{name}`"
            if bool(source.scope) != bool(source.scopes):
                yield f"panel {panel.id!r}: `scope` and `scopes` go together"
