"""The hostile text campaign: 500 texts in every place that a text can come from, on a real terminal.

No crash, no byte that acts on the terminal but our own sequences, and nothing lost from where things are read in full.
"""

from __future__ import annotations

import base64
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.terminal.hostile import long_texts, texts
from tests.terminal.hostile_standin import BATCHES, NUMBER
from tests.terminal.pty_session import CONTROL_SEQUENCE, PtySession, without_sequences
from tests.ui.support import NOON, ScriptedDeck
from tui.core.check import Check
from tui.core.panels import ErrorGroup, Execution
from tui.core.text import glyphs, visible
from tui.db.target import TargetError, resolve
from tui.screens.context import Context
from tui.screens.detail import pair_lines, pair_text
from tui.screens.error_detail import ErrorDetail
from tui.screens.execution_detail import ExecutionDetail
from tui.store import Store
from tui.widgets.lines import Line
from tui.widgets.pair import WHOLE

OURS = re.compile(
    rb"\x1b\[[0-9;]*[mHhlABCDJK]|\x1b\[\?[0-9;]+[hl]|\x1b\[\?20(?:26|48)\$p|\x1b\]22;default\x07|\x1b\[[<>=]?[0-9;]*u|\x1b\[\?u|\x1b\[c|\x1b\[6n"
    rb"|\x1b\[>[0-9;]*[mq]|\x1b\[[0-9;]*t|\x1b[=>78]|\x1bP\+q[0-9a-f;]*\x1b\\"
)
"""What Textual's driver sends to draw and to leave; anything else came out of a text."""
HARMFUL = re.compile("[\0-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
COPIED = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07")
ALL = (*texts(NUMBER), *long_texts())
CONTEXT = Context(
    deck=ScriptedDeck(),
    store=Store(lambda _: None),
    glyphs=glyphs(False),
    now=lambda: NOON,
    monotonic=lambda: 0.0,
    refresh=1.0,
    look_every=1.0,
    window=900,
    read_only=False,
)


@contextmanager
def opened(control: Path, columns: int, rows: int) -> Iterator[PtySession]:
    control.write_text("0")
    command = [sys.executable, "-m", "tests.terminal.hostile_standin", str(control)]
    with PtySession(command, columns=columns, rows=rows, environment={"PYTHONPATH": str(ROOT)}) as running:
        running.wait_until(lambda: b"? Help" in CONTROL_SEQUENCE.sub(b"", bytes(running.written)), what="a painting")
        yield running


def serve(running: PtySession, control: Path, word: str, sign: str) -> None:
    """The next batch, until its sign is drawn."""
    part = control.with_suffix(".part")
    part.write_text(word)
    part.replace(control)
    # What stays as it is, is not sent again: a sign is seen, not sent. Cell by cell: where pyte takes a character for
    # wider than it was drawn, its screen can not be had as text.
    running.wait_until(
        lambda: any(sign in "".join(cell.data for cell in running.cells(line)) for line in range(running.rows)),
        what=f"{sign!r}",
    )


def assert_tame(written: bytes) -> None:
    """Nothing but our own sequences and text that only shows."""
    for number, copied in enumerate(COPIED.findall(written)):
        assert not HARMFUL.search(base64.b64decode(copied).decode()), f"copy {number}"
    rest = COPIED.sub(b"", written)
    foreign = {one for one in CONTROL_SEQUENCE.findall(rest) if not OURS.fullmatch(one)}
    assert not foreign
    text = without_sequences(rest).decode()
    assert not HARMFUL.findall(text)


@pytest.mark.parametrize(("columns", "rows"), [(120, 40), (80, 24)])
def test_in_every_list_of_the_dashboard(tmp_path: Path, columns: int, rows: int) -> None:
    control = tmp_path / "batch"
    with opened(control, columns, rows) as running:
        running.send("2")
        for number in range(len(BATCHES)):
            serve(running, control, str(number), f"batch-{number}.")
            running.send("3")
            running.pump(0.1)
            running.send("1")
            running.pump(0.1)
            running.send("2")
        serve(running, control, "lost", "UNREACHABLE")
        running.send("q")
        assert running.wait_exit()[0] == 0
        assert_tame(bytes(running.written))
        assert b"\\x1b]52" in running.written


def test_where_they_are_read_in_full_and_copied(tmp_path: Path) -> None:
    control = tmp_path / "batch"
    with opened(control, 120, 40) as running:
        running.wait_until(lambda: b"batch-0." in running.written, what="rows")
        for keys in ("2", "g", "\r"):
            running.send(keys)
            running.pump(0.3)
        running.wait_for("message")
        for number, batch in enumerate(BATCHES):
            if number:
                serve(running, control, str(number), f"batch-{number}.")
            running.send("Gy")
            ends = (batch[-1][-4:].encode(), b" more)")
            running.wait_until(lambda ends=ends: any(end in running.written for end in ends), what=f"{ends}")  # type: ignore[misc]
            running.send("g")
        for keys in ("\x1b", "3", "g", "\r", "y", "\x1b", "1", "g", "\r", "y"):
            running.send(keys)
            # A key on the heels of an escape would be taken for the end of a sequence.
            running.pump(1.0 if keys == "\x1b" else 0.3)
        for _ in range(25):
            running.send("jy")
            running.pump(0.05)
        running.send("\x11")
        assert running.wait_exit()[0] == 0
        assert_tame(bytes(running.written))
        assert COPIED.search(running.written)


def test_in_a_walkthrough(tmp_path: Path) -> None:
    with opened(tmp_path / "batch", 120, 40) as running:
        running.wait_until(lambda: b"batch-0." in running.written, what="rows")
        for keys, sign in (("a", b"1 Target"), ("n", b"h0001"), ("n", b"What is dropped"), ("n", b"4 Rehearsal")):
            running.send(keys)
            running.wait_until(lambda sign=sign: sign in running.written, what=f"{sign!r}")  # type: ignore[misc]
            running.send("G")
            running.pump(0.3)
        running.send("\r")
        running.wait_until(lambda: b"42P01" in running.written, what="the failure")
        for keys in ("G", "g", "s", "G", "\x1b", "p", "p", "n"):
            running.send(keys)
            running.pump(0.3)
        running.kill(15)
        assert running.wait_exit()[0] == 143
        assert_tame(bytes(running.written))


def plain(lines: Iterable[Line]) -> str:
    """The text of lines without blanks, which wrapping moves."""
    return re.sub(r"\s", "", "".join(text for one in lines for text, _ in one.spans))


def whole(text: str, *, newlines: bool = True) -> str:
    """The text as it has to be there: all of it; of more than 100 kB the beginning and how much is missing."""
    return re.sub(r"\s", "", visible(text, limit=WHOLE, newlines=newlines))


def test_nothing_is_lost_from_the_details() -> None:
    cells = 56
    marks = glyphs(False)
    for text in ALL:
        run = Execution(text, text, text, text, text, NOON, 5.0, text)
        shown = plain(ExecutionDetail(CONTEXT, run).lines(cells))
        assert shown.count(whole(text, newlines=False)) >= 4 and whole(text) in shown, text[:200]
        shown = plain(ErrorDetail(CONTEXT, ErrorGroup("f", text, text, 1, NOON)).lines(cells))
        assert whole(text, newlines=False) in shown and whole(text) in shown, text[:200]
        found = (
            Check("structure", "policy", "public.a", text, "differs", text, text + " or true", ""),
            Check("structure", "policy", "public.a", text, "unexpected", "", text, text),
            Check("structure", "policy", "public.a", text, "missing", text, "", text),
        )
        for check in found[: 1 if len(text) > 50_000 else 3]:
            shown = plain(pair_lines(check, cells, marks, beside=False, calm=False))
            assert whole(text) in shown, text[:200]
            copied = pair_text(check)
            assert visible(text, limit=WHOLE, newlines=True) in copied
            assert not HARMFUL.search(copied)
            assert len(copied.split("\n-- ")[0].splitlines()) == 1, "a name ends no comment"


def test_as_parts_of_a_dsn() -> None:
    for text in texts(NUMBER):
        for key in ("host", "dbname", "user", "password", "sslmode", "nonsense"):
            value = text.replace("\\", "\\\\").replace("'", "\\'")
            for dsn in (f"{key}='{value}'", f"postgresql://{text}@{text}:5432/{text}?{key}={text}"):
                try:
                    place = resolve(dsn, environ={}).destination
                except TargetError as error:
                    assert not HARMFUL.search(str(error)), dsn
                    continue
                except (UnicodeEncodeError, ValueError):
                    raise AssertionError(f"{dsn!r} is refused by no word of ours") from None
                assert not HARMFUL.search(f"{place.name}{place.host}{place.database}{place.user}"), dsn
