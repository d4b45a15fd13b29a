"""A run of this machine whose end nobody here had heard, and what the server says became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Fate = Literal["committed", "rolled_back", "unknown"]


@dataclass(frozen=True, slots=True)
class Earlier:
    """What became of a run after its line, its terminal or its process was lost. `at`: when it had its locks."""

    action: str
    at: datetime
    xid: str
    fate: Fate

    @property
    def said(self) -> str:
        """What a person is told, the time on the clock of the machine it is read on."""
        run = f"The {self.action} of {self.at.astimezone():%Y-%m-%d %H:%M:%S}"
        match self.fate:
            case "committed":
                return f"{run} was cut off at its end, and it was committed: the change is in force."
            case "rolled_back":
                return f"{run} was cut off before its COMMIT, and the server rolled it back: nothing of it is in force."
        return (
            f"{run} was cut off, and the server can not say yet what became of it: transaction {self.xid} is either"
            " committed or rolled back as a whole. Look again before you run anything."
        )
