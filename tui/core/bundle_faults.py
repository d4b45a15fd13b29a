"""What `bundle check` has to say about one place of a bundle: an error that no run survives, or a warning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from tui.core.toml_places import line_of, places

FaultLevel = Literal["error", "warning"]


class Fault(msgspec.Struct, frozen=True):
    """`line` and `column` count from 1; None where it is about the file, or about the line, as a whole."""

    level: FaultLevel
    file: str
    line: int | None
    column: int | None
    reason: str


def error(file: str, reason: str, line: int | None = None, column: int | None = None) -> Fault:
    """What makes the bundle unusable, or one of its promises impossible to keep."""
    return Fault("error", file, line, column, reason)


def warning(file: str, reason: str, line: int | None = None, column: int | None = None) -> Fault:
    """What is likely not meant, and can be."""
    return Fault("warning", file, line, column, reason)


class TomlPlaces:
    """The lines of a bundle's TOML files by path, read when first asked for."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._known: dict[str, dict[str, int]] = {}

    def line(self, file: str, path: str) -> int | None:
        """The line of `path` (such as `$.tables[3]`) in `file`, which tomli has read."""
        if file not in self._known:
            self._known[file] = places(self._files[file])
        return line_of(self._known[file], path)
