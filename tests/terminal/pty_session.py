"""A program in a real pseudo-terminal: what it writes, byte for byte, and what a terminal would show of it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType

import pyte
from pyte.screens import Char

Cell = Char
"""One cell of a screen: its text in `data`, its colours as names or hexadecimal digits in `fg` and `bg`."""

QUERIES = (
    (re.compile(rb"\x1b\[\?2026\$p"), b"\x1b[?2026;2$y"),
    (re.compile(rb"\x1b\[c"), b"\x1b[?62;c"),
    (re.compile(rb"\x1b\[6n"), b"\x1b[1;1R"),
)
"""What Textual asks a terminal, and what a common one answers."""
UNKNOWN_TO_PYTE = re.compile(rb"\x1bP[^\x1b]*\x1b\\|\x1b\[[<>=][0-?]*[ -/]*[@-~]|\x1b\[\?[0-9;]*\$[py]|\x1b\[\?u")
UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|[P\]][^\x07\x1b]*\x1b?)?\Z")
"""A sequence whose end has not arrived yet."""
CONTROL_SEQUENCE = re.compile(
    rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1bP[^\x1b]*\x1b\\|\x1b[=>78c]"
)


class PtySession:
    """One program in one terminal of `columns` x `rows`. Use as a context manager: nothing is left running."""

    def __init__(
        self, command: Sequence[str], *, columns: int = 80, rows: int = 24, environment: Mapping[str, str] | None = None
    ) -> None:
        self.written = bytearray()
        self._code: int | None = None
        self._shown = 0
        self._display = pyte.Screen(columns, rows)
        self._emulator = pyte.ByteStream(self._display)
        self.pid, self._terminal = pty.fork()
        if self.pid == 0:
            _become(command, {**os.environ, "TERM": "xterm-256color", "COLORTERM": "", **(environment or {})})
        self.resize(columns, rows)

    def __enter__(self) -> PtySession:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.hang_up()

    def resize(self, columns: int, rows: int) -> None:
        """Another size, of which the program is told."""
        self._emulated().resize(rows, columns)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, keys: str) -> None:
        """Type."""
        os.write(self._terminal, keys.encode())

    def kill(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """Close the terminal, as a lost SSH line does."""
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1

    def pump(self, seconds: float) -> bytes:
        """Let the program run for `seconds`; returns what it wrote in that time."""
        begin = len(self.written)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and self._terminal >= 0:
            if not self._read(left):
                break
        return bytes(self.written[begin:])

    def wait_for(self, text: str, timeout: float = 30.0) -> None:
        """Until the screen shows `text`; fails with the screen when it does not."""
        self.wait_until(lambda: text in self.screen(), timeout, f"{text!r} on the screen")

    def wait_until(self, condition: Callable[[], bool], timeout: float = 30.0, what: str = "the condition") -> None:
        """Until `condition` holds; fails with the screen when it does not in time."""
        until = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > until:
                raise AssertionError(f"waited {timeout} s for {what}; the screen:\n{self.screen()}")
            if not self._read(0.05) and not condition():
                raise AssertionError(f"it ended before {what}; the screen:\n{self.screen()}")

    def wait_exit(self, timeout: float = 30.0) -> tuple[int, float]:
        """(exit code, seconds it took); the code is negative when a signal ended it."""
        begin = time.monotonic()
        while time.monotonic() - begin < timeout:
            if self._terminal >= 0:
                self._read(0.01)
            else:
                time.sleep(0.01)
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self._code = os.waitstatus_to_exitcode(status)
                if self._terminal >= 0:
                    self.pump(0.05)
                return self._code, time.monotonic() - begin
        raise AssertionError(f"still running after {timeout} s; the screen:\n{self.screen()}")

    def screen(self) -> str:
        """What a terminal shows."""
        return "\n".join(line.rstrip() for line in self._emulated().display)

    def line(self, text: str) -> int:
        """The number, from 0, of the first line that shows `text`; fails with the screen where none does."""
        for number, shown in enumerate(self._emulated().display):
            if text in shown:
                return number
        raise AssertionError(f"no line shows {text!r}; the screen:\n{self.screen()}")

    @property
    def rows(self) -> int:
        """How many lines the terminal has."""
        return self._display.lines

    def cells(self, line: int) -> list[Cell]:
        """The cells of a line, with what they look like.

        A blank shows no ink: which colour of it was set when it was written depends on what else its frame painted.
        """
        row = self._emulated().buffer[line]
        cells = (row[column] for column in range(self._display.columns))
        return [cell._replace(fg="default") if cell.data == " " and not cell.reverse else cell for cell in cells]

    def painted(self, since: int) -> str:
        """What an empty terminal would show of what was written from byte `since` on."""
        empty = pyte.Screen(self._display.columns, self._display.lines)
        pyte.ByteStream(empty).feed(UNKNOWN_TO_PYTE.sub(b"", bytes(self.written[since:])))
        return "\n".join(line.rstrip() for line in empty.display)

    def cursor_hidden(self) -> bool:
        """Whether the terminal was left without a cursor."""
        return bool(self._emulated().cursor.hidden)

    def modes_left_on(self, until: int | None = None) -> list[str]:
        """Private modes (alternate screen, mouse, paste, focus) that were switched on last, up to byte `until`."""
        state: dict[str, bytes] = {}
        for modes, switch in re.findall(rb"\x1b\[\?([0-9;]+)([hl])", bytes(self.written[:until])):
            for mode in modes.decode().split(";"):
                state[mode] = switch
        return sorted(mode for mode, switch in state.items() if switch == b"h" and mode not in ("7", "25"))

    def _emulated(self) -> pyte.Screen:
        """The terminal with all that has arrived so far, but for the beginning of an unfinished sequence."""
        new = bytes(self.written[self._shown :])
        if found := UNFINISHED.search(new):
            new = new[: found.start()]
        self._shown += len(new)
        if new:
            self._emulator.feed(UNKNOWN_TO_PYTE.sub(b"", new))
        return self._display

    def _read(self, seconds: float) -> bool:
        """Read once, at most `seconds` late. Returns False when the program's side is closed."""
        ready, _, _ = select.select([self._terminal], [], [], seconds)
        if not ready:
            return True
        try:
            chunk = os.read(self._terminal, 65536)
        except OSError:  # Linux says EIO when the last writer is gone
            return False
        self.written += chunk
        for query, answer in QUERIES:
            if query.search(chunk):
                os.write(self._terminal, answer)
        return bool(chunk)


def _become(command: Sequence[str], environment: Mapping[str, str]) -> None:
    try:
        os.execvpe(command[0], list(command), dict(environment))  # noqa: S606 - its own arguments, no shell
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error}\n")
    os._exit(127)


def without_sequences(written: bytes) -> bytes:
    """What is left of the bytes when the terminal's own sequences are taken out: the text, and whatever slipped in."""
    return CONTROL_SEQUENCE.sub(b"", written)
