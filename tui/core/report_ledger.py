"""A report made again from what the ledger keeps of a run: the same words, from the record alone."""

from __future__ import annotations

from datetime import UTC

import msgspec
from msgspec.structs import replace

from tui.core.bundle import Bundle
from tui.core.catalog import Catalog
from tui.core.deck import Destination
from tui.core.look import RunRecord
from tui.core.report import Report
from tui.core.run import Finished, Outcome, Plan, RollbackMode, RunState
from tui.core.surface import diff

MODES: dict[str, RollbackMode] = {"lock": "lock", "restore": "restore", "restore-closed": "restore-closed"}


class LedgerRow(msgspec.Struct, frozen=True):
    """One row of the ledger, whole: its record, its transaction, and the catalog before and after it.

    `digest` is that of the bundle it ran from.
    """

    record: RunRecord
    xid: str
    digest: str
    before: Catalog
    after: Catalog


def from_ledger(bundle: Bundle, destination: Destination, row: LedgerRow) -> Report:
    """The report of the run in `row`. What the ledger does not keep is in its `not_kept`.

    Version and checksum are the run's; what is left to do and the way back are read from the `bundle` at hand, and the
    report says so where that is no longer the one that ran. Times are UTC.
    """
    record = row.record
    ran = replace(
        bundle, checksum=record.checksum, manifest=msgspec.structs.replace(bundle.manifest, version=record.version)
    )
    plan = Plan(
        ran,
        action=record.action,
        mode=MODES.get(record.mode, "lock"),
        operator=record.operator,
        client_host=record.client_host,
    )
    changed = (
        "" if row.digest == bundle.digest else " The bundle at hand is no longer the one that ran: what is left to do "
        "and the way back are read from the one at hand."
    )  # fmt: skip
    end = Finished(
        outcome=Outcome.COMMITTED,
        reason=f"Committed, as the ledger of the database records it.{changed}",
        state="What changed is below; what became of it since, `patchdeck drift` tells.",
        next_step="",
        seconds=record.seconds,
        lock_seconds=record.lock_seconds,
        round_trips=0,
        verdict=None,
    )
    run = RunState(
        total=record.statements, done=record.statements, changes=diff(row.before, row.after), xid=row.xid, finished=end
    )
    ended = record.finished_at.astimezone(UTC)
    utc = replace(record, started_at=record.started_at.astimezone(UTC), finished_at=ended)
    return Report(plan, destination, run, end, at=ended, ledger=utc, result=row.after)
