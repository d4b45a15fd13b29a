"""The real dashboard in a real pseudo-terminal: what it sends, and how it leaves."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support import ROOT
from tests.terminal.pty_session import PtySession, without_sequences

CLOCK_BYTES = 100
TICK_BYTES = 2_600
"""A tick in which every row of both panels moves, at 120x40. Textual's stock widgets take 11,760 to 18,000."""


@contextmanager
def session(mode: str, columns: int = 80, rows: int = 24, **environment: str) -> Iterator[PtySession]:
    """The dashboard over the stand-in's deck `mode`, its first answers on the screen."""
    here = {"PYTHONPATH": str(ROOT), **environment}
    with PtySession(
        [sys.executable, "-m", "tests.terminal.standin", mode], columns=columns, rows=rows, environment=here
    ) as running:
        running.wait_for("checks")
        running.pump(1.2)
        yield running


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_nothing_but_the_clock_is_sent_while_nothing_changes(columns: int, rows: int) -> None:
    with session("still", columns, rows) as running:
        written = running.pump(4.0)
        seconds = written.count(b"\x1b[?2026h") or 4
        assert seconds <= 5
        assert len(written) <= CLOCK_BYTES * seconds
        assert not re.sub(rb"[0-9: \r\n]", b"", without_sequences(written))


def test_a_tick_that_moves_every_row_is_a_few_rows_of_bytes() -> None:
    with session("moving", 120, 40) as running:
        seconds = 4.0
        written = running.pump(seconds)
        ticks = seconds / 0.5
        print(f"{len(written) / ticks:.0f} B per tick of moving rows")
        assert len(written) / ticks < TICK_BYTES


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_no_control_character_of_a_text_reaches_the_terminal(columns: int, rows: int) -> None:
    with session("hostile", columns, rows) as running:
        for keys in ("\r", "\x1b", "2", "\r", "\x1b", "3", "\r", "\x1b", "\x10", "\x1b"):
            running.send(keys)
            running.pump(0.4)
        written = bytes(running.written)
        assert b"\x1b]52" not in written
        left = without_sequences(written)
        assert not set(left) & (set(range(32)) - {10, 13} | {127})
        text = left.decode()
        assert not re.search("[\x80-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff]", text)
        assert "\\x1b]52" in text
        running.send("q")
        assert running.wait_exit()[0] == 0


def test_q_leaves_a_clean_terminal() -> None:
    with session("still") as running:
        running.send("q")
        code, seconds = running.wait_exit()
        assert code == 0
        assert seconds < 2
        assert running.modes_left_on() == []
        assert not running.cursor_hidden()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)], ids=["term", "hup", "int"]
)
def test_a_signal_ends_it_at_once_with_the_terminal_restored(number: signal.Signals, code: int) -> None:
    with session("still") as running:
        running.kill(number)
        ended, seconds = running.wait_exit()
        assert ended == code
        assert seconds < 1.5
        assert running.modes_left_on() == []
        assert not running.cursor_hidden()


def test_a_lost_terminal_ends_it_at_once() -> None:
    with session("still") as running:
        running.hang_up()
        code, seconds = running.wait_exit()
        assert code == 129
        assert seconds < 1.5


def test_no_color_means_no_colour() -> None:
    with session("broken", NO_COLOR="1") as running:
        assert not re.search(rb"\x1b\[(?:[0-9;]*;)?[34]8;[25]", bytes(running.written))
        assert not re.search(rb"\x1b\[(?:[0-9;]*;)?(?:3|4|9|10)[0-7][;m]", bytes(running.written))
        assert "PARTIAL 174/175" in running.screen()


def test_another_size_is_drawn_at_once() -> None:
    with session("broken") as running:
        running.resize(120, 40)
        running.kill(signal.SIGWINCH)
        running.wait_for("Migration")
        running.resize(50, 10)
        running.kill(signal.SIGWINCH)
        running.wait_for("too small")


def test_stop_and_continue_repaint_everything() -> None:
    with session("broken") as running:
        running.send("\x1a")
        running.wait_until(lambda: os.waitpid(running.pid, os.WNOHANG | os.WUNTRACED)[0] == running.pid, what="a stop")
        begin = len(running.written)
        running.kill(signal.SIGCONT)
        running.wait_until(lambda: b"PARTIAL" in running.written[begin:], what="a repaint")
        running.send("q")
        assert running.wait_exit()[0] == 0


@pytest.mark.parametrize("keys", ["\r", "?"], ids=["detail", "help"])
def test_what_covers_the_dashboard_is_not_repainted_when_that_moves(keys: str) -> None:
    with session("moving") as running:
        before = running.screen()
        running.send(keys)
        running.wait_until(lambda: running.screen() != before, what="another screen")
        running.pump(1.0)
        seconds = 3.0
        written = running.pump(seconds)
        print(f"{len(written) / seconds:.0f} B/s")
        assert len(written) <= CLOCK_BYTES * (seconds + 1)
        running.send("\x1b")
        running.wait_for("[1 Checklist]")
