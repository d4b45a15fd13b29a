"""Drift: what has changed since the last recorded run, object by object."""

from __future__ import annotations

from typing import Literal

import msgspec

from tui.core.catalog import Catalog
from tui.core.surface import Change, diff

DriftState = Literal["none", "drifted", "not_proven"]


class Drift(msgspec.Struct, frozen=True):
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


def drift_state(drift: Drift | None) -> DriftState:
    """Nothing recorded, or a server that words definitions otherwise since: not proven, never "none"."""
    if drift is None or (drift.changes and not drift.same_version):
        return "not_proven"
    return "drifted" if drift.changes else "none"


def drift_said(drift: Drift | None) -> str:
    """The state in a sentence."""
    if drift is None:
        return "No run is recorded in this database: there is nothing to compare it with."
    if not drift.changes:
        return "Nothing has changed since that run."
    one = len(drift.changes) == 1
    if drift.same_version:
        return f"{'1 object has' if one else f'{len(drift.changes)} objects have'} changed since that run."
    differ = "1 object differs" if one else f"{len(drift.changes)} objects differ"
    return f"{differ} from the record, but the server was upgraded since and may word the same otherwise."
