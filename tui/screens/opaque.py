"""A screen that covers those beneath it and is not repainted with them; what belongs together it paints at once."""

from __future__ import annotations

from typing import Self

from textual import events
from textual.geometry import Region
from textual.screen import Screen
from textual.timer import Timer

from tui.frames import Composer

GATHER_SECONDS = 0.005
"""How long a frame waits for what else the same key or answer changes: it goes from widget to widget as messages."""


class OpaqueScreen(Screen[None]):
    """For screens with a ground of their own.

    Textual 8.2 counts the screen right below the top one as visible, whatever the top one hides, and repaints the whole
    top one whenever something on the covered one changes: 5.1 kB at 80x24 for every second of the dashboard's clock
    (measured). It does so by refreshing regions of the screen itself, which nobody else does.

    It also paints the first widget that a key changes right away and all others a sixtieth of a second or two later:
    the cursor is on another row 15 ms after the key, and what is said of that row is there after 50 ms (measured).
    """

    def __init__(self) -> None:
        super().__init__()
        self._compositor = Composer()
        self._frame_timer: Timer | None = None
        # The first frame of all waits for nothing.
        self._frame_due = True

    @property
    def _update_timer(self) -> Timer:
        """What paints, in place of Textual's."""
        if self._frame_timer is None:
            self._frame_timer = self.set_interval(GATHER_SECONDS, self._on_timer_update, name="frame", pause=True)
        return self._frame_timer

    async def _on_idle(self, event: events.Idle) -> None:
        """The first change since the last frame sets the time of the next; later ones do not put it off."""
        changed = self._dirty_widgets or self._repaint_required or self._layout_required
        if changed and self.is_current and not self._frame_due:
            self._frame_due = True
            self._update_timer.reset()
        await super()._on_idle(event)

    def _on_timer_update(self) -> None:
        """Textual's, and the frame is not due any more."""
        self._frame_due = False
        super()._on_timer_update()

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """As Textual's, but what happens in regions of a covered screen is not painted."""
        if regions:
            return self
        return super().refresh(repaint=repaint, layout=layout, recompose=recompose)
