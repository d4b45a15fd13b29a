"""How soon the dashboard is painted and has data, against a bare Textual hello in the same run:
`python -m tests.bench.startup [DSN]`.

Rounds alternate, so that a busy machine slows all alike; medians of seconds since the process was started, and their
ratios to the hello. Without a DSN a database of its own is made. Goals: painted at 1.35, data at 2.0.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from time import monotonic

from tests.support import DEMO, server_folder
from tests.terminal.pty_session import PtySession
from tui.demo.kept import Kept

HELLO = """
from textual.app import App
from textual.widgets import Static

class Hello(App[None]):
    def compose(self):
        yield Static("hello")

Hello().run()
"""


def moments(command: Sequence[str], marks: Sequence[bytes]) -> list[float]:
    """Seconds until each of `marks` was written."""
    began = monotonic()
    with PtySession(command, columns=120, rows=40) as running:
        found = []
        for mark in marks:
            running.wait_until(lambda mark=mark: mark in running.written, 30, f"{mark!r}")  # type: ignore[misc]
            found.append(monotonic() - began)
        return found


@contextmanager
def database() -> Iterator[str]:
    """The DSN of an applied database of our own."""
    with server_folder() as folder, Kept(DEMO, home=folder) as kept:
        kept.create("bench", "applied")
        yield kept.ready.address.dsn("postgres", "bench")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dsn", nargs="?")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    if options.dsn:
        measure(options.dsn, options.rounds)
    else:
        with database() as dsn:
            measure(dsn, options.rounds)


def measure(dsn: str, rounds: int) -> None:
    """Measure `rounds` times and print the medians."""
    hellos, painted, told = [], [], []
    for _ in range(rounds):
        hellos += moments([sys.executable, "-c", HELLO], [b"hello"])
        paint, data = moments([sys.executable, "-m", "tui", "--dsn", dsn], [b"Checklist", b" hold"])
        painted.append(paint)
        told.append(data)
    for name, seconds in (("hello painted", hellos), ("first paint", painted), ("first data", told)):
        half, best = median(seconds), min(seconds)
        ratios = f"{half / median(hellos):.2f}x  fastest {best:.2f} s  {best / min(hellos):.2f}x"
        print(f"{name:<14} {half:.2f} s  {ratios}")


if __name__ == "__main__":
    main()
