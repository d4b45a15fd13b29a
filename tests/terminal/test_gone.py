"""A terminal that goes away without a word."""

from __future__ import annotations

import sys

from tests.support import ROOT
from tests.terminal.pty_session import PtySession


def test_what_can_not_be_written_any_more_keeps_nobody_from_leaving() -> None:
    command = [sys.executable, "-m", "tests.terminal.standin", "deaf"]
    with PtySession(command, columns=80, rows=24, environment={"PYTHONPATH": str(ROOT)}) as running:
        running.wait_for("? Help")
        running.pump(0.5)
        running.hang_up()
        code, seconds = running.wait_exit()
    assert (code, seconds < 8) == (129, True)
