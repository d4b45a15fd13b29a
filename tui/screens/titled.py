"""A screen that begins with which database it is about, how that is reached, and the time of day."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal

from tui.screens.base import DeckScreen
from tui.screens.context import Context
from tui.widgets.band import WIDE, Band, Clock, TitleBar, title_line

CLOCK_CELLS = 9


class TitledScreen(DeckScreen):
    """A screen over a context, with the title line on top of what `content` gives and the footer below it."""

    def __init__(self, context: Context) -> None:
        super().__init__(context.store, context.glyphs)
        self.context = context
        self.title_bar, self.clock = TitleBar(id="title"), Clock(id="clock")

    @property
    def wide(self) -> bool:
        """Whether things stand beside each other."""
        return self.size.width >= WIDE

    def compose(self) -> ComposeResult:
        """Title, content, hint, footer."""
        with Horizontal(id="title-row"):
            yield self.title_bar
            yield self.clock
        yield from self.content()
        yield self.hint
        yield self.footer

    def content(self) -> ComposeResult:
        """What stands between title and footer."""
        yield from ()

    def tick(self) -> None:
        """A second has passed."""
        self.clock.tick(self.context.now())
        self.show_title()

    def show_title(self, band: Band | None = None) -> None:
        """Show the title line as it is now; `band` where that has been made already."""
        cells = self.size.width - CLOCK_CELLS
        if cells > 0:
            self.title_bar.show((title_line(band or self.context.band(), cells, self.glyphs, wide=self.wide),))

    def on_mount(self) -> None:
        """The title is there from the first paint on."""
        self.tick()

    def on_resize(self, _: events.Resize) -> None:
        """Another width has room for more or less."""
        self.tick()
