"""Where a command's words go: results to standard output, progress and notices to standard error."""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

from tui.core.cleaning import clean
from tui.core.text import Glyphs, glyphs, one_line, redact
from tui.exits import Exit, Stop

if TYPE_CHECKING:
    from rich.console import Console

Part = str | tuple[str, str]
"""A piece of a line: text, or text and a style."""

GOOD, BAD, CAREFUL, LIVE, DIM = "green", "red", "yellow", "blue", "dim"
"""Colour means something or is not there (design: ui, rule 8). ANSI names, so that the terminal's own theme holds."""

JSON_TEXT_LIMIT = 1_000_000


def speaks_utf8(environ: Mapping[str, str]) -> bool:
    """Whether the locale in `environ` is UTF-8. One that says nothing at all counts as UTF-8, as it does for Python.

    Python hides a C locale: it sets LC_CTYPE=C.UTF-8 in its own environment (PEP 538), so LANG=C decides then.
    """
    chosen = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    if chosen == "C.UTF-8" and not environ.get("LC_ALL") and environ.get("LANG") in ("C", "POSIX"):
        return False
    return not chosen or _is_utf8(chosen)


def _is_utf8(name: str) -> bool:
    return "utf8" in name.lower().replace("-", "")


class _Pipe:
    """A text stream that falls silent when its reader has gone: what a run did decides the exit code, not that."""

    def __init__(self, stream: TextIO, *, ascii_only: bool) -> None:
        self._stream: TextIO | None = stream
        self._ascii_only = ascii_only
        self.encoding = stream.encoding or "utf-8"
        self._terminal = stream.isatty()

    def write(self, text: str) -> int:
        """Write and flush. Raises Stop when standard output can not take it for another reason (a full disk)."""
        if self._ascii_only and not text.isascii():
            text = text.replace("…", "...").encode("ascii", "backslashreplace").decode()
        if self._stream is not None:
            try:
                self._stream.write(text)
                self._stream.flush()
            except OSError as error:
                self._fail(error)
        return len(text)

    def flush(self) -> None:
        """Nothing to do: every write is flushed."""

    def isatty(self) -> bool:
        """Whether it was a terminal when it was opened."""
        return self._terminal

    @property
    def silent(self) -> bool:
        """Whether its reader has gone."""
        return self._stream is None

    def _fail(self, error: OSError) -> None:
        stream, self._stream = self._stream, None
        if stream is None:
            return
        # The interpreter flushes once more at its end and would complain there.
        with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123 - a device, not a file
            os.dup2(nowhere.fileno(), stream.fileno())
        if error.errno not in (errno.EPIPE, errno.EIO) and stream is sys.stdout:
            raise Stop(Exit.USAGE, f"standard output can not be written: {error.strerror}") from None


class _Styled:
    """Prints lines of parts, with their styles where somebody sees them: rich is loaded there only."""

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe
        # What rich itself goes by: a terminal, or an environment that says to treat the stream like one.
        self.shows = pipe.isatty() or any(os.environ.get(name) for name in ("FORCE_COLOR", "TTY_COMPATIBLE"))

    @cached_property
    def console(self) -> Console:
        """What knows the terminal and its colours."""
        from rich.console import Console

        # Lines are never wrapped: a pipe has no width, and a terminal wraps by itself without cutting what is copied.
        return Console(file=self._pipe, markup=False, highlight=False, emoji=False, soft_wrap=True)  # type: ignore[arg-type]

    def print(self, parts: Sequence[Part]) -> None:
        """One line."""
        if self.shows:
            from rich.text import Text

            self.console.print(Text.assemble(*parts))
        else:
            self._pipe.write("".join(part if isinstance(part, str) else part[0] for part in parts) + "\n")


class Output:
    """Both streams of a command. `marks` are its glyphs."""

    def __init__(self, *, ascii_only: bool = False, results: TextIO | None = None) -> None:
        """`results` takes the place of standard output, for a command that writes its result to a file."""
        self.ascii = ascii_only or not speaks_utf8(os.environ)
        self.marks: Glyphs = glyphs(self.ascii)
        # A file is read by a program as well as by this terminal: what is written to one stays as it is.
        self._results = _Pipe(results or sys.stdout, ascii_only=self.ascii and results is None)
        self._said = _Pipe(sys.stderr, ascii_only=self.ascii)
        self._out, self._err = _Styled(self._results), _Styled(self._said)

    @property
    def unread(self) -> bool:
        """Whether the reader of standard output has gone: for a command that would go on for nobody."""
        return self._results.silent

    @property
    def live(self) -> bool:
        """Whether standard error is a terminal that can be redrawn."""
        return self._err.shows and self._err.console.is_terminal and not self._err.console.is_dumb_terminal

    @property
    def width(self) -> int:
        """Cells of a line on standard error's terminal."""
        return self._err.console.width

    def line(self, *parts: Part) -> None:
        """One line of the result. Parts hold our own words or text that went through `core.text`."""
        self._out.print(parts)

    def text(self, text: str) -> None:
        """A finished text of the result, as it is."""
        self._results.write(text if text.endswith("\n") else text + "\n")

    def json(self, document: Mapping[str, Any]) -> None:
        """The one JSON object of a command: UTF-8 always, for where the stream is something else it is plain ASCII."""
        self.text(encode(document, ascii_only=self.ascii or not _is_utf8(self._results.encoding)))

    def notice(self, *parts: Part) -> None:
        """One line on standard error."""
        self._err.print(parts)

    def redraw(self, text: str) -> None:
        """Replace the current line of standard error's terminal; does nothing where there is none to redraw."""
        if self.live:
            self._said.write("\r\x1b[K" + text)


def encode(document: Mapping[str, Any], *, ascii_only: bool = False) -> str:
    """`document` as indented JSON: texts cleaned and redacted, times as RFC 3339, seconds to the microsecond."""
    return json.dumps(clean(document, JSON_TEXT_LIMIT), indent=2, ensure_ascii=ascii_only)


def plain(text: str, limit: int = 200) -> str:
    """Outside text for one line of a screen: visible, no line breaks, no secrets, at most `limit` characters."""
    return redact(one_line(text, limit))
