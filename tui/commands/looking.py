"""The commands that only look: status, plan, history."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui import loop
from tui.commands.secrets import warn_of_secrets
from tui.commands.session import ask, chosen_bundle, open_glance, open_session
from tui.config import named
from tui.db.glance import Glance
from tui.exits import Exit
from tui.options import Options
from tui.output import Output

if TYPE_CHECKING:
    from tui.commands.forked_link import ForkedLink
    from tui.core.bundle import Bundle
    from tui.core.look import Look
    from tui.core.plan import Preview
    from tui.core.run import RollbackMode
    from tui.db.session import Session

JUDGES = ("tui.core.checklist", "tui.commands.words")
"""What has no use before the database has answered."""


def status(options: Options, *, as_json: bool) -> int:
    """The glance: one look, judged."""
    out = Output(ascii_only=options.ascii)
    session, look = _glance(options, out, meanwhile=JUDGES)
    if as_json:
        from tui.commands import documents

        out.json(documents.status(session, look))
    else:
        from tui.commands import words

        words.status(out, session, look)
    return code_of(look)


def code_of(look: Look) -> Exit:
    """What a glance exits with: whether all is well, unless it is not known what became of a run."""
    if any(earlier.fate == "unknown" for earlier in look.earlier):
        return Exit.UNKNOWN
    return Exit.HEALTHY if look.verdict.healthy else Exit.FAILED


def plan(options: Options, *, mode: RollbackMode | None, as_json: bool) -> int:
    """What apply, or a rollback in `mode`, would do here; always 0 when it could be worked out."""
    # The other two commands of this module need nothing of a run.
    from tui.core.run import plan_of

    out = Output(ascii_only=options.ascii)
    session = open_session(options, out)
    asked = plan_of(session.bundle, mode)

    async def question(session: Session) -> tuple[Look, Preview]:
        return await session.look(), await session.preview(asked)

    look, preview = ask(session, question)
    wanted = replace(asked, restore=preview.restore)
    if as_json:
        from tui.commands import documents

        out.json(documents.plan(session, look, wanted, preview))
    else:
        from tui.commands import words

        words.plan(out, session, look, wanted, preview)
    return Exit.REFUSED if preview.obstacle else Exit.HEALTHY


def history(options: Options, *, as_json: bool) -> int:
    """The ledger's runs, newest first."""
    out = Output(ascii_only=options.ascii)
    session, look = _glance(options, out)
    if as_json:
        from tui.commands import documents

        out.json(documents.history(session, look))
    else:
        from tui.commands import words

        words.history(out, look)
    return Exit.HEALTHY


def _glance(options: Options, out: Output, *, meanwhile: Sequence[str] = ()) -> tuple[Glance, Look]:
    """One look, and the session that made it, closed; over the connection that was begun already, where that leads
    anywhere. `meanwhile` as for `ask`. Raises as `open_glance`, and Problem.
    """
    if options.line is not None:
        bundle = chosen_bundle(options, named(options), scripts=False)
        warn_of_secrets(options, out)
        found = loop.run(_over(options.line, bundle, meanwhile))
        if found is not None:
            return found
    glance = open_glance(options, None if options.line else out)
    return glance, ask(glance, Glance.look, meanwhile=meanwhile)


async def _over(line: ForkedLink, bundle: Bundle, meanwhile: Sequence[str]) -> tuple[Glance, Look] | None:
    loading = asyncio.create_task(loop.meanwhile(meanwhile))
    target = await line.target()
    if target is None:
        return None
    glance = Glance(target, bundle, by_record=True, looks=line)
    look = await glance.look()
    await asyncio.gather(loading, glance.close())
    return glance, look
