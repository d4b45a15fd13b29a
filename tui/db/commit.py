"""The run's row in the ledger, COMMIT, and what became of it: a lost answer is asked for again."""

from __future__ import annotations

import asyncio
from time import monotonic

import msgspec

from tui.core.catalog import Catalog
from tui.core.deck import Problem
from tui.core.run import Outcome, Plan
from tui.core.safety import Key
from tui.db.batch import Command, StatementError
from tui.db.ledger import RUNS, read_runs
from tui.db.link import Link
from tui.db.queries import query
from tui.db.target import Target

RESOLVE_WITHIN = 15.0
"""Seconds to ask what became of a COMMIT whose answer was lost, before saying that it is not known."""


class Record(msgspec.Struct, frozen=True):
    """What is only known of a run right before COMMIT; times in seconds, `lock_seconds` up to the moment it is sent.

    `after` is the catalog it leads to, None when that is the one the server has in its setting: a line over which a
    hundred kilobytes go back to it would keep the locks for that long.
    """

    run_id: str
    seconds: float
    lock_seconds: float
    after: Catalog | None


def row_command(plan: Plan, run_id: str, findings: tuple[Key, ...] | None) -> Command:
    """Writes the run's row, after its catalogs were read; `commit` adds what is known then.

    `findings` are those of the safety lint before the run, None when it was not made.
    """
    return Command(
        query("ledger_insert"),
        (
            run_id,
            plan.bundle.name,
            plan.bundle.version,
            plan.bundle.checksum,
            plan.bundle.digest,
            plan.action,
            plan.mode if plan.action == "rollback" else "",
            plan.operator,
            plan.client_host,
            str(len(plan.statements)),
            str(Outcome.COMMITTED),
            None if findings is None else msgspec.json.encode(findings).decode(),
        ),
    )


def commit_commands(record: Record) -> tuple[Command, ...]:
    """Complete the run's row and commit. The journal has the run by now (decision 22)."""
    after = None if record.after is None else msgspec.json.encode(record.after).decode()
    row = (record.run_id, f"{record.seconds:.6f}", f"{record.lock_seconds:.6f}", after)
    return Command(query("ledger_finish"), row), Command("commit")


async def resolve(target: Target, run_id: str, xid: str, within: float | None = None) -> Outcome:
    """What became of transaction `xid`, asked on a new connection for `within` seconds, else RESOLVE_WITHIN (facts:
    migrations 0.6, F2).
    """
    deadline = monotonic() + (within or RESOLVE_WITHIN)
    while monotonic() < deadline:
        link = Link(target, application="patchdeck resolve")
        try:
            await link.open()
            while monotonic() < deadline:
                outcome = await _ask(link, run_id, xid)
                if outcome is not None:
                    return outcome
                await asyncio.sleep(0.1)
        except Problem as problem:
            if not problem.retry:
                return Outcome.UNKNOWN
        finally:
            await link.close()
        await asyncio.sleep(0.3)
    return Outcome.UNKNOWN


async def _ask(link: Link, run_id: str, xid: str) -> Outcome | None:
    """One question; None while the transaction is still in progress. Raises Problem when the line is lost."""
    status_of = Command("select pg_xact_status($1::xid8)", (xid,))
    try:
        replies = await link.batch(
            [Command("begin"), status_of, *RUNS, Command(query("ledger_exists")), Command("rollback")]
        )
    except StatementError as error:
        # 22023, "transaction ID is in the future": this server has never given that id out (another cluster at the same
        # address, or one restored to an earlier moment), so nothing of it is here.
        return Outcome.ROLLED_BACK if error.sqlstate == "22023" else Outcome.UNKNOWN
    status, runs, ledger = (replies[at].value for at in (1, 3, 4))
    recorded = any(run.run_id == run_id for run in read_runs(runs))
    match status:
        case "in progress":
            return None
        case "aborted":
            return Outcome.ROLLED_BACK
        case "committed":
            # A server that crashed gives ids out again whose transactions never reached its disk: what committed is
            # ours only if our ledger row, written by the same transaction, is there (or may not be read by this role).
            lost = not recorded and (runs or ledger == "f")
            return Outcome.ROLLED_BACK if lost else Outcome.COMMITTED
    # Too old for the server to remember.
    return Outcome.COMMITTED if recorded else Outcome.UNKNOWN
