"""The real dashboard in a real pseudo-terminal: what it sends, and how it leaves."""

from __future__ import annotations

import re
import signal

import pytest

from tests.terminal.opened import scripted
from tests.terminal.pty_session import without_sequences

CLOCK_BYTES = 100
TICK_BYTES = 2_600
"""A tick in which every row of both panels moves, at 120x40. Textual's stock widgets take 11,760 to 18,000."""


def test_a_tick_that_moves_every_row_is_a_few_rows_of_bytes() -> None:
    with scripted("moving", 120, 40) as running:
        seconds = 4.0
        written = running.pump(seconds)
        ticks = seconds / 0.5
        print(f"{len(written) / ticks:.0f} B per tick of moving rows")
        assert len(written) / ticks < TICK_BYTES


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_what_a_key_changes_comes_in_one_frame(columns: int, rows: int) -> None:
    """The cursor's row, what is said of it and the hint: they hear of the key one after the other, by messages."""
    with scripted("still", columns, rows) as running:
        answers = []
        for key in "jkjkjkjkjk":
            running.send(key)
            frames = bytes(running.pump(0.4)).split(b"\x1b[?2026h")[1:]
            # The clock's frame draws in the first row only.
            answers.append(sum(re.search(rb"\x1b\[(?!1;)\d+;\d+H", frame) is not None for frame in frames))
        # On a busy machine one may be caught in two; without a moment of waiting each is.
        assert all(answers)
        assert answers.count(1) >= 7, answers


@pytest.mark.parametrize(("columns", "rows"), [(80, 24), (120, 40)])
def test_no_control_character_of_a_text_reaches_the_terminal(columns: int, rows: int) -> None:
    with scripted("hostile", columns, rows) as running:
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


def test_a_lost_terminal_ends_it_at_once() -> None:
    with scripted("still") as running:
        running.hang_up()
        code, seconds = running.wait_exit()
        assert code == 129
        assert seconds < 1.5


def test_another_size_is_drawn_at_once() -> None:
    with scripted("broken") as running:
        running.resize(120, 40)
        running.kill(signal.SIGWINCH)
        running.wait_for("Migration")
        running.resize(50, 10)
        running.kill(signal.SIGWINCH)
        running.wait_for("too small")


@pytest.mark.parametrize("keys", ["\r", "?"], ids=["detail", "help"])
def test_what_covers_the_dashboard_is_not_repainted_when_that_moves(keys: str) -> None:
    with scripted("moving") as running:
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
