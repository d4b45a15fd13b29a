"""The keys a person chose, checked against every screen before one is shown: no action loses its key without a word.

Textual's own keymap takes whatever it is given: with another action's key given to apply, that action is gone and
nothing is said (facts: textual 4.8).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pkgutil import walk_packages

import msgspec
from textual.binding import Binding, BindingsMap

import tui.screens
from tui.core.config import KeyChoice
from tui.screens.actions import ACTIONS, DESTRUCTIVE, HELP
from tui.screens.base import DeckScreen, key_word
from tui.screens.walkthrough import WalkthroughScreen
from tui.widgets.matrix import MatrixTable
from tui.widgets.reader import Reader
from tui.widgets.table import LineTable

ROWS = (LineTable, Reader, MatrixTable)
"""What has the keys on a screen: its own come first."""
KEY = re.compile(r"[^\s\x00-\x1f\x7f]|f([1-9]|1[0-2])|ctrl\+[a-z]|space|insert|delete")
CAREFUL = re.compile(r"[A-Za-z]|f([1-9]|1[0-2])|ctrl\+[a-z]")
"""Keys for what is destructive: none that a sleeve, a thumb or a habit hits."""
TAKEN: Mapping[str, str] = {
    "ctrl+c": "Ctrl+C only says how to quit, whatever is shown",
    "ctrl+h": "most terminals send it for Backspace",
    "ctrl+i": "terminals send it for Tab",
    "ctrl+j": "terminals send it for Enter",
    "ctrl+m": "terminals send it for Enter",
    "ctrl+q": "it leaves from everywhere",
    "ctrl+s": "many terminals stop their output on it",
    "ctrl+z": "it sends patchdeck to the background",
    **dict.fromkeys("[]{}+-0123456789", "it moves between tabs, or in a recording"),
}


class _Bound(msgspec.Struct, frozen=True):
    """A binding where it stands; `id` is "" when its key is the same for everybody."""

    id: str
    action: str
    word: str
    screen: str


def keymap(choices: Sequence[KeyChoice]) -> dict[str, str]:
    """What Textual's `set_keymap` takes: action id to key. Raises ConfigError for the first choice that can not be."""
    for choice in choices:
        _check(choice)
    chosen = {choice.action: choice for choice in choices}
    for screen in _screens():
        _check_screen(screen, chosen)
    return {action: choice.key for action, choice in chosen.items()}


def _check(choice: KeyChoice) -> None:
    """What can be said of one line by itself."""
    known = {*ACTIONS.values(), HELP}
    if choice.action not in known:
        raise choice.refused(f"no action has this name; there are: {', '.join(sorted(known))}")
    if not KEY.fullmatch(choice.key):
        forms = 'one character such as "x", "X" or "?", "f1" to "f12", "ctrl+x", "space", "insert" or "delete"'
        raise choice.refused(f"this is no key that can be given away: it is {forms}")
    if choice.key in TAKEN:
        raise choice.refused(f'"{choice.key}" can not be given away: {TAKEN[choice.key]}')
    if choice.action not in DESTRUCTIVE:
        return
    if not CAREFUL.fullmatch(choice.key):
        raise choice.refused(
            f'"{choice.key}" is hit too easily for what it leads to: take a letter, "f1" to "f12" or "ctrl+x"'
        )
    for bound in sorted(_defaults(_normal(choice.key)), key=lambda bound: not bound.id):
        if bound.id != choice.action:
            raise choice.refused(
                f'"{choice.key}" is {_named(bound)} to every hand that knows it, and this one is destructive: '
                "take a key that nothing has by default"
            )


def _check_screen(screen: type[DeckScreen], chosen: Mapping[str, KeyChoice]) -> None:
    """Two actions on one key: whichever line of the configuration brought that about is refused."""
    at: dict[str, list[_Bound]] = {}
    lines = list(chosen)
    for key, bound in _bound(screen):
        choice = chosen.get(bound.id)
        at.setdefault(_normal(choice.key) if choice else key, []).append(bound)
    for there in at.values():
        moved = [one for one in there if one.id in chosen]
        # Of two that were moved onto one key the later line is to blame, and the destructive one is not.
        moved.sort(key=lambda one: (one.id not in DESTRUCTIVE, lines.index(one.id)))
        other = next((one for one in there if moved and (one.id or one.action) != moved[-1].id), None)
        if other is not None:
            choice = chosen[moved[-1].id]
            what = "a destructive action would lose its key" if other.id in DESTRUCTIVE else "two actions on one key"
            raise choice.refused(f'"{choice.key}" is {_named(other)} on the screen {other.screen}: {what}')


def _named(bound: _Bound) -> str:
    return f"the key of {bound.id or bound.word!r}"


def _defaults(key: str) -> Iterator[_Bound]:
    """Every action that has `key` by default on some screen other than a walkthrough, whose keys have their own."""
    for screen in _screens():
        yield from (bound for at, bound in _bound(screen) if at == key and screen is not WalkthroughScreen)


def _bound(screen: type[DeckScreen]) -> Iterator[tuple[str, _Bound]]:
    """(key, binding) of a screen and of the rows that may have the keys on it."""
    name = screen.__name__.removesuffix("Screen").lower()
    keys: dict[str, list[Binding]] = {}
    for owner in reversed(screen.__mro__):
        if owner.__module__.startswith("tui."):
            keys |= BindingsMap(owner.__dict__.get("BINDINGS", ())).key_to_bindings
    for of_rows in (BindingsMap(owner.BINDINGS).key_to_bindings for owner in ROWS):
        keys |= {key: keys.get(key, []) + there for key, there in of_rows.items()}
    for key, there in keys.items():
        yield from ((key, _Bound(one.id or "", one.action, one.description, name)) for one in there)


def _screens() -> Iterator[type[DeckScreen]]:
    """Every screen there is: each is loaded first, also what is otherwise loaded when it opens."""
    for module in walk_packages(tui.screens.__path__, "tui.screens."):
        import_module(module.name)
    waiting: list[type[DeckScreen]] = [DeckScreen]
    while waiting:
        screen = waiting.pop()
        yield screen
        waiting += screen.__subclasses__()


def _normal(key: str) -> str:
    """A key as Textual calls it: `question_mark` for `?`."""
    return next(iter(BindingsMap([Binding(key, "none", key_word(key))]).key_to_bindings))
