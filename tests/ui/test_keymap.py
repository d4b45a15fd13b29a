"""Keys that a person chose: what works is what help and footer say, and no action loses its key without a word."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from textual.binding import Binding, BindingsMap

from tests.support import ROOT
from tests.terminal.pty_session import PtySession
from tests.ui.support import (
    QUICK,
    ScriptedDeck,
    checks,
    dashboard,
    look,
    nothing_there,
    screen_lines,
    screen_text,
    shows,
    until,
)
from tests.ui.test_locks import queue
from tui.app import PatchdeckApp, Settings
from tui.config import preferences, user_file
from tui.core.config import ConfigError, KeyChoice, parse
from tui.keymap import TAKEN, _screens, keymap
from tui.recording.app import ReplayApp
from tui.screens.actions import ACTIONS, DESTRUCTIVE, HELP
from tui.screens.walkthrough import WalkthroughScreen


def choices(**keys: str) -> tuple[KeyChoice, ...]:
    return tuple(KeyChoice(action.replace("_", "-"), key, "patchdeck.toml", at) for at, (action, key) in
                 enumerate(keys.items(), 3))  # fmt: skip


ALL = "from tui.keymap import _screens; print(*(one.id for screen in _screens() for one in screen.BINDINGS))"


def test_every_name_is_an_action_of_some_screen_whatever_was_loaded_before() -> None:
    ran = subprocess.run([sys.executable, "-c", ALL], capture_output=True, text=True, check=True)
    assert {*ACTIONS.values(), HELP} <= set(ran.stdout.split())
    assert set(ACTIONS.values()) >= DESTRUCTIVE


def test_the_keys_as_they_come_are_no_mistake() -> None:
    """Each action given the key it has: nothing is refused but what is destructive on a key of its own."""
    for screen in _screens():
        for key, there in BindingsMap(screen.__dict__.get("BINDINGS", ())).key_to_bindings.items():
            for one in there:
                if one.id and len(key) == 1:
                    assert keymap(choices(**{one.id.replace("-", "_"): key})) == {one.id: key}


@pytest.mark.parametrize(
    "keys",
    [
        {"history": "H"},
        {"apply": "A", "rollback": "B"},
        {"apply": "f9"},
        {"apply": "ctrl+y", "end_session": "ctrl+x", "cancel_statement": "f8"},
        {"verify": "H", "history": "u"},
        {"verify": "h", "history": "v"},
        {"help": "H", "quit": "Q", "filter": "&", "pause": "p"},
        {"apply": "A", "drift": "a"},
    ],
)
def test_what_displaces_nothing_is_taken(keys: dict[str, str]) -> None:
    assert keymap(choices(**keys)) == {name.replace("_", "-"): key for name, key in keys.items()}


@pytest.mark.parametrize(
    ("keys", "line", "says"),
    [
        ({"aply": "A"}, 3, "keys.aply: no action has this name; there are: apply, "),
        ({"history": "ctrl+alt+x"}, 3, "no key that can be given away"),
        ({"history": "enter"}, 3, "no key that can be given away"),
        ({"history": "\x1b"}, 3, "no key that can be given away"),
        ({"history": "ctrl+i"}, 3, "terminals send it for Tab"),
        ({"history": "4"}, 3, "tabs"),
        ({"history": "d"}, 3, "\"d\" is the key of 'drift' on the screen dashboard: two actions on one key"),
        ({"history": "H", "drift": "H"}, 4, "two actions on one key"),
        # On some screen other than the first, and in a walkthrough.
        ({"quit": "x"}, 3, "'end-session' on the screen locks: a destructive action would lose its key"),
        ({"help": "m"}, 3, "'Mode' on the screen walkthrough"),
        ({"history": "k"}, 3, "'Up'"),
        # A destructive action displaced, or moved onto a key that is hit easily.
        ({"verify": "a"}, 3, "\"a\" is the key of 'apply' on the screen dashboard: a destructive action would lose"),
        ({"verify": "A", "apply": "A"}, 3, "destructive action would lose its key"),
        ({"apply": "space"}, 3, '"space" is hit too easily'),
        ({"rollback": "?"}, 3, "hit too easily"),
        ({"apply": "v", "verify": "V"}, 3, "\"v\" is the key of 'verify' to every hand that knows it"),
        ({"apply": "b", "rollback": "a"}, 3, "\"b\" is the key of 'rollback' to every hand"),
        ({"end_session": "r"}, 3, '"r" is the key of'),
        ({"apply": "j"}, 3, '"j" is the key of'),
    ],
)
def test_what_would_do_harm_is_refused_with_its_place(keys: dict[str, str], line: int, says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        keymap(choices(**keys))
    said = str(raised.value)
    assert said.startswith(f"patchdeck.toml:{line}: keys.") and "\n" not in said
    assert says in said


def test_the_readme_names_every_action_and_its_keys_are_taken() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (configuration,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    chosen = parse(configuration, "README.md").keys
    assert chosen and keymap(chosen)
    (listed,) = re.findall(r"What can have another key: (.*?)\.\n", text, re.DOTALL)
    assert set(re.findall(r"`([^`]*)`", listed)) == {*ACTIONS.values(), HELP}


def test_no_key_of_a_recording_can_be_given_away() -> None:
    own = BindingsMap([one for one in ReplayApp.BINDINGS if one not in PatchdeckApp.BINDINGS]).key_to_bindings
    taken = {next(iter(BindingsMap([Binding(key, "none")]).key_to_bindings)) for key in TAKEN}
    assert set(own) - taken <= {"space", "home", "end"}


def test_the_files_say_it_and_the_users_own_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "patchdeck.toml").write_text('theme = "light"\n[keys]\nhistory = "H"\ndrift = "D"\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert preferences().theme == "light"
    own = user_file()
    own.parent.mkdir(parents=True)
    own.write_text('[keys]\nhistory = "ctrl+i"\n', encoding="utf-8")
    found = preferences()
    assert (found.theme, {one.action: one.key for one in found.keys}) == ("light", {"history": "ctrl+i", "drift": "D"})
    with pytest.raises(ConfigError) as raised:
        keymap(found.keys)
    assert str(raised.value).startswith(f"{own}:2: keys.history: ")


async def test_help_footer_palette_and_what_is_said_have_the_persons_keys() -> None:
    keys = keymap(choices(history="H", help="ctrl+g", quit="Q", filter="&", pause="p", apply="f9", end_session="E"))
    async with dashboard(queue(), (160, 40), settings=Settings(pace=QUICK, keys=keys)) as (app, pilot):
        await shows(pilot, "APPLIED")
        assert "f9 Apply" in screen_text(app)
        assert {"H History", "^g Help", "Q Quit", "& Filter"} <= {
            part.strip() for part in screen_lines(app)[-1].split("  ")
        }
        await pilot.press("h")
        await pilot.press("H")
        await shows(pilot, "enter opens the report")
        await pilot.press("escape", "ctrl+g")
        await shows(pilot, "Every key that works here")
        row = next(line for line in screen_lines(app) if "The runs that the database remembers" in line)
        assert row.split()[1] == "H"
        await pilot.press("ctrl+g")
        await shows(pilot, "Checklist")
        await pilot.press("p")
        await shows(pilot, "paused: p goes on")
        await pilot.press("p", "ctrl+p", *"history")
        await shows(pilot, "Palette")
        first = next(line for line in screen_lines(app) if "History" in line and "remembers" in line)
        assert re.search(r"repo… +H ", first)
        await pilot.press("escape", "l")
        await shows(pilot, "E End session")
        await pilot.press("E")
        await shows(pilot, "type 41 to")


async def test_a_walkthroughs_keys_are_the_same_for_everybody() -> None:
    keys = keymap(choices(apply="f9", copy="Y", locks="L"))
    deck = ScriptedDeck()
    deck.look_now = look(checks(outcome=nothing_there))
    async with dashboard(deck, settings=Settings(pace=QUICK, keys=keys)) as (app, pilot):
        await shows(pilot, "NOT APPLIED")
        await pilot.press("a")
        assert not isinstance(app.screen, WalkthroughScreen)
        await pilot.press("f9")
        await until(pilot, lambda: isinstance(app.screen, WalkthroughScreen))
        assert {"n", "escape"} <= set(app.screen.active_bindings)
        assert not {"Y", "L", "f9"} & set(app.screen.active_bindings)


NOWHERE = [sys.executable, "-m", "tui", "--dsn", "postgresql://nobody@127.0.0.1:1/none"]


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ('[keys]\nverify = "a"\n', ":2: keys.verify: \"a\" is the key of 'apply' on the screen dashboard"),
        ('theme = "blue"\n', ":1: theme is one of dark, light, high-contrast, ansi"),
    ],
)
def test_a_mistake_is_one_line_before_anything_is_drawn(stated: str, says: str) -> None:
    user_file().parent.mkdir(parents=True)
    user_file().write_text(stated, encoding="utf-8")
    with PtySession(NOWHERE, columns=300) as running:
        code, _ = running.wait_exit()
        assert code == 2
        assert len(bytes(running.written).strip().splitlines()) == 1
        assert f"{user_file()}{says}" in running.screen()
        assert b"\x1b[" not in running.written


@pytest.mark.parametrize(
    ("terminal", "stated", "sent", "never"),
    [
        ("linux", 'theme = "light"\n', rb"\x1b\[[\d;]*\b97\b", rb"[34]8;[25];"),
        ("xterm-256color", 'theme = "light"\n', rb"48;5;231", rb"[34]8;2;"),
        ("xterm-256color", "", rb"48;5;233", rb"[34]8;2;"),
    ],
)
def test_the_theme_is_the_stated_one_as_far_as_the_terminal_can(
    terminal: str, stated: str, sent: bytes, never: bytes
) -> None:
    user_file().parent.mkdir(parents=True)
    user_file().write_text(stated, encoding="utf-8")
    with PtySession(NOWHERE, environment={"TERM": terminal, "COLORFGBG": ""}) as running:
        running.wait_for("UNREACHABLE")
        assert re.search(sent, running.written)
        assert not re.search(never, running.written)
        running.send("q")
        assert running.wait_exit()[0] == 0
