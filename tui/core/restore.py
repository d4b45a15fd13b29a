"""The way back to what was recorded before the apply: what must stand then, what can not be put back, and the
statements that lead there after the bundle's own rollback.

Policies, triggers, views, functions, rights, comments, row level security and publication entries of everything that
existed before become what they were. Tables, columns, constraints, indexes and rows stay as they are now; tables of the
patch stay without policies and without rights for anybody but their owner (decision 24).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tui.core.catalog import Catalog
from tui.core.check import Check
from tui.core.checklist import runs_as_invoker
from tui.core.removal import change_check, predict
from tui.core.replay import replay
from tui.core.restore_aim import Aim, Loss, Restorable, Role, plain, same
from tui.core.sqlhead import read_head
from tui.core.statements import Statement
from tui.core.surface import Change, diff

__all__ = ["RECORD", "Loss", "Restorable", "Restore", "Role", "plain", "plan_restore", "restore_checks"]

RECORD = "(recorded state)"
"""Stands where a file's name would: the statements are made from the ledger's record."""

_WHY = "a restore puts back what was recorded and changes nothing else"
_MOVED = "it changed between the look and the locks of this run"


class Restore(msgspec.Struct, frozen=True):
    """A restore, worked out for a database that looks like `start`; afterwards it must look like `result`.

    `losses` can not be put back, `withheld` is kept back on purpose (a closed restore).
    """

    closed: bool
    run_id: str
    applied_at: str
    start: Catalog
    result: Catalog
    statements: tuple[Statement, ...]
    losses: tuple[Loss, ...]
    withheld: tuple[Loss, ...]

    @property
    def changes(self) -> tuple[Change, ...]:
        """What becomes of every object, the rollback file included."""
        return diff(plain(self.start), self.result)

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that change."""
        start = {table.name: table for table in self.start.tables}
        return tuple(table.name for table in self.result.tables if not same(table, start[table.name]))

    @property
    def hidden(self) -> tuple[str, ...]:
        """Tables from before whose rows no user of the API sees then: row level security on, and no policy."""
        return tuple(
            table.name
            for table in self.result.tables
            if table.rls and not table.policies and any(grant.grantee == "authenticated" for grant in table.grants)
        )

    @property
    def past_policies(self) -> tuple[str, ...]:
        """Views through which somebody reads with their owner's rights: no row level security holds there."""
        return tuple(
            view.name
            for view in self.result.views
            if view.grants and not view.materialized and not runs_as_invoker(view)
        )

    @property
    def opened(self) -> tuple[str, ...]:
        """Tables on which row level security goes off."""
        return tuple(
            table.name
            for table in self.result.tables
            if not table.rls and (was := self.start.table(table.name)) and was.rls
        )


def plan_restore(
    recorded: Restorable, live: Catalog, rollback: Sequence[Statement], *, closed: bool, user: str
) -> Restore:
    """Work out the restore on a database that looks like `live`.

    `rollback` are the statements that run first, `user` is connected.
    """
    aim = Aim(recorded, live, closed, user)
    after_rollback = predict(rollback, live)
    result = aim.result(after_rollback)
    texts = tuple(replay(after_rollback, result, user=user, given=recorded.given))
    return Restore(
        closed=closed,
        run_id=recorded.run_id,
        applied_at=recorded.applied_at,
        start=live,
        result=result,
        statements=tuple(_script(texts)),
        losses=tuple(aim.losses),
        withheld=tuple(aim.withheld),
    )


def restore_checks(restore: Restore, before: Catalog, after: Catalog) -> tuple[Check, ...]:
    """One check per object that was to change or did: `before` under the locks, `after` the last statement."""
    moved = [change for change in diff(restore.start, before) if change.kind != "unchanged"]
    wrong = {change.object: change for change in diff(restore.result, plain(after)) if change.kind != "unchanged"}
    checks = [change_check(change, _MOVED) for change in moved]
    checks += [
        change_check(Change("unchanged", change.object, change.after or "absent", change.after or "absent"), _WHY)
        for change in restore.changes
        if change.kind != "unchanged" and change.object not in wrong
    ]
    return (*checks, *(change_check(change, _WHY) for change in wrong.values()))


def _script(texts: Iterable[str]) -> Iterator[Statement]:
    """The texts as the statements of one script, one below the other: a line in it names a place."""
    offset, line = 0, 1
    for text in texts:
        yield Statement(text, offset, line, 1, *read_head(text))
        offset, line = offset + len(text) + 2, line + text.count("\n") + 1
