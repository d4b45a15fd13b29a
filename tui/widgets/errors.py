"""The errors panel: how many, their course over the window, and the groups by count."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tui.core.panels import ErrorGroup, ErrorsPanel
from tui.core.text import Glyphs, age, count, one_line
from tui.theme import Role
from tui.widgets.lines import Groups
from tui.widgets.panel import LivePanel
from tui.widgets.table import Column, Row

AGE_STEP = 10
"""Seconds in which a shown age below a minute moves: it is an answer to "is it still going on?", not a stopwatch."""


class Errors(LivePanel):
    """The panel with its frame."""

    COLUMNS = (
        Column("count", 5, "right"),
        Column("kind", 16),
        Column("message", 0),
        Column("last", 10, "right"),
    )
    ORDERS = ("commonest first", "latest first", "by kind")

    def __init__(self, title: str, window: int, glyphs: Glyphs, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(title, window, glyphs, id=id)
        self._data: ErrorsPanel | None = None
        self._now: datetime | None = None
        self._old = False
        self._seen: tuple[str, ...] = ()

    def show(self, panel: ErrorsPanel | None, *, now: datetime | None, stale: bool) -> None:
        """Show the panel as it is now; `now` is the server's clock, None panel while nothing was answered yet."""
        seen = tuple(last_seen(group.last_at, now) for group in panel.groups) if panel else ()
        same = panel is not None and panel is self._data and (stale, seen) == (self._old, self._seen)
        self._data, self._now, self._old, self._seen = panel, now, stale, seen
        if not same:
            self.fill()

    def fill(self) -> None:
        """Show what was last given, in the order that was chosen."""
        panel = self._data
        if panel is None:
            self._put(None, (), (), stale=self._old)
            return
        total: Role = "bad!" if panel.total else "text"
        groups: Groups = (
            ((count(panel.total), total), (" errors" if panel.total != 1 else " error", "dim")),
            ((count(len(panel.groups)), "text"), (" kinds" if len(panel.groups) != 1 else " kind", "dim")),
        )
        rows = [group_row(group, self._now, self.glyphs) for group in in_order(panel.groups, self.order)]
        self._put(panel, groups if panel.total else groups[:1], rows, stale=self._old)

    def group(self, key: str) -> ErrorGroup | None:
        """The group of a row."""
        groups = self._data.groups if self._data else ()
        return next((group for group in groups if group.fingerprint == key), None)


def in_order(groups: Sequence[ErrorGroup], order: str) -> Sequence[ErrorGroup]:
    """Groups, commonest first, in one of the panel's orders."""
    if order == "latest first":
        return sorted(groups, key=lambda group: group.last_at, reverse=True)
    return sorted(groups, key=lambda group: group.kind.casefold()) if order == "by kind" else groups


def group_row(group: ErrorGroup, now: datetime | None, glyphs: Glyphs) -> Row:
    """One group as a row of the table."""
    kind = one_line(group.kind, 80)
    message = one_line(group.message, 300).removeprefix(f"{kind}: ")
    return Row(
        key=group.fingerprint,
        cells=(
            (f"{glyphs.times}{count(group.total)}", "bad"),
            (kind, "text"),
            (message, "dim"),
            (last_seen(group.last_at, now), "dim"),
        ),
        search=f"{kind} {message}".lower(),
        failing=True,
    )


def last_seen(last: datetime, now: datetime | None) -> str:
    """How long ago on the server's clock, coarse enough that a quiet group is not redrawn every second."""
    if now is None:
        return ""
    seconds = max(0, int((now - last).total_seconds()))
    if seconds < AGE_STEP:
        return "just now"
    return age(seconds // AGE_STEP * AGE_STEP if seconds < 60 else seconds // 60 * 60)
