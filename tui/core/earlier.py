"""A run of this machine whose end nobody here had heard, and what the server says became of it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

Fate = Literal["committed", "rolled_back", "unknown"]


class Earlier(msgspec.Struct, frozen=True):
    """What became of a run after its line, its terminal or its process was lost. `at`: when it had its locks."""

    action: str
    at: datetime
    xid: str
    fate: Fate

    @property
    def said(self) -> str:
        """What a person is told, what matters most first; the time on the clock of the machine it is read on."""
        run = f"the {self.action} of {self.at.astimezone():%Y-%m-%d %H:%M}"
        match self.fate:
            case "committed":
                return f"Cut off, but committed: {run}. The change is in force."
            case "rolled_back":
                return f"Cut off and rolled back: {run}. Nothing of it is in force."
        return (
            f"Cut off, and its end is not known yet: {run}. Transaction {self.xid} is either committed or rolled back"
            " as a whole; look again before you run anything."
        )
