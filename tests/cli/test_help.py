"""`--help` of every command: examples that click understands as they stand, and the exit codes that it can end with."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
import pytest

from tests.cli.support import patchdeck
from tui.cli import cli
from tui.exits import Exit
from tui.manual import PAGES, exits


def _commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(path), group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


COMMANDS = dict(_commands(cli))


def _shown(name: str, width: int = 80) -> str:
    """The help of a command, made without a process of its own."""
    context = click.Context(cli, info_name="patchdeck", terminal_width=width)
    for part in name.split():
        assert isinstance(context.command, click.Group)
        context = click.Context(context.command.commands[part], parent=context, info_name=part, terminal_width=width)
    return context.get_help()


def _understood(line: str) -> str:
    """The command that click finds in a line of a shell, every option and value of it checked; nothing is run."""
    words = shlex.split(line.replace("<(", "").replace(")", ""))
    words = words[words.index("patchdeck") + 1 :]
    words = words[: min((words.index(end) for end in ("|", ">") if end in words), default=len(words))]
    context, found = cli.make_context("patchdeck", words), []
    while isinstance(context.command, click.Group) and (rest := [*context._protected_args, *context.args]):
        name, command, rest = context.command.resolve_command(context, rest)
        assert name is not None and command is not None
        found.append(name)
        context = command.make_context(name, rest, parent=context)
    return " ".join(found)


def test_every_command_has_its_page() -> None:
    assert set(PAGES) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_understood_and_shown_whole(name: str) -> None:
    page, text = PAGES[name], _shown(name)
    assert page.examples
    for line, why in page.examples:
        # The overview and a group show commands below them, and a way back is looked at first.
        assert _understood(line).startswith(name) or (name, line.split()[1]) == ("rollback", "plan")
        assert f"\n  {line}\n      {why}\n" in text
        assert len(why) <= 80


def test_an_example_that_rots_is_found() -> None:
    for line in (
        "patchdeck stauts",
        "patchdeck status --jsn",
        "patchdeck rollback --confirm x --mode half",
        "patchdeck apply",
        "patchdeck --target prod bundle chek notes | tee x",
    ):
        with pytest.raises((click.UsageError, AssertionError)):
            _understood(line)


@pytest.mark.parametrize("name", COMMANDS)
def test_exit_codes_are_named(name: str) -> None:
    text = _shown(name)
    codes = exits(name)
    assert {Exit.HEALTHY, Exit.USAGE, Exit.DEFECT} <= set(codes)
    told = [int(line.split()[0]) for line in text.partition("Exit codes:")[2].splitlines() if line[2:3].strip()]
    assert told == sorted(map(int, codes))
    assert all(meaning for meaning in codes.values())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_is_explained(name: str) -> None:
    text = _shown(name)
    command = COMMANDS[name]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, parameter.name
        else:
            shown = parameter.make_metavar(click.Context(command))
            assert f"\n  {shown}\n" not in text, "an argument is no option"
            assert "".join(shown.split()) in "".join(text.partition("\n\n")[0].split())
    assert "..." not in text.partition("Commands:")[2], "a sentence is cut"


@pytest.mark.parametrize("name", COMMANDS)
def test_it_fits_a_narrow_terminal(name: str) -> None:
    before, _, after = _shown(name, 60).partition("Examples:")
    assert [line for line in (before + after.partition("Exit codes:")[2]).splitlines() if len(line) > 60] == []


def test_the_process_says_the_same() -> None:
    ran = patchdeck("bundle", "new", "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.split() == _shown("bundle new").split()
    assert patchdeck("-h").out == patchdeck("--help").out
