"""What one look at a database found: the server, its catalog, the checks, the verdict and the recorded runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import msgspec

from tui.core.catalog import Catalog
from tui.core.check import Check
from tui.core.earlier import Earlier
from tui.core.verdict import Verdict

LedgerState = Literal["read", "none", "unreadable"]
"""Whether the recorded runs could be read, are not there yet, or may not be read by the connected role."""
LEDGER_SAID: Mapping[LedgerState, str] = {
    "read": "no run is recorded in this database",
    "none": "no run is recorded in this database: it has no ledger yet, the first apply makes it",
    "unreadable": "the ledger patchdeck.runs is there, but this role may not read it: sign in as the one that applied",
}
"""Why there is no run to show, per state of the ledger."""

PoolerMode = Literal["transaction", "session", "direct", "unknown"]


class Server(msgspec.Struct, frozen=True):
    """The database as it was reached. `rtt` is the last measured round trip in seconds; `tls` is e.g. `TLSv1.3` or
    `off`.

    `superuser` and `bypass_rls` are attributes of the connected role; `writable` is False on a standby, in read-only
    mode (Supabase sets it when the disk is full) and with `--read-only`.
    """

    host: str
    port: int
    database: str
    user: str
    pooled: bool
    mode: PoolerMode
    version: str
    version_num: int
    tls: str
    tls_verified: bool
    rtt: float
    superuser: bool
    bypass_rls: bool
    writable: bool


class RunRecord(msgspec.Struct, frozen=True):
    """One row of the ledger `patchdeck.runs`. Times are the server's; `seconds` and `lock_seconds` are the client's
    measure.
    """

    run_id: str
    bundle: str
    version: str
    checksum: str
    action: Literal["apply", "rollback"]
    mode: str
    operator: str
    client_host: str
    server_version: str
    started_at: datetime
    finished_at: datetime
    seconds: float
    lock_seconds: float
    statements: int
    outcome: str

    @property
    def name(self) -> str:
        """What was run, in a word or two; not cleaned."""
        return self.action if self.action == "apply" else f"{self.action} ({self.mode})"


class Look(msgspec.Struct, frozen=True):
    """One complete look. `runs` is newest first and bounded, `ledger` says why it may be empty; `taken_at` is the
    server's clock. `earlier` are the runs of this machine whose end was only found out by asking.
    """

    server: Server
    catalog: Catalog
    checks: tuple[Check, ...]
    verdict: Verdict
    runs: tuple[RunRecord, ...]
    taken_at: datetime
    ledger: LedgerState = "read"
    earlier: tuple[Earlier, ...] = ()

    @property
    def last_run(self) -> RunRecord | None:
        """The newest recorded run, or None."""
        return self.runs[0] if self.runs else None
