"""What the screens of one dashboard share: the deck, the store, the clock, and what these say about right now."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import msgspec

from tui.core.deck import Deck
from tui.core.facts import Runner
from tui.core.text import Glyphs, one_line
from tui.store import STALE_TICKS, Connected, Store
from tui.widgets.band import Band
from tui.widgets.lines import Groups
from tui.widgets.news import proof_news


class Context(msgspec.Struct, frozen=True):
    """`refresh`, `look_every` and `window` (how far back the panels look) in seconds; `now` is the wall's clock,
    `monotonic` seconds; `off` says why nothing can be asked or changed here, "" when it can; `badge` is what the title
    says beside the connection, most important first.
    """

    deck: Deck
    store: Store
    glyphs: Glyphs
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    refresh: float
    look_every: float
    window: int
    read_only: bool
    off: str = ""
    badge: Callable[[], Groups] = tuple

    def age(self) -> int | None:
        """Seconds since the last answer when that is too long ago, or when nothing more is coming; else None."""
        store = self.store
        lost = not isinstance(store.connection, Connected)
        # Of a line that was lost before the first tick there is the look alone, and that is as old.
        at = store.panels_at or (store.look_at if lost else 0.0)
        if not at:
            return None
        age = self.monotonic() - at
        return int(age) if lost or age > STALE_TICKS * self.refresh + 1 else None

    def look_age(self) -> int | None:
        """Seconds since the last look when looks fail or hang while the panels go on; else None."""
        store = self.store
        age = self.monotonic() - store.look_at
        late = store.look is not None and age > STALE_TICKS * self.look_every + 1
        return int(age) if late and not store.paused else None

    def server_time(self) -> datetime | None:
        """The server's clock now, None before its first answer."""
        return self.store.server_time(self.monotonic())

    def band(self, tally: Groups = ()) -> Band:
        """All that the top band is made of."""
        return Band(
            bundle=self.deck.bundle,
            destination=self.deck.destination,
            connection=self.store.connection,
            look=self.store.look,
            age=self.age(),
            look_age=self.look_age(),
            now=self.monotonic(),
            tally=tally,
            paused=self.store.paused,
            read_only=self.read_only,
            badge=self.badge(),
            news=(*_running(self.store.runner), *proof_news(self.store, self.monotonic())),
            brief_news=(
                *_running(self.store.runner, brief=True),
                *proof_news(self.store, self.monotonic(), brief=True),
            ),
        )


def _running(runner: Runner | None, *, brief: bool = False) -> Groups:
    """The run that is under way, whoever's it is: who, since when."""
    if runner is None:
        return ()
    who = one_line(runner.application or runner.user or "a run", 63)
    if brief:
        return (((f"{who.removeprefix('patchdeck ')} runs", "warn"),),)
    since = f" since {one_line(runner.since.partition(' ')[2], 20)}" if runner.since else ""
    return (((f"{who} is running{since}", "warn"),),)
