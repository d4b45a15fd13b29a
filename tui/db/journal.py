"""The run on this machine: one JSON line per step, on disk before the step it announces.

It exists for one moment: between sending COMMIT and hearing the answer. Whoever starts next can read from it which
transaction to ask the server about (decision 22). It holds no DSN and no secret.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from platformdirs import user_state_path


def folder() -> Path:
    """Where journals of this user lie."""
    return user_state_path("patchdeck") / "runs"


class Journal:
    """An append-only file of one run, mode 0600, flushed to the disk at every line."""

    def __init__(self, run_id: str, at: Path | None = None) -> None:
        parent = at or folder()
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        self.path = parent / f"{stamp}-{run_id}.jsonl"
        descriptor = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        self._file = os.fdopen(descriptor, "a", encoding="utf-8")

    def record(self, step: str, **facts: str | int | float | None) -> None:
        """Write one line and wait until it is on the disk. Raises OSError when it can not be kept."""
        line = {"step": step, "at": datetime.now(UTC).isoformat(), **facts}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
