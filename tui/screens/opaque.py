"""A screen that covers those beneath it, and is not repainted when they change."""

from __future__ import annotations

from typing import Self

from textual.geometry import Region
from textual.screen import Screen


class OpaqueScreen(Screen[None]):
    """For screens with a ground of their own.

    Textual 8.2 counts the screen right below the top one as visible, whatever the top one hides, and repaints the whole
    top one whenever something on the covered one changes: 5.1 kB at 80x24 for every second of the dashboard's clock
    (measured). It does so by refreshing regions of the screen itself, which nobody else does.
    """

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        """As Textual's, but what happens in regions of a covered screen is not painted."""
        if regions:
            return self
        return super().refresh(repaint=repaint, layout=layout, recompose=recompose)
