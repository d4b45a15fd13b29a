"""The themes and what a colour means: one table of roles that every drawn line is styled with.

A colour stands for a meaning and is always accompanied by a word and a mark (design/ui.md rules 1 and 8), so that the
screens read the same without colour. Over SSH most terminals say nothing of true colour: each colour is chosen so that
the nearest of the 256 keeps its meaning, its contrast and its distance to the others, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal, get_args

import msgspec
from rich.console import Console
from rich.style import Style
from textual.theme import BUILTIN_THEMES, Theme

from tui.core.config import ThemeName

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

DARK: ThemeName = "dark"
LIGHT: ThemeName = "light"
CONTRAST: ThemeName = "high-contrast"
ANSI: ThemeName = "ansi"
LIGHT_GROUNDS = ("7", "15")
"""Backgrounds that COLORFGBG names and that are light; terminals that set it (rxvt, Konsole) count as ANSI does."""


class Colours(msgspec.Struct, frozen=True):
    """The colours of one theme; `bar`, `cursor`, `resting` and `field` (what is typed into) are grounds, `frame` is
    quiet lines, the rest are foregrounds.

    `marked` is what every text on the cursor's ground is written in, "" where each keeps its own colour. An `ansi`
    theme names the terminal's own sixteen colours; its resting row is underlined, as no ground is left for it.
    """

    ground: str
    bar: str
    cursor: str
    resting: str
    field: str
    frame: str
    text: str
    strong: str
    dim: str
    ok: str
    bad: str
    warn: str
    live: str
    marked: str = ""
    dark: bool = True
    ansi: bool = False


COLOURS: Mapping[ThemeName, Colours] = {
    DARK: Colours(
        ground="#121317",
        bar="#1c1e24",
        cursor="#232c4d",
        resting="#1e2026",
        field="#232c4d",
        frame="#3a3d47",
        text="#c8d0e8",
        strong="#eef1fa",
        dim="#8f99b8",
        ok="#9ece6a",
        bad="#ff8fa3",
        warn="#e0af68",
        live="#8ab0ff",
    ),
    LIGHT: Colours(
        ground="#f7f8fa",
        bar="#e9eaee",
        cursor="#d0e0ff",
        resting="#e2e4e9",
        field="#d0e0ff",
        frame="#b4b8c2",
        text="#262a3a",
        strong="#0b0d14",
        dim="#4d5368",
        ok="#22610c",
        bad="#a8123a",
        warn="#6f4a00",
        live="#1a48b0",
        dark=False,
    ),
    CONTRAST: Colours(
        ground="#000000",
        bar="#000000",
        cursor="#ffffff",
        resting="#262626",
        field="#00005f",
        frame="#9e9e9e",
        text="#ffffff",
        strong="#ffffff",
        dim="#d0d0d0",
        ok="#87ff87",
        bad="#ffafaf",
        warn="#ffd75f",
        live="#afd7ff",
        marked="#000000",
    ),
    ANSI: Colours(
        ground="black",
        bar="black",
        cursor="white",
        resting="black",
        field="blue",
        frame="bright_black",
        text="bright_white",
        strong="bright_white",
        dim="white",
        ok="bright_green",
        bad="bright_red",
        warn="bright_yellow",
        live="bright_cyan",
        marked="black",
        ansi=True,
    ),
}


def themes() -> tuple[Theme, ...]:
    """The themes to register with the app, dark first."""
    return tuple(_theme(name, colours) for name, colours in COLOURS.items())


def suited(wanted: ThemeName | None, environ: Mapping[str, str]) -> ThemeName:
    """The theme to begin with: the `wanted` one, else one for the terminal's own background where it tells it.

    A terminal of sixteen colours gets the theme made for it in any case: there the others would become what is nearest.
    """
    asked = environ.get("TEXTUAL_COLOR_SYSTEM", "auto")
    system = asked if asked in ("standard", "256", "truecolor") else "auto"
    terminal = Console(force_terminal=True, color_system=system, _environ={**environ, "NO_COLOR": ""})  # type: ignore[arg-type]
    if terminal.color_system == "standard":
        return ANSI
    if wanted is not None:
        return wanted
    return LIGHT if environ.get("COLORFGBG", "").rpartition(";")[2] in LIGHT_GROUNDS else DARK


def _theme(name: str, colours: Colours) -> Theme:
    def named(colour: str) -> str:
        return f"ansi_{colour}" if colours.ansi else colour

    return Theme(
        name=name,
        primary=named(colours.live),
        secondary=named(colours.live),
        accent=named(colours.live),
        warning=named(colours.warn),
        error=named(colours.bad),
        success=named(colours.ok),
        foreground=named(colours.text),
        background=named(colours.ground),
        surface=named(colours.ground),
        panel=named(colours.bar),
        dark=colours.dark,
        ansi=colours.ansi,
        # Textual's own style sheet names more where the colours are the terminal's.
        variables={
            **(BUILTIN_THEMES["ansi-dark"].variables if colours.ansi else {}),
            "deck-bar": named(colours.bar),
            "deck-frame": named(colours.frame),
            "deck-dim": named(colours.dim),
            "deck-field": named(colours.field),
        },
    )


@cache
def styles(theme: str) -> Mapping[Role, Style]:
    """Foreground styles of every role in `theme`; a theme that is not ours takes the dark ones."""
    colours = _colours(theme)
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
    colours = _colours(theme)
    if mono:
        return {
            "plain": Style(),
            "cursor": Style(reverse=True),
            "resting": Style(underline=True),
            "stale": Style(dim=True, bold=False),
        }
    return {
        "plain": Style(),
        "cursor": Style(color=colours.marked or None, bgcolor=colours.cursor),
        "resting": Style(underline=True) if colours.ansi else Style(bgcolor=colours.resting),
        "stale": Style(color=colours.dim, bold=False),
    }


def _colours(theme: str) -> Colours:
    return next((colours for name, colours in COLOURS.items() if name == theme), COLOURS[DARK])
