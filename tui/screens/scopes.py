"""Whose rows the panels show: the scopes that there are to choose from, and the choice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace
from textual.message import Message

from tui.core.deck import Problem
from tui.core.panels import ErrorsPanel, ExecutionsPanel, Scope, ScopeShare
from tui.core.text import count, duration, one_line
from tui.screens.palette import Command, Palette
from tui.screens.titled import TitledScreen
from tui.store import Store
from tui.widgets.table import Column

COLUMNS = (Column("name", 0), Column("what", 20), Column("shown", 5))
EVERYBODY = "*"
"""Stands for all scopes among the choices; a key follows `=`, as it may be empty."""


class ScopeChosen(Message):
    """The panels are to show the rows of one scope, None for all."""

    def __init__(self, scope: Scope | None) -> None:
        super().__init__()
        self.scope = scope


def narrowable(store: Store) -> ExecutionsPanel | ErrorsPanel | None:
    """A panel whose rows belong to scopes here and now, None when there is none."""
    return next((panel for panel in (store.executions, store.errors) if panel is not None and panel.scoped), None)


async def choose_scope(screen: TitledScreen) -> None:
    """Ask which scopes there are, let one be chosen, and post the choice from `screen`."""
    panel, glyphs = narrowable(screen.store), screen.glyphs
    if panel is None:
        return
    screen.say(f"asking who there is in the last {duration(panel.window)}", "dim")
    try:
        shares = _told_apart(await screen.context.deck.scopes(panel.window))
    except Problem as problem:
        screen.say(f"{glyphs.warn} {one_line(problem.message, 200)}  {one_line(problem.hint, 200)}", "warn")
        return
    if screen.app.screen is not screen:  # something was opened meanwhile, and this would fall on top of it
        return
    scopes = {f"={share.scope.key}": share.scope for share in shares}

    def chosen(action: str | None) -> None:
        if action is not None:
            screen.post_message(ScopeChosen(scopes.get(action)))

    word = one_line(panel.scoped, 20)
    palette = Palette(
        glyphs,
        _choices(shares, panel.scope),
        title=f"Whose rows: {word}, last {duration(panel.window)}",
        ask=f"which {word}; with its executions and errors",
        empty=f"no {word} of that name in the last {duration(panel.window)}",
        columns=COLUMNS,
    )
    screen.app.push_screen(palette, chosen)


def _choices(shares: Sequence[ScopeShare], now: Scope | None) -> list[Command]:
    def choice(action: str, name: str, executions: int, errors: int, *, shown: bool) -> Command:
        what = f"{count(executions)}, {count(errors)} {'error' if errors == 1 else 'errors'}"
        return Command(action, one_line(name, 200), what, "shown" if shown else "")

    every = choice(
        EVERYBODY, "all", sum(one.executions for one in shares), sum(one.errors for one in shares), shown=now is None
    )
    return [
        every,
        *(
            choice(
                f"={one.scope.key}",
                one.scope.label,
                one.executions,
                one.errors,
                shown=now is not None and one.scope.key == now.key,
            )
            for one in shares
        ),
    ]


def _told_apart(shares: Sequence[ScopeShare]) -> list[ScopeShare]:
    """Those of the same name get the beginning of their key behind it: a name need not be one's own."""
    names = Counter(share.scope.label for share in shares)
    return [
        replace(share, scope=replace(share.scope, label=f"{share.scope.label} ({one_line(share.scope.key[:8], 8)})"))
        if names[share.scope.label] > 1
        else share
        for share in shares
    ]
