"""Begin a recording for the command that was asked for one, and say afterwards how it ended."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tui import __version__
from tui.core.deck import Deck
from tui.exits import Exit, Stop
from tui.output import CAREFUL, Output, plain

if TYPE_CHECKING:
    from tui.pace import Pace
    from tui.recording.recorder import Recorder


@contextmanager
def recorded(path: Path | None, deck: Deck, pace: Pace, out: Output) -> Iterator[Recorder | None]:
    """A recorder into a new file `path`, ended in good order; None without a path.

    Raises Stop when the file is already there or can not be made.
    """
    if path is None:
        yield None
        return
    from tui.recording.form import Contents, header
    from tui.recording.recorder import Recorder

    try:
        recorder = Recorder(path, time.monotonic)
    except FileExistsError:
        raise Stop(Exit.USAGE, f"{path} is already there, and nothing is overwritten", "name another FILE") from None
    except OSError as error:
        raise Stop(Exit.USAGE, f"{path} can not be written: {error.strerror}") from None
    head = header(
        deck.bundle, deck.destination, patchdeck=__version__, began=recorder.began,
        refresh=pace.refresh, look_every=pace.look_every, window=pace.window,
    )  # fmt: skip
    recorder.begin(head, Contents(deck.bundle.manifest, deck.bundle.expectation))
    if recorder.trouble:
        path.unlink(missing_ok=True)
        raise Stop(Exit.USAGE, f"{path} can not be written: {recorder.trouble}")
    try:
        yield recorder
    finally:
        recorder.close()
        if recorder.trouble:
            out.notice(("patchdeck: ", CAREFUL), f"the recording ended early: {plain(recorder.trouble)}")
        out.notice(f"patchdeck: recorded; patchdeck replay {plain(str(path), 500)}")
