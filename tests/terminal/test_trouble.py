"""The open dashboard while its server, its pooler or its network is away: never gone, never wrong about how old it is.

"Within 1.5 s" is counted from the moment in which the server, the pooler or the network is there again.
"""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median

import pytest

from tests.faults.rig import Rig, rig
from tests.support import Database
from tests.terminal.opened import opened
from tests.terminal.pty_session import PtySession
from tests.terminal.wire import Wire

BACK = 1.5
"""Seconds after which there is data again; of many times the middle one, as these machines have other things to do."""
AT_MOST = 4.0
NOTICED = 9.5
"""Seconds of silence after which what is shown has to be called old: three ticks of 2 s, one, and a redrawing."""
AWAY = float(os.environ.get("PATCHDECK_TEST_AWAY", "10"))
"""Seconds that the network is away: by default as long as the tries need to reach their slowest pace."""
RESTARTS = 10
FRAME_BEGINS, FRAME_ENDS = b"\x1b[?2026h", b"\x1b[?2026l"


@pytest.fixture(scope="module")
def server() -> Iterator[Rig]:
    with rig() as made:
        yield made


@pytest.fixture(scope="module")
def pooled() -> Iterator[Rig]:
    with rig(pooled=True) as made:
        yield made


class Watched:
    """A dashboard behind a wire, whose every picture is held against what is known of the wire's far end."""

    def __init__(self, running: PtySession, wire: Wire) -> None:
        self.running, self.wire = running, wire
        self._answered = time.monotonic()
        self._away = False

    def away(self) -> None:
        """From now on nothing answers."""
        self._away, self._answered = True, time.monotonic()

    def back(self) -> None:
        """From now on something answers again."""
        self._away = False

    def until(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Watch until the condition holds. No picture on the way may call old data new."""

        def honest() -> bool:
            written, screen = self.running.written, self.running.screen()
            if written.rfind(FRAME_ENDS) < written.rfind(FRAME_BEGINS) or not screen.startswith(" patchdeck"):
                # Half a frame, or another screen lies over it.
                return condition()
            silent = time.monotonic() - self._answered
            if self._away and silent > NOTICED:
                assert "UNREACHABLE" in screen or re.search(r"\d+ (s|min) old ", screen), screen
            if "UNREACHABLE" in screen:
                assert not re.search(r"[✓!✗] (NOT )?(APPLIED|PARTIAL|DRIFTED)", screen), screen
            return condition()

        self.running.wait_until(honest, timeout, what)

    def fresh(self) -> bool:
        """Whether the screen says that all is well, and that it is now."""
        screen = self.running.screen()
        return "✓ APPLIED" in screen and " old " not in screen and "UNREACHABLE" not in screen

    def data_again(self, since: float) -> float:
        """Seconds from `since` until the screen has data again."""
        self._away = False
        self.until(self.fresh, 20.0, "data again")
        return time.monotonic() - since


@contextmanager
def watched(there: Rig, database: Database, size: tuple[int, int] = (120, 40)) -> Iterator[Watched]:
    """The dashboard on the rig's database, through a wire."""
    port = there.port
    with Wire("127.0.0.1", port) as wire:
        dsn = re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{wire.port}", database.dsn)
        with opened(dsn, *size) as running:
            made = Watched(running, wire)
            made.until(made.fresh, 30.0, "the first data")
            running.wait_for("workflows ")
            running.wait_until(lambda: "patchdeck panels" in wire.applications(), what="the first tick")
            running.pump(0.5)
            yield made
            running.send("q")
            assert running.wait_exit()[0] == 0


def lost(made: Watched) -> Callable[[], bool]:
    return lambda: "UNREACHABLE" in made.running.screen()


def while_watched(made: Watched, happen: Callable[[], None]) -> None:
    """Let something slow happen, and read what the dashboard writes meanwhile."""
    thread = threading.Thread(target=happen)
    thread.start()
    made.until(lambda: not thread.is_alive(), 60.0, "the end of it")
    thread.join()


def test_the_server_is_restarted_ten_times_in_a_row(server: Rig) -> None:
    with watched(server, server.make_database("applied")) as made:
        took = []
        for number in range(RESTARTS):
            begin = len(made.running.written)
            made.away()
            while_watched(made, lambda how=(signal.SIGINT, signal.SIGQUIT)[number % 2]: server.restart(how))  # type: ignore[misc]
            made.wire.lead_to(server.port)
            since = time.monotonic()
            made.until(lambda begin=begin: b"UNREACHABLE" in made.running.written[begin:], 20.0, "the loss")  # type: ignore[misc]
            took.append(made.data_again(since))
        print("data again after", " ".join(f"{seconds:.2f}" for seconds in took), "s")
        assert median(took) < BACK
        assert max(took) < AT_MOST


def test_the_pooler_is_killed_and_started_again(pooled: Rig) -> None:
    with watched(pooled, pooled.make_database("applied")) as made:
        took = []
        for _ in range(3):
            made.away()
            while_watched(made, pooled.kill_pooler)
            made.wire.lead_to(pooled.port)
            since = time.monotonic()
            made.until(lost(made), 20.0, "the loss")
            took.append(made.data_again(since))
        print("data again after", " ".join(f"{seconds:.2f}" for seconds in took), "s")
        assert median(took) < BACK
        assert max(took) < AT_MOST


@pytest.mark.parametrize(("how", "size"), [("cut", (80, 24)), ("silent", (120, 40))], ids=["cut", "silent"])
def test_the_network_is_away(server: Rig, how: str, size: tuple[int, int]) -> None:
    with watched(server, server.make_database("applied"), size) as made:
        row = made.running.line("workflows ")
        before = made.running.cells(row)
        made.away()
        begun = time.monotonic()
        made.wire.cut() if how == "cut" else made.wire.silence()
        made.until(lambda: time.monotonic() - begun > AWAY, AWAY + 5, "the time to pass")
        screen = made.running.screen()
        told = re.search(r"(\d+) (s|min) old ", screen)
        assert told, screen
        assert AWAY - 4 <= int(told[1]) * (60 if told[2] == "min" else 1) <= AWAY + 4, screen
        if how == "cut" or AWAY > 20:
            assert "UNREACHABLE" in screen
            assert size[0] < 110 or re.search(r"try \d+, (next try in 1 s|trying now)", screen), screen
            assert re.search(r"✗ (server closed|could not|[Cc]onnection|no answer)", screen), "the reason"
            assert "every check holds" not in screen, "that was so, and is not known any more"
        assert {cell.fg for cell in made.running.cells(row)} != {cell.fg for cell in before}, "greyed"
        made.running.send("?")
        made.until(lambda: "─ Keys ─" in made.running.screen(), 5.0, "keys that answer")
        made.running.send("\x1b")
        made.until(lambda: "─ Keys ─" not in made.running.screen(), 5.0, "keys that answer")
        made.wire.mend()
        took = made.data_again(time.monotonic())
        print(f"{how} for {AWAY:g} s: data again after {took:.2f} s")
        assert took < AT_MOST
        made.running.wait_until(lambda: made.running.cells(row) == before, what="rows as before")
