"""One row of a panel in full, read again while it may change: what its screens share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.core.deck import Problem
from tui.core.text import fit, one_line, visible
from tui.screens.context import Context
from tui.screens.titled import TitledScreen
from tui.theme import Role
from tui.widgets.frame import Frame
from tui.widgets.lines import Line, line, wrap
from tui.widgets.reader import Reader

LABEL = 12
WHOLE = 100_000
"""Characters of a text that are shown here: as many as the panels keep."""

Answer = TypeVar("Answer")


class FullText(TitledScreen):
    """A framed text; what is in it is `lines`, which `ask` has had or has not had yet."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.back", "Back", tooltip="Back to where it was opened"),
        Binding("enter", "app.back", "Back", show=False),
        Binding("y", "copy", "Copy", tooltip="Copy what is shown here"),
        Binding("r", "again", "Read again", tooltip="Read it again now"),
        Binding("q", "app.quit", "Quit", tooltip="Leave; nothing is changed by leaving"),
    ]
    AUTO_FOCUS = "#full-text"

    def __init__(self, context: Context, title: str) -> None:
        super().__init__(context)
        self.frame = Frame(title, id="full-frame")
        self.reader = Reader(context.glyphs, id="full-text")
        self.problem: Problem | None = None
        self._busy = False

    def content(self) -> ComposeResult:
        """The text in its frame."""
        with self.frame:
            yield self.reader

    def on_mount(self) -> None:
        """Show what the panel knows, and ask for the rest."""
        self.reader.read(self.lines)
        self.action_again()

    @abstractmethod
    def lines(self, cells: int) -> list[Line]:
        """The text for a width in cells."""

    @abstractmethod
    def text(self) -> str:
        """What is copied."""

    @abstractmethod
    async def ask(self) -> None:
        """Ask the database for all of it. Raises Problem."""

    def show(self) -> None:
        """Show what is known now, at the place that is being read."""
        self.reader.read(self.lines, from_top=False)

    def resting_hint(self) -> tuple[str, Role]:
        """What went wrong with the last question."""
        if self.problem is None:
            return ("", "dim")
        words = f"{one_line(self.problem.message, 300)}  {one_line(self.problem.hint, 200)}"
        return (f"{self.glyphs.warn} {words}", "warn")

    def action_again(self) -> None:
        """Ask, unless the question before is still under way."""
        if not self._busy:
            self._busy = True
            self.run_worker(self._ask(), name="open", group="open", exit_on_error=False)

    def action_copy(self) -> None:
        """Copy it, cleaned."""
        text = self.text()
        self.app.copy_to_clipboard(visible(text, limit=max(WHOLE, len(text)), newlines=True).rstrip("\n"))
        self.say(f"copied {len(text.splitlines())} lines" if "\n" in text else "copied one line")

    async def _ask(self) -> None:
        try:
            await self.ask()
            self.problem = None
        except Problem as problem:
            self.problem = problem
        finally:
            self._busy = False
        if self.is_mounted:
            self.show()
            self.rest()


def field_lines(
    fields: Sequence[tuple[str, str, Role]], cells: int, label: int = LABEL, *, newlines: bool = False
) -> list[Line]:
    """A field a line; a text that is longer goes on below itself, for here is where nothing is cut. With `newlines` a
    text's own lines are kept.
    """
    lines: list[Line] = []
    for name, text, role in fields:
        parts = wrap(((visible(text, limit=WHOLE, newlines=newlines), role),), max(1, cells - label))
        for number, part in enumerate(parts):
            lines.append(line((fit("" if number else name, label), "dim"), *part))
    return lines


def message_lines(message: str, cells: int) -> list[Line]:
    """The message under its heading, nothing without one."""
    if not message:
        return []
    text = visible(message, limit=WHOLE, newlines=True)
    return [Line(), line(("message", "dim")), *(Line(part) for part in wrap(((text, "text"),), cells))]
