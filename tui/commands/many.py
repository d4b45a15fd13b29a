"""The glance at every configured target at once: one table, one document, however many there are."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from tui.commands.session import fetch_password, find_target
from tui.config import NamedTarget, configured, user_file
from tui.core.bundle import BundleError
from tui.core.deck import Aim, Problem
from tui.core.text import count
from tui.db.link import Link
from tui.exits import Exit, Stop
from tui.files import read_bundle
from tui.loop import meanwhile, run
from tui.options import Options
from tui.output import BAD, CAREFUL, DIM, GOOD, Output, plain

if TYPE_CHECKING:
    from tui.commands import shapes
    from tui.core.look import Look
    from tui.db.sight import Shared
    from tui.db.target import Target

AT_ONCE = 64
"""Databases asked at the same time: a look is some milliseconds of work here and mostly waiting for the line."""


class Glance(msgspec.Struct, frozen=True):
    """What came of one target: a look at a database, or why there is none."""

    target: NamedTarget
    deck: Aim | None = None
    look: Look | None = None
    problem: str = ""
    hint: str = ""

    @property
    def code(self) -> Exit:
        """What `status` on this target alone would exit with."""
        from tui.commands.looking import code_of

        return Exit.UNREACHABLE if self.look is None else code_of(self.look)


def status_of_all(options: Options, *, as_json: bool) -> int:
    """Look at every configured target; the worst of their exit codes, 6 before 3 before 1 before 0. Raises
    ConfigError.
    """
    if options.dsn is not None or options.target is not None:
        raise Stop(Exit.USAGE, "--all takes every configured target: leave --dsn and --target out")
    out = Output(ascii_only=options.ascii)
    targets = [one for _, one in sorted(configured().items())]
    if not targets:
        raise Stop(Exit.USAGE, f"no target is configured, in patchdeck.toml or in {user_file()}", "see the README")
    words = "tui.commands.documents" if as_json else "tui.commands.words"
    found = run(_glance_at(targets, options, ("tui.db.glance", "tui.commands.looking", "tui.core.checklist", words)))
    if as_json:
        out.json(_document(found))
    else:
        _table(out, found)
    return max(glance.code for glance in found)


async def _glance_at(targets: Sequence[NamedTarget], options: Options, later: Sequence[str]) -> list[Glance]:
    """The glances in the order of `targets`. The modules `later` have no use before the first server lets us in."""
    room = asyncio.Semaphore(AT_ONCE)
    bundles: dict[str, Shared] = {}

    def shared_by(one: NamedTarget) -> Shared:
        from tui.db.sight import Shared

        folder = options.bundle or one.bundle
        # A hundred targets mostly share a bundle, which takes longer to read than a database takes to answer.
        if str(folder) not in bundles:
            bundles[str(folder)] = Shared(read_bundle(folder, scripts=False))
        return bundles[str(folder)]

    async def glance(one: NamedTarget) -> Glance:
        try:
            target = find_target(one, read_only=options.read_only)
            async with room:
                if one.settings.password_command is not None:
                    await asyncio.to_thread(fetch_password, one, target)
                return await _look(one, target, shared_by)
        except (Stop, Problem) as problem:
            return Glance(one, problem=problem.message, hint=problem.hint)
        except BundleError as problem:
            return Glance(one, problem=f"the bundle can not be used: {problem}")

    glances = asyncio.gather(*(glance(one) for one in targets))
    # The first of them are begun by then.
    await asyncio.sleep(0)
    await meanwhile(later)
    return list(await glances)


async def _look(one: NamedTarget, target: Target, shared_by: Callable[[NamedTarget], Shared]) -> Glance:
    link = Link(target, application="patchdeck")
    try:
        await link.open()
        from tui.db.glance import Glance as Looking

        shared = shared_by(one)
        session = Looking(target, shared.bundle, by_record=True, shared=shared, looks=link)
        return Glance(one, deck=session, look=await session.look())
    finally:
        await link.close()


def _document(found: Sequence[Glance]) -> shapes.StatusOfAll:
    from tui.commands import documents

    return {
        "healthy": all(glance.code is Exit.HEALTHY for glance in found),
        "targets": [
            {
                "name": glance.target.name,
                "environment": glance.target.settings.environment,
                "exit": int(glance.code),
                "problem": glance.problem or None,
                "hint": glance.hint or None,
                "status": documents.status(glance.deck, glance.look) if glance.deck and glance.look else None,
            }
            for glance in found
        ],
    }


def _table(out: Output, found: Sequence[Glance]) -> None:
    """A line a target, the worst first."""
    from tui.commands import words

    names = max(len(glance.target.name) for glance in found)
    verdicts = max((len(glance.look.verdict.headline) for glance in found if glance.look), default=0)
    verdicts = max(verdicts, len("NOT REACHED"))
    for glance in sorted(found, key=lambda glance: -glance.code):
        environment = glance.target.settings.environment
        marked = f"bold {BAD}" if environment == "production" else DIM
        kind = (f"{environment.upper() if environment == 'production' else environment:<10}  ", marked)
        name = f" {glance.target.name:<{names}}  "
        if glance.look is None or glance.deck is None:
            why = "; ".join(part for part in (glance.problem.rstrip("."), glance.hint) if part)
            out.line((out.marks.bad, BAD), name, kind, (f"{'NOT REACHED':<{verdicts}}  ", BAD), (plain(why, 500), DIM))
            continue
        verdict = glance.look.verdict
        style = GOOD if verdict.healthy else BAD if verdict.failed else CAREFUL
        mark = out.marks.ok if verdict.healthy else out.marks.bad if verdict.failed else out.marks.warn
        checks = f"{count(verdict.passed)}/{count(verdict.total)}"
        where = f"  {checks:>9}  {words.last_run(glance.look)}  {words.place(glance.deck.destination)}"
        out.line((mark, style), name, kind, (f"{verdict.headline:<{verdicts}}", style), (where, DIM))
    good = sum(glance.code is Exit.HEALTHY for glance in found)
    out.line((f"{count(good)} of {count(len(found))} are applied and healthy", DIM))
