"""From the rights that are there to the rights that should be: the REVOKE and GRANT statements in between."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tui.core.catalog import Grant
from tui.core.ddl import quoted, role

Held = dict[tuple[str, str | None], dict[str, bool]]
"""By grantee and column (None: the whole object): each privilege, and whether it may be passed on."""


def regrant(target: str, here: Iterable[Grant], wanted: Iterable[Grant]) -> Iterator[str]:
    """The statements that make the rights on `target` (e.g. `table "public"."books"`) from `here` to `wanted`.

    What is taken comes first: revoking a privilege on a whole table takes it from each of its columns as well (seen in
    the server's ExecGrant_Relation, and documented under REVOKE), so what should stay there is given again.
    """
    have, want = _held(here), _held(wanted)
    if nobodies := sorted({grantee for grantee, _ in have} - {grantee for grantee, _ in want}):
        yield f"revoke all on {target} from {', '.join(role(grantee) for grantee in nobodies)}"
        have = {key: rights for key, rights in have.items() if key[0] not in nobodies}
    for whole in (True, False):
        for key in sorted((key for key in have if (key[1] is None) is whole), key=_order):
            yield from _take(target, key, have, want.get(key, {}))
        if whole:
            _columns_follow(have, want)
    for key in sorted(want, key=_order):
        yield from _give(target, key, have.get(key, {}), want[key])


def _held(grants: Iterable[Grant]) -> Held:
    held: Held = {}
    for grant in grants:
        rights = held.setdefault((grant.grantee, grant.column), {})
        rights[grant.privilege] = rights.get(grant.privilege, False) or grant.grantable
    return held


def _take(target: str, key: tuple[str, str | None], have: Held, want: Mapping[str, bool]) -> Iterator[str]:
    rights = have[key]
    extra = [privilege for privilege in rights if privilege not in want]
    passed_on = [p for p, grantable in rights.items() if grantable and p in want and not want[p]]
    if extra:
        yield f"revoke {_listed(extra, key[1])} on {target} from {role(key[0])}"
    if passed_on:
        yield f"revoke grant option for {_listed(passed_on, key[1])} on {target} from {role(key[0])}"
    if key[1] is not None:
        have[key] = {p: want[p] and grantable for p, grantable in rights.items() if p in want}


def _columns_follow(have: Held, want: Held) -> None:
    """What the statements on the whole table have done to each column, and to the whole."""
    for (grantee, column), rights in list(have.items()):
        whole, left = have.get((grantee, None), {}), want.get((grantee, None), {})
        if column is not None:
            gone = {p for p in whole if p not in left}
            bound = {p for p, grantable in whole.items() if grantable and p in left and not left[p]}
            have[grantee, column] = {p: g and p not in bound for p, g in rights.items() if p not in gone}
    for (grantee, column), rights in list(have.items()):
        if column is None:
            left = want.get((grantee, None), {})
            have[grantee, None] = {p: left[p] and g for p, g in rights.items() if p in left}


def _give(
    target: str, key: tuple[str, str | None], have: Mapping[str, bool], want: Mapping[str, bool]
) -> Iterator[str]:
    plain = [p for p, grantable in want.items() if not grantable and p not in have]
    passed_on = [p for p, grantable in want.items() if grantable and not have.get(p, False)]
    if plain:
        yield f"grant {_listed(plain, key[1])} on {target} to {role(key[0])}"
    if passed_on:
        yield f"grant {_listed(passed_on, key[1])} on {target} to {role(key[0])} with grant option"


def _listed(privileges: Iterable[str], column: str | None) -> str:
    of = f" ({quoted(column)})" if column is not None else ""
    return ", ".join(f"{privilege.lower()}{of}" for privilege in sorted(privileges))


def _order(key: tuple[str, str | None]) -> tuple[str, str]:
    return key[0], key[1] or ""
