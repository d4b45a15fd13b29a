"""The Supabase CLI's history of migrations on a real database: its row written, or taken back, inside the run."""

from __future__ import annotations

import json

from tui.core.run import Plan
from tui.core.supabase_ledger import TABLE, migration
from tui.core.text import one_line
from tui.db.batch import Command, Reply
from tui.db.queries import query

NO_HISTORY = "PD003"
"""Our own SQLSTATE of supabase_record.sql: the history is not one that a row of ours fits into."""

_SAID = {
    "recorded": "It is recorded in {table} as {version}.",
    "renewed": "Its row in {table}, {version}, was renewed.",
    "taken back": "Its row in {table}, {version}, was taken back.",
    "left": "Its row in {table}, {version}, may still be there: this role may not take it back. "
    "`supabase migration repair --status reverted {version}` does.",
}


def history_commands(plan: Plan) -> list[Command]:
    """What a run of `plan` does to the history, in its transaction; none where it is not concerned.

    The last reply is for `what_was_done`. Raises NotAMigration for a plan that records what the CLI can not read.
    """
    if plan.action == "apply" and not plan.record_supabase:
        return []
    wanted: dict[str, object] = {"version": plan.bundle.version, "name": plan.bundle.name}
    if plan.action == "apply":
        wanted["statements"] = migration(plan.bundle).statements
    return [
        Command("select set_config('patchdeck.supabase', $1, true)", (json.dumps(wanted),)),
        Command(query("supabase_record" if plan.action == "apply" else "supabase_forget")),
        Command("select current_setting('patchdeck.supabase_done')"),
    ]


def what_was_done(plan: Plan, reply: Reply | None) -> str:
    """The last reply of `history_commands` in one sentence; "" when nothing was done."""
    done = _SAID.get(reply.value, "") if reply is not None else ""
    return done.format(table=TABLE, version=one_line(plan.bundle.version, 60))
