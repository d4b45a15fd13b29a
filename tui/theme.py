"""The three themes and what a colour means: one table of roles that every drawn line is styled with.

A colour stands for a meaning and is always accompanied by a word and a mark (design/ui.md rules 1 and 8), so that the
screens read the same without colour.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal, get_args

from rich.style import Style
from textual.theme import Theme

Role = Literal[
    "text",
    "strong",
    "dim",
    "faint",
    "ok",
    "bad",
    "warn",
    "live",
    "ok!",
    "bad!",
    "warn!",
    "live!",
    "brand",
    "changed",
]
"""`!` is the same meaning said firmly (bold). `faint` is what frames are made of, `brand` the name plate, `changed` a
marked difference.
"""

Ground = Literal["plain", "cursor", "resting", "stale"]
"""What a line lies on: `cursor` where keys act, `resting` the same row while they act elsewhere, `stale` old data."""

DARK, LIGHT, CONTRAST = "patchdeck", "patchdeck-light", "patchdeck-contrast"


@dataclass(frozen=True, slots=True)
class Colours:
    """The colours of one theme; `bar` and `cursor` are grounds, `frame` quiet lines, the rest foregrounds."""

    ground: str
    bar: str
    cursor: str
    resting: str
    frame: str
    text: str
    strong: str
    dim: str
    ok: str
    bad: str
    warn: str
    live: str
    dark: bool = True


COLOURS: Mapping[str, Colours] = {
    DARK: Colours(
        ground="#11131a",
        bar="#191c27",
        cursor="#262d45",
        resting="#1a1e2c",
        frame="#2b3145",
        text="#c8d0e8",
        strong="#e6ebfa",
        dim="#5d6785",
        ok="#9ece6a",
        bad="#f7768e",
        warn="#e0af68",
        live="#7aa2f7",
    ),
    LIGHT: Colours(
        ground="#f6f7fb",
        bar="#e8eaf2",
        cursor="#d3dcf5",
        resting="#e6eaf4",
        frame="#c3c8d8",
        text="#2c3350",
        strong="#10142a",
        dim="#747d99",
        ok="#3d7a1f",
        bad="#b8223f",
        warn="#8a5a00",
        live="#2257c4",
        dark=False,
    ),
    CONTRAST: Colours(
        ground="#000000",
        bar="#000000",
        cursor="#003a8c",
        resting="#202020",
        frame="#8c8c8c",
        text="#ffffff",
        strong="#ffffff",
        dim="#bdbdbd",
        ok="#5fff5f",
        bad="#ff6e6e",
        warn="#ffd75f",
        live="#87c7ff",
    ),
}


def themes() -> tuple[Theme, ...]:
    """The themes to register with the app, dark first."""
    return tuple(_theme(name, colours) for name, colours in COLOURS.items())


def _theme(name: str, colours: Colours) -> Theme:
    return Theme(
        name=name,
        primary=colours.live,
        secondary=colours.live,
        accent=colours.live,
        warning=colours.warn,
        error=colours.bad,
        success=colours.ok,
        foreground=colours.text,
        background=colours.ground,
        surface=colours.ground,
        panel=colours.bar,
        dark=colours.dark,
        variables={
            "deck-bar": colours.bar,
            "deck-frame": colours.frame,
            "deck-dim": colours.dim,
            "deck-cursor": colours.cursor,
        },
    )


@cache
def styles(theme: str) -> Mapping[Role, Style]:
    """Foreground styles of every role in `theme`; a theme that is not ours takes the dark ones."""
    colours = COLOURS.get(theme, COLOURS[DARK])
    found: dict[Role, Style] = {}
    for role in get_args(Role):
        if role == "brand":
            found[role] = Style(color=colours.ground, bgcolor=colours.live, bold=True)
        elif role == "changed":
            # Underlined, so that a difference is seen without colour.
            found[role] = Style(color=colours.bad, bold=True, underline=True)
        elif role == "faint":
            found[role] = Style(color=colours.frame)
        else:
            bold = role.endswith("!") or role == "strong"
            found[role] = Style(color=getattr(colours, role.removesuffix("!")), bold=bold or None)
    return found


@cache
def grounds(theme: str, mono: bool) -> Mapping[Ground, Style]:
    """What each ground adds on top of a role's style; `mono` is a screen without colours (NO_COLOR)."""
    colours = COLOURS.get(theme, COLOURS[DARK])
    return {
        "plain": Style(),
        "cursor": Style(reverse=True) if mono else Style(bgcolor=colours.cursor),
        "resting": Style() if mono else Style(bgcolor=colours.resting),
        "stale": Style(dim=True, bold=False) if mono else Style(color=colours.dim, bold=False),
    }
