"""The command that asks whether everything is fit for a run: connection, pooler, TLS, role, rights, server, line."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from tui.commands import documents, words
from tui.commands.session import ask, open_session
from tui.core.look import Server
from tui.core.preflight import PreflightCheck
from tui.core.run import Plan
from tui.exits import Exit
from tui.options import Options
from tui.output import Output

if TYPE_CHECKING:
    from tui.db.session import Session

PINGS = 5


def doctor(options: Options, *, as_json: bool) -> int:
    """Every preflight check of an apply and the line measured; 1 when one of them would stop a run."""
    out = Output(ascii_only=options.ascii)
    session = open_session(options, out)

    async def question(session: Session) -> tuple[Server, tuple[PreflightCheck, ...], list[float]]:
        server = await session.connect()
        address, preflight = session.address(), await session.preflight(Plan(session.bundle))
        return server, (address, *preflight) if address else preflight, await session.ping(PINGS)

    server, checks, round_trips = ask(session, question)
    if as_json:
        out.json(documents.doctor(session, server, checks, round_trips))
    else:
        words.doctor(out, session, server, checks, median(round_trips))
    return Exit.FAILED if any(check.level == "stop" for check in checks) else Exit.HEALTHY
