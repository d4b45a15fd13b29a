"""The Textual app: wires the store to the screens, owns keys that work everywhere, signals and failures."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from rich.cells import cell_len
from rich.segment import Segment, Segments
from textual.app import App
from textual.binding import ActiveBinding, Binding, BindingType
from textual.color import Color
from textual.filter import LineFilter
from textual.screen import Screen
from textual.widget import Widget
from textual.worker import Worker, WorkerState

from tui import loading
from tui.core.text import duration, glyphs, one_line, redact, strip_controls
from tui.exits import Exit
from tui.frames import Frames
from tui.loop import meanwhile, run
from tui.pace import Pace
from tui.screens.opening import Opening
from tui.terminal import TerminalDriver
from tui.theme import DARK, themes
from tui.widgets.lines import Groups, Lines

if TYPE_CHECKING:
    from rich.console import RenderableType

    # The first paint waits for nothing that knows of databases: what shows one is loaded after it.
    from tui.core.config import ThemeName
    from tui.core.deck import Deck
    from tui.recording.recorder import Recorder
    from tui.screens.base import DeckScreen, WalkRequested
    from tui.screens.dashboard import Dashboard
    from tui.screens.scopes import ScopeChosen
    from tui.store import Changed, Store

Opener = Callable[[Callable[[], None]], Awaitable["Deck | None"]]
"""Gives the deck once the first frame is on the screen; None where there is none to be had, and the app ends. It is
given what ends the app also later.
"""

TTY_CHECK_SECONDS = 5.0
LOADED_SECONDS = 2.0
"""By then what the dashboard keeps for good is there."""
CLOSE_SECONDS = 0.3
"""How long leaving waits for the connections: the terminal is given back within half a second of a signal."""
FURNITURE = (
    "tui.widgets.band",
    "tui.screens.base",
    "tui.screens.titled",
    "tui.widgets.panel",
    "tui.widgets.checklist",
    "tui.widgets.body",
    "tui.screens.context",
    "tui.screens.dashboard",
)
"""What the dashboard is made of, in pieces between which a server's word is heard."""
LEAVE_TOOLTIP = "Leave; nothing is changed by leaving"
PLAIN = {"…": "~", "·": "-", "–": "-", "×": "x", "⏎": "/", "↑": "^", "↓": "v", "←": "<", "→": ">"}
"""Our own signs for a terminal that knows ASCII only; any other is a question mark."""
EXIT_CODES = {signal.SIGHUP: 129, signal.SIGINT: 130, signal.SIGTERM: 143}


class Settings(msgspec.Struct, frozen=True):
    """How the dashboard behaves; times in seconds."""

    pace: Pace = msgspec.field(default_factory=Pace)
    ascii: bool = False
    mouse: bool = True
    read_only: bool = False
    theme: ThemeName = DARK
    keys: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Keys that a person chose, by the action's id (tui.keymap)."""


class Clock(msgspec.Struct, frozen=True):
    """Where time and chance come from."""

    now: Callable[[], datetime] = datetime.now
    monotonic: Callable[[], float] = time.monotonic
    jitter: Callable[[], float] = random.random


class LastDoor(LineFilter):
    """The last door before the terminal: no control character of a text passes, whoever forgot to clean it.

    With `only_ascii` nothing passes that a terminal without Unicode could not show. Widths stay as they are.
    """

    def __init__(self, only_ascii: bool) -> None:
        super().__init__()
        self._only_ascii = only_ascii

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments as they may leave."""
        return [
            one
            if one.control or (one.text.isascii() and one.text.isprintable())
            else one._replace(text=self._tamed(one.text))
            for one in segments
        ]

    def _tamed(self, text: str) -> str:
        text = strip_controls(text)
        if not self._only_ascii or text.isascii():
            return text
        return "".join(one if one.isascii() else PLAIN.get(one, "?" * cell_len(one)) for one in text)


class PatchdeckApp(App[None]):
    """The dashboard on one deck."""

    CSS_PATH = Path(__file__).with_name("app.tcss")
    TITLE = "patchdeck"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+z", "suspend_process", "Suspend", show=False),
        Binding("ctrl+q", "quit", "Quit", show=False, priority=True, tooltip=LEAVE_TOOLTIP),
    ]

    OFF: ClassVar[str] = ""
    """Why nothing can be asked of the database or changed in it, "" where it can."""

    deck: Deck
    store: Store
    _dashboard: Dashboard

    def __init__(
        self,
        deck: Deck | Opener,
        settings: Settings | None = None,
        clock: Clock | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        """With an `Opener` for the deck the first frame is painted before it is asked."""
        # NO_COLOR: Textual's own answer is greys; only its ansi mode sends no colour at all (facts: textual 4.9).
        super().__init__(driver_class=TerminalDriver, ansi_color=True if "NO_COLOR" in os.environ else None)
        self.settings = settings or Settings()
        self.clock = clock or Clock()
        self._recorder = recorder
        self.glyphs = glyphs(self.settings.ascii)
        self.animation_level = "none"
        self._last_door = LastDoor(self.settings.ascii)
        self._frames = Frames()
        for theme in themes():
            self.register_theme(theme)
        self.theme = self.settings.theme
        self.set_keymap(dict(self.settings.keys))
        self.asking = self.furnished = False
        """Whether there is a deck to ask, and whether there is a dashboard on it."""
        self._drawn = asyncio.Event()
        """Set once an answer of the database is on the screen."""
        self._opener = deck if callable(deck) else None
        if not callable(deck):
            self._take(deck)
            self._furnish()

    def _take(self, deck: Deck) -> None:
        """What asks `deck` and keeps its answers."""
        from tui.poller import Poller
        from tui.prover import Prover
        from tui.store import Store

        self.deck, self.asking = deck, True
        self.store = Store(self.post_message)
        self._poller = Poller(
            deck, self.store, self.settings.pace, self.clock.monotonic, self.clock.jitter, self._drawn.wait
        )
        self._prover = Prover(deck, self.store, self.clock.monotonic)

    def _furnish(self) -> None:
        """What shows the store."""
        from tui.screens.context import Context
        from tui.screens.dashboard import Dashboard

        deck = self.deck
        self._dashboard = Dashboard(
            Context(
                deck=deck,
                store=self.store,
                glyphs=self.glyphs,
                now=self.clock.now,
                monotonic=self.clock.monotonic,
                refresh=self.settings.pace.refresh,
                look_every=self.settings.pace.look_every,
                window=self.settings.pace.window,
                read_only=self.settings.read_only or deck.destination.read_only,
                off=self.OFF,
                badge=self.badge,
            )
        )
        self.furnished = True

    def get_default_screen(self) -> Screen[None]:
        """The dashboard is the first thing painted, before any answer of the database; before that, its frames."""
        return self._dashboard if self.furnished else Opening(only_ascii=self.settings.ascii)

    def badge(self) -> Groups:
        """What the title says beside the connection: whether a recording is made."""
        if self._recorder is None:
            return ()
        return ((("rec ", "live"),),) if self._recorder.going else ((("rec ended ", "bad"),),)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """Textual's filters, and the last door."""
        return (*super().get_line_filters(), self._last_door)

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Textual's, with only the cells that differ."""
        super()._display(screen, self._frames.thrifty(renderable))

    def get_loading_widget(self) -> Widget:
        """Nothing that moves: Textual's indicator sends 51 kB/s (facts: textual 3.3)."""
        return Lines()

    def on_mount(self) -> None:
        """Start asking, and be ready to be told to stop."""
        self.set_class(self.settings.ascii, "-ascii")
        self.set_interval(1.0, self._tick)
        self.set_interval(TTY_CHECK_SECONDS, self._check_terminal)
        self.set_timer(LOADED_SECONDS, loading.end)
        self.app_resume_signal.subscribe(self, lambda _: self.screen.refresh(layout=True))
        loop = asyncio.get_running_loop()
        for number, code in EXIT_CODES.items():
            with suppress(RuntimeError, ValueError):  # not the main thread: signals are somebody else's
                loop.add_signal_handler(number, self._leave, code)
        if self.furnished:
            self._start_polling()
        else:
            self.call_after_refresh(self._open)

    async def _open(self) -> None:
        """Get the deck, begin to ask it, and load what shows the answers while they are on their way."""
        deck = await self._opener(self.exit) if self._opener is not None else None
        if deck is None:
            self.exit()
            return
        self._take(deck)
        self._start_polling()
        await meanwhile(FURNITURE)
        self._furnish()
        # Over the frames, which nobody sees again: to switch modes Textual reads all styles anew and holds frames back.
        await self.push_screen(self._dashboard)
        if self.store.look is not None:
            self.call_after_refresh(self._drawn.set)

    def on_changed(self, message: Changed) -> None:
        """Tell every screen, also those beneath: what is uncovered is up to date."""
        message.stop()
        parts = self.store.take()
        self._keep()
        for screen in self._deck_screens():
            screen.changed(parts)
        if self.furnished:
            self.call_after_refresh(self._drawn.set)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A worker that failed is neither silent nor the end of the app."""
        if event.state is not WorkerState.ERROR or event.worker.error is None:
            return
        error = event.worker.error
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        from tui.crash import record
        from tui.store import Notice

        path = record(error)
        text = one_line(redact(f"{type(error).__name__}: {error}"), 200)
        if event.worker.group == "poll":
            self.store.stopped(text, f"r starts again; details: {path}")
        elif event.worker.group == "prove":
            self.store.proof_failed(Notice(text, f"details: {path}"))
        else:
            self.store.tell(Notice(text, f"details: {path}"))

    def on_walk_requested(self, message: WalkRequested) -> None:
        """Open the walkthrough; when it is left the database is looked at again.

        The request is a message, so a second press of its key can be on its way when the first has been answered.
        """
        if self.screen is not self._dashboard:
            return
        from tui.screens.walkthrough import WalkthroughScreen

        screen = WalkthroughScreen(self.deck, message.action, self.store.look, self.glyphs)

        def left(_: object) -> None:
            self._poller.look_now()
            if (proof := screen.walk.proving.answer) is not None:
                now = self.clock.monotonic()
                at = self.store.server_time(now) or proof.taken_at
                self.store.put_proof(proof, now - max(0.0, (at - proof.taken_at).total_seconds()))

        self.push_screen(screen, left)

    def on_scope_chosen(self, message: ScopeChosen) -> None:
        """Let the panels show the rows of one scope, or all."""
        self._poller.narrow(message.scope)
        words = f"panels: {one_line(message.scope.label, 60)} only" if message.scope else "panels: all"
        self._say(f"{words}, when asking goes on" if self.store.paused else words)

    def action_verify(self) -> None:
        """Look at the catalog again, and prove what lies beyond the structure."""
        self._poller.look_now()
        self._prove()
        self._say("verifying: the catalog, the safety lint, the isolation of tenants")

    def action_prove(self) -> None:
        """Prove what lies beyond the structure, unless that is under way."""
        self._prove()

    def action_look(self) -> None:
        """Look at the catalog again, and at what is recorded."""
        self._poller.look_now()
        self._say("looking again")

    def action_compare(self) -> None:
        """Compare the database with what was recorded again."""
        self._poller.compare_now()
        self._say("comparing again")

    def action_locks(self) -> None:
        """Show who holds and who waits for locks."""
        from tui.screens.locks import LocksScreen

        self.push_screen(LocksScreen(self._dashboard.context))

    def copy_to_clipboard(self, text: str) -> None:
        """Copy by way of the terminal (OSC 52), or into a file where that is more than it takes; the file is named."""
        from tui.copied import kept_instead

        try:
            path = kept_instead(text)
        except OSError as error:
            said = f"not copied: {one_line(error.strerror or str(error), 200)}"
        else:
            if path is None:
                super().copy_to_clipboard(text)
                return
            said = f"too long for a terminal's clipboard: in {one_line(str(path), 1000)}"
        # After what the screen says of a copy.
        self.call_after_refresh(lambda: self._say(said))

    def action_retry(self) -> None:
        """Connect again now, whatever was waited for."""
        self._poller.retry_now()
        self._start_polling()

    def action_pause(self) -> None:
        """Stop asking, or go on."""
        self._poller.pause(not self.store.paused)
        self._say(f"paused: {self._key('pause', 'space')} goes on" if self.store.paused else "going on")

    def action_window(self) -> None:
        """Let the panels look back further."""
        words = f"panels: the last {duration(self._poller.next_window())}"
        self._say(f"{words}, when asking goes on" if self.store.paused else words)

    async def action_quit(self) -> None:
        """Leave, unless something goes on that has to be asked about first: ctrl+q works on every screen."""
        if not any(screen.asks_before_quit() for screen in self._deck_screens()):
            words = ""
            if self.furnished:
                from tui.widgets.band import farewell

                words = farewell(self._dashboard.context.band(), self.glyphs)
            self.exit(message=Segments([Segment(f"patchdeck: {words}"), Segment.line()]) if words else None)

    def action_help(self) -> None:
        """Show the keys of the screen beneath."""
        from tui.screens.help import HelpScreen, help_rows

        self.push_screen(HelpScreen(self.store, self.glyphs, help_rows(self.screen.active_bindings.values())))

    def action_help_quit(self) -> None:
        """Ctrl+C does not quit: it is pressed by habit."""
        self._say(f"{self._key('quit', 'q')} quits")

    def action_palette(self) -> None:
        """Offer what can be done now."""
        from tui.screens.base import DeckScreen, key_word
        from tui.screens.palette import Command, Palette

        screen = self.screen
        if not isinstance(screen, DeckScreen):
            return
        own = [one for one in screen.active_bindings.values() if one.node in (screen, self) and one.binding.tooltip]
        # In the order of the bindings, a chosen key before a tab's number; what every screen has comes last.
        own.sort(key=lambda one: (one.binding.action in screen.KEEP, one.binding.id is None))
        first: dict[str, ActiveBinding] = {}
        for one in own:
            first.setdefault(one.binding.action, one)
        commands = [
            Command(one.binding.action, one.binding.description, one.binding.tooltip, key_word(one.binding.key))
            for action, one in first.items()
            if one.enabled and not screen.reason_against(action) and action not in ("app.palette", "quit")
        ]
        commands += [
            Command(f"app.theme('{theme.name}')", f"Theme {theme.name}", "Other colours, the same meaning", "")
            for theme in themes()
            if theme.name != self.theme
        ]

        def run(action: str | None) -> None:
            if action is not None and action.startswith("app.theme("):
                self.call_later(self.run_action, action)
            elif action is not None:
                screen.run_bound(action)

        self.push_screen(Palette(self.glyphs, commands), run)

    def action_theme(self, name: str) -> None:
        """Other colours, the same meaning."""
        self.theme = name

    def _key(self, action: str, usual: str) -> str:
        """The key of an action, as it is written on a keyboard."""
        from tui.screens.base import key_word

        return key_word(self.settings.keys.get(action, usual))

    def _prove(self) -> None:
        if not any(worker.group == "prove" and worker.is_running for worker in self.workers):
            self.run_worker(self._prover.run(), name="prove", group="prove", exit_on_error=False)

    def _start_polling(self) -> None:
        if not any(worker.group == "poll" and worker.is_running for worker in self.workers):
            self.run_worker(self._poller.run(), name="poll", group="poll", exclusive=True, exit_on_error=False)

    def _say(self, text: str) -> None:
        for screen in self._deck_screens():
            if screen is self.screen:
                screen.say(text)

    def _deck_screens(self) -> Iterator[DeckScreen]:
        """Those on the stack that show the store; none any more while the app is being left, which takes them apart."""
        if self.furnished and self.is_running:
            from tui.screens.base import DeckScreen

            yield from (screen for screen in self.screen_stack if isinstance(screen, DeckScreen))

    def _tick(self) -> None:
        self._keep()
        for screen in self._deck_screens():
            screen.tick()

    def _keep(self) -> None:
        """Record what is new; also that answers came which changed nothing: how old things are follows from it."""
        if self._recorder is None or not self._recorder.going:
            return
        from tui.moment import moment_of

        self._recorder.keep(moment_of(self.store))
        if self._recorder.trouble:
            self._say(f"the recording has ended: {self._recorder.trouble}; what is in the file can be replayed")

    def _check_terminal(self) -> None:
        """A terminal that is gone without a signal would leave us spinning (facts: terminal-costs 0.4)."""
        if not self.is_headless and not os.isatty(sys.__stdin__.fileno() if sys.__stdin__ else 0):
            self._leave(EXIT_CODES[signal.SIGHUP])

    def _leave(self, code: int) -> None:
        self.exit(return_code=code)

    def _handle_exception(self, error: Exception) -> None:
        """A defect of ours ends the app with one line and a file, never with locals on the screen: they hold data."""
        self._return_code = Exit.DEFECT
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        from tui.crash import record

        path = record(error)
        text = one_line(redact(f"{type(error).__name__}: {error}"), 300)
        self._exit_renderables.append(
            Segments([Segment(f"patchdeck: a defect in patchdeck: {text}; details: {path}"), Segment.line()])
        )
        self._close_messages_no_wait()


async def _run(deck: Deck | Opener, settings: Settings, recorder: Recorder | None) -> int:
    app = PatchdeckApp(deck, settings, recorder=recorder)
    try:
        await app.run_async(mouse=settings.mouse)
    finally:
        if app.asking:
            with suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await app.deck.close()
    return app.return_code or 0


def run_dashboard(deck: Deck | Opener, settings: Settings, recorder: Recorder | None = None) -> int:
    """Open the dashboard until it is left. Returns the exit code: 0, or 128 + the signal that ended it.

    What has to be loaded for a deck is best left to an `Opener`: the first frame does not wait for it.
    `recorder`: what keeps a recording of it, which stays its maker's to close.
    """
    return in_terminal(lambda: run(_run(deck, settings, recorder)))


def in_terminal(show: Callable[[], int]) -> int:
    """What `show` returns, which draws on this terminal; the code of a hangup when the terminal has gone."""
    for name in ("COLUMNS", "LINES"):
        # Textual takes an exported size for the terminal's and would keep it through every resize.
        os.environ.pop(name, None)
    try:
        return show()
    except OSError as error:
        # The terminal is gone: there is nobody left to tell, and what we wrote to it failed.
        if error.errno != errno.EIO:
            raise
        return EXIT_CODES[signal.SIGHUP]
