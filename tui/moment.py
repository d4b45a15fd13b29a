"""What the store holds at one moment, as one value: what a recording keeps, a replay shows and a plain line tells."""

from __future__ import annotations

from datetime import datetime

import msgspec

from tui.core.drift import Drift
from tui.core.facts import Runner
from tui.core.locks import LockPicture
from tui.core.look import Look
from tui.core.panels import ErrorsPanel, ExecutionsPanel
from tui.store import Connecting, Connection, Notice, Proving, Store


class Moment(msgspec.Struct, frozen=True):
    """The store's state under the store's own names; times are seconds of the clock that the store was given."""

    connection: Connection = msgspec.field(default_factory=Connecting)
    look: Look | None = None
    look_at: float = 0.0
    executions: ExecutionsPanel | None = None
    errors: ErrorsPanel | None = None
    panels_at: float = 0.0
    taken_at: datetime | None = None
    runner: Runner | None = None
    paused: bool = False
    notice: Notice | None = None
    proving: Proving = msgspec.field(default_factory=Proving)
    drift: Drift | None = None
    drift_known: bool = False
    locks: LockPicture | None = None


NAMES = tuple(Moment.__struct_fields__)


def moment_of(store: Store) -> Moment:
    """What `store` holds now."""
    return Moment(**{name: getattr(store, name) for name in NAMES})
