"""Open the bundle and the database that the options name, and run one question against them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from tui.config import NamedTarget, named
from tui.core.text import redact
from tui.exits import Exit, Stop
from tui.files import read_bundle
from tui.options import Options
from tui.output import CAREFUL, Output
from tui.passwords import from_command, prompt

if TYPE_CHECKING:
    from tui.db.session import Session
    from tui.db.target import Target

T = TypeVar("T")


def open_session(options: Options, out: Output) -> Session:
    """A session on the target, not yet connected.

    Raises BundleError or ConfigError, or Stop when the target can not be understood or its password not be had.
    """
    chosen = named(options)
    if chosen is not None and options.dsn is not None:
        raise Stop(Exit.USAGE, "--dsn and --target both say which database: give one of them")
    bundle = read_bundle(options.bundle or (chosen.bundle if chosen else None))
    # The driver costs more than all the rest together: it is loaded when a database is really wanted.
    from tui.db.session import Session

    if options.dsn is not None and redact(options.dsn) != options.dsn:
        out.notice(
            ("warning: ", CAREFUL),
            "the password in --dsn can be read by every user of this machine (ps); use PGPASSWORD or ~/.pgpass",
        )
    target = find_target(chosen, dsn=options.dsn, read_only=options.read_only)
    fetch_password(chosen, target)
    target.ask = prompt(target.destination)
    return Session(target, bundle)


def find_target(chosen: NamedTarget | None, *, dsn: str | None = None, read_only: bool = False) -> Target:
    """The target that was `chosen` by name; without one, that of `dsn` or of the environment. Raises Stop."""
    from tui.db.target import TargetError, resolve

    try:
        if chosen is None:
            return resolve(dsn, environ=os.environ, read_only=read_only)
        settings = chosen.settings
        return resolve(
            settings.dsn,
            environ=os.environ,
            read_only=read_only or settings.read_only,
            source=f"{chosen.file}: targets.{chosen.name}.dsn",
            name=chosen.name,
            environment=settings.environment,
        )
    except TargetError as error:
        raise Stop(Exit.USAGE, str(error)) from None


def fetch_password(chosen: NamedTarget | None, target: Target) -> None:
    """Run the command that a `chosen` target names for its password, unless PGPASSWORD is nearer. Raises Stop."""
    command = chosen.settings.password_command if chosen is not None else None
    if command and not os.environ.get("PGPASSWORD"):
        target.give_password(from_command(command))


def ask(session: Session, question: Callable[[Session], Awaitable[T]]) -> T:
    """The answer to `question`, with the session closed afterwards whatever happens. Raises what it raises."""

    async def answer() -> T:
        try:
            return await question(session)
        finally:
            await session.close()

    return asyncio.run(answer())
