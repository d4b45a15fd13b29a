"""Is it safe and possible to run here, now? Pure rules over facts that one round trip brought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["pass", "warn", "stop"]


@dataclass(frozen=True, slots=True)
class PreflightCheck:
    """One preflight check: what was looked at, how it came out, what that means, how to mend it ("" when it passes)."""

    name: str
    level: Level
    meaning: str
    remedy: str = ""
