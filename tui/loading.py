"""Loading undisturbed: Python's search for garbage looks again and again through what is only being loaded.

It would take a tenth of the time until the dashboard shows data (measured), and find nothing.
"""

from __future__ import annotations

import atexit
import gc

SELDOM = 50_000
"""New objects before they are looked through, where Python's own limit is some hundreds."""

_usual = gc.get_threshold()

# What is there at the end ends with the process. Python would look through it three times first: as long as psql takes.
atexit.register(gc.freeze)


def begin() -> None:
    """Look for garbage seldom from now on."""
    gc.set_threshold(SELDOM, *_usual[1:])


def end() -> None:
    """Look for it as usual again, but not among what is there by now: that stays."""
    gc.freeze()
    gc.set_threshold(*_usual)
