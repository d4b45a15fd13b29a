"""The commands: their names, options and help. What each does is in `tui.commands`, imported when it runs."""

from __future__ import annotations

import math
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from tui import __version__
from tui.manual import Told, ToldGroup
from tui.options import Options, TargetGroup

if TYPE_CHECKING:
    from tui.core.check import Layer
    from tui.core.run import RollbackMode

LAYERS: tuple[Layer, ...] = ("structure", "safety", "behaviour")
MODES = ("lock", "restore", "restore-closed")
DOCUMENTED = (
    "status", "status-all", "verify", "plan", "rehearse", "apply", "rollback", "isolation", "drift", "history",
    "report", "doctor", "bundle-check",
)  # fmt: skip
FORMATS = ("text", "json", "junit", "markdown", "sarif")


class Number(click.FloatRange):
    """A number of a range; `nan` is none, though no comparison says so."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number in `value`."""
        found = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value!r} is not a valid number.", param, ctx)
        return float(found)


_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, nothing else there.")
_confirm = click.option(
    "--confirm",
    required=True,
    metavar="DBNAME",
    help="The database's name, typed out: proof that you mean this one.",
)


@click.group(
    cls=TargetGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="patchdeck")
@click.option(
    "--plain",
    is_flag=True,
    help="The dashboard as lines, one for each change: for a screen reader, a log, TERM=dumb. Ctrl+C ends it.",
)
@click.option(
    "--record",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep what the dashboard shows in a new FILE, to be shown again with `patchdeck replay FILE`.",
)
@click.pass_context
def cli(context: click.Context, plain: bool, record: Path | None) -> int:
    """A flight deck for one migration on one Supabase (Postgres) database.

    Without a command it opens the dashboard.
    """
    if context.invoked_subcommand is not None:
        if plain or record:
            raise click.UsageError("--plain and --record are the dashboard's: they stand without a command")
        return 0
    if plain:
        from tui.commands.plain import plain as tell

        return tell(context.obj, record)
    from tui.commands.first_look import FirstLook

    # A recording begins with what the bundle holds, which is read first.
    with FirstLook(context.obj) if record is None else nullcontext() as first:
        from tui.commands.dashboard import dashboard

        return dashboard(context.obj, first, record)


@cli.command()
@click.option("--all", "every", is_flag=True, help="Every target of patchdeck.toml and your own configuration at once.")
@click.option("--watch", is_flag=True, help="Look again every few seconds, for a pane of tmux; Ctrl+C ends it.")
@_json
@click.pass_obj
def status(options: Options, every: bool, watch: bool, as_json: bool) -> int:
    """One screen: the verdict, the counts, the worst news first. Exits 0 only when all is well."""
    if watch and (every or as_json):
        raise click.UsageError("--watch shows one target, to a person: leave --all and --json out")
    if every:
        from tui.commands.many import status_of_all

        return status_of_all(options, as_json=as_json)
    if watch:
        from tui.commands.watching import watch as stay

        return stay(options)
    _begin(options)
    from tui.commands.looking import status as run

    return run(options, as_json=as_json)


def _begin(options: Options) -> None:
    """Let the other process connect, if there is one, while this one loads the rest."""
    if options.line is not None:
        options.line.begin(options)


def _layers(_context: click.Context, _parameter: click.Parameter, value: str) -> tuple[Layer, ...]:
    chosen = tuple(part.strip() for part in value.split(",") if part.strip())
    unknown = [part for part in chosen if part not in LAYERS]
    if unknown or not chosen:
        raise click.BadParameter(f"{', '.join(unknown) or 'nothing'} is none of {', '.join(LAYERS)}")
    return tuple(layer for layer in LAYERS if layer in chosen)


@cli.command()
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="For a person, a script, a CI's list of tests, a ticket, or a code host's list of alerts.",
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the result to FILE instead of standard output.",
)
@click.option(
    "--layers",
    metavar="LIST",
    default=",".join(LAYERS),
    callback=_layers,
    help="Which layers to prove, separated by commas. Default: structure,safety,behaviour.",
)
@click.pass_obj
def verify(options: Options, form: str, output: Path | None, layers: tuple[Layer, ...]) -> int:
    """Prove what the migration promises, in three layers: structure, object by object; safety, by a lint of the live
    database; behaviour, by trying as every kind of user who reaches which rows, in a transaction that is rolled back.

    Exits 0 only when every layer asked for is proven.
    """
    from tui.commands.proving import verify as run

    return run(options, form=form, output=output, layers=layers)


@cli.command()
@_json
@click.pass_obj
def isolation(options: Options, as_json: bool) -> int:
    """Who reaches which rows: every table, command and kind of user, tried and rolled back.

    Exits 1 on a leak, and where it could not be proven.
    """
    from tui.commands.proving import isolation as run

    return run(options, as_json=as_json)


@cli.command()
@_json
@click.pass_obj
def drift(options: Options, as_json: bool) -> int:
    """What has changed since the last recorded run, with old and new definition.

    Exits 1 on drift, and where no run is recorded.
    """
    from tui.commands.proving import drift as run

    return run(options, as_json=as_json)


_rollback = click.option(
    "--rollback",
    "mode",
    type=click.Choice(MODES),
    help="Of a rollback in this mode instead of the apply.",
)


@cli.command()
@_rollback
@_json
@click.pass_obj
def plan(options: Options, mode: RollbackMode | None, as_json: bool) -> int:
    """What apply (or a rollback) would do on this database. Nothing is executed."""
    from tui.commands.looking import plan as run

    return run(options, mode=mode, as_json=as_json)


@cli.command()
@_rollback
@_json
@click.pass_obj
def rehearse(options: Options, mode: RollbackMode | None, as_json: bool) -> int:
    """Apply (or roll back) for real inside a transaction, verify the result, undo it."""
    from tui.commands.running import rehearse as run

    return run(options, mode=mode, as_json=as_json)


@cli.command()
@_confirm
@click.option(
    "--patience",
    metavar="SECONDS",
    type=Number(min=0, max=86_400),
    default=30.0,
    show_default=True,
    help="How long to try for locks that somebody else holds. Nobody queues behind us meanwhile.",
)
@click.option("--again", is_flag=True, help="Run every statement although everything already holds.")
@click.option(
    "--record-supabase",
    is_flag=True,
    help="Also write its row of supabase_migrations.schema_migrations, in the same transaction, and the migration file "
    "to commit: `supabase db push` then knows of it. A rollback takes the row back.",
)
@click.option(
    "--online",
    is_flag=True,
    help="First build big tables' new indexes, CONCURRENTLY and outside the transaction, so that nobody is kept from "
    "writing; afterwards validate what the patch left NOT VALID. Run it again to go on where it was stopped.",
)
@_json
@click.pass_obj
def apply(
    options: Options,
    confirm: str,
    patience: float,
    again: bool,
    record_supabase: bool,
    online: bool,
    as_json: bool,
) -> int:
    """Apply the migration in one transaction that commits only if every check passes."""
    from tui.commands.running import apply as run

    return run(
        options,
        confirm=confirm,
        patience=patience,
        again=again,
        record_supabase=record_supabase,
        online=online,
        as_json=as_json,
    )


@cli.command()
@_confirm
@click.option(
    "--mode",
    type=click.Choice(MODES),
    default="lock",
    show_default=True,
    help="lock: remove the migration's policies, triggers and views; tables, columns, data and row level security "
    "stay, so users of the API see no rows until the migration is applied again. restore: after that, put back the "
    "policies, triggers, views, functions, rights and row level security recorded before the apply, holes included. "
    "restore-closed: restore, but row level security stays on and anon gets nothing back.",
)
@_json
@click.pass_obj
def rollback(options: Options, confirm: str, mode: RollbackMode, as_json: bool) -> int:
    """Take the migration's access rules back, in one transaction."""
    from tui.commands.running import rollback as run

    return run(options, confirm=confirm, mode=mode, as_json=as_json)


@cli.command()
@_json
@click.pass_obj
def doctor(options: Options, as_json: bool) -> int:
    """Connection, pooler, TLS, role, privileges, server, round-trip time: is everything fit for a run?"""
    from tui.commands.doctor import doctor as run

    return run(options, as_json=as_json)


@cli.command()
@_json
@click.pass_obj
def history(options: Options, as_json: bool) -> int:
    """The runs that the database remembers, newest first."""
    _begin(options)
    from tui.commands.looking import history as run

    return run(options, as_json=as_json)


@cli.command(
    help="The JSON Schema of what COMMAND writes with --json (verify and report: with --format json).\n\n"
    f"COMMAND is one of {', '.join(DOCUMENTED)}."
)
@click.argument("command", type=click.Choice(DOCUMENTED), metavar="COMMAND")
@click.pass_obj
def schema(options: Options, command: str) -> int:
    """Print the JSON Schema of a command's document."""
    from tui.commands.shapes import schema as published
    from tui.output import Output

    Output(ascii_only=options.ascii).json(published(command))
    return 0


@cli.command()
@click.argument("run", default="", metavar="[RUN]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "json"]),
    default="markdown",
    show_default=True,
    help="For a person, or for a script.",
)
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report to FILE, readable by you only, instead of standard output.",
)
@click.pass_obj
def report(options: Options, run: str, form: Literal["markdown", "json"], output: Path | None) -> int:
    """What a run did, for a ticket: made from what the database recorded of it.

    RUN is a run's id as `history --json` has it, or how it begins; without one it is the newest run.
    """
    from tui.commands.report import report as make

    return make(options, run=run, form=form, output=output)


@cli.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--speed",
    metavar="X",
    type=Number(min=0.125, max=1000),
    help="How many recorded seconds pass in one. Default: 1.",
)
@click.option("--plain", is_flag=True, help="All of it at once as lines, as `patchdeck --plain` wrote them.")
@click.pass_obj
def replay(options: Options, file: Path, speed: float | None, plain: bool) -> int:
    """Show a recording made with --record again, without any database.

    The recorded time of day stands in the title. space pauses, [ and ] go 10 seconds back and on, } goes to where
    something went wrong next.
    """
    from tui.commands.replay import replay as run

    return run(options, file, speed=speed, plain=plain)


@cli.command()
@click.option(
    "--state",
    type=click.Choice(["legacy", "applied", "broken"]),
    default="legacy",
    show_default=True,
    help="Before the migration, after it, or after it with faults to find.",
)
@click.option("--serve", is_flag=True, help="No dashboard: print the DSN and stay until stopped.")
@click.pass_obj
def demo(options: Options, state: Literal["legacy", "applied", "broken"], serve: bool) -> int:
    """A database of your own to play with, with traffic, and the dashboard open on it."""
    from tui.commands.demo import demo as run

    return run(options, state=state, serve=serve)


@cli.command(cls=Told)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> int:
    """The script with which SHELL completes commands, options and their values, the configured targets' names as well.

    No database is asked while you type.
    """
    from tui.commands.completion import script

    return script(context.find_root().command, shell)


@cli.group(cls=ToldGroup)
def bundle() -> None:
    """Bring a migration of your own: begin a bundle, check it, derive what it promises. Asks no database of yours."""


_folder = click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))


@bundle.command("check")
@_folder
@_json
@click.pass_obj
def bundle_check(options: Options, folder: Path, as_json: bool) -> int:
    """Everything that can be said of the bundle in DIR without a database, with file and line.

    Exits 0 when it can be used, warnings or not, and 2 when it can not.
    """
    from tui.commands.bundle_check import check as run

    return run(options, folder, as_json=as_json)


@bundle.command("derive")
@_folder
@click.option(
    "--output",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write there instead of the bundle's own expected.toml.",
)
@click.option("--force", is_flag=True, help="Replace the file if it is there.")
@click.pass_obj
def bundle_derive(options: Options, folder: Path, output: Path | None, force: bool) -> int:
    """Try PATCH.sql on a throw-away database of the embedded server and write down what it did: an expected.toml to
    review against the specification, never to be trusted as it is.

    The database begins as the bundle's demo does; without one, as a new Supabase project, in which BEFORE.sql of the
    bundle is run first, where there is one. The folder's other files stay as they are.
    """
    from tui.commands.bundle_derive import derive as run

    return run(options, folder, output=output, force=force)


@bundle.command("new")
@_folder
@click.option("--name", metavar="NAME", help="The bundle's name; else the folder's.")
@click.pass_obj
def bundle_new(options: Options, folder: Path, name: str | None) -> int:
    """Begin a bundle of your own in DIR: commented files that work as they stand. No file is ever replaced."""
    from tui.commands.bundle_new import new

    return new(options, folder, name=name)
