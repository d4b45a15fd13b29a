"""Drift: what has changed since the last recorded run, object by object."""

from __future__ import annotations

from dataclasses import dataclass

from tui.core.catalog import Catalog
from tui.core.surface import Change, diff


@dataclass(frozen=True, slots=True)
class Drift:
    """The difference between what a run left and what is there now.

    `finished_at` is the server's time as text in ISO form. `same_version` is False when the server has been upgraded
    since: then a definition can be worded differently and mean the same, and a change is no proof.
    """

    run_id: str
    action: str
    mode: str
    operator: str
    finished_at: str
    same_version: bool
    changes: tuple[Change, ...]


def changes_since(recorded: Catalog, live: Catalog) -> tuple[Change, ...]:
    """What was created, altered or dropped since `recorded`, in the surface's order; nothing when all is as it was."""
    return tuple(change for change in diff(recorded, live) if change.kind != "unchanged")
