"""Open the bundle and the database that the options name, and run one question against them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from tui import loop
from tui.commands.secrets import warn_of_secrets
from tui.config import NamedTarget, named
from tui.exits import Exit, Stop
from tui.files import read_bundle
from tui.options import Options
from tui.output import Output
from tui.passwords import from_command, prompt

if TYPE_CHECKING:
    from tui.core.bundle import Bundle
    from tui.db.glance import Glance
    from tui.db.session import Session
    from tui.db.target import Target

T = TypeVar("T")
G = TypeVar("G", bound="Glance")


def open_session(options: Options, out: Output | None = None, *, by_record: bool = False) -> Session:
    """A session on the target, not yet connected; `out` takes the warnings, None where they have been given.

    `by_record` as for a glance, and like a glance it leaves the bundle's scripts unsplit. Raises BundleError or
    ConfigError, or Stop when the target can not be understood or its password not be had.
    """
    target, bundle = _open(options, out, scripts=not by_record)
    # The driver and the engine cost more than all the rest together: loaded when a database is really wanted.
    from tui.db.session import Session

    return Session(target, bundle, by_record=by_record)


def open_glance(options: Options, out: Output | None = None) -> Glance:
    """What only looks at the target, not yet connected. It believes an apply's record. Raises as `open_session` does,
    but for a script of the bundle that is no SQL: a look runs none.
    """
    target, bundle = _open(options, out, scripts=False)
    from tui.db.glance import Glance

    return Glance(target, bundle, by_record=True)


def _open(options: Options, out: Output | None, *, scripts: bool) -> tuple[Target, Bundle]:
    chosen = named(options)
    if chosen is not None and options.dsn is not None:
        raise Stop(Exit.USAGE, "--dsn and --target both say which database: give one of them")
    bundle = chosen_bundle(options, chosen, scripts=scripts)
    if out is not None:
        warn_of_secrets(options, out)
    target = find_target(chosen, dsn=options.dsn, read_only=options.read_only)
    fetch_password(chosen, target)
    target.ask = prompt(target.destination)
    return target, bundle


def chosen_bundle(options: Options, chosen: NamedTarget | None, *, scripts: bool) -> Bundle:
    """The bundle that the options name, else the target's, else the one that ships. Raises BundleError."""
    return read_bundle(options.bundle or (chosen.bundle if chosen else None), scripts=scripts)


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


def ask(session: G, question: Callable[[G], Awaitable[T]], *, meanwhile: Sequence[str] = ()) -> T:
    """The answer to `question`, with the session closed afterwards whatever happens. Raises what it raises.

    `meanwhile`: modules to be loaded while the server is waited for.
    """

    async def answer() -> T:
        loading = asyncio.create_task(loop.meanwhile(meanwhile))
        try:
            return await question(session)
        finally:
            loading.cancel()
            await session.close()

    return loop.run(answer())
