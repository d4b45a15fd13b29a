"""What a rollback takes away, what it leaves, and what that means for the app's users, read off its statements."""

from __future__ import annotations

from collections import Counter

import msgspec

from tui.core.bundle import Bundle
from tui.core.catalog import Catalog
from tui.core.removal import predict

PLURALS = {"policy": "policies", "index": "indexes"}

_TOUCHES = {
    "tables": ("drop table",),
    "columns": ("alter table", "drop table"),
    "data": ("drop table", "alter table", "delete", "truncate", "update", "insert"),
}
"""Which statements would make "X stays" a lie."""


class Aftermath(msgspec.Struct, frozen=True):
    """`removes` counts what is dropped by kind, `keeps` names what no statement touches, `closed` the tables that lose
    their last policy while row level security stays on: the app's users see no row of them.
    """

    file: str
    removes: tuple[tuple[str, int], ...]
    keeps: tuple[str, ...]
    closed: tuple[str, ...]

    def sentences(self) -> tuple[str, ...]:
        """The same in plain words: what goes, what stays, what it means until the patch is applied again."""
        goes = ", ".join(counted(number, kind) for kind, number in self.removes) or "nothing by name"
        said = [f"{self.file} drops {goes}."]
        if self.keeps:
            said.append(f"It keeps {_joined(self.keeps)}.")
        if self.closed:
            said.append(
                f"{counted(len(self.closed), 'table')} then {'has' if len(self.closed) == 1 else 'have'} row level "
                "security on and no policy: the app's users see no rows there. That is an outage, fail-closed (nothing "
                "leaks, nothing works), until the patch is applied again."
            )
        return tuple(said)


def aftermath(bundle: Bundle, catalog: Catalog | None) -> Aftermath:
    """What the bundle's rollback leaves behind on a database with this catalog; without one no table can be named."""
    statements = bundle.rollback.statements
    kinds = Counter(statement.kind for statement in statements)
    keeps = [what for what, touching in _TOUCHES.items() if not any(kinds[kind] for kind in touching)]
    if not kinds["alter table"]:
        keeps.append("row level security")
    before = catalog or Catalog()
    open_now = {table.name for table in before.tables if table.policies}
    return Aftermath(
        file=bundle.rollback.file,
        removes=tuple((kind.removeprefix("drop "), n) for kind, n in kinds.items() if kind.startswith("drop ")),
        keeps=tuple(keeps),
        closed=tuple(
            table.name
            for table in predict(statements, before).tables
            if table.rls and not table.policies and table.name in open_now
        ),
    )


def counted(number: int, kind: str) -> str:
    """`1 policy`, `35 policies`."""
    return f"{number} {kind if number == 1 else PLURALS.get(kind, kind + 's')}"


def _joined(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
