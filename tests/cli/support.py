"""Run the real command as a process and look at everything it left: exit code, both streams, the database."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import ROOT
from tui.__main__ import main
from tui.demo.installation import embedded_installation

PATCHDECK = (sys.executable, "-m", "tui")


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """Standard output, which must be one JSON object and nothing else."""
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document


def environment(dsn: str = "", extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """This process's environment with the target in it and without what would colour or steer the output."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    target = {"PATCHDECK_DSN": dsn} if dsn else {}
    return {**kept, "PYTHONPATH": str(ROOT), **target, **(extra or {})}


def patchdeck(
    *arguments: str, dsn: str = "", env: Mapping[str, str] | None = None, timeout: float = 90, cwd: Path = ROOT
) -> Ran:
    """Run `patchdeck ARGUMENTS` to its end, without a terminal, with `dsn` in the environment."""
    done = subprocess.run(
        [*PATCHDECK, *arguments],
        cwd=cwd,
        env=environment(dsn, env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=timeout,
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def inside(*arguments: str, dsn: str = "", env: Mapping[str, str] | None = None) -> Ran:
    """The same command in this process, for tests of many: half of what a process costs is its start."""
    out, said = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.TextIOWrapper(io.BytesIO(), "utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"PATCHDECK_DSN": dsn, **(env or {})}.items():
            patch.setenv(name, value)
        patch.setattr(sys, "stdout", out)
        patch.setattr(sys, "stderr", said)
        code = main(arguments)
    return Ran(code, *(stream.buffer.getvalue().decode() for stream in (out, said)))


def schema_of(dsn: str) -> str:
    """The whole catalog of a database as text, object by object, from pg_dump: two states are equal when this is."""
    program = embedded_installation().binaries / "pg_dump"
    done = subprocess.run(
        [program, "--schema-only", "--dbname", dsn], capture_output=True, encoding="utf-8", check=True
    )
    # Since 2025-08 every dump is fenced with a random token.
    return re.sub(r"^\\(un)?restrict .*$", "", done.stdout, flags=re.MULTILINE)
