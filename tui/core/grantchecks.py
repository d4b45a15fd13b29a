"""The checks of rights: what each watched role may do with a relation, and with single columns of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from tui.core.aspects import Subject
from tui.core.catalog import Grant
from tui.core.check import Check
from tui.core.expectation import WATCHED_ROLES

ALL_PRIVILEGES = frozenset({"SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"})
"""What ALL means on every version; PostgreSQL 17 adds MAINTAIN, which then goes with it."""


def grant_checks(
    relation: str, expected: Mapping[str, tuple[str, ...]], live: Iterable[Grant] | None
) -> Iterator[Check]:
    """One check per watched role on the rights it has on a whole relation; `live` is None for a missing relation."""
    for role in WATCHED_ROLES:
        wanted = {privilege.upper() for privilege in expected.get(role, ())}
        subject = Subject("grant", relation, role)
        if live is None:
            yield subject.missing(_listed(wanted))
        else:
            yield _grant(subject, wanted, [grant for grant in live if grant.grantee == role and grant.column is None])


def column_grant_checks(
    relation: str, expected: Mapping[str, Mapping[str, tuple[str, ...]]], live: Iterable[Grant] | None
) -> Iterator[Check]:
    """One check per role and privilege on single columns, expected or not; `live` is None for a missing relation."""
    had: dict[tuple[str, str], list[Grant]] = {}
    for grant in live or ():
        if grant.column is not None and grant.grantee in WATCHED_ROLES:
            had.setdefault((grant.grantee, grant.privilege), []).append(grant)
    for role, privileges in expected.items():
        for privilege, columns in privileges.items():
            yield _column_grant(relation, role, privilege.upper(), set(columns), had.pop((role, privilege.upper()), []))
    for (role, privilege), grants in sorted(had.items()):
        yield _column_grant(relation, role, privilege, set(), grants)


def _grant(subject: Subject, wanted: set[str], grants: list[Grant]) -> Check:
    role = subject.name
    had = {grant.privilege for grant in grants}
    everything = "ALL" in wanted
    needed = (wanted - {"ALL"}) | (ALL_PRIVILEGES if everything else frozenset())
    extra, lacking = had - needed - ({"MAINTAIN"} if everything else set()), needed - had
    said = [f"{_who(role)} may {'also ' if wanted else ''}{_listed(extra)}{_unguarded(extra)}"] if extra else []
    said += [f"{_who(role)} may not {_listed(lacking)}: such requests fail with 42501"] if lacking else []
    said += _passed_on(role, grants)
    expected, actual = _listed(wanted), _listed({"ALL"} if had >= ALL_PRIVILEGES else had)
    return _judged(subject, said, expected, actual, anything_expected=bool(wanted), anything_had=bool(had))


def _column_grant(relation: str, role: str, privilege: str, wanted: set[str], grants: list[Grant]) -> Check:
    subject = Subject("grant", relation, f"{role} {privilege} of columns")
    had = {grant.column for grant in grants if grant.column is not None}
    extra, lacking = had - wanted, wanted - had
    said = [f"{_who(role)} may {'also ' if wanted else ''}{privilege} {_listed(extra)}"] if extra else []
    said += [f"{_who(role)} may not {privilege} {_listed(lacking)}: such requests fail with 42501"] if lacking else []
    said += _passed_on(role, grants)
    return _judged(subject, said, _listed(wanted), _listed(had), anything_expected=bool(wanted), anything_had=bool(had))


def _judged(
    subject: Subject, said: list[str], expected: str, actual: str, *, anything_expected: bool, anything_had: bool
) -> Check:
    why = "; ".join(said)
    if not said:
        return subject.check("ok", expected, actual)
    if not anything_expected:
        return subject.unexpected(actual, why)
    return subject.check("differs" if anything_had else "missing", expected, actual, why)


def _unguarded(privileges: set[str]) -> str:
    past = privileges & {"TRUNCATE", "REFERENCES", "TRIGGER"}
    return f" (row level security does not apply to {_listed(past)})" if past else ""


def _passed_on(role: str, grants: list[Grant]) -> list[str]:
    grantable = {grant.privilege for grant in grants if grant.grantable}
    return [f"{_who(role)} may pass on {_listed(grantable)}"] if grantable else []


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"


def _who(role: str) -> str:
    return "every role (PUBLIC)" if role == "public" else role
