"""What `--help` says after a command's options: examples to copy, and the exit codes it can end with."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import click

from tui.exits import Exit

MEANINGS: Mapping[Exit, str] = {
    Exit.HEALTHY: "done and healthy",
    Exit.FAILED: "a check failed, or could not be proven",
    Exit.USAGE: "usage, unreadable bundle or configuration, no terminal",
    Exit.UNREACHABLE: "could not connect or sign in",
    Exit.REFUSED: "refused before anything was changed",
    Exit.ROLLED_BACK: "failed and rolled back: the database is as it was",
    Exit.UNKNOWN: "outcome not known yet: what to do is printed",
    Exit.DEFECT: "a defect in patchdeck itself; a file that is named keeps the details",
}
"""What each exit code promises, where a command has no words of its own for it."""


class Page(NamedTuple):
    """A command's examples, as (command line, what it is for), and its exit codes with words of its own or "".

    Every command can end with 2, and, where something is wrong with patchdeck itself, with 70.
    """

    examples: tuple[tuple[str, str], ...]
    exits: Mapping[Exit, str] = MappingProxyType({})


LOOKS = {
    Exit.UNREACHABLE: "",
    Exit.REFUSED: "the server declined to answer, or a lock is in the way; who holds it is said",
}
RUNS = {
    Exit.UNREACHABLE: "",
    Exit.REFUSED: "refused and nothing changed: preflight, wrong name, lock not had in time, somebody else's run",
    Exit.ROLLED_BACK: "a statement or a check failed, or it was interrupted; the database is as it was",
    Exit.UNKNOWN: "",
}

PAGES: Mapping[str, Page] = {
    "": Page(
        (
            ("patchdeck --target prod", "The dashboard on a database named in patchdeck.toml."),
            ("patchdeck --plain --target prod", "The same as lines, for a screen reader or a log."),
            ("patchdeck demo", "A database of your own to try everything on."),
            ("patchdeck status --target prod", "The glance after a deploy."),
        ),
        {code: "" for code in MEANINGS if code is not Exit.DEFECT},
    ),
    "status": Page(
        (
            ("patchdeck status", "After a deploy: is the migration in force, and all well?"),
            ("patchdeck status --json | jq -r .verdict", "One word for a script."),
            ("patchdeck status --all", "Every configured target in one table."),
            ("patchdeck status --watch --target prod", "For a pane of tmux."),
        ),
        {
            Exit.HEALTHY: "applied, and all is well",
            Exit.FAILED: "not applied, partial, drifted or rolled back",
            **LOOKS,
            Exit.UNKNOWN: "a run from this machine was cut off, and the server can not say yet what became of it",
        },
    ),
    "verify": Page(
        (
            ("patchdeck verify", "All three layers, worst news first."),
            ("patchdeck verify --format junit --output patchdeck.xml", "A gate for CI."),
            ("patchdeck --read-only verify --layers safety", "The one layer that is proven without writing."),
        ),
        {
            Exit.HEALTHY: "every layer asked for is proven",
            Exit.FAILED: "a check failed, or could not be proven",
            **LOOKS,
        },
    ),
    "isolation": Page(
        (
            ("patchdeck isolation", "A table of who reaches what."),
            ("patchdeck isolation --json > matrix.json", "Every case, with the statement that reproduces a leak."),
        ),
        {Exit.HEALTHY: "nobody reaches more than promised", Exit.FAILED: "a leak, or it could not be proven", **LOOKS},
    ),
    "drift": Page(
        (
            ("patchdeck drift", "What somebody changed by hand, before and after."),
            ("patchdeck drift --target prod --json", "The same for a nightly job."),
        ),
        {Exit.HEALTHY: "as the last run left it", Exit.FAILED: "something changed, or no run is recorded", **LOOKS},
    ),
    "plan": Page(
        (
            ("patchdeck plan", "Every statement's effect on this database."),
            ("patchdeck plan --rollback restore-closed", "What a way back would do, and what it would not."),
        ),
        {
            Exit.HEALTHY: "it could be run",
            Exit.UNREACHABLE: "",
            Exit.REFUSED: "it could not: the obstacle is named; or the server declined to answer",
        },
    ),
    "rehearse": Page(
        (
            ("patchdeck rehearse", "In a quiet minute: the locks are real while it lasts."),
            ("patchdeck rehearse --rollback restore", "The way back, tried."),
        ),
        {Exit.HEALTHY: "it will work; it was rolled back", **RUNS},
    ),
    "apply": Page(
        (
            ("patchdeck apply --confirm postgres", "On the database named postgres."),
            ("patchdeck apply --confirm postgres --patience 300", "Try for five minutes to get the locks."),
            (
                "patchdeck apply --confirm postgres --online",
                "Big tables: build their indexes first, keeping nobody waiting.",
            ),
            (
                "patchdeck apply --confirm postgres --record-supabase --json > run.json",
                "With supabase db push in mind.",
            ),
        ),
        {
            Exit.HEALTHY: "committed, or already in force: then nothing was run",
            Exit.FAILED: "committed, and the proof of it found a leak: who reaches what is in the report and in verify",
            **RUNS,
        },
    ),
    "rollback": Page(
        (
            ("patchdeck plan --rollback restore-closed", "First see what it would do."),
            ("patchdeck rollback --confirm postgres --mode restore-closed", "What was before, with the door shut."),
            ("patchdeck rollback --confirm postgres", "Only shut the door: users of the API see no rows."),
        ),
        {Exit.HEALTHY: "committed", **RUNS},
    ),
    "doctor": Page(
        (
            ("patchdeck doctor", "Before the first run, and when something is odd."),
            ("patchdeck doctor --target prod --json", "For a ticket."),
        ),
        {Exit.HEALTHY: "fit for a run", Exit.FAILED: "something would stop a run", **LOOKS},
    ),
    "history": Page(
        (
            ("patchdeck history", "Who ran what, and when."),
            ("patchdeck history --json | jq -r '.runs[0].run_id'", "The newest run's id, for report."),
        ),
        {Exit.HEALTHY: "listed, be it none", **LOOKS},
    ),
    "report": Page(
        (
            ("patchdeck report --output report.md", "The newest run, for a ticket."),
            ("patchdeck report 1f0c --format json", "The run whose id begins so."),
        ),
        {Exit.HEALTHY: "", Exit.FAILED: "no such run is recorded", **LOOKS},
    ),
    "schema": Page((("patchdeck schema status > status.schema.json", "To validate what status --json writes."),)),
    "replay": Page(
        (
            ("patchdeck replay friday.rec", "As it was on screen."),
            ("patchdeck replay friday.rec --speed 10", "An hour in six minutes."),
            ("patchdeck replay friday.rec --plain", "All of it as lines."),
        )
    ),
    "demo": Page(
        (
            ("patchdeck demo", "Before the migration, with old rows and traffic: press a to apply it."),
            ("patchdeck demo --state broken", "Applied, then damaged: what would be found?"),
            ("patchdeck demo --serve", "For a script: its DSN is the first line of output."),
        ),
        {
            Exit.HEALTHY: "left",
            Exit.UNREACHABLE: "the server did not start",
            Exit.REFUSED: "another demo is in the way",
        },
    ),
    "completion": Page(
        (
            ("source <(patchdeck completion bash)", "In ~/.bashrc."),
            ("patchdeck completion zsh > ~/.zfunc/_patchdeck", "With ~/.zfunc in fpath, before compinit."),
            ("patchdeck completion fish > ~/.config/fish/completions/patchdeck.fish", "fish finds it by itself."),
        )
    ),
    "bundle": Page(
        (
            ("patchdeck bundle new migrations/notes", "Begin with files that work."),
            ("patchdeck bundle check migrations/notes", "All that is wrong with them, with file and line."),
        )
    ),
    "bundle check": Page(
        (
            ("patchdeck bundle check migrations/notes", "While you write it."),
            ("patchdeck bundle check migrations/notes --json", "For CI: one object, every fault with its place."),
        ),
        {Exit.HEALTHY: "it can be used, warnings or not", Exit.USAGE: "it can not"},
    ),
    "bundle derive": Page(
        (
            ("patchdeck bundle derive migrations/notes --output draft.toml", "To be read beside the specification."),
            ("patchdeck bundle derive migrations/notes --force", "In the place of the expected.toml that is there."),
        ),
        {
            Exit.FAILED: "written, but what it says does not hold on the database it was made from",
            Exit.UNREACHABLE: "the embedded server did not start",
            Exit.REFUSED: "the file exists: nothing was written",
        },
    ),
    "bundle new": Page(
        (
            ("patchdeck bundle new migrations/notes", "A table of notes that users keep to themselves."),
            ("patchdeck bundle new migrations/2026-invoices --name invoices", "With a name of its own."),
        ),
        {Exit.HEALTHY: "written", Exit.REFUSED: "files are there already: nothing was written"},
    ),
}
"""By the command's name, without the program's."""


def exits(command: str) -> Mapping[Exit, str]:
    """Every exit code that `command` (a key of PAGES) can end with, and what it means there; 70 is every command's."""
    own = {Exit.HEALTHY: "", Exit.USAGE: "", **PAGES[command].exits}
    return {code: own[code] or MEANINGS[code] for code in sorted(own)} | {Exit.DEFECT: MEANINGS[Exit.DEFECT]}


class Told(click.Command):
    """A command whose help ends with its examples and its exit codes."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write them below the options."""
        name = ctx.command_path.partition(" ")[2]
        with formatter.section("Examples"):
            # One below the other and never wrapped: a line that was broken can not be copied.
            for line, why in PAGES[name].examples:
                formatter.write(f"{'':>{formatter.current_indent}}{line}\n")
                formatter.write(f"{'':>{formatter.current_indent}}    {why}\n")
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), meaning) for code, meaning in exits(name).items()])


class ToldGroup(Told, click.Group):
    """A group of such commands, listed in the order in which they were written, each with its whole first sentence."""

    command_class = Told

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands' names, in the order of their definition: what belongs together stands together."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list; click's own cuts each line at the terminal's width."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(limit=400)) for name, one in self.commands.items()])
