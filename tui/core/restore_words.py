"""A restore in words: what it means, and what stands in its way or can not be had, before anybody confirms it."""

from __future__ import annotations

from tui.core.catalog import Catalog, Function, Table, View
from tui.core.drift import changes_since
from tui.core.preflight import PreflightCheck
from tui.core.restore import Loss, Restorable, Restore
from tui.core.restore_aim import SHUT_OUT
from tui.core.surface import Change
from tui.core.text import one_line

NAME = "recorded state"
SHOWN = 6
"""Changes that are told in full where a line has to do."""


def meaning(restore: Restore) -> tuple[str, ...]:
    """What it does and leaves, in plain sentences; the last one is what an operator must have read."""
    said = [
        f"After the rollback's own statements, {_number(len(restore.statements), 'statement')} put back what was "
        f"recorded before the apply of {moment(restore.applied_at)}: policies, triggers, views, functions, rights, "
        "comments, row level security and publications. Before COMMIT the result is compared with the record.",
        "Tables, columns and rows stay; the patch's own tables stay without policies and without rights for anybody "
        "but their owner.",
    ]
    if restore.losses:
        said.append(f"{_number(len(restore.losses), 'thing')} can not be put back as it was: the plan lists them.")
    if not restore.closed:
        return (*said, _opened(restore))
    said.append("Row level security stays on where it is on, and neither anon nor PUBLIC gets a right back.")
    if restore.past_policies:
        said.append(
            f"Through {', '.join(restore.past_policies)} everybody with a right on it reads with the owner's rights, "
            "past row level security, as before."
        )
    if restore.hidden:
        said.append(
            f"On {', '.join(restore.hidden)} row level security is then on without a policy: the app's users see no "
            "rows there until a policy lets them."
        )
    return tuple(said)


def _opened(restore: Restore) -> str:
    """What an open restore lets in again; what was shut before the apply, too, is not called a hole."""
    gaining = {right[0] for right in _held(restore.result) - _held(restore.start)}
    who = " and ".join(f"{name}'s" for name in ("anon", "PUBLIC") if name.lower() in gaining)
    rights = "every right of before is back" + (f", {who} included" if who else "; neither anon nor PUBLIC gains one")
    if restore.opened:
        rights = f"row level security goes off on {', '.join(restore.opened)}, and {rights}"
    elif not who:
        return f"Whom policies and rights of before let in gets in again: {rights}, and no row level security goes off."
    return f"The holes from before are open again: {rights}."


def _held(catalog: Catalog) -> set[tuple[str, str, str, str | None]]:
    """What anon and PUBLIC may do there: grantee, object, privilege, column."""
    objects: list[Table | View | Function] = [*catalog.tables, *catalog.views, *catalog.functions]
    held = {(grant.grantee, one.name, grant.privilege, grant.column) for one in objects for grant in one.grants}
    held |= {(name, schema.name, "USAGE", None) for schema in catalog.schemas for name in schema.usage}
    return {right for right in held if right[0] in SHUT_OUT}


def restore_preflight(
    recorded: Restorable | None, restore: Restore | None, live: Catalog
) -> tuple[PreflightCheck, ...]:
    """The preflight checks of a restore; `recorded` is None without a record, `restore` as worked out from it."""
    if recorded is None or restore is None:
        what = "No apply of this bundle is recorded in this database: what was there before it is not known."
        return (PreflightCheck(NAME, "stop", what, "Roll back with mode lock, which needs no record."),)
    drifted = changes_since(recorded.after, live)
    if drifted:
        what = f"Since the last recorded run {_number(len(drifted), 'object')} changed: {told(drifted)}."
        remedy = "Take these changes back, or roll back with mode lock. `patchdeck drift` shows them in full."
        return (PreflightCheck(NAME, "stop", what, remedy),)
    checks = [
        PreflightCheck(
            NAME,
            "pass",
            f"Nothing changed since the last recorded run; what was before the apply of {moment(recorded.applied_at)} "
            f"can be put back with {_number(len(restore.statements), 'statement')}.",
        )
    ]
    if restore.losses:
        what = f"{_number(len(restore.losses), 'thing')} can not be put back as it was: {listed(restore.losses)}."
        checks.append(PreflightCheck("not restored", "warn", what, "Read them all in the plan."))
    return tuple(checks)


def told(changes: tuple[Change, ...]) -> str:
    """The first changes with what they were and are, and how many more there are."""
    parts = []
    for change in changes[:SHOWN]:
        was = f", was {one_line(change.before, 160)}" if change.before else ""
        now = f", is {one_line(change.after, 160)}" if change.after else ""
        parts.append(f"{one_line(change.object, 160)} {change.kind}{was}{now}")
    more = [f"and {len(changes) - SHOWN} more"] if len(changes) > SHOWN else []
    return "; ".join([*parts, *more])


def listed(losses: tuple[Loss, ...]) -> str:
    """The first of them with their reasons, and how many more there are."""
    parts = [f"{one_line(loss.object, 160)} ({one_line(loss.reason, 200)})" for loss in losses[:SHOWN]]
    more = [f"and {len(losses) - SHOWN} more"] if len(losses) > SHOWN else []
    return "; ".join([*parts, *more])


def moment(applied_at: str) -> str:
    """The server's time in ISO form, to the minute."""
    return applied_at[:16].replace("T", " ")


def _number(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
