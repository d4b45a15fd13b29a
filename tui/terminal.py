"""Textual's driver for a terminal that may be gone at any moment: a closed window, a cut SSH line."""

from __future__ import annotations

from contextlib import suppress
from io import TextIOWrapper
from typing import IO, Any, cast

from textual.drivers.linux_driver import LinuxDriver


class _Surviving:
    """The terminal as a file: what can not be written to it any more is dropped."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self.fileno = file.fileno

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._file.flush()


class TerminalDriver(LinuxDriver):
    """Textual writes in a thread behind a short queue. An error ends that thread; the queue is then full after thirty
    writes, and leaving the application, which writes as well, waits for room in it for ever.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self._file is not None:
            self._file = cast("TextIOWrapper", _Surviving(self._file))

    def stop_application_mode(self) -> None:
        """Textual's, on a screen that is empty: tmux 3.3 brings what stands there back over the shell's lines when the
        window has grown meanwhile, and a dashboard that is none any more looks like one.
        """
        self.write("\x1b[2J")
        super().stop_application_mode()
