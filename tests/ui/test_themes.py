"""The themes: readable by measure, told apart on terminals of few colours, and never all that says a state."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from typing import get_args

import pytest
from rich.color import Color, ColorSystem

from tests.ui.support import (
    QUICK,
    ScriptedDeck,
    checks,
    dashboard,
    look,
    missing,
    screen_lines,
    screen_text,
    shows,
    until,
)
from tui.app import Settings
from tui.core.config import ThemeName
from tui.theme import COLOURS, Colours, Ground, Role, grounds, styles, suited
from tui.widgets.table import LineTable

TEXTS = ("text", "strong", "dim", "ok", "bad", "warn", "live")
GROUNDS = ("ground", "bar", "resting", "cursor", "field")
RGB = tuple[int, int, int]
# What terminals paint the sixteen with: xterm's own table and the VGA's, which the Linux console and PuTTY have.
XTERM: tuple[RGB, ...] = (
    (0, 0, 0), (205, 0, 0), (0, 205, 0), (205, 205, 0), (0, 0, 238), (205, 0, 205), (0, 205, 205), (229, 229, 229),
    (127, 127, 127), (255, 0, 0), (0, 255, 0), (255, 255, 0), (92, 92, 255), (255, 0, 255), (0, 255, 255),
    (255, 255, 255),
)  # fmt: skip
VGA: tuple[RGB, ...] = (
    (0, 0, 0), (170, 0, 0), (0, 170, 0), (170, 85, 0), (0, 0, 170), (170, 0, 170), (0, 170, 170), (170, 170, 170),
    (85, 85, 85), (255, 85, 85), (85, 255, 85), (255, 255, 85), (85, 85, 255), (255, 85, 255), (85, 255, 255),
    (255, 255, 255),
)  # fmt: skip
SHOWN: Mapping[str, tuple[ThemeName, ...]] = {
    "truecolor": ("dark", "light", "high-contrast"),
    "256": ("dark", "light", "high-contrast"),
    "xterm": ("ansi",),
    "vga": ("ansi",),
}
CASES = [(terminal, theme) for terminal, names in SHOWN.items() for theme in names]


def painted(name: str, terminal: str) -> RGB:
    """What a terminal makes of a colour."""
    colour = Color.parse(name)
    if terminal in ("xterm", "vga"):
        assert colour.number is not None
        return (XTERM if terminal == "xterm" else VGA)[colour.number]
    return (colour.downgrade(ColorSystem.EIGHT_BIT) if terminal == "256" else colour).get_truecolor()


def contrast(one: RGB, other: RGB) -> float:
    """The ratio of WCAG 2.2, 1 to 21."""

    def luminance(colour: RGB) -> float:
        parts = [value / 255 for value in colour]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_is_that_of_the_standard() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((118, 118, 118), (255, 255, 255)) == pytest.approx(4.54, abs=0.01)


def written(colours: Colours, role: str, ground: str) -> str:
    """The colour a role has on a ground."""
    return colours.marked if ground == "cursor" and colours.marked else str(getattr(colours, role))


@pytest.mark.parametrize(("terminal", "theme"), CASES)
def test_every_text_can_be_read_on_every_ground(terminal: str, theme: ThemeName) -> None:
    colours = COLOURS[theme]
    least = 7.0 if theme == "high-contrast" else 4.5
    too_weak = []
    for ground in GROUNDS:
        # What is typed into holds the text and what asks for it, nothing else.
        for role in ("text", "dim") if ground == "field" else TEXTS:
            pair = painted(written(colours, role, ground), terminal), painted(getattr(colours, ground), terminal)
            if contrast(*pair) < least:
                too_weak.append(f"{role} on {ground}: {contrast(*pair):.2f}")
    # The name plate, and the band and the button of what is dangerous.
    for plate in ("live", "bad"):
        assert contrast(painted(colours.ground, terminal), painted(getattr(colours, plate), terminal)) >= least
    assert too_weak == []


@pytest.mark.parametrize(("terminal", "theme"), CASES)
def test_the_marked_row_is_seen_whatever_the_terminal_makes_of_the_colours(terminal: str, theme: ThemeName) -> None:
    colours = COLOURS[theme]
    cursor, resting, ground, field = (
        painted(getattr(colours, name), terminal) for name in ("cursor", "resting", "ground", "field")
    )
    assert len({cursor, resting, ground}) == (2 if colours.ansi else 3)
    assert field != ground
    assert colours.ansi == bool(grounds(theme, False)["resting"].underline)
    frame = painted(colours.frame, terminal)
    assert contrast(frame, ground) > (4.5 if theme == "high-contrast" else 1.4)
    # Good, bad and careful are three colours on every terminal.
    assert len({painted(getattr(colours, role), terminal) for role in ("ok", "bad", "warn", "live", "text")}) == 5


@pytest.mark.parametrize("theme", COLOURS)
def test_what_is_drawn_is_what_is_measured(theme: ThemeName) -> None:
    colours = COLOURS[theme]
    for role in get_args(Role):
        colour = styles(theme)[role].color
        assert colour is not None
        if role not in ("brand", "changed", "faint"):
            assert colour == Color.parse(getattr(colours, role.removesuffix("!")))
    cursor = grounds(theme, False)["cursor"]
    assert cursor.bgcolor == Color.parse(colours.cursor)
    assert (cursor.color == Color.parse(colours.marked)) if colours.marked else cursor.color is None


def test_without_colour_every_ground_still_differs() -> None:
    mono = grounds("dark", True)
    assert all(style.color is None and style.bgcolor is None for style in mono.values())
    assert len({str(mono[ground]) for ground in get_args(Ground)}) == len(get_args(Ground))


@pytest.mark.parametrize(
    ("wanted", "environ", "theme"),
    [
        (None, {"TERM": "xterm-256color"}, "dark"),
        (None, {"TERM": "xterm-256color", "COLORFGBG": "0;15"}, "light"),
        (None, {"TERM": "xterm-256color", "COLORFGBG": "15;default;0"}, "dark"),
        ("high-contrast", {"TERM": "tmux-256color", "COLORFGBG": "0;15"}, "high-contrast"),
        ("light", {"TERM": "linux"}, "ansi"),
        (None, {"TERM": "vt220"}, "ansi"),
        (None, {"TERM": "vt220", "COLORTERM": "truecolor"}, "dark"),
        (None, {"TERM": "vt220", "TEXTUAL_COLOR_SYSTEM": "truecolor"}, "dark"),
        ("light", {"TERM": "xterm-256color", "NO_COLOR": "1"}, "light"),
    ],
)
def test_the_theme_to_begin_with(wanted: ThemeName | None, environ: dict[str, str], theme: ThemeName) -> None:
    assert suited(wanted, environ) == theme


def broken() -> ScriptedDeck:
    deck = ScriptedDeck()
    deck.look_now = look(checks(outcome=missing("agents_select")))
    return deck


async def test_every_theme_says_the_same_words_on_every_screen() -> None:
    said: dict[str, str] = {}
    for theme in COLOURS:
        async with dashboard(broken(), settings=Settings(pace=QUICK, theme=theme)) as (app, pilot):
            await shows(pilot, "PARTIAL")
            await shows(pilot, "drift none")
            await shows(pilot, "37 errors")
            text = screen_text(app)
            await pilot.press("slash", "a")
            await pilot.press("escape", "ctrl+p")
            await shows(pilot, "Palette")
            said[theme] = text
    assert len(set(said.values())) == 1
    assert "✗ PARTIAL 174/175" in said["ansi"]


async def test_the_palette_offers_the_other_themes_and_they_draw() -> None:
    async with dashboard(broken()) as (app, pilot):
        await shows(pilot, "PARTIAL")
        for theme in (*list(COLOURS)[1:], "dark"):
            await pilot.press("ctrl+p", *f"theme {theme}", "enter")
            chosen = partial(lambda wanted: app.theme == wanted, theme)
            await until(pilot, chosen)
            await shows(pilot, "PARTIAL")


async def test_no_color_sends_none_and_says_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with dashboard(broken()) as (app, pilot):
        await shows(pilot, "✗ PARTIAL 174/175")
        strips = app.screen._compositor.render_strips()
        used = {
            colour
            for strip in strips
            for segment in strip.apply_filter(app._filters[-1], app.screen.background_colors[1])
            if segment.style
            for colour in (segment.style.color, segment.style.bgcolor)
            if colour and not colour.is_default
        }
        assert used == set()


async def test_ascii_says_everything_without_another_character() -> None:
    async with dashboard(broken(), settings=Settings(pace=QUICK, ascii=True)) as (app, pilot):
        await shows(pilot, "x PARTIAL 174/175")
        rows = [
            "".join(segment.text for segment in app._last_door.apply(list(strip), app.screen.background_colors[1]))
            for strip in app.screen._compositor.render_strips()
        ]
        assert all(row.isascii() for row in rows)
        assert any(re.search(r"x\s+agents\s.*3/4", row) for row in rows)


async def test_the_row_that_enter_would_run_is_marked_in_the_palette() -> None:
    async with dashboard(broken()) as (app, pilot):
        await shows(pilot, "PARTIAL")
        await pilot.press("ctrl+p")
        await shows(pilot, "Palette")
        marked = [line for line in app.screen.query_one("#palette-table", LineTable).shown if line.ground == "cursor"]
        assert len(marked) == 1
        await pilot.press("down")
        after = [line for line in app.screen.query_one("#palette-table", LineTable).shown if line.ground == "cursor"]
        assert len(after) == 1 and after != marked


async def test_the_palette_begins_with_what_is_called_so() -> None:
    async with dashboard(broken()) as (app, pilot):
        await shows(pilot, "PARTIAL")
        await pilot.press("ctrl+p", *"th")
        await until(pilot, lambda: "Theme light" in next(
            line for at, line in enumerate(screen_lines(app)) if at > next(
                number for number, text in enumerate(screen_lines(app)) if "Palette" in text
            ) + 2
        ))  # fmt: skip
