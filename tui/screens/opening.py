"""What stands on the screen while the dashboard is loaded: its frames, drawn in one go, with nothing in them yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType

from tui.screens.opaque import OpaqueScreen
from tui.widgets.lines import Line, Lines, line

WIDE, TALL = 110, 28
"""Columns and lines from which the dashboard draws frames (tui/widgets/band.py, which would be a tenth of a second to
load); below it is its title for the while.
"""
BAND = 4
LEFT = 53
"""Percent of the columns that the checklist takes."""


class Opening(OpaqueScreen):
    """The frames of the dashboard, empty."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("q", "app.quit", "Quit", show=False)]

    def __init__(self, *, only_ascii: bool) -> None:
        super().__init__()
        self._corners = (tuple("++++"), "-", "|") if only_ascii else (tuple("╭╮╰╯"), "─", "│")
        self.picture = Lines()

    def compose(self) -> ComposeResult:
        """One picture."""
        yield self.picture

    def on_resize(self, event: events.Resize) -> None:
        """As large as the screen."""
        width, height = event.size
        self.picture.styles.height = height
        self.picture.show(tuple(self._drawn(width, height)))

    def _drawn(self, width: int, height: int) -> Iterator[Line]:
        yield line((" patchdeck ", "brand"))
        if width < WIDE or height < TALL:
            yield line((" Checklist", "live"))
            return
        yield from (line((text, "faint")) for text in self._box("Migration", width, BAND))
        left = width * LEFT // 100
        rows = height - BAND - 3
        checklist = self._box("Checklist", left, rows)
        panels = (*self._box("Executions", width - left, rows - rows * 36 // 100),
                  *self._box("Errors", width - left, rows * 36 // 100))  # fmt: skip
        yield from (line((one + other, "faint")) for one, other in zip(checklist, panels, strict=True))

    def _box(self, title: str, width: int, height: int) -> tuple[str, ...]:
        (top_left, top_right, bottom_left, bottom_right), across, down = self._corners
        head = f"{top_left}{across} {title} ".ljust(width - 1, across) + top_right
        inside = f"{down}{' ' * (width - 2)}{down}"
        return (head, *[inside] * (height - 2), f"{bottom_left}{across * (width - 2)}{bottom_right}")
