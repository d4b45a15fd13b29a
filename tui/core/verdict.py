"""The verdict over all checks, and which actions are allowed now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec

from tui.core.catalog import Catalog
from tui.core.check import Check
from tui.core.expectation import WATCHED_ROLES, Expectation

State = Literal["applied", "not_applied", "partial", "drifted", "rolled_back"]
ActionName = Literal["apply", "rollback", "rehearse", "verify"]


class Verdict(msgspec.Struct, frozen=True):
    """The state in one word, the counts behind it, and one sentence.

    `headline` is what the band shows, e.g. `PARTIAL 131/182`; `healthy` is True only when every check holds.
    """

    state: State
    healthy: bool
    total: int
    passed: int
    failed: int
    not_proven: int
    headline: str
    sentence: str


def judge(
    checks: Sequence[Check],
    expectation: Expectation,
    live: Catalog,
    last_action: Literal["apply", "rollback"] | None,
    last_mode: str = "lock",
) -> Verdict:
    """The verdict on `checks`, which `compare` made of `expectation` and `live`.

    `last_action` is that of the newest committed run of this bundle in the ledger, None without one, `last_mode` the
    mode of a rollback. The rules, first that fits: applied = nothing fails; not_applied = nothing the patch creates is
    there; rolled_back = the last run was a rollback, its policies, triggers and views are gone (after a restore: its
    own tables are closed to the API) and what it keeps is there; drifted = the last run was an apply; else partial.
    """
    passed = sum(check.ok for check in checks)
    failed = sum(check.failed for check in checks)
    unproven = len(checks) - passed - failed
    if not failed:
        state: State = "applied"
    elif not _anything_there(checks, expectation, live):
        state = "not_applied"
    elif last_action == "rollback" and (
        _is_rolled_back(checks) if last_mode == "lock" else _is_restored(checks, expectation, live)
    ):
        state = "rolled_back"
    elif last_action == "apply":
        state = "drifted"
    else:
        state = "partial"
    return Verdict(
        state=state,
        healthy=not failed and not unproven,
        total=len(checks),
        passed=passed,
        failed=failed,
        not_proven=unproven,
        headline=_headline(state, passed, failed, len(checks)),
        sentence=(_RESTORED.get(last_mode) if state == "rolled_back" else None) or _sentence(state, failed, unproven),
    )


def allowed_actions(verdict: Verdict | None, read_only: bool, running: bool) -> Mapping[ActionName, str]:
    """What can be done now: "" when it can, else the reason why not, in words for the operator.

    `verdict` is None before the first look; `running` while a run of this session is under way.
    """
    if verdict is None:
        waiting = "the database has not been looked at yet"
        return {"apply": waiting, "rollback": waiting, "rehearse": waiting, "verify": ""}
    busy = "a run is under way" if running else ""
    forbidden = busy or ("this session is read-only: start it without --read-only" if read_only else "")
    done = "already applied, and every check holds" if verdict.state == "applied" and verdict.healthy else ""
    nothing = ""
    if verdict.state == "not_applied":
        nothing = "the patch is not applied here: there is nothing to roll back"
    return {"apply": forbidden or done, "rollback": forbidden or nothing, "rehearse": forbidden, "verify": busy}


def _anything_there(checks: Sequence[Check], expectation: Expectation, live: Catalog) -> bool:
    """Whether any trace of the patch is there.

    A function counts only when it is the patch's own: a function of that name is common before it.
    """
    for table in expectation.tables:
        found = live.table(table.name)
        if found is None:
            continue
        if table.origin == "created":
            return True
        added = {column.name for column in table.columns if column.added}
        policies = {policy.name for policy in table.policies}
        triggers = {trigger.name for trigger in table.triggers}
        if (
            added & {column.name for column in found.columns}
            or policies & {policy.name for policy in found.policies}
            or triggers & {trigger.name for trigger in found.triggers}
        ):
            return True
    if any(live.view(view.name) for view in expectation.views):
        return True
    return any(check.ok for check in checks if check.object == "function")


def _is_rolled_back(checks: Sequence[Check]) -> bool:
    """Whether exactly what a rollback removes is gone: a closed database that keeps its tables and columns."""
    removed = [check for check in checks if check.object in ("policy", "trigger", "view")]
    kept = [check for check in checks if check.object in ("table", "column", "constraint", "function", "rls")]
    return all(check.outcome == "missing" for check in removed) and not any(check.failed for check in kept)


def _is_restored(checks: Sequence[Check], expectation: Expectation, live: Catalog) -> bool:
    """Whether the patch's own tables are as a restore leaves them: whole, and closed to every role of the API."""
    own = {table.name for table in expectation.tables if table.origin == "created"}
    closed = all(
        not table.policies and not any(grant.grantee in WATCHED_ROLES for grant in table.grants)
        for table in live.tables
        if table.name in own
    )
    kept = ("table", "column", "constraint", "rls")
    return closed and not any(check.failed for check in checks if check.table in own and check.object in kept)


_RESTORED = {
    "restore": (
        "Rolled back (restore): policies, triggers, views, functions and rights from before the migration are back, "
        "the holes from before too; its tables are kept, closed to the API."
    ),
    "restore-closed": (
        "Rolled back (restore-closed): policies, triggers, views and functions from before the migration are back; row "
        "level security stays on, anon has no right. The migration's tables are kept, closed to the API."
    ),
}


def _headline(state: State, passed: int, failed: int, total: int) -> str:
    match state:
        case "partial":
            return f"PARTIAL {passed}/{total}"
        case "drifted":
            return f"DRIFTED {failed}"
        case _:
            return state.replace("_", " ").upper()


def _sentence(state: State, failed: int, unproven: int) -> str:
    are = f"{failed} checks fail" if failed != 1 else "1 check fails"
    definitions = "definition" if unproven == 1 else "definitions"
    match state:
        case "applied" if unproven:
            return f"Nothing fails, but {unproven} {definitions} could not be proven on this connection."
        case "applied":
            return "The migration is in force: every check holds."
        case "not_applied":
            return "Nothing of the migration is here yet: the app runs on the old tables."
        case "rolled_back":
            return (
                "Policies, triggers and views are gone, tables and data are kept: with row level security on, the "
                "app's users see no rows until the patch is applied again."
            )
        case "drifted":
            return f"It was applied and has changed since: {are}. What failed says what it means for users."
        case _:
            return f"Only a part of the migration is here: {are}. Applying it again completes it."
