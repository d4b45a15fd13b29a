"""The crash file: what is kept of an error nobody foresaw, without locals, arguments or secrets."""

from __future__ import annotations

import os
import platform
import traceback
from datetime import UTC, datetime

import platformdirs

from tui import __version__
from tui.core.text import redact


def record(error: BaseException) -> str:
    """Write `error`'s traceback to a new file of mode 0600 in the user's state folder; its path, or why there is none.

    Only code lines and redacted messages are kept: a local or an argument may hold a password.
    """
    now = datetime.now(UTC)
    versions = f"patchdeck {__version__}, Python {platform.python_version()}, {platform.system()}"
    body = f"{versions}, {now:%Y-%m-%d %H:%M:%SZ}\n\n" + redact("".join(traceback.format_exception(error)))
    folder = platformdirs.user_state_path("patchdeck")
    path = folder / f"crash-{now:%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(body)
    except OSError as failed:
        # A full disk or a missing home must not hide the error itself behind another one.
        return f"no file ({failed.strerror})"
    return str(path)
