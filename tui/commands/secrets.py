"""What is said to whoever puts a secret where others can read it."""

from __future__ import annotations

from tui.core.text import redact
from tui.options import Options
from tui.output import CAREFUL, Output


def warn_of_secrets(options: Options, out: Output) -> None:
    """Warn of a password among the options; the command goes on all the same."""
    if options.dsn is not None and redact(options.dsn) != options.dsn:
        out.notice(
            ("warning: ", CAREFUL),
            "the password in --dsn can be read by every user of this machine (ps); use PGPASSWORD or ~/.pgpass",
        )
