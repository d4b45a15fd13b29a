"""The command that shows a recording again: as the dashboard, or as lines. It asks no database."""

from __future__ import annotations

import math
from pathlib import Path

from tui.commands.dashboard import chosen_looks, refuse_without_terminal
from tui.exits import Exit, Stop
from tui.options import Options
from tui.output import Output
from tui.output import plain as cleaned
from tui.recording.reader import RecordingError, read_recording


def replay(options: Options, file: Path, *, speed: float | None, plain: bool) -> int:
    """Show `file`; `speed`: recorded seconds a second, None: 1. Raises Stop where it can not be read or shown."""
    if speed is not None and math.isnan(speed):
        raise Stop(Exit.USAGE, "--speed takes a number")
    if plain and speed is not None:
        raise Stop(Exit.USAGE, "--plain tells all of a recording at once: leave --speed out")
    if not plain:
        refuse_without_terminal(f"patchdeck replay {cleaned(str(file))} --plain")
    try:
        recording = read_recording(file)
    except RecordingError as error:
        raise Stop(Exit.USAGE, str(error)) from None
    out = Output(ascii_only=options.ascii)
    if plain:
        from tui.commands.plain import plain_replay

        return plain_replay(recording, out)
    theme, keys = chosen_looks()
    from tui.app import Settings
    from tui.recording.app import run_replay

    settings = Settings(ascii=out.ascii, mouse=options.mouse, theme=theme, keys=keys)
    return run_replay(recording, speed=speed or 1.0, settings=settings)
