"""The dashboard over a recording: the same screens, the recorded time, and keys to move in it."""

from __future__ import annotations

import asyncio
import time
from typing import ClassVar

from msgspec.structs import replace
from textual.binding import Binding, BindingType

from tui.app import Clock, PatchdeckApp, Settings, in_terminal
from tui.core.text import one_line
from tui.moment import moment_of
from tui.pace import Pace
from tui.recording.deck import REPLAYED, ReplayDeck
from tui.recording.player import FASTEST, Player
from tui.recording.reader import Recording
from tui.screens.base import WalkRequested
from tui.screens.dashboard import ASKING
from tui.screens.help import HelpScreen, help_rows
from tui.widgets.lines import Groups, Spans

SLOWEST = 0.125
ASKS = ASKING | {"app.prove", "app.compare", "app.look"}
"""What asks the database, on any screen."""


class ReplayApp(PatchdeckApp):
    """The dashboard on one recording; `player` is where in it."""

    OFF = REPLAYED
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "app.pause", "Pause", show=False, tooltip="Let the recorded time stand still, or go on"),
        Binding("left_square_bracket", "app.skip(-10)", "-10 s", key_display="[", tooltip="10 recorded seconds back"),
        Binding("right_square_bracket", "app.skip(10)", "+10 s", key_display="]", tooltip="10 recorded seconds on"),
        Binding(
            "right_curly_bracket", "app.trouble(1)", "Trouble", key_display="}",
            tooltip="On to where something went wrong next: connection, checks, a query, a new kind of errors",
        ),
        Binding(
            "left_curly_bracket", "app.trouble(-1)", "Trouble before", show=False, key_display="{",
            tooltip="Back to where something went wrong before",
        ),
        # The rows have g and G as well.
        Binding("home", "app.place(0)", "Begin", show=False, priority=True, tooltip="To the recording's beginning"),
        Binding("end", "app.place(1)", "End", show=False, priority=True, tooltip="To the recording's end"),
        Binding("plus", "app.speed(2)", "Faster", show=False, key_display="+", tooltip="Twice as fast"),
        Binding("minus", "app.speed(0.5)", "Slower", show=False, key_display="-", tooltip="Half as fast"),
    ]  # fmt: skip

    def __init__(self, recording: Recording, player: Player, settings: Settings) -> None:
        self.player = player
        deck = ReplayDeck(recording.header, recording.bundle, lambda: moment_of(self.store))
        super().__init__(deck, settings, Clock(now=player.wall, monotonic=lambda: player.position))
        self._was_at_end = False

    def badge(self) -> Groups:
        """That this is not now, when it was, and how far it is."""
        player = self.player
        state = " ended" if player.at_end else "" if player.going else " paused"
        where: Spans = ((f"{_clock(player.position)} of {_clock(player.recording.end)} ", "warn"),)
        speed: Spans = ((f"{self.glyphs.times}{player.speed:g} ", "warn"),)
        return (
            ((f"REPLAY {player.wall():%Y-%m-%d}{state} ", "warn!"),),
            where,
            *([speed] if player.speed != 1 else []),
        )

    def on_walk_requested(self, message: WalkRequested) -> None:
        """There is nothing to walk through."""
        message.stop()
        self._say(REPLAYED)

    def action_pause(self) -> None:
        """Let the recorded time stand still, or go on; at the end, begin again."""
        if self.player.at_end:
            self.player.seek(0)
            self.player.pause(False)
        else:
            self.player.pause(self.player.going)
        self._say("going on" if self.player.going else f"paused: {self._key('pause', 'space')} goes on")
        self._tick()

    def action_skip(self, seconds: float) -> None:
        """So many recorded seconds on, or back."""
        self.player.skip(seconds)
        self._tick()

    def action_place(self, share: float) -> None:
        """To a share of the recording."""
        self.player.seek(share * self.player.recording.end)
        self._tick()

    def action_trouble(self, step: int) -> None:
        """To where something went wrong, next or before."""
        if not self.player.go_trouble(step):
            self._say("nothing goes wrong from here on" if step > 0 else "nothing went wrong before this")
        self._tick()

    def action_speed(self, factor: float) -> None:
        """Faster or slower."""
        self.player.run_at(min(max(self.player.speed * factor, SLOWEST), FASTEST))
        self._tick()

    def action_help(self) -> None:
        """Show the keys of the screen beneath: those of the replay first, none that is off."""
        active = sorted(self.screen.active_bindings.values(), key=lambda one: one.node is not self)
        rows = help_rows(one for one in active if one.binding.action not in ASKS)
        self.push_screen(HelpScreen(self.store, self.glyphs, rows))

    async def action_quit(self) -> None:
        """Leave; what was seen last is no news."""
        self.exit()

    def action_verify(self) -> None:
        """Off."""
        self._say(REPLAYED)

    action_prove = action_compare = action_look = action_retry = action_window = action_verify

    def _start_polling(self) -> None:
        self.run_worker(self.player.play(self.store), name="play", group="poll", exclusive=True, exit_on_error=False)

    def _tick(self) -> None:
        super()._tick()
        if self.player.at_end and not self._was_at_end:
            flaw, again = self.player.recording.flaw, self._key("pause", "space")
            self._say(f"the recording ends here{f': {one_line(flaw, 200)}' if flaw else ''}; {again} begins again")
        self._was_at_end = self.player.at_end


def _clock(seconds: float) -> str:
    """`4:05`, `1:02:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def run_replay(recording: Recording, *, speed: float, settings: Settings) -> int:
    """Show `recording` until it is left, `speed` recorded seconds a second; the pace of `settings` is the recording's.

    Returns the exit code, as a dashboard's.
    """
    header = recording.header
    pace = Pace(refresh=header.refresh, look_every=header.look_every, window=header.window)
    settings = replace(settings, pace=pace, read_only=True)

    async def run() -> int:
        app = ReplayApp(recording, Player(recording, time.monotonic, speed), settings)
        await app.run_async(mouse=settings.mouse)
        return app.return_code or 0

    return in_terminal(lambda: asyncio.run(run()))
