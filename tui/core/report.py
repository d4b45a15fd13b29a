"""What a report of one run is made of: what was asked, what happened, what changed, what was found afterwards.

`tui.core.report_markdown` and `tui.core.report_json` are its two forms.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec

from tui.core.catalog import Catalog
from tui.core.check import Check, Layer
from tui.core.deck import Destination
from tui.core.look import Look, RunRecord, Server
from tui.core.plan import Count
from tui.core.proof import LayerState, Proof, layer_state
from tui.core.report_tables import Standing, standing
from tui.core.run import Finished, Outcome, Plan, RunState
from tui.core.said import label as label
from tui.core.said import route as route
from tui.core.said import tls as tls
from tui.core.supabase_dsn import understand
from tui.core.surface import Change
from tui.core.text import visible

KINDS = ("created", "altered", "dropped", "unchanged")

LAYERS: tuple[Layer, ...] = ("structure", "safety", "behaviour")

NOT_KEPT = {
    "checks": "the checks",
    "layers": "what the three layers came to",
    "verdict": "the verdict",
    "locks": "which tables were locked",
    "readers_blocked_seconds": "how long readers waited",
    "round_trips": "round trips",
    "attempts": "attempts",
    "rows_written": "rows written",
    "counts": "rows counted before",
    "counts_afterwards": "rows counted afterwards",
    "rehearsal": "whether it was rehearsed",
}
RESTORE_NOT_KEPT = {
    "not_restored": "what could not be put back",
    "kept_back": "what was kept back on purpose",
}
"""What the ledger's row does not hold, by the report's JSON keys, in words; the second of a run that restores."""


class Report(msgspec.Struct, frozen=True):
    """Everything a report is made of. `at` is when the run ended, `before` and `after` are looks around it (None when
    the database could not be looked at), `verified` the checks on the committed state, those of `proof` among them.
    `counts` were taken before the run, `counts_after` after it.

    `rehearsal` is "worked", "skipped" or "" when the run was a rehearsal itself. A report made from the ledger alone
    has the run's own row in `ledger` and the catalog it left in `result`.
    """

    plan: Plan
    destination: Destination
    run: RunState
    end: Finished
    at: datetime
    before: Look | None = None
    after: Look | None = None
    verified: tuple[Check, ...] = ()
    counts: tuple[Count, ...] = ()
    counts_after: tuple[Count, ...] = ()
    proof: Proof | None = None
    rehearsal: str = ""
    ledger: RunRecord | None = None
    result: Catalog | None = None

    @property
    def catalog(self) -> Catalog | None:
        """The catalog after the run, or the latest known."""
        look = self.after or self.before
        return look.catalog if look else self.result

    @property
    def left(self) -> Catalog | None:
        """The catalog as the run left it; None where it committed nothing, or nobody has looked since."""
        if self.end.outcome is not Outcome.COMMITTED:
            return None
        return self.after.catalog if self.after else self.result

    @property
    def tables(self) -> list[Standing]:
        """The bundle's tables and views as the run left them."""
        return standing(self.plan.bundle, self.left, self.changes, self.verified) if self.left is not None else []

    @property
    def layers(self) -> Mapping[Layer, tuple[LayerState, tuple[Check, ...]]]:
        """What each layer came to after an apply; none for what promises nothing there, or is not known."""
        if self.ledger is not None or self.plan.action != "apply" or self.end.outcome is not Outcome.COMMITTED:
            return {}
        checks = {layer: tuple(check for check in self.verified if check.layer == layer) for layer in LAYERS}
        # Where nobody could look again, what was found before COMMIT is what was committed.
        checks["structure"] = checks["structure"] or self.run.checks
        return {layer: (layer_state(found), found) for layer, found in checks.items()}

    @property
    def total(self) -> int:
        """How many statements there were to run."""
        return self.run.total or len(self.plan.statements)

    @property
    def server(self) -> Server | None:
        """The server as last reached."""
        look = self.after or self.before
        return look.server if look else None

    @property
    def record(self) -> RunRecord | None:
        """The ledger's row of this run, None when it left none."""
        if self.ledger is not None:
            return self.ledger
        known = {run.run_id for run in self.before.runs} if self.before else set()
        new = self.after.last_run if self.after and self.end.outcome is Outcome.COMMITTED and self.end.ran else None
        return new if new and new.run_id not in known else None

    @property
    def changes(self) -> tuple[Change, ...]:
        """What the run changed for good, or in a rehearsal would change; what was rolled back changed nothing."""
        undone = self.end.outcome in (Outcome.ROLLED_BACK, Outcome.REFUSED)
        return () if undone else self.run.changes

    @property
    def not_kept(self) -> Mapping[str, str]:
        """What this report can not say because the ledger did not keep it: JSON keys, and in words."""
        if self.ledger is None:
            return {}
        return NOT_KEPT if self.ledger.mode not in ("restore", "restore-closed") else NOT_KEPT | RESTORE_NOT_KEPT

    @property
    def action(self) -> str:
        """What was run, in a word or two."""
        if self.plan.rehearse:
            return f"rehearse {self.plan.action}"
        return self.plan.action if self.plan.action == "apply" else f"rollback ({self.plan.mode})"

    def of(self, kind: str) -> tuple[Change, ...]:
        """The changes of one kind."""
        return tuple(change for change in self.changes if change.kind == kind)


OTHER_WAYS = (
    "The modes restore and restore-closed also put back the policies, rights and whatever else was recorded before "
    "this apply: `patchdeck plan --rollback restore-closed` shows it. restore-closed, which leaves row level security "
    "on and gives anon nothing back, is the recommended one."
)


def address(place: Destination) -> str:
    """What the address says by itself where it is Supabase's: pooler, mode, region, project. "" for others."""
    found = understand(place.host, place.port, place.user)
    return found.describe() if found else ""


def rollback_command(report: Report) -> str:
    """The command that rolls back, to be completed with the target's address."""
    name = visible(report.destination.database)
    return f"patchdeck rollback --mode lock --confirm {name}"
