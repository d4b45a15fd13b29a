"""What happens to the terminal, the machine and our own code beneath an open dashboard, and how it bears that."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from random import Random

from tests.support import ROOT
from tests.terminal.opened import clockless, scripted
from tests.terminal.pty_session import PtySession, without_sequences
from tests.terminal.standin import SECRET

PASSWORD = "correct-horse"
STUCK = """
import socket, sys, time
def stuck(*_, **__):
    time.sleep(60)
socket.getaddrinfo = stuck
from tui.__main__ import main
sys.exit(main(["--dsn", "postgresql://dana@db.example.test/postgres"]))
"""


def crash_files() -> list[Path]:
    return sorted(Path(os.environ["XDG_STATE_HOME"]).rglob("crash-*"))


def assert_kept_without_secrets(running: PtySession) -> None:
    """One file of the defect, its owner's alone, and the password nowhere."""
    (kept,) = crash_files()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "Traceback" in kept.read_text()
    assert PASSWORD in SECRET
    assert PASSWORD not in kept.read_text()
    assert PASSWORD.encode() not in running.written
    assert b"Traceback" not in running.written


def test_a_storm_of_sizes_ends_in_the_last_one() -> None:
    chance, size = Random(5), (80, 24)
    with scripted("broken", *size) as calm:
        screen = clockless(calm.screen())
    with scripted("broken", 100, 30) as running:
        for _ in range(60):
            running.resize(chance.randint(1, 240), chance.randint(1, 70))
            running.pump(chance.choice((0.0, 0.0, 0.01, 0.05)))
        running.resize(*size)
        running.wait_until(lambda: clockless(running.screen()) == screen, what=f"this screen:\n{screen}")
        running.send("q")
        assert running.wait_exit()[0] == 0


def test_a_defect_in_a_worker_is_told_and_kept_and_r_goes_on() -> None:
    with scripted("defect") as running:
        running.wait_for("✗ STOPPED")
        running.wait_for("LookupError")
        assert_kept_without_secrets(running)
        running.send("r")
        running.wait_for("✓ APPLIED")
        running.send("q")
        assert running.wait_exit()[0] == 0


def test_a_defect_in_a_screen_ends_in_one_line_and_a_clean_terminal() -> None:
    with PtySession(
        [sys.executable, "-m", "tests.terminal.standin", "crash"], environment={"PYTHONPATH": str(ROOT)}
    ) as running:
        assert running.wait_exit()[0] == 70
        assert running.modes_left_on() == []
        assert not running.cursor_hidden()
        last = bytes(running.written).rpartition(b"\x1b[?1049l")[2]
        assert last.count(b"a defect in patchdeck") == 1
        assert_kept_without_secrets(running)


def test_what_is_left_behind_on_the_screen_is_nothing() -> None:
    """A multiplexer may show it again, and nothing would tell that it is over."""
    with scripted("quiet") as running:
        running.send("q")
        assert running.wait_exit()[0] == 0
        before, _, after = bytes(running.written).rpartition(b"\x1b[?1049l")
        cleared = before.rpartition(b"\x1b[2J")[2]
        assert without_sequences(cleared) == b""
        assert b"patchdeck: " in after


def test_names_that_are_not_resolved_hold_nobody_up() -> None:
    with PtySession([sys.executable, "-c", STUCK], environment={"PYTHONPATH": str(ROOT), "PGPASSWORD": "x"}) as running:
        running.wait_for("CONNECTING  db.example.test")
        running.send("?")
        running.wait_for("─ Keys ─")
        running.send("\x11")
        code, seconds = running.wait_exit()
        assert code == 0
        assert seconds < 2
