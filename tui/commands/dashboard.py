"""The command without a name: the dashboard, where there is a terminal to draw it on."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tui.commands.secrets import warn_of_secrets
from tui.config import named, preferences
from tui.core.config import ThemeName
from tui.core.deck import Problem
from tui.exits import Exit, Stop
from tui.options import Options
from tui.output import Output

if TYPE_CHECKING:
    from tui.app import Settings
    from tui.commands.first_look import FirstLook
    from tui.config import NamedTarget
    from tui.core.bundle import Bundle
    from tui.db.session import Session

SETTLED = 1.0
"""Seconds after which the bundle's scripts are split: by then the first answers are on the screen."""


def dashboard(options: Options, first: FirstLook | None, record: Path | None = None) -> int:
    """Open the dashboard and return its exit code. `first`: its first look, None for one of its own; `record`: a new
    file to keep a recording in, which begins without another's look.

    Raises Stop where no terminal can show it, or the file can not be made, and what `open_session` raises.
    """
    refuse_without_terminal("patchdeck --plain, patchdeck status")
    out = Output(ascii_only=options.ascii)
    chosen = named(options)
    warn_of_secrets(options, out)
    settings = _settings(chosen, options, out)
    # A command that gives the password may ask on this very terminal.
    if first is None or (chosen is not None and chosen.settings.password_command is not None):
        return _in_order(options, settings, out, record)
    from tui.app import run_dashboard

    opening = _Opening(options, chosen, first)
    code = run_dashboard(opening.deck, settings)
    if opening.error is not None:
        raise opening.error
    return _in_order(options, settings, out) if opening.line_needed else code


def _in_order(options: Options, settings: Settings, out: Output, record: Path | None = None) -> int:
    """The bundle first, then the password, then the screen."""
    from tui.app import run_dashboard
    from tui.commands.recording import recorded
    from tui.commands.session import ask, open_session
    from tui.core.bundle import check_scripts

    session = open_session(options, by_record=True)
    check_scripts(session.bundle)
    # Once the screen is drawn there is no line left to type a password on. What else keeps it from connecting is the
    # dashboard's to show.
    with suppress(Problem):
        ask(session, lambda session: session.sign_in())
    with recorded(record, session, settings.pace, out) as recorder:
        return run_dashboard(session, settings, recorder)


def _settings(chosen: NamedTarget | None, options: Options, out: Output) -> Settings:
    from tui.app import Settings
    from tui.pace import Pace

    refresh = chosen.settings.refresh if chosen else None
    pace = Pace() if refresh is None else Pace(refresh=refresh)
    theme, keys = chosen_looks()
    return Settings(pace=pace, ascii=out.ascii, mouse=options.mouse, theme=theme, keys=keys)


class _Opening:
    """Opens the session once the frames of the dashboard are on the screen.

    `error` keeps why that can not be done, to be said when the screen is gone; `line_needed`: a password may have to be
    typed, for which the screen has to go, too.
    """

    def __init__(self, options: Options, chosen: NamedTarget | None, first: FirstLook) -> None:
        self._options, self._chosen, self._first = options, chosen, first
        self.error: Exception | None = None
        self.line_needed = False

    async def deck(self, leave: Callable[[], None]) -> Session | None:
        """The session; None when there is something to be said or to be typed first. `leave` when there is later on."""
        from tui.core.bundle import BundleError
        from tui.core.config import ConfigError

        try:
            session = await self._session()
        except (Stop, BundleError, ConfigError) as error:
            self.error = error
            return None
        self.line_needed = session.needs_line
        if self.line_needed:
            return None
        asyncio.get_running_loop().call_later(SETTLED, self._check_scripts, session.bundle, leave)
        return session

    async def _session(self) -> Session:
        """On the target of the first look; where that could not begin, raises why, as `open_session` does."""
        from tui.commands.session import chosen_bundle, open_session
        from tui.db.session import Session

        bundle = chosen_bundle(self._options, self._chosen, scripts=False)
        target = await self._first.target()
        if target is None:
            return open_session(self._options, by_record=True)
        return Session(target, bundle, by_record=True, foreseen=self._first.look)

    def _check_scripts(self, bundle: Bundle, leave: Callable[[], None]) -> None:
        """What the bundle would run, which nothing needs that is shown at first."""
        from tui.core.bundle import BundleError, check_scripts

        try:
            check_scripts(bundle)
        except BundleError as error:
            self.error = error
            leave()


def chosen_looks() -> tuple[ThemeName, Mapping[str, str]]:
    """The theme to begin with, and the keys that a person chose by the action's id. Raises ConfigError."""
    wanted = preferences()
    from tui.theme import suited

    keys: Mapping[str, str] = {}
    if wanted.keys:
        # Every screen is loaded to compare keys with: the walkthrough's are many, and most people choose none.
        from tui.keymap import keymap

        keys = keymap(wanted.keys)
    return suited(wanted.theme, os.environ), keys


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
