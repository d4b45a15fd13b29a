"""The walkthrough: a full-screen stepper through applying or rolling back; only its sixth step changes anything."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import ClassVar

from msgspec.structs import replace
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import Static
from textual.worker import Worker, WorkerState

from tui.core.deck import Deck
from tui.core.look import Look
from tui.core.run import Action, Phase
from tui.core.text import Glyphs, one_line, redact
from tui.crash import record
from tui.identity import client_host, operator
from tui.screens.base import DeckScreen
from tui.screens.steps.confirm import ConfirmBox, ConfirmStep
from tui.screens.steps.leave import LeaveQuestion
from tui.screens.steps.plan import PlanStep
from tui.screens.steps.preflight import PreflightStep
from tui.screens.steps.rail import band_text, draw_steps, promise_lines
from tui.screens.steps.rehearsal import RehearsalStep
from tui.screens.steps.report import ReportStep
from tui.screens.steps.run import RunStep
from tui.screens.steps.statements import StatementsScreen
from tui.screens.steps.step import Step
from tui.screens.steps.target import TargetStep
from tui.screens.steps.verify import VerifyStep
from tui.screens.steps.walk import Run, Walk
from tui.store import Store
from tui.theme import Role
from tui.widgets.band import WIDE
from tui.widgets.footer import Entry
from tui.widgets.frame import Frame
from tui.widgets.lines import Lines
from tui.widgets.reader import Reader

STEPS: tuple[type[Step], ...] = (
    TargetStep,
    PreflightStep,
    PlanStep,
    RehearsalStep,
    ConfirmStep,
    RunStep,
    VerifyStep,
    ReportStep,
)
REDRAW = 0.1
"""Seconds between two drawings of a run: statements finish faster than an eye follows and a slow line carries."""


class WalkthroughScreen(DeckScreen):
    """The stepper. It draws what the steps say, moves between them, and keeps the one run that may be going on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "rehearse", "Rehearse", tooltip="Run everything for real, then roll it back"),
        Binding("enter,n", "next", "Next", tooltip="Go to the next step, when this one is done"),
        Binding("p", "previous", "Back", tooltip="Go to the step before"),
        Binding("r", "repeat", "Again", tooltip="Ask or rehearse again"),
        Binding("s", "statements", "Statements", tooltip="Every statement with its line in the file"),
        Binding("m", "mode", "Mode", tooltip="Another way back: lock, restore, restore-closed"),
        Binding("x", "skip", "Skip rehearsal", tooltip="Go on without knowing whether it works here"),
        Binding("o", "online", "Build first", tooltip="Build big tables' indexes before the transaction, or not"),
        Binding("c", "cancel", "Cancel", tooltip="Stop the run and roll everything back"),
        Binding("l", "locks", "Locks", tooltip="Who is in the way; a session can be ended there, the run goes on"),
        Binding("y", "copy", "Copy path", tooltip="Copy the path of the report"),
        Binding(
            "escape", "leave", "Leave", tooltip="Back to the dashboard; a run that is going on is asked about first"
        ),
    ]
    FOOTER_ORDER: ClassVar[Sequence[str]] = (
        "rehearse",
        "screen.confirm",
        "cancel",
        "locks",
        "next",
        "previous",
        "screen.previous",
        "screen.read(1)",
        "mode",
        "online",
        "skip",
        "repeat",
        "statements",
        "copy",
    )
    KEEP: ClassVar[frozenset[str]] = frozenset({"leave", "app.help"})
    KEYS_STAY = True
    AUTO_FOCUS = "#step-text"
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 - Textual declares it for instances
        (0, "-narrow"),
        (WIDE, "-wide"),
    ]
    CSS_PATH = "walkthrough.tcss"

    def __init__(
        self,
        deck: Deck,
        action: Action,
        look: Look | None,
        glyphs: Glyphs,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        # What a walkthrough shows comes from its own questions, not from the store the dashboard polls into.
        super().__init__(Store(lambda _: None), glyphs)
        who = (operator(), client_host())
        self.walk = Walk(deck, action, look, who=who, monotonic=monotonic, told=self._told)
        self.steps = tuple(step(self.walk, glyphs) for step in STEPS)
        self._at = self._furthest = 0
        self._dirty = False
        self._seconds = 0
        self._band = Static(id="walk-band", markup=False)
        self._one = Lines(id="walk-step")
        self._rail = Lines(id="walk-list")
        self._reader = Reader(glyphs, id="step-text")
        self._frame = Frame("", id="walk-frame")
        self._column = Vertical()
        self._promise = Lines(id="walk-promise")
        confirm = next(step for step in self.steps if isinstance(step, ConfirmStep))
        self._box = ConfirmBox(confirm)

    @property
    def step(self) -> Step:
        """The step that is shown."""
        return self.steps[self._at]

    def compose(self) -> ComposeResult:
        """Where we are above, the steps at the left, the step's text, what it promises below it."""
        yield self._band
        yield self._one
        with Horizontal(id="walk-body"):
            with Frame("Apply" if self.walk.action == "apply" else "Roll back", id="walk-rail"):
                yield self._rail
            with self._frame, self._column:
                yield self._reader
                yield self._box
                yield self._promise
        yield self.hint
        yield self.footer

    def on_mount(self) -> None:
        """Begin with the target. A run is redrawn by a timer, and only when something was heard of it."""
        self._band.set_class(self.walk.deck.destination.environment == "production", "-production")
        self.set_interval(REDRAW, self._flush)
        self._enter(0)

    def on_resize(self, event: events.Resize) -> None:
        """The same in other places."""
        super().on_resize(event)
        self.call_after_refresh(self._draw)

    def on_reader_fitted(self) -> None:
        """The keys that read on work where there is more to read."""
        self.refresh_footer()

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        """A defect of ours in a question or a run is said and kept, and never the end of the walkthrough."""
        if event.state is WorkerState.ERROR and event.worker.error is not None:
            path = record(event.worker.error)
            text = one_line(redact(f"{type(event.worker.error).__name__}: {event.worker.error}"), 200)
            self.say(f"{self.glyphs.bad} {text}; details in {path}", "bad")

    # What is shown

    def _told(self) -> None:
        """Something may look different; it is drawn with the next beat, however often this is called before."""
        self._dirty = True

    def _flush(self) -> None:
        if self.app.screen is not self:
            # What lies over it lets it shine through, and would be painted wholly with every line that changes here.
            return
        live = self.walk.live
        seconds = int(live.elapsed) if live else self._seconds
        if self._dirty or seconds != self._seconds:
            self._dirty, self._seconds = False, seconds
            self._draw()

    def _draw(self, *, from_top: bool = False) -> None:
        if not self.is_mounted:
            return
        self._draw_band()
        self._draw_steps()
        self._frame.title(f"{self._at + 1} {self.step.name}")
        standing = self.step.standing()
        self._frame.broken(standing.role == "bad")
        self._draw_promise()
        self._make_room()
        self._reader.read(self.step.write, from_top=from_top)
        self.refresh_footer()
        self.rest()

    def _draw_band(self) -> None:
        text = Content(band_text(self.walk, self.size.width))
        if self._band.content != text:
            self._band.update(text)

    def _draw_steps(self) -> None:
        drawn = draw_steps(self.steps, self._at, self._furthest)
        self._rail.show(drawn.rail(self._rail.content_size.width))
        self._one.show((drawn.one(self._one.content_size.width),))

    def _draw_promise(self) -> None:
        lines = promise_lines(self.step.promise(), self._promise.content_size.width or self.size.width - 4)
        if self._promise.size.height != len(lines):
            self._promise.styles.height = len(lines)
        self._promise.show(lines)

    def _make_room(self) -> None:
        """The text takes what is there; in the confirmation only its own lines, so that the name stands below them."""
        if not self._box.display:
            self._reader.styles.height = "1fr"
            return
        room = self._column.size.height - self._box.size.height - self._promise.size.height - 1
        written = len(self.step.write(max(1, self._reader.content_size.width)))
        self._reader.styles.height = max(1, min(written, room))

    def resting_hint(self) -> tuple[str, Role]:
        """Why the next step is not open, when it is not."""
        if self._box.display and self.walk.matches(self._box.input.value):
            return ("enter runs it for real", "warn")
        return (self.step.against_next(), "dim")

    def reason_against(self, action: str) -> str:
        """Why an action does not work now."""
        if action == "next":
            return self.step.against_next()
        if action == "screen.confirm":
            return "" if self.walk.matches(self._box.input.value) else "type the database's name"
        return ""

    def _entries(self) -> Iterator[Entry]:
        """What works here; while a name is typed, letters are letters. The last step has no next."""
        for entry in super()._entries():
            if self._typing and len(entry.key) == 1 and entry.key.isprintable() and entry.action != "screen.previous":
                continue
            if entry.action == "next" and self._at == len(self.steps) - 1:
                yield replace(entry, word="Done")
            else:
                yield entry

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Actions a step has no use for are not bound there."""
        if action in ("repeat", "statements", "skip", "cancel", "copy", "rehearse", "mode", "online"):
            return self.step.offers(action)
        if action == "next":
            return not self._typing and not self.step.offers("rehearse")
        if action == "previous":
            return self._at > 0 and self.walk.live is None
        if action == "locks":
            return self.walk.live is not None
        return action != "read" or self._reader.longer

    @property
    def _typing(self) -> bool:
        return self._box.input.has_focus

    # What keys do

    def action_read(self, pages: int) -> None:
        """Scroll the text while the line below it has the keys."""
        self._reader.action_scroll_page(pages)

    async def action_locks(self) -> None:
        """Show who is in the way; the run goes on beneath."""
        await self.run_action("app.locks")

    def action_next(self) -> None:
        """Go on, or say why not; from the last step go back to the dashboard."""
        reason = self.step.against_next()
        if reason:
            self.say(reason, "warn")
        elif self._at == len(self.steps) - 1:
            self.dismiss(None)
        else:
            self._enter(self._at + 1)

    def action_previous(self) -> None:
        """Go back a step."""
        self._enter(self._at - 1)

    def action_repeat(self) -> None:
        """Ask again; in the rehearsal, rehearse again; in the report, write again."""
        if isinstance(self.step, RehearsalStep):
            self.action_rehearse()
        else:
            self._start(self.step.repeat(), "ask")

    def action_statements(self) -> None:
        """List the statements."""
        self.open(StatementsScreen(self.store, self.glyphs, self.walk.plan))

    def action_rehearse(self) -> None:
        """Rehearse, unless a run is going on."""
        self._follow(self.walk.rehearse())

    def action_skip(self) -> None:
        """Go on without a rehearsal."""
        self.walk.skip()
        self.say(f"{self.glyphs.warn} rehearsal skipped: whether it works here is not known", "warn")

    def action_online(self) -> None:
        """Build big tables' indexes before the transaction, or not."""
        self.walk.turn_online()
        self.refresh_bindings()

    def action_mode(self) -> None:
        """Choose another way back; the steps behind this one are asked anew."""
        self.walk.next_mode()
        self._furthest = self._at

    def action_cancel(self) -> None:
        """Ask the run to stop."""
        if self.walk.live is not None:
            self.walk.live.cancel()

    def action_confirm(self) -> None:
        """What enter does in the line that the name is typed into."""
        self._box.confirm()

    def on_confirm_box_typed(self) -> None:
        """Enter works once the name is right."""
        self.refresh_footer()
        self.rest()

    def on_confirm_box_confirmed(self, event: ConfirmBox.Confirmed) -> None:
        """The name was right: run."""
        run = self.walk.go(event.typed)
        if run is not None:
            self._enter(self._at + 1)
            self._follow(run)

    def action_copy(self) -> None:
        """Copy the report's path."""
        if isinstance(self.step, ReportStep) and self.step.files is not None:
            self.app.copy_to_clipboard(str(self.step.files.markdown))
            self.say("copied the path")

    def action_leave(self) -> None:
        """Back to the dashboard; a run that is going on is asked about first."""
        live = self.walk.live
        if live is None:
            self.dismiss(None)
            return

        def answered(cancel: bool | None) -> None:
            if cancel and live.live:
                live.cancel()

        self.app.push_screen(LeaveQuestion(live.state.phase is Phase.COMMITTING), answered)

    def asks_before_quit(self) -> bool:
        """A run that is going on is asked about, once."""
        if self.walk.live is None:
            return False
        if not isinstance(self.app.screen, LeaveQuestion):
            self.action_leave()
        return True

    def _enter(self, index: int) -> None:
        """Show another step and begin what belongs to it."""
        self._at = index
        self._furthest = max(self._furthest, index)
        step = self.step
        confirming = isinstance(step, ConfirmStep) and not self.walk.settled
        self._box.display = confirming
        if confirming:
            self._box.clear()
            self._box.input.focus()
        else:
            self._reader.focus()
        if isinstance(step, ReportStep):
            step.write_files()
        self._start(step.arrive(), "ask")
        self._draw(from_top=True)
        self.call_after_refresh(self._draw)

    def _follow(self, run: Run | None) -> None:
        if run is not None:
            self._start(run.follow(), "run")
            self._draw(from_top=True)

    def _start(self, work: Awaitable[None] | None, group: str) -> None:
        """Neither group is exclusive: nothing that is asked may end a run."""
        if work is not None:
            self.run_worker(work, group=group, exit_on_error=False)
