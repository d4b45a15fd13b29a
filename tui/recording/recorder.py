"""Keeps a recording: a line for each moment that differs, in a new file that only its owner can read.

Every line is with the operating system before the next moment: whatever ends the program, at most one line is lost.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from tui.moment import Moment
from tui.recording.form import Contents, Frame, Header, encode
from tui.recording.frames import difference, shifted


class Recorder:
    """One recording into one file. `trouble` says why it ended before its time, "" while it goes on.

    `monotonic` gives seconds, `now` the wall's time.
    """

    def __init__(
        self, path: Path, monotonic: Callable[[], float], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """Make the file. Raises OSError: it is already there (nothing is ever overwritten), or can not be made."""
        self.path, self.trouble = path, ""
        self._monotonic, self._now = monotonic, now
        self._file: int | None = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        self._size = 0
        self._told = Moment()
        self._origin, self.began = monotonic(), now()

    @property
    def going(self) -> bool:
        """Whether it goes on."""
        return self._file is not None

    def begin(self, header: Header, contents: Contents) -> None:
        """Write the header, the bundle, and that nothing is known yet."""
        self._write(encode(header) + encode(contents) + encode(Frame(0.0, self.began)))

    def keep(self, moment: Moment) -> None:
        """Write what differs from the moment before, if anything does."""
        if self._file is None:
            return
        at = self._monotonic() - self._origin
        moment = shifted(moment, -self._origin)
        frame = difference(self._told, moment, at, self._now())
        self._told = moment
        if frame is not None:
            self._write(encode(frame))

    def close(self) -> None:
        """End it in good order; safe to call twice."""
        if self._file is not None:
            self._write(encode(Frame(self._monotonic() - self._origin, self._now(), ended=True)))
            self._end()

    def _write(self, line: bytes) -> None:
        if self._file is None:
            return
        left = memoryview(line)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError as error:
            self.trouble = error.strerror or str(error)
            self._take_back()
            self._end()
        else:
            self._size += len(line)

    def _take_back(self) -> None:
        """Leave whole lines only; a disk that takes not even that leaves a line cut off, which a replay tolerates."""
        try:
            if self._file is not None:
                os.ftruncate(self._file, self._size)
        except OSError as error:
            self.trouble = f"{self.trouble}; {error.strerror}"

    def _end(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            try:
                os.close(file)
            except OSError as error:
                # What a network's disk had taken may be lost after all.
                self.trouble = self.trouble or error.strerror or str(error)
