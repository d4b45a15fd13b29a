"""Completion in a shell: the script that turns it on, and the values that only patchdeck knows.

What a shell asks while somebody types must answer at once and never complain: no database is asked, and a
configuration that can not be used completes nothing.
"""

from __future__ import annotations

from typing import get_args

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, get_completion_class
from click.types import StringParamType

from tui.core.check import Layer
from tui.exits import Exit

VARIABLE = "_PATCHDECK_COMPLETE"
"""What click looks for before it runs anything: the shell's name and what it wants."""


def script(program: click.Command, shell: str) -> int:
    """Print what `shell` (bash, zsh or fish) has to read so that it completes `program`."""
    # Loaded for the script alone: what completes a word is to cost as little as can be.
    from tui.output import Output

    made = get_completion_class(shell)
    if made is None:
        raise click.BadParameter(f"{shell} is none that can be completed")
    Output().text(made(program, {}, "patchdeck", VARIABLE).source())
    return Exit.HEALTHY


def prepare(program: click.Command) -> None:
    """Teach `program`, which a shell is about to ask, the values that click does not know of itself."""
    add_completion_class(_Bash)
    for parameter in program.params:
        if parameter.name in _TYPES:
            parameter.type = _TYPES[parameter.name]
    for command in program.commands.values() if isinstance(program, click.Group) else ():
        prepare(command)


class _Bash(BashComplete):
    """Bash cuts `--target=pr` into three words, and click's own class offers nothing after an equals sign."""

    def get_completion_args(self) -> tuple[list[str], str]:
        words, incomplete = super().get_completion_args()
        return [word for word in words if word != "="], incomplete


class _Target(StringParamType):
    """A configured target's name, each with what kind of database it is."""

    name = "target"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        from tui.config import configured
        from tui.core.config import ConfigError

        try:
            known = configured()
        except (ConfigError, OSError):
            return []
        names = sorted(name for name in known if name.startswith(incomplete))
        return [CompletionItem(name, help=known[name].settings.environment) for name in names]


class _Layers(StringParamType):
    """Layers separated by commas, each of which stands there once."""

    name = "layers"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
        *given, last = incomplete.split(",")
        before = "".join(f"{layer}," for layer in given)
        fitting = (layer for layer in get_args(Layer) if layer.startswith(last) and layer not in given)
        return [CompletionItem(before + layer) for layer in fitting]


_TYPES: dict[str | None, StringParamType] = {"target": _Target(), "layers": _Layers()}
"""By the parameter's name."""
