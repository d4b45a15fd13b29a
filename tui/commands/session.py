"""Open the bundle and the database that the options name, and run one question against them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

from tui.core.text import redact
from tui.exits import Exit, Stop
from tui.files import read_bundle
from tui.options import Options
from tui.output import CAREFUL, Output

if TYPE_CHECKING:
    from tui.db.session import Session

T = TypeVar("T")


def open_session(options: Options, out: Output) -> Session:
    """A session on the target, not yet connected. Raises BundleError, or Stop when the target can not be understood."""
    import os

    bundle = read_bundle(options.bundle)
    # The driver costs more than all the rest together: it is loaded when a database is really wanted.
    from tui.db.session import Session
    from tui.db.target import TargetError, resolve

    if options.dsn is not None and redact(options.dsn) != options.dsn:
        out.notice(
            ("warning: ", CAREFUL),
            "the password in --dsn can be read by every user of this machine (ps); use PGPASSWORD or ~/.pgpass",
        )
    try:
        target = resolve(options.dsn, environ=os.environ, read_only=options.read_only)
    except TargetError as error:
        raise Stop(Exit.USAGE, str(error)) from None
    return Session(target, bundle)


def ask(session: Session, question: Callable[[Session], Awaitable[T]]) -> T:
    """The answer to `question`, with the session closed afterwards whatever happens. Raises what it raises."""

    async def answer() -> T:
        try:
            return await question(session)
        finally:
            await session.close()

    return asyncio.run(answer())
