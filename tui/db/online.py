"""Indexes built beforehand and constraints validated afterwards, one statement a transaction, nobody kept from writing.

CREATE INDEX CONCURRENTLY can not run inside a transaction, so nothing can be set for it with SET LOCAL, and a plain SET
would stay in the pooler's connection: it runs under the role's own limits, and what ends it leaves an invalid index,
which is dropped. It needs no lock_timeout: the lock it waits for is in no reader's or writer's way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from time import monotonic

import msgspec
from psycopg import sql

from tui.core.deck import Control, Problem
from tui.core.online import Build, Validation
from tui.core.run import Building, Event, Validating
from tui.core.text import duration, one_line, redact, visible
from tui.db.batch import Command, LineLost, StatementError, set_local
from tui.db.link import Link, query_problem
from tui.db.probe import LOOK_LIMITS
from tui.db.queries import query

LONGEST_BUILD = 24 * 3600.0
"""Seconds without a byte after which a build is given up: the server says nothing until it is done."""

PROGRESS_EVERY = 1.0
VALIDATE_LIMITS = {"lock_timeout": "2s", "statement_timeout": "0"}


class NotBuilt(Exception):  # noqa: N818 - how it ended
    """An index or validation did not come through; `str()` is one sentence. Nothing else was changed."""


class _Index(msgspec.Struct, frozen=True):
    there: bool
    valid: bool
    building: int | None
    done: float | None
    phase: str


class _Online(msgspec.Struct, frozen=True):
    timeout: int
    indexes: dict[str, _Index]


async def build(link: Link, watch: Link, steps: Sequence[Build], control: Control) -> AsyncGenerator[Event]:
    """Build what is not there yet, in order; running it again goes on where it stopped.

    An invalid index of the same name on the same table is what an earlier build left, and is dropped first. Raises
    NotBuilt, Problem.
    """
    if steps and not watch.is_open:
        raise NotBuilt("Building beforehand takes a second connection, and there is none.")
    for at, step in enumerate(steps, 1):
        state = await _state(watch, step)
        found = state.indexes[step.name]
        if found.building is not None:
            raise NotBuilt(f"Process {found.building} is building {step.name} now: wait until it has ended.")
        if found.valid:
            continue
        if state.timeout and step.seconds * 1000 > state.timeout:
            raise NotBuilt(
                f"{step.name} takes about {duration(step.seconds)}, and statement_timeout ends it after "
                f"{duration(state.timeout / 1000)}: raise it for this role first (alter role … set statement_timeout)."
            )
        if found.there:
            await _drop(link, step, control)
        async with aclosing(_build_one(link, watch, step, control, at, len(steps))) as said:
            async for event in said:
                yield event


async def validate(link: Link, steps: Sequence[Validation]) -> AsyncGenerator[Event]:
    """Validate constraints, each in a transaction of its own. Raises NotBuilt; what is done stays done."""
    for at, step in enumerate(steps, 1):
        yield Validating(step.name, step.table, at, len(steps))
        statement = sql.SQL("alter table {} validate constraint {}").format(
            sql.Identifier(*step.table.split(".", 1)), sql.Identifier(step.name)
        )
        commands = [
            Command("begin"),
            set_local(VALIDATE_LIMITS),
            Command(statement.as_string(None)),
            Command("commit"),
        ]
        try:
            await link.batch(commands, silence=LONGEST_BUILD)
        except StatementError as error:
            await link.run("rollback")
            raise NotBuilt(f"{step.name} on {step.table} is not validated: {_said(error)}.") from None
        except Problem as problem:
            raise NotBuilt(
                f"The line was lost while {step.name} on {step.table} was being validated ({problem}): it may not be."
            ) from None


async def _build_one(
    link: Link, watch: Link, step: Build, control: Control, at: int, total: int
) -> AsyncGenerator[Event]:
    began = monotonic()
    yield Building(step.name, step.table, at, total, 0.0, None, "")
    building = asyncio.create_task(_run(link, step.sql))
    stop = asyncio.create_task(control.wait())
    try:
        while not building.done():
            await asyncio.wait((building, stop), timeout=PROGRESS_EVERY, return_when=asyncio.FIRST_COMPLETED)
            if stop.done() and not building.done():
                await link.cancel()
                await asyncio.wait((building,))
            elif not building.done():
                # Progress is worth a word, not the build: what can not be asked is left out.
                with suppress(Problem):
                    now = (await _state(watch, step)).indexes[step.name]
                    yield Building(step.name, step.table, at, total, monotonic() - began, now.done, visible(now.phase))
        await building
    except StatementError as error:
        what = "Cancelled by the operator" if control.cancelled else _said(error)
        left = await _take_away(link, step)
        raise NotBuilt(f"{step.name} was not built: {what}. {left}") from None
    except LineLost as lost:
        said = one_line(redact(visible(lost.message)), 200)
        raise NotBuilt(
            f"The line was lost while {step.name} was being built ({said}). The server may go on with it; run this"
            " again later: what is complete is kept, what is invalid is dropped and built anew."
        ) from None
    finally:
        stop.cancel()
        if not building.done():
            # Left early: closing the link cancels the statement on the server.
            building.cancel()
    if not (await _state(watch, step)).indexes[step.name].valid:
        raise NotBuilt(f"{step.name} is there but not valid: it will be dropped and built anew when this is run again.")
    yield Building(step.name, step.table, at, total, monotonic() - began, 1.0, "done")


async def _run(link: Link, statement: str) -> None:
    async for _ in link.stream([Command(statement)], silence=LONGEST_BUILD):
        pass


async def _drop(link: Link, step: Build, control: Control) -> None:
    """Drop what an interrupted build left; it waits for the table's open transactions, in nobody's way."""
    schema = step.table.partition(".")[0]
    statement = sql.SQL("drop index concurrently if exists {}").format(sql.Identifier(schema, step.name))
    dropping = asyncio.create_task(_run(link, statement.as_string(None)))
    stop = asyncio.create_task(control.wait())
    try:
        await asyncio.wait((dropping, stop), return_when=asyncio.FIRST_COMPLETED)
        if not dropping.done():
            await link.cancel()
        await dropping
    except StatementError as error:
        raise NotBuilt(f"The invalid {step.name} on {step.table} could not be dropped: {_said(error)}.") from None
    except LineLost as lost:
        raise NotBuilt(f"The line was lost: {one_line(redact(visible(lost.message)), 200)}.") from None
    finally:
        stop.cancel()
        dropping.cancel()


async def _take_away(link: Link, step: Build) -> str:
    """Drop at once what a build that just ended left, if nobody is in the way; returns what is left, in a sentence.

    NOWAIT: a plain DROP INDEX that waited would make every reader behind it wait; a concurrent one would wait itself
    for whoever the build waited for.
    """
    schema, _, table = step.table.partition(".")
    lock = sql.SQL("lock table {} in access exclusive mode nowait").format(sql.Identifier(schema, table))
    drop = sql.SQL("drop index if exists {}").format(sql.Identifier(schema, step.name))
    texts = ("begin", lock.as_string(None), drop.as_string(None), "commit")
    try:
        await link.batch([Command(text) for text in texts])
    except StatementError:
        await link.run("rollback")
        return f"An invalid {step.name} is left on {step.table}; running this again drops it and builds it anew."
    return "Nothing of it is left."


async def _state(link: Link, step: Build) -> _Online:
    commands = [
        Command("begin read only"),
        Command(query("online"), (json.dumps({step.name: step.table}),)),
        set_local(LOOK_LIMITS),
        Command("rollback"),
    ]
    try:
        replies = await link.batch(commands)
    except StatementError as error:
        await link.run("rollback")
        raise query_problem(error) from None
    return msgspec.json.decode(replies[1].value, type=_Online)


def _said(error: StatementError) -> str:
    return f"{one_line(redact(visible(error.message)), 300)} (SQLSTATE {error.sqlstate})"
