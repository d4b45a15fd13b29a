"""A recording read back: the moment at any of its times, and where something went wrong."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import TypeVar

import msgspec

from tui.core.bundle import Bundle
from tui.moment import Moment
from tui.recording.form import (
    FORMAT,
    VERSION,
    Header,
    bundle_of,
    decode_contents,
    decode_frame,
    decode_header,
)
from tui.recording.frames import fold
from tui.store import Connected, Connecting

STEP = 256
"""Lines from one kept moment to the next: what a seek backwards has to put together again at most."""
LINE_LIMIT = 64 * 1024 * 1024
"""Bytes of a line. The longest, a first look or a proof, has about one million."""

NOTHING = "it holds nothing: it was cut off before its first moment"


class RecordingError(Exception):
    """A file that can not be replayed; `str()` is one line with file, line where known, and reason."""

    def __init__(self, file: Path, reason: str, line: int | None = None) -> None:
        self.reason = reason
        super().__init__(f"{file}:{line}: {reason}" if line else f"{file}: {reason}")


class Recording(msgspec.Struct, frozen=True):
    """A whole, checked recording. `times` are the offsets of its frames in seconds, ascending; `troubles` those at
    which something went wrong; `flaw` says in words how it ends when it was not ended in good order, "" when it was.
    """

    header: Header
    bundle: Bundle
    lines: tuple[bytes, ...]
    times: tuple[float, ...]
    kept: tuple[Moment, ...]
    troubles: tuple[float, ...]
    flaw: str

    @property
    def end(self) -> float:
        """The last offset."""
        return self.times[-1]

    def moment(self, position: float, known: Moment | None = None, at: float = -1.0) -> Moment:
        """The moment at offset `position`; `known` is the one at offset `at`, where that is near and before it."""
        index, first = self._index(position), self._index(at)
        if index < 0:
            return Moment()
        if known is None or not first <= index <= first + STEP:
            first = index // STEP * STEP
            known = self.kept[index // STEP]
        for line in self.lines[first + 1 : index + 1]:
            known = fold(known, decode_frame(line))
        return known

    def moments(self) -> Iterator[tuple[float, datetime, Moment]]:
        """Every moment with its offset and the wall's time, from the first to the last."""
        moment = Moment()
        for line in self.lines:
            frame = decode_frame(line)
            moment = fold(moment, frame)
            yield frame.at, frame.wall, moment

    def wall(self, position: float) -> datetime:
        """The wall's time at offset `position`: a machine that slept in between shows in it."""
        index = self._index(position)
        if index < 0:
            return self.header.began + timedelta(seconds=position)
        return decode_frame(self.lines[index]).wall + timedelta(seconds=position - self.times[index])

    def following(self, position: float) -> float | None:
        """The offset of the frame that follows `position`, None after the last."""
        index = self._index(position) + 1
        return self.times[index] if index < len(self.times) else None

    def _index(self, position: float) -> int:
        return bisect_right(self.times, position) - 1


def read_recording(path: Path) -> Recording:
    """The recording in `path`, every line of it checked. Raises RecordingError."""
    try:
        if not path.is_file():
            raise RecordingError(path, "not a file" if path.exists() else "there is no such file")
        with path.open("rb") as file:
            return _read(path, _Lines(path, file))
    except OSError as error:
        raise RecordingError(path, f"can not be read: {error.strerror}") from None


T = TypeVar("T")


class _Lines:
    """The lines of a file, numbered. One without an end was cut off, and is left out."""

    def __init__(self, path: Path, file: BufferedReader) -> None:
        self._path, self._file = path, file
        self.number = 0
        self.cut = False

    def next(self) -> bytes:
        """The next line, empty at the end. Raises RecordingError on one that is longer than any of a recording."""
        line = self._file.readline(LINE_LIMIT)
        if not line:
            return b""
        self.number += 1
        if line.endswith(b"\n"):
            return line
        if len(line) == LINE_LIMIT:
            raise self.error(f"longer than {LINE_LIMIT // 2**20} MiB")
        self.cut = True
        return b""

    def checked(self, make: Callable[[], T]) -> T:
        """What `make` makes of the newest line. Raises RecordingError with its number."""
        try:
            return make()
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise self.error(str(error)) from None

    def error(self, reason: str) -> RecordingError:
        """What is wrong with the newest line."""
        return RecordingError(self._path, reason, self.number)


class _Mark(msgspec.Struct):
    """What every version's first line begins with."""

    format: str
    version: int
    patchdeck: str = ""


def _read(path: Path, lines: _Lines) -> Recording:
    header = _header(path, lines)
    contents = lines.next()
    if not contents:
        raise RecordingError(path, NOTHING)
    bundle = bundle_of(header, lines.checked(partial(decode_contents, contents)))
    frames: list[bytes] = []
    times: list[float] = []
    kept: list[Moment] = []
    troubles: list[float] = []
    moment, ended = Moment(), False
    while line := lines.next():
        frame = lines.checked(partial(decode_frame, line))
        if times and frame.at < times[-1]:
            raise lines.error("earlier than the line before it")
        before, moment = moment, lines.checked(partial(fold, moment, frame))
        if len(frames) % STEP == 0:
            kept.append(moment)
        if goes_wrong(before, moment):
            troubles.append(frame.at)
        frames.append(line)
        times.append(frame.at)
        ended = frame.ended
    if not frames:
        raise RecordingError(path, NOTHING)
    flaw = "its last line is cut off" if lines.cut else "" if ended else "it was not ended in good order"
    return Recording(header, bundle, tuple(frames), tuple(times), tuple(kept), tuple(troubles), flaw)


def _header(path: Path, lines: _Lines) -> Header:
    first = lines.next()
    try:
        mark = msgspec.json.decode(first, type=_Mark)
    except (msgspec.DecodeError, UnicodeDecodeError):
        mark = _Mark("", 0)
    if mark.format != FORMAT:
        raise RecordingError(path, "not a recording of patchdeck", 1)
    if mark.version != VERSION:
        by = f"patchdeck {mark.patchdeck}".strip()
        raise RecordingError(path, f"a recording of form {mark.version} by {by}; this one reads form {VERSION}", 1)
    return lines.checked(partial(decode_header, first))


def goes_wrong(before: Moment, after: Moment) -> bool:
    """Whether something is worse than it was: the connection, the checks, a query, errors of a new kind."""
    if not isinstance(after.connection, (Connecting, Connected)) and isinstance(
        before.connection, (Connecting, Connected)
    ):
        return True
    if after.notice is not None and before.notice is None:
        return True
    if _failing(after) > _failing(before):
        return True
    return before.errors is not None and bool(_kinds(after) - _kinds(before))


def _failing(moment: Moment) -> int:
    return moment.look.verdict.failed if moment.look else 0


def _kinds(moment: Moment) -> frozenset[str]:
    return frozenset(group.fingerprint for group in moment.errors.groups) if moment.errors else frozenset()
