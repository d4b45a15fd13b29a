"""A restore on a real database: the ledger's record is asked for, and the way back to it worked out."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from tui.core.look import Look
from tui.core.preflight import PreflightCheck
from tui.core.restore import Restorable, plan_restore
from tui.core.restore_words import restore_preflight
from tui.core.run import Plan
from tui.db.batch import Command, StatementError, set_local
from tui.db.ledger import ask_ledger
from tui.db.link import Link, query_problem
from tui.db.probe import LOOK_LIMITS
from tui.db.queries import query


class WorkedOut(msgspec.Struct, frozen=True):
    """A plan with its restore (None when there is no way), and the preflight checks that belong to it."""

    plan: Plan
    checks: tuple[PreflightCheck, ...]


async def work_out(link: Link, plan: Plan, look: Look) -> WorkedOut:
    """`plan` completed for the database that `look` saw; one that restores nothing comes back as it is.

    One round trip. Raises Problem.
    """
    if not plan.restores:
        return WorkedOut(plan, ())
    recorded = await _recorded(link, plan)
    restore = None
    if recorded is not None:
        restore = plan_restore(
            recorded,
            look.catalog,
            plan.bundle.rollback.statements,
            closed=plan.mode == "restore-closed",
            user=look.server.user,
        )
    return WorkedOut(replace(plan, restore=restore), restore_preflight(recorded, restore, look.catalog))


async def _recorded(link: Link, plan: Plan) -> Restorable | None:
    commands = [
        Command("begin read only"),
        set_local(LOOK_LIMITS),
        *ask_ledger(query("restorable"), plan.bundle),
        Command("rollback"),
    ]
    try:
        document = (await link.batch(commands))[-2].value
    except StatementError as error:
        await link.run("rollback")
        raise query_problem(error) from None
    return msgspec.json.decode(document, type=Restorable) if document else None
