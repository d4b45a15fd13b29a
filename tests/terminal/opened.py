"""The dashboard, opened in a real pseudo-terminal: over a scripted deck, or by the command on a real database."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support import ROOT
from tests.terminal.pty_session import PtySession


@contextmanager
def scripted(mode: str, columns: int = 80, rows: int = 24, **environment: str) -> Iterator[PtySession]:
    """The dashboard over the stand-in's deck `mode`, its first answers on the screen."""
    here = {"PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, "-m", "tests.terminal.standin", mode]
    with PtySession(command, columns=columns, rows=rows, environment=here) as running:
        running.wait_for("checks")
        running.pump(1.2)
        yield running


@contextmanager
def opened(dsn: str, columns: int = 120, rows: int = 40, *options: str, **environment: str) -> Iterator[PtySession]:
    """`patchdeck` on the database, painted."""
    command = [sys.executable, "-m", "tui", "--dsn", dsn, *options]
    with PtySession(command, columns=columns, rows=rows, environment=environment) as running:
        running.wait_for("? Help")
        yield running


def clockless(screen: str) -> str:
    """The screen without what moves by itself: the time of day, ages, round trips."""
    return re.sub(r"\d\d:\d\d:\d\d|<?\d+ (ms|s|min)\b", "", screen)
