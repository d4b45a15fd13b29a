"""What goes to a server as one batch and what comes back: commands, replies, and the ways a batch ends early."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

Row = tuple[str | None, ...]


class Command(msgspec.Struct, frozen=True):
    """One statement with its parameters in text form; `$1` in the text is the first."""

    sql: str
    parameters: tuple[str | None, ...] = ()


def set_local(settings: Mapping[str, str]) -> Command:
    """One statement that sets all of `settings` for this transaction only."""
    calls = ", ".join(f"set_config('{name}', ${at}, true)" for at, name in enumerate(settings, 1))
    return Command(f"select {calls}", tuple(settings.values()))


class ServerNotice(msgspec.Struct, frozen=True):
    """A NOTICE, WARNING and the like, as the server worded it."""

    severity: str
    message: str


class Reply(msgspec.Struct, frozen=True):
    """The result of command `index` (0-based). `seconds` runs from the batch's first byte to this result's arrival."""

    index: int
    tag: str
    rows: tuple[Row, ...]
    seconds: float
    notices: tuple[ServerNotice, ...] = ()

    @property
    def value(self) -> str:
        """The first column of the first row; "" for NULL or no row."""
        return (self.rows[0][0] or "") if self.rows and self.rows[0] else ""


class StatementError(Exception):
    """The server refused command `index`; the rest of the batch was skipped and nothing of it stands after a ROLLBACK.

    `position` is the 1-based character position inside the statement, None when the server gave none.
    """

    def __init__(self, index: int, fields: dict[str, str], notices: tuple[ServerNotice, ...] = ()) -> None:
        self.index, self.notices, self._fields = index, notices, fields
        self.sqlstate = fields.get("sqlstate", "")
        self.message = fields.get("message", "the server gave no reason")
        self.detail, self.hint = fields.get("detail"), fields.get("hint")
        self.context = fields.get("context")
        self.position = int(fields["position"]) if fields.get("position", "").isdigit() else None
        super().__init__(f"{self.sqlstate}: {self.message}")

    def __reduce__(self) -> tuple[type[StatementError], tuple[int, dict[str, str], tuple[ServerNotice, ...]]]:
        """How it goes from one process to another."""
        return type(self), (self.index, self._fields, self.notices)


class LineLost(Exception):  # noqa: N818 - the event, not an error of ours
    """The connection is gone. `confirmed` commands had answered; what happened after them is not known from here."""

    def __init__(self, confirmed: int, message: str, sqlstate: str = "") -> None:
        self.confirmed, self.message, self.sqlstate = confirmed, message, sqlstate
        super().__init__(message)


class Silence(LineLost):
    """No byte came for longer than the batch's deadline: a lost reply, a black hole (facts: migrations 0.5)."""
