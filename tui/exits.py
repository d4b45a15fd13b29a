"""Exit codes: what each one promises, and the one exception a command raises to end with one of them."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The contract of design `cli`: scripts and CI rely on these numbers."""

    HEALTHY = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    ROLLED_BACK = 5
    UNKNOWN = 6
    DEFECT = 70
    """Not of the contract: a defect of patchdeck itself (EX_SOFTWARE of sysexits.h), not "a check failed"."""


class Stop(Exception):  # noqa: N818 - not an error: a command's way to say how and why it ends
    """End the command with `code`: `message` is one line for the operator, `hint` what to do next (or "")."""

    def __init__(self, code: Exit, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint
