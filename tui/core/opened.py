"""What is read when one row of a panel is opened: an execution with its columns and its log, an error over time."""

from __future__ import annotations

from datetime import datetime

import msgspec

from tui.core.panels import Bucket, Execution

LOG_LINES = 500
"""Lines of a log that are read: the newest."""

OCCURRENCES = 200
"""Occurrences of an error that are read: the newest."""


class Value(msgspec.Struct, frozen=True):
    """A column of the execution's row as text, None where it is null; `missing` characters at its end were not read."""

    name: str
    text: str | None
    missing: int = 0


class LogLine(msgspec.Struct, frozen=True):
    """A line that was logged for an execution; `ms` is what the step took where that is known."""

    at: datetime
    level: str
    step: str
    message: str
    ms: float | None = None


class OpenedExecution(msgspec.Struct, frozen=True):
    """One execution in full. `execution` is None when there is none of that id any more; `log` is None where the bundle
    reads none, oldest line first, and `log_cut` says that there are older lines.
    """

    execution: Execution | None = None
    values: tuple[Value, ...] = ()
    log: tuple[LogLine, ...] | None = None
    log_cut: bool = False


class Occurrence(msgspec.Struct, frozen=True):
    """One error of a group; `execution` is the id of the execution it belongs to, "" where that is not known."""

    id: str
    at: datetime
    source: str
    message: str
    scope: str = ""
    execution: str = ""


class OpenedError(msgspec.Struct, frozen=True):
    """One group of errors over `window` seconds: its course, complete and ascending, and its newest occurrences, newest
    first; both empty where the bundle reads none.
    """

    window: int
    buckets: tuple[Bucket, ...] = ()
    occurrences: tuple[Occurrence, ...] = ()
