"""The command without a name: the dashboard, where there is a terminal to draw it on."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

from tui.commands.recording import recorded
from tui.commands.session import ask, open_session
from tui.config import named, preferences
from tui.core.deck import Problem
from tui.exits import Exit, Stop
from tui.options import Options
from tui.output import Output


def dashboard(options: Options, record: Path | None = None) -> int:
    """Open the dashboard, `record` a new file to keep a recording in; returns its exit code.

    Raises Stop where no terminal can show it, or the file can not be made.
    """
    refuse_without_terminal("patchdeck --plain, patchdeck status")
    out = Output(ascii_only=options.ascii)
    session = open_session(options, out)
    chosen, wanted = named(options), preferences()
    refresh = chosen.settings.refresh if chosen else None
    # Once the screen is drawn there is no line left to type a password on. What else keeps it from connecting is the
    # dashboard's to show.
    with suppress(Problem):
        ask(session, lambda session: session.sign_in())
    # The screens are the slowest thing to load: everything that can be wrong has been told before.
    from tui.app import Settings, run_dashboard
    from tui.poller import Pace
    from tui.theme import suited

    pace = Pace() if refresh is None else Pace(refresh=refresh)
    with recorded(record, session, pace, out) as recorder:
        settings = Settings(pace=pace, ascii=out.ascii, mouse=options.mouse, theme=suited(wanted.theme, os.environ))
        return run_dashboard(session, settings, recorder)


def refuse_without_terminal(instead: str) -> None:
    """Raise Stop, naming the command `instead`, unless every end is a terminal that can be drawn on.

    Textual itself would write its escape sequences into a pipe, and draw on TERM=dumb (facts: textual 3.5, 4.9). It
    draws on standard error.
    """
    reason = ""
    if not all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)):
        reason = "this is not a terminal"
    elif os.environ.get("TERM", "dumb") in ("dumb", "unknown"):
        reason = f"TERM={os.environ.get('TERM', '')} can not show it"
    if reason:
        raise Stop(Exit.USAGE, f"the dashboard needs a terminal, and {reason}", f"without one there is: {instead}")
