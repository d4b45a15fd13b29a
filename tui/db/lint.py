"""The safety lint of the live database: one read-only statement, one round trip."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tui.core.safety import LintRequest, Row
from tui.db.batch import Command, Reply, StatementError, set_local
from tui.db.link import Link, query_problem
from tui.db.probe import LOOK_LIMITS
from tui.db.queries import query

LINT_LIMITS = LOOK_LIMITS | {"enable_nestloop": "off"}
"""Limits of a lint, SET LOCAL. Compiling its long statement would take far longer than running it, and of what its CTEs
hold the planner knows nothing: with nested loops 800 tables took 6 s, without 0.4 s (16 tables: 20 ms either way).
"""


def lint_commands(request: LintRequest) -> list[Command]:
    """The batch of one lint, in a read-only transaction of its own."""
    return [Command("begin read only"), set_local(LINT_LIMITS), lint_command(request), Command("rollback")]


def lint_command(request: LintRequest) -> Command:
    """The statement alone, for a transaction whose search_path is '' already."""
    return Command(query("safety"), (msgspec.json.encode(request).decode(),))


def read_lint(reply: Reply) -> tuple[Row, ...]:
    """The reply to `lint_command`, typed; its text is as the server sent it, `core.safety.judge` cleans it."""
    return tuple(Row(*(value or "" for value in row)) for row in reply.rows)


async def lint(link: Link, request: LintRequest) -> tuple[Row, ...]:
    """Lint the database behind an open link. Raises Problem: the line is lost, or the server refused (hint: why)."""
    try:
        replies: Sequence[Reply] = await link.batch(lint_commands(request))
    except StatementError as error:
        await link.run("rollback")
        raise query_problem(error) from None
    return read_lint(replies[2])
