"""The target options that every command takes, before or after its name, and what they come to together."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from tui.manual import Told, ToldGroup

if TYPE_CHECKING:
    from tui.commands.forked_link import ForkedLink

_EMPTY_OPTION = re.compile(r"--[a-z-]+=")


class Options(NamedTuple):
    """Which database, which bundle, how it is shown. `dsn`, `target` and `bundle` are None where the defaults hold.

    `line` is a connection that was begun before the rest of this was known, None where none was.
    """

    dsn: str | None = None
    target: str | None = None
    bundle: Path | None = None
    read_only: bool = False
    ascii: bool = False
    mouse: bool = True
    line: ForkedLink | None = None


def _parameters() -> list[click.Parameter]:
    return [
        click.Option(
            ["--dsn"],
            metavar="URL",
            help="Which database. Else PATCHDECK_DSN, SUPABASE_DB_URL, DATABASE_URL, PG* variables or a service file. "
            "Leave the password out: PGPASSWORD, ~/.pgpass or a prompt keep it off the process list.",
        ),
        click.Option(
            ["--target"],
            metavar="NAME",
            help="A target named in patchdeck.toml, here or in a folder above, or in your own configuration.",
        ),
        click.Option(
            ["--bundle"],
            metavar="DIR",
            type=click.Path(file_okay=False, path_type=Path),
            help="Folder of the migration bundle. Default: the one that ships with patchdeck.",
        ),
        click.Option(["--read-only"], is_flag=True, help="Look only: nothing that could change the database is sent."),
        click.Option(
            ["--ascii"], is_flag=True, help="No characters outside ASCII. Default where the locale is not UTF-8."
        ),
        click.Option(["--no-mouse"], is_flag=True, help="Leave the mouse to the terminal."),
    ]


class _Targeted(Told):
    """Takes the target options, hands them on as `Options` through the context, lists them in their own section."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._target_parameters = _parameters()
        self.params.extend(self._target_parameters)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command with the options merged: a value given after the command's name wins over one before it."""
        outer = ctx.find_object(Options) or Options()
        given = ctx.params
        ctx.obj = Options(
            dsn=given.pop("dsn") or outer.dsn,
            target=given.pop("target") or outer.target,
            bundle=given.pop("bundle") or outer.bundle,
            read_only=given.pop("read_only") or outer.read_only,
            ascii=given.pop("ascii") or outer.ascii,
            mouse=not given.pop("no_mouse") and outer.mouse,
            line=outer.line,
        )
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the command's own options first: they are what tells it from the others."""
        for title, wanted in (("Options", False), ("Target options", True)):
            records = [
                record
                for parameter in self.get_params(ctx)
                if isinstance(parameter, click.Option)
                and (parameter in self._target_parameters) is wanted
                and (record := parameter.get_help_record(ctx)) is not None
            ]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class TargetCommand(_Targeted):
    """A command that works on a target."""


class TargetGroup(_Targeted, ToldGroup):
    """The group: its own target options hold for every command below it."""

    command_class = TargetCommand

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse an empty argument: it is a script's variable that was never set, and what it was to name, a database
        to begin with, would be taken from elsewhere.
        """
        if not ctx.resilient_parsing:
            for before, argument in pairwise(["", *args]):
                if not argument or _EMPTY_OPTION.fullmatch(argument):
                    name = argument.rstrip("=") or (before if before.startswith("--") else "an argument")
                    raise click.UsageError(f"{name} is empty: is a variable not set?", ctx)
        return super().parse_args(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write options, then the commands, as click's own group does."""
        super().format_options(ctx, formatter)
        self.format_commands(ctx, formatter)
