"""A walkthrough in a real pseudo-terminal: what it sends while nothing changes, while it waits, how it is left."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.terminal.pty_session import PtySession

WAITING_BYTES = 1_500
"""A second of waiting for a lock with four attempts, at 80x24. A repainted screen is 5,100."""


@pytest.fixture
def closed(tmp_path: Path) -> Path:
    """Is made when a run was closed."""
    return tmp_path / "closed"


@pytest.fixture
def walk(closed: Path) -> Iterator[PtySession]:
    """The apply walkthrough in its second step."""
    command = [sys.executable, "-m", "tests.terminal.walk_standin", str(closed)]
    with PtySession(command, environment={"PYTHONPATH": str(ROOT)}) as running:
        running.wait_for("NOT APPLIED")
        running.send("a")
        running.wait_for("step 1 of 8")
        running.send("n")
        running.wait_for("17.4 is supported")
        yield running


def rehearse(walk: PtySession) -> None:
    walk.send("n")
    walk.wait_for("step 3 of 8")
    walk.wait_for("What is dropped")
    walk.send("n")
    walk.wait_for("step 4 of 8")
    walk.send("\r")
    walk.wait_for("a lock is not free")


def test_nothing_is_sent_while_nothing_changes_however_much_moves_beneath(walk: PtySession) -> None:
    walk.pump(1.0)
    assert walk.pump(3.0) == b""


def test_waiting_for_a_lock_costs_little(walk: PtySession) -> None:
    rehearse(walk)
    walk.pump(1.0)
    written = len(walk.pump(4.0)) / 4
    print(f"{written:.0f} B per second of waiting")
    assert 0 < written < WAITING_BYTES


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_in_a_run_closes_it_and_restores_the_terminal(
    walk: PtySession, closed: Path, number: int, code: int
) -> None:
    rehearse(walk)
    walk.kill(number)
    ended, seconds = walk.wait_exit()
    assert ended == code
    assert seconds < 2
    assert closed.exists(), "the run was left open"
    assert walk.modes_left_on() == []


def test_the_keys_work_while_it_waits(walk: PtySession, closed: Path) -> None:
    rehearse(walk)
    walk.send("\x1b")
    walk.wait_for("A run is going on")
    walk.send("c")
    walk.wait_for("Cancelled by the operator.")
    assert closed.exists()
