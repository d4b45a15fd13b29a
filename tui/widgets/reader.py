"""Text to be read: wrapped to the width, scrolled by keys and wheel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from tui.core.text import Glyphs
from tui.widgets.lines import Line, Lines

Writer = Callable[[int], Sequence[Line]]
"""Gives the lines of the text for a width in cells."""


class Reader(Lines, can_focus=True):
    """A text longer than the screen. Its last line says how much is below. Posts `Fitted` when it got another size."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "scroll_by(-1)", "Up", show=False, tooltip="One line up"),
        Binding("down,j", "scroll_by(1)", "Down", show=False, tooltip="One line down"),
        Binding("pageup,ctrl+u", "scroll_page(-1)", "Page up", show=False, tooltip="One page up"),
        Binding("pagedown,ctrl+d", "scroll_page(1)", "Page down", show=False, tooltip="One page down"),
        Binding("home,g", "scroll_edge(-1)", "Top", show=False, tooltip="To the top"),
        Binding("end,G", "scroll_edge(1)", "Bottom", show=False, tooltip="To the bottom"),
    ]

    class Fitted(Message):
        """There is another room: whether the text is `longer` may be otherwise now."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._glyphs = glyphs
        self._writer: Writer | None = None
        self._lines: tuple[Line, ...] = ()
        self._top = 0

    def read(self, writer: Writer, *, from_top: bool = True) -> None:
        """Show another text; `from_top=False` keeps the place for a text that was only brought up to date."""
        self._writer = writer
        if from_top:
            self._top = 0
        self._write()

    @property
    def longer(self) -> bool:
        """Whether the text is longer than there is room for."""
        return len(self._lines) > self.content_size.height

    def action_scroll_by(self, lines: int) -> None:
        """Scroll by lines."""
        self._scroll(self._top + lines)

    def action_scroll_page(self, pages: int) -> None:
        """Scroll by pages."""
        self._scroll(self._top + pages * max(1, self.content_size.height - 1))

    def action_scroll_edge(self, side: int) -> None:
        """Scroll to the top (-1) or the bottom (1)."""
        self._scroll(0 if side < 0 else len(self._lines))

    def on_resize(self) -> None:
        """Another width wraps elsewhere."""
        self._write()
        self.post_message(self.Fitted())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Three lines down."""
        event.stop()
        self._scroll(self._top + 3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Three lines up."""
        event.stop()
        self._scroll(self._top - 3)

    def _write(self) -> None:
        width = self.content_size.width
        if self._writer is not None and width:
            self._lines = tuple(self._writer(width))
            self._scroll(self._top)

    def _scroll(self, top: int) -> None:
        height = self.content_size.height
        self._top = max(0, min(top, len(self._lines) - height))
        shown = self._lines[self._top : self._top + height]
        below = len(self._lines) - self._top - height
        if below > 0 and height > 1:
            more = Line(((f"{self._glyphs.more} {below + 1} more lines", "dim"),))
            shown = (*shown[:-1], more)
        self.show(shown)
