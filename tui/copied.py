"""What is copied and is more than a terminal takes for its clipboard: kept in a file instead."""

from __future__ import annotations

from pathlib import Path

from platformdirs import user_state_path

from tui.report_files import write_private

TERMINAL_LIMIT = 74_994
"""Bytes. A hundred thousand characters of base64 (OSC 52) is what terminals and multiplexers commonly take; of more
they keep nothing, and say nothing.
"""


def kept_instead(text: str) -> Path | None:
    """The file that `text` was written to, readable by its owner only, in the place of the last one; None when it is
    short enough for a terminal's clipboard. Raises OSError when it can not be written.
    """
    if len(text.encode()) <= TERMINAL_LIMIT:
        return None
    folder = user_state_path("patchdeck")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / "copied.txt"
    write_private(path, text)
    return path
