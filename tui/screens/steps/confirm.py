"""Step 5, the confirmation: the operator types the database's name."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Button, Input

from tui.core.text import duration, one_line
from tui.screens.steps.progress import measures
from tui.screens.steps.rehearsal import SKIPPED
from tui.screens.steps.step import Promise, Standing, Step, field, heading, paragraph
from tui.widgets.lines import Line, Lines, line


class ConfirmStep(Step):
    """What is about to happen, once more, above the line to type in."""

    NAME = "Confirm"

    @property
    def _verb(self) -> str:
        return "applies" if self.walk.action == "apply" else "rolls back"

    def promise(self) -> Promise:
        """The last moment."""
        return Promise(
            "waits for the database's name to be typed",
            "send anything, whatever else is typed",
            "up back, esc leaves: nothing was changed",
            self.walk.rehearsed_in,
        )

    def standing(self) -> Standing:
        """Given with the run."""
        return self.well("confirmed") if self.walk.run is not None else self.ahead()

    def against_next(self) -> str:
        """The name opens it, nothing else."""
        if self.walk.run is not None and (self.walk.run.live or self.walk.settled):
            return ""
        return "type the database's name"

    def write(self, cells: int) -> list[Line]:
        """Where, what, how it was rehearsed; or that it is over."""
        walk = self.walk
        if walk.settled:
            return paragraph(
                "This run is over: n shows what came of it. Nothing is run twice from here.", cells, "warn"
            )
        place, plan = walk.deck.destination, walk.plan
        lines = paragraph(
            f"This {self._verb} {one_line(f'{plan.bundle.name} {plan.bundle.version}', 200)} for real.",
            cells,
            "strong",
        )
        production = place.environment == "production"
        where = "PRODUCTION" if production else "on this machine" if place.local else place.environment
        lines += paragraph(
            one_line(f"on {place.name}, database {place.database}, {place.host}:{place.port}, as {place.user}", 500),
            cells,
        )
        lines += paragraph(where, cells, "bad!" if production else "text")
        lines.append(Line())
        if walk.action == "rollback":
            lines += field("mode", plan.mode, cells, "strong")
            lines += [*paragraph(one_line(walk.consequences[-1], 1000), cells, "bad"), Line()]
        rehearsal = walk.rehearsal
        if walk.rehearsed == "worked" and rehearsal is not None and rehearsal.end is not None:
            lines += paragraph(
                f"{self.glyphs.ok} rehearsed: {measures(plan, rehearsal.state, rehearsal.end)}", cells, "ok"
            )
        elif walk.rehearsed == "skipped":
            lines += paragraph(f"{self.glyphs.warn} {SKIPPED}", cells, "warn")
        lines.append(Line())
        lines += paragraph(
            "One transaction: COMMIT is sent only when every check passes. "
            f"Locks are tried for {duration(plan.patience)}.",
            cells,
            "dim",
        )
        return lines


class NameInput(Input):
    """Where the name is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "screen.confirm", "Run it", tooltip="Run it, when the name is right"),
        Binding("up", "screen.previous", "Back", tooltip="Back to the step before"),
        Binding("pagedown", "screen.read(1)", "Read on", tooltip="The rest of the text above, a page further"),
        Binding("pageup", "screen.read(-1)", "Read back", show=False, tooltip="The text above, a page back"),
    ]


class ConfirmBox(Vertical):
    """The line to type in, the button that stays off until the name is right, and what is wrong with it."""

    class Typed(Message):
        """Another name stands there."""

    class Confirmed(Message):
        """The name was typed as it is."""

        def __init__(self, typed: str) -> None:
            super().__init__()
            self.typed = typed

    def __init__(self, step: ConfirmStep) -> None:
        super().__init__(id="confirm")
        self._step = step
        verb = "Apply" if step.walk.action == "apply" else "Roll back"
        self.input = NameInput(
            id="confirm-name", compact=True, select_on_focus=False, placeholder="name of the database"
        )
        self.input.cursor_blink = False
        self.button = Button(Content(f"{verb} for real"), id="confirm-go", compact=True, disabled=True)
        self._asks = Lines(id="confirm-asks")
        self._said = Lines(id="confirm-said")

    def compose(self) -> ComposeResult:
        """One line, and what is wrong below it."""
        yield self._asks
        with Horizontal(id="confirm-row"):
            yield self.input
            yield self.button
        yield self._said

    def clear(self) -> None:
        """Nothing typed, nothing said."""
        self._asks.show((heading("Type the database's name to go on"),))
        self.input.value = ""
        self.button.disabled = True
        self._said.show(())

    def confirm(self) -> None:
        """Go when the name is right; otherwise say what is wrong. Nothing is sent then."""
        typed = self.input.value
        if self._step.walk.matches(typed):
            self.post_message(self.Confirmed(typed))
            return
        what = f'"{one_line(typed, 60)}" is not its name' if typed else "nothing was typed"
        self._said.show((line((f"{self._step.glyphs.bad} {what}: nothing was sent", "bad")),))

    def on_input_changed(self, event: Input.Changed) -> None:
        """The button follows what is typed."""
        event.stop()
        right = self._step.walk.matches(event.value)
        self.button.disabled = not right
        self._said.show((line((f"{self._step.glyphs.ok} that is its name", "ok")),) if right else ())
        self.post_message(self.Typed())

    def on_button_pressed(self, event: Button.Pressed) -> None:
        """The button is the same as enter."""
        event.stop()
        self.confirm()
