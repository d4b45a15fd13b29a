"""The bundle's tables and functions as they stand after a run, one line each: what a report is read for first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, get_args

import msgspec

from tui.core.bundle import Bundle
from tui.core.catalog import Catalog, Grant, Policy, PolicyCommand, Table, View
from tui.core.check import Check
from tui.core.surface import Change

Became = Literal["created", "altered", "already there"]
"""What the run did to it; `already there`: nothing."""

_RIGHTS = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
"""Everything there is to be granted on a table (MAINTAIN, of PostgreSQL 17, besides), in the usual order."""


class Standing(msgspec.Struct, frozen=True):
    """A table or view after a run. `added` are columns that the run gave it where it was there before; `grants` says by
    role what it may, `publications` where its changes are published (Realtime). `held` of `checks` checks hold on it.
    """

    name: str
    kind: Literal["table", "view"]
    became: Became
    columns: int
    added: tuple[str, ...]
    indexes: tuple[str, ...]
    rls: bool | None
    policies: Mapping[str, int]
    triggers: tuple[str, ...]
    grants: Mapping[str, str]
    publications: tuple[str, ...]
    held: int
    checks: int


def standing(bundle: Bundle, catalog: Catalog, changes: Sequence[Change], checks: Iterable[Check]) -> list[Standing]:
    """Every relation that the bundle promises and that is there, in the order of its expectation."""
    judged = [check for check in checks if check.layer == "structure"]
    return [
        _standing(there, catalog, changes, judged)
        for name in bundle.expectation.relations()
        if (there := catalog.table(name) or catalog.view(name)) is not None
    ]


def became(names: Iterable[str], changes: Iterable[Change], kind: str) -> Mapping[str, Became]:
    """What became of each of `names`, objects of one kind, by their own entry among the changes."""
    found = {change.object: change.kind for change in changes}
    words: dict[str, Became] = {"created": "created", "altered": "altered"}
    return {name: words.get(found.get(f"{kind} {name}", ""), "already there") for name in names}


def relation_of(label: str, relations: Iterable[str]) -> tuple[str, str]:
    """The relation that a label of `tui.core.surface` belongs to, and the column for a column or a right on one; "" for
    neither.
    """
    kind, _, rest = label.partition(" ")
    target = rest if kind in ("table", "view", "column") else rest.rpartition(" on ")[2]
    if target in relations:
        return target, ""
    relation, _, column = target.rpartition(".")
    return (relation, column) if relation in relations else ("", "")


def _standing(there: Table | View, catalog: Catalog, changes: Sequence[Change], judged: Sequence[Check]) -> Standing:
    name, table = there.name, there if isinstance(there, Table) else None
    kind: Literal["table", "view"] = "view" if table is None else "table"
    own = [change for change in changes if relation_of(change.object, (name,))[0] == name]
    what: Became = became([name], own, kind)[name]
    if what == "already there" and any(change.kind != "unchanged" for change in own):
        what = "altered"
    new = [change.object for change in own if change.kind == "created" and change.object.startswith("column ")]
    mine = [check for check in judged if check.table == name]
    return Standing(
        name=name,
        kind=kind,
        became=what,
        columns=len(there.columns),
        added=() if what == "created" else tuple(relation_of(label, (name,))[1] for label in new),
        indexes=tuple(index.name for index in table.indexes) if table else (),
        rls=table.rls if table else None,
        policies=_by_command(table.policies) if table else {},
        triggers=tuple(trigger.name for trigger in there.triggers),
        grants=dict(_rights(there.grants)),
        publications=tuple(
            publication.name
            for publication in catalog.publications
            if publication.all_tables or any(entry.table == name for entry in publication.tables)
        ),
        held=sum(check.ok for check in mine),
        checks=len(mine),
    )


def _by_command(policies: Iterable[Policy]) -> dict[str, int]:
    """How many policies there are for each command; what only narrows is told apart."""
    order = get_args(PolicyCommand)
    keys = [(policy.command, policy.permissive) for policy in policies]
    found = Counter(sorted(keys, key=lambda key: (not key[1], order.index(key[0]))))
    return {command.upper() + ("" if permissive else " (restrictive)"): n for (command, permissive), n in found.items()}


def _rights(grants: Iterable[Grant]) -> Iterator[tuple[str, str]]:
    """Who may what: `SELECT, INSERT, UPDATE of 3 columns`, or `everything`."""
    whole: dict[str, list[str]] = {}
    parts: dict[str, Counter[str]] = {}
    for grant in grants:
        if grant.column is None:
            whole.setdefault(grant.grantee, []).append(grant.privilege)
        else:
            parts.setdefault(grant.grantee, Counter())[grant.privilege] += 1
    for role in sorted({*whole, *parts}):
        held = set(whole.get(role, ()))
        usual = [right for right in _RIGHTS if right in held]
        said = ["everything"] if len(usual) == len(_RIGHTS) else [*usual, *sorted(held.difference(_RIGHTS))]
        said += [
            f"{privilege} of {number} column{'' if number == 1 else 's'}"
            for privilege, number in sorted(parts.get(role, Counter()).items())
            if privilege not in held
        ]
        yield role, ", ".join(said)
