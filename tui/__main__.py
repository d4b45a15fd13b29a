"""The door: runs the command line and turns every way it can end into one exit code and at most one clear line."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from types import TracebackType

from tui import loading
from tui.commands.forked_link import ForkedLink
from tui.exits import Exit, Stop

GLANCES = frozenset(("status", "history"))
"""Commands that take no longer than what they load."""
OTHERS = frozenset(("--all", "--watch", "--help", "-h"))
"""Options that make something else of them."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command in `arguments` (None: those of the process) and return its exit code."""
    loading.begin()
    _prepare_streams()
    given = frozenset(sys.argv[1:] if arguments is None else arguments)
    with _Ending() as ending, ForkedLink() if given & GLANCES and not given & OTHERS else nullcontext() as line:
        # Only now all that reads the options: a guess what will be wanted costs less than to wait for it.
        from tui.cli import cli
        from tui.options import Options

        if "_PATCHDECK_COMPLETE" in os.environ:
            from tui.commands.completion import prepare

            prepare(cli)
        ending.code = cli.main(args=arguments, prog_name="patchdeck", standalone_mode=False, obj=Options(line=line))
    return int(ending.code or 0)


def _prepare_streams() -> None:
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            # Closed by the caller (`2>&-`): print() would send what is meant for one stream to the other.
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - open until the end
        elif isinstance(stream, io.TextIOWrapper):
            # A name that the terminal's encoding lacks is shown escaped: it must not end the command.
            stream.reconfigure(errors="backslashreplace")
    if sys.stdin is None:
        # Closed likewise (`<&-`, some job runners): nobody is there to be asked.
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115 - open until the end


class _Ending:
    """The one place where an exception becomes an exit code. Interrupted commands end with 130, as shells expect."""

    def __init__(self) -> None:
        self.code: int | None = None

    def __enter__(self) -> _Ending:
        return self

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> bool:
        if error is None or isinstance(error, SystemExit):
            return False
        self.code = _explain(error)
        return True


def _explain(error: BaseException) -> int:
    """Tell the operator about `error` on standard error; returns the exit code."""
    # Imported here: a command that ends well, or only shows its help, needs none of it.
    import click

    from tui.core.bundle import BundleError
    from tui.core.config import ConfigError
    from tui.core.deck import Problem

    match error:
        case Stop():
            _say(error.message, error.hint, cause=error.__cause__)
            return error.code
        case click.Abort() | KeyboardInterrupt():
            _say("interrupted")
            return 130
        case click.ClickException():
            context = getattr(error, "ctx", None)
            _say(error.format_message(), f"{context.command_path} --help" if context else "patchdeck --help")
            return Exit.USAGE
        case BundleError():
            _say(f"the bundle can not be used: {error}")
            return Exit.USAGE
        case ConfigError():
            _say(str(error))
            return Exit.USAGE
        case Problem():
            _say(error.message, error.hint)
            return Exit.REFUSED if error.kind == "query" else Exit.UNREACHABLE
        case _:
            _say(f"a defect in patchdeck: {type(error).__name__}: {error}", cause=error)
            return Exit.DEFECT


def _say(message: str, hint: str = "", *, cause: BaseException | None = None) -> None:
    """One clean line; with `cause`, an error nobody foresaw, also the file that keeps its traceback.

    What was typed, a server's words and a library's message all pass here: any of them may hold a secret.
    """
    from tui.output import Output, plain

    if cause is not None:
        from tui.crash import record

        hint = "; ".join(part for part in (hint, f"details in {record(cause)}") if part)
    line = f"{message.rstrip('.')}; {hint}" if hint else message
    Output().notice(f"patchdeck: {plain(line, 1000)}")


if __name__ == "__main__":
    sys.exit(main())
