"""The verdict over all checks, and which actions are allowed now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["applied", "not_applied", "partial", "drifted", "rolled_back"]
ActionName = Literal["apply", "rollback", "rehearse", "verify"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state in one word, the counts behind it, and one sentence.

    `headline` is what the band shows, e.g. `PARTIAL 131/182`; `healthy` is True only when every check holds.
    """

    state: State
    healthy: bool
    total: int
    passed: int
    failed: int
    not_proven: int
    headline: str
    sentence: str
