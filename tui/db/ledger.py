"""The run in the database: what the ledger `patchdeck.runs` says of earlier runs of a bundle (decision 23)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from tui.core.bundle import Bundle
from tui.core.catalog import Catalog
from tui.core.look import LedgerState, RunRecord
from tui.core.safety_scope import Key
from tui.db.batch import Command, Reply, set_local
from tui.db.queries import query

if TYPE_CHECKING:
    from tui.core.report_ledger import LedgerRow

RUNS = (
    Command(query("ledger_read")),
    Command("select current_setting('patchdeck.ledger'), current_setting('patchdeck.ledger_state')"),
)
"""Reads the newest runs; the second reply's two values are for `read_runs` and `ledger_state`. For a
transaction that is open already.
"""


class Recorded(msgspec.Struct, frozen=True):
    """One run as the ledger keeps it, with the catalog before its first statement and after its last.

    `digest` is that of the whole bundle it ran from, `server_version` that of the server whose deparser wrote the
    catalogs: on another version the same definition may be worded differently. `findings_before`: what the safety lint
    found before an apply, None when it could not be made.
    """

    run_id: str
    action: str
    mode: str
    operator: str
    finished_at: str
    digest: str
    server_version: str
    surface_before: Catalog
    surface_after: Catalog
    findings_before: tuple[Key, ...] | None = None

    @property
    def server_number(self) -> str:
        """The version without what a distribution adds to it: `15.18` of `15.18 (Debian 15.18-0+deb12u1)`."""
        return self.server_version.partition(" ")[0]


class Records(msgspec.Struct, frozen=True):
    """The newest committed apply of a bundle, and its newest committed run of any kind; None where there is none."""

    apply: Recorded | None = None
    last: Recorded | None = None


def read_runs(document: str) -> tuple[RunRecord, ...]:
    """The runs in the JSON of `ledger_read.sql`, newest first; none when there is no ledger."""
    return msgspec.json.decode(document, type=tuple[RunRecord, ...]) if document else ()


def ledger_state(word: str) -> LedgerState:
    """What `ledger_read.sql` says of the ledger itself. Raises msgspec.ValidationError on any other word."""
    state: LedgerState = msgspec.convert(word, LedgerState)
    return state


def ask_ledger(question: str, bundle: Bundle, settings: Mapping[str, str] | None = None) -> list[Command]:
    """Asks the ledger a question, a SELECT of one text, in an open transaction. The answer is the last reply's value,
    "" where there is none, no ledger, or no right to read it. `settings` are those that the question reads.
    """
    return [
        set_local(questions(bundle, question) | dict(settings or {})),
        Command(query("ledger_ask")),
        Command("select current_setting('patchdeck.answer')"),
    ]


def questions(bundle: Bundle, *asked: str) -> dict[str, str]:
    """The settings that ledger_ask.sql takes, for the SELECTs `asked`, of which the first that has an answer counts."""
    return {
        "patchdeck.questions": json.dumps(asked),
        "patchdeck.bundle": bundle.name,
        "patchdeck.digest": bundle.digest,
    }


def record_commands(bundle: Bundle) -> list[Command]:
    """Reads what was recorded of `bundle`, in an open transaction; the replies are for `read_records`."""
    return ask_ledger(query("recorded"), bundle)


def find_commands(bundle: Bundle, run: str) -> list[Command]:
    """Finds the newest runs of `bundle` whose id begins with `run`, in an open transaction; for `read_found`."""
    return ask_ledger(query("ledger_run"), bundle, {"patchdeck.run": run})


def read_found(replies: Sequence[Reply]) -> tuple[LedgerRow, ...]:
    """The replies of `find_commands`, typed: newest first, at most two; none where there is no ledger."""
    # Whoever looks only needs no report.
    from tui.core.report_ledger import LedgerRow

    document = replies[-1].value
    return msgspec.json.decode(document, type=tuple[LedgerRow, ...]) if document else ()


def read_records(replies: Sequence[Reply]) -> Records:
    """The replies of `record_commands`, typed; nothing recorded where there is no ledger."""
    document = replies[-1].value
    return msgspec.json.decode(document, type=Records) if document else Records()
