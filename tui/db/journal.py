"""The run on this machine: one JSON line per step, on disk before the step it announces.

It is there from the moment a run has its locks until its end is known. Whoever starts next after a line, a terminal or
a process was lost in between can read from it which transaction to ask the server about (decision 22). It holds no DSN
and no secret.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from platformdirs import user_state_path

from tui.core.deck import Destination

_over: set[str] = set()
"""Journals whose end was read, by name: nothing comes after it, and a hundred databases ask for their runs."""


def folder() -> Path:
    """Where journals of this user lie."""
    return user_state_path("patchdeck") / "runs"


class Unfinished(msgspec.Struct, frozen=True):
    """A run that was under way and whose end nobody on this machine has heard of; `xid` is its newest transaction."""

    path: Path
    run_id: str
    xid: str
    action: str
    at: str


def unfinished(place: Destination, at: Path | None = None) -> tuple[Unfinished, ...]:
    """The unfinished runs on the database at `place`, oldest first. What is no journal is passed over, and what a
    process that lives is still writing: its run is under way.
    """
    names: list[str] = []
    # No folder yet; or it is below a HOME of somebody else's: this user has no run there, and `Journal` will say so
    # before COMMIT.
    with suppress(OSError), os.scandir(at or folder()) as files:
        names += (file.path for file in files if file.name.endswith(".jsonl") and file.path not in _over)
    entries = (_read(Path(name), place) for name in sorted(names))
    return tuple(entry for entry in entries if entry is not None)


def finish(entry: Unfinished, outcome: str) -> None:
    """Write down what became of an unfinished run. Raises OSError when it can not be kept."""
    with entry.path.open("a", encoding="utf-8") as file:
        file.write(_line("finished", {"outcome": outcome, "resolved": "later"}))
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path, place: Destination) -> Unfinished | None:
    lines = tuple(_lines(path))
    if any(line.get("step") == "finished" for line in lines):
        _over.add(os.fspath(path))
        return None
    opened = next((line for line in reversed(lines) if line.get("step") == "running"), None)
    if opened is None:
        return None
    if (opened.get("host"), opened.get("port"), opened.get("database")) != (place.host, place.port, place.database):
        return None
    if _being_written(path):
        return None
    return Unfinished(path, *(str(opened.get(name, "")) for name in ("run_id", "xid", "action", "at")))


def _being_written(path: Path) -> bool:
    """Whether the process that runs it holds the file: the kernel lets go of it with the process, however that ends."""
    try:
        with path.open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        # A file system without locks: the server is asked, and says "in progress" while it is.
        return False
    return False


def _lines(path: Path) -> Iterator[dict[str, object]]:
    """The lines that are whole: a crash can leave the last one cut."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        try:
            found = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(found, dict):
            yield found


def _line(step: str, facts: dict[str, str | int | float | None]) -> str:
    return json.dumps({"step": step, "at": datetime.now(UTC).isoformat(), **facts}, ensure_ascii=False) + "\n"


class Journal:
    """An append-only file of one run, mode 0600, flushed to the disk at every line."""

    def __init__(self, run_id: str, at: Path | None = None) -> None:
        """Raises OSError when there can be no such file."""
        self._empty = True
        parent = at or folder()
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        self.path = parent / f"{stamp}-{run_id}.jsonl"
        self._file = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        # Where a file system has no locks, the run goes without.
        with suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def record(self, step: str, **facts: str | int | float | None) -> None:
        """Write one line and wait until it is on the disk. Raises OSError when it can not be kept."""
        self._empty = False
        os.write(self._file, _line(step, facts).encode())
        os.fsync(self._file)

    def close(self) -> None:
        """Close the file, once; one in which nothing was recorded goes."""
        os.close(self._file)
        if self._empty:
            self.path.unlink(missing_ok=True)
