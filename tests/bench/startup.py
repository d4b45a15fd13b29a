"""How soon the dashboard is painted and has data, against a bare Textual hello in the same run:
`python -m tests.bench.startup DSN`.

Rounds alternate, so that a busy machine slows all alike; medians of seconds since the process was started, and their
ratios to the hello. `patchdeck demo --serve` gives a DSN. Goals: painted at 1.35, data at 2.0.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from statistics import median
from time import monotonic

from tests.terminal.pty_session import PtySession

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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dsn")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    hellos, painted, told = [], [], []
    for _ in range(options.rounds):
        hellos += moments([sys.executable, "-c", HELLO], [b"hello"])
        paint, data = moments([sys.executable, "-m", "tui", "--dsn", options.dsn], [b"Checklist", b" hold"])
        painted.append(paint)
        told.append(data)
    hello = median(hellos)
    print(f"hello painted  {hello:.2f} s")
    print(f"first paint    {median(painted):.2f} s  {median(painted) / hello:.2f}x")
    print(f"first data     {median(told):.2f} s  {median(told) / hello:.2f}x")


if __name__ == "__main__":
    main()
