"""The question before a run that is going on is left: cancel it, or stay."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen

from tui.widgets.frame import Frame
from tui.widgets.lines import Line, Lines, line


class LeaveQuestion(ModalScreen[bool]):
    """Asked before a run is left. True cancels it; staying is what enter and escape do."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "cancel", "Cancel the run", tooltip="Stop, and roll everything back"),
        Binding("escape,enter,s", "stay", "Stay", tooltip="Back to the run, which goes on"),
    ]

    CSS = """
    LeaveQuestion { align: center middle; background: $background 60%; }
    LeaveQuestion #leave { width: 50; height: 4; background: $background; border: round $warning; }
    .-ascii LeaveQuestion #leave { border: ascii $warning; }
    """

    def __init__(self, committing: bool) -> None:
        super().__init__()
        self._committing = committing

    def compose(self) -> ComposeResult:
        """A question and its two answers."""
        with Frame("A run is going on", id="leave"):
            yield Lines(id="leave-text")

    def on_mount(self) -> None:
        """Say what each answer does."""
        text = self.query_one("#leave-text", Lines)
        if self._committing:
            said: list[Line] = [line(("COMMIT is sent: it can not be called back.", "warn"))]
        else:
            said = [line(("c", "live!"), ("  cancel it: everything is rolled back", "text"))]
        self.call_after_refresh(text.show, [*said, line(("esc", "live!"), ("  stay: it goes on", "text"))])

    def action_cancel(self) -> None:
        """Cancel the run."""
        self.dismiss(not self._committing)

    def action_stay(self) -> None:
        """Let it go on."""
        self.dismiss(False)
