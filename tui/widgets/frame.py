"""A quiet rounded frame with a title; it takes the broken colour when what it holds is broken."""

from __future__ import annotations

from textual.containers import Vertical
from textual.content import Content


class Frame(Vertical):
    """A framed part of the dashboard. Without frames (narrow screens) only its content is left, by the style sheet."""

    def __init__(self, title: str, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self._title, self._foot = title, ""
        self.border_title = Content(title)

    def title(self, text: str) -> None:
        """Another title; the frame is redrawn only when it differs."""
        if text != self._title:
            self._title = text
            self.border_title = Content(text)

    def foot(self, text: str) -> None:
        """What stands in the frame's lower edge; redrawn only when it differs."""
        if text != self._foot:
            self._foot = text
            self.border_subtitle = Content(text)

    def broken(self, broken: bool) -> None:
        """Whether the frame takes the broken colour."""
        if broken != self.has_class("-broken"):
            self.set_class(broken, "-broken")
