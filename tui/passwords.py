"""Where a password comes from when no DSN, environment or .pgpass has it: a command of the target, or a prompt."""

from __future__ import annotations

import getpass
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence

from tui.core.deck import Destination
from tui.core.text import one_line
from tui.exits import Exit, Stop

COMMAND_PATIENCE = 30.0
"""Seconds that a `password_command` may take."""


def from_command(command: Sequence[str], *, patience: float = COMMAND_PATIENCE) -> str:
    """The password that `command` prints, without its last line's end; no shell is involved.

    Raises Stop; nothing that the command printed is ever quoted, on either of its streams.
    """
    program = one_line(command[0], 100)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Stop(Exit.UNREACHABLE, f"password_command {program!r} did not end within {patience:g} s") from None
    except OSError as error:
        raise Stop(Exit.UNREACHABLE, f"password_command {program!r} can not be run: {error.strerror}") from None
    if done.returncode != 0:
        hint = "run it by hand to see why; its output is never shown here"
        raise Stop(Exit.UNREACHABLE, f"password_command {program!r} ended with {done.returncode}", hint)
    try:
        password = done.stdout.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise Stop(Exit.UNREACHABLE, f"password_command {program!r} printed no UTF-8") from None
    if not password or "\n" in password or "\0" in password:
        what = "nothing" if not password else "more than one line"
        raise Stop(Exit.UNREACHABLE, f"password_command {program!r} printed {what}, not a password")
    return password


def somebody_there() -> bool:
    """Whether there is a terminal at which a person can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def prompt(place: Destination) -> Callable[[], str] | None:
    """What asks the person at the terminal for the password of `place`; None where nobody is there to be asked."""
    if not somebody_there():
        return None

    def ask() -> str:
        # asyncio takes the first Ctrl+C for itself and would let this line wait on for a second one.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            who = one_line(f"{place.user} on {place.host}:{place.port}/{place.database}", 200)
            return getpass.getpass(f"Password for {who}: ", stream=sys.stderr)
        except EOFError:
            raise KeyboardInterrupt from None
        finally:
            signal.signal(signal.SIGINT, before)

    return ask
