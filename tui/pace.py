"""How often a dashboard asks, and how far back its panels look."""

from __future__ import annotations

import msgspec


class Pace(msgspec.Struct, frozen=True):
    """How often to ask, in seconds; `window` is how far back the panels look."""

    refresh: float = 2.0
    look_every: float = 10.0
    window: int = 900
