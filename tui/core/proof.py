"""What was proven beyond the structure: the safety lint and the isolation matrix of one database at one moment."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from tui.core.check import Check, Layer
from tui.core.isolation import Matrix
from tui.core.safety import Finding

LayerState = Literal["passed", "failed", "not_proven"]

BEYOND_STRUCTURE: tuple[Layer, ...] = ("safety", "behaviour")
"""The layers that a look does not bring."""


class Proof(msgspec.Struct, frozen=True):
    """Findings and matrix with the checks they amount to; a layer that was not asked for has no checks.

    `taken_at` is the server's clock. `findings` holds the muted and the informative ones too, which are no failures.
    """

    findings: tuple[Finding, ...]
    matrix: Matrix | None
    checks: tuple[Check, ...]
    taken_at: datetime

    def of(self, layer: Layer) -> tuple[Check, ...]:
        """The checks of one layer."""
        return tuple(check for check in self.checks if check.layer == layer)


def layer_state(checks: Sequence[Check]) -> LayerState:
    """One failure fails a layer; one thing not proven, or nothing looked at, leaves it not proven."""
    if any(check.failed for check in checks):
        return "failed"
    return "passed" if checks and all(check.ok for check in checks) else "not_proven"
