"""The single faults of faults.toml, typed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import msgspec

Shows = Literal["leak", "lost", "differs", ""]


class Fault(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One fault; what its fields mean is said in faults.toml."""

    what: str
    kind: str
    name: str
    sql: str
    table: str = ""
    shows: Shows = ""
    admin: bool = False

    def __str__(self) -> str:
        return f"{self.kind:11} {self.table or self.name:40} {self.what}"


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    words: dict[str, str]
    faults: tuple[Fault, ...]


def _read() -> tuple[Fault, ...]:
    file = msgspec.toml.decode(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"), type=_File)

    def spelled(text: str) -> str:
        return re.sub(r"\{([a-z]+)\}", lambda word: spelled(file.words[word[1]]), text)

    return tuple(msgspec.structs.replace(fault, sql=spelled(fault.sql)) for fault in file.faults)


FAULTS = _read()
