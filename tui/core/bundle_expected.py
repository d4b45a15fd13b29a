"""Whether `expected.toml` agrees with itself: names that can be looked up, policies and rights that can exist."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from tui.core.bundle import MANIFEST, Prerequisites
from tui.core.bundle_faults import Fault, TomlPlaces, error, warning
from tui.core.expectation import WATCHED_ROLES, Expectation, ExpectedTable
from tui.core.grantchecks import ALL_PRIVILEGES

UNWRITTEN = "To be written: what breaks for the app without it."
"""The `why` of what nobody has given a reason yet, as `bundle derive` writes it."""

_PRIVILEGES = ALL_PRIVILEGES | {"ALL", "MAINTAIN"}
_ON_COLUMNS = frozenset(("SELECT", "INSERT", "UPDATE", "REFERENCES"))
_EVENT = r"(insert|delete|truncate|update( of .+)?)"
_FIRES = re.compile(rf"(before|after|instead of) {_EVENT}( or {_EVENT})*", re.IGNORECASE)


def expectation_faults(expectation: Expectation, needed: Prerequisites, file: str, at: TomlPlaces) -> Iterator[Fault]:
    """What in `file` can not hold, or is not looked at, on any database that has what is `needed`."""
    lists: dict[str, list[str]] = {
        "tables": [table.name for table in expectation.tables],
        "views": [view.name for view in expectation.views],
        "functions": [function.name for function in expectation.functions],
        "publications": [publication.name for publication in expectation.publications],
        "schemas": [schema.name for schema in expectation.schemas],
    }
    for kind, names in lists.items():
        for number, name in _again(names):
            yield error(file, f"{name} is in the file twice", at.line(file, f"$.{kind}[{number}]"))
        for number, name in enumerate(names):
            reason = _unreadable(kind, name)
            if reason:
                yield error(file, reason, at.line(file, f"$.{kind}[{number}].name"))
    unwritten = [table.name for table in expectation.tables if table.why == UNWRITTEN]
    if unwritten:
        reason = f"{len(unwritten)} tables have no `why` yet, {unwritten[0]} first: was this derived file reviewed?"
        yield warning(file, reason)
    for number, table in enumerate(expectation.tables):
        yield from _table(table, f"$.tables[{number}]", file, at)
        for place, policy in enumerate(table.policies):
            for role in sorted({*policy.roles} - {*WATCHED_ROLES, *needed.roles}):
                reason = f"policy {policy.name} is for {role}, a role that the prerequisites do not name"
                yield warning(file, reason, at.line(file, f"$.tables[{number}].policies[{place}]"))
    for number, view in enumerate(expectation.views):
        for role, privileges in view.grants.items():
            line = at.line(file, f"$.views[{number}].grants.{role}")
            yield from _rights(role, privileges, _PRIVILEGES, file, line)


def prerequisite_faults(prerequisites: Prerequisites, at: TomlPlaces) -> Iterator[Fault]:
    """What of the prerequisites can not be looked up."""
    names = [table.name for table in prerequisites.tables]
    for number, name in _again(names):
        line = at.line(MANIFEST, f"$.prerequisites.tables[{number}]")
        yield error(MANIFEST, f"{name} is among the prerequisites twice", line)
    for kind, wanted in (("tables", names), ("functions", prerequisites.functions)):
        for number, name in enumerate(wanted):
            if reason := _unreadable(kind, name):
                yield error(MANIFEST, reason, at.line(MANIFEST, f"$.prerequisites.{kind}[{number}]"))


def _unreadable(kind: str, name: str) -> str:
    """Why the catalog can not be asked for this name, "" when it can."""
    if kind in ("publications", "schemas"):
        return ""
    if "." not in name.partition("(")[0]:
        return f"{name} names no schema: write schema.name"
    if kind == "functions" and not name.endswith(")"):
        return f"{name} lacks its arguments: write {name}(), or their types in the parentheses"
    return ""


def _table(table: ExpectedTable, path: str, file: str, at: TomlPlaces) -> Iterator[Fault]:
    for kind, items in (
        ("columns", table.columns),
        ("constraints", table.constraints),
        ("indexes", table.indexes),
        ("policies", table.policies),
        ("triggers", table.triggers),
    ):
        for number, name in _again(item.name for item in items):
            yield error(file, f"{table.name} has {name} twice", at.line(file, f"{path}.{kind}[{number}]"))
    for number, policy in enumerate(table.policies):
        line = at.line(file, f"{path}.policies[{number}]")
        if policy.command == "insert" and policy.using is not None:
            yield error(file, f"policy {policy.name}: a policy for insert has `check` only, no `using`", line)
        if policy.command in ("select", "delete") and policy.check is not None:
            yield error(file, f"policy {policy.name}: a policy for {policy.command} has `using` only, no `check`", line)
    if table.policies and not table.rls:
        reason = f"{table.name} has policies and rls = false: without row level security they do nothing"
        yield warning(file, reason, at.line(file, f"{path}.rls"))
    for number, trigger in enumerate(table.triggers):
        line = at.line(file, f"{path}.triggers[{number}]")
        if not _FIRES.fullmatch(" ".join(trigger.fires.split())):
            reason = f"trigger {trigger.name}: `fires` is such as 'before update' or 'after insert or delete'"
            yield error(file, reason, line)
        if not trigger.function.endswith(")"):
            yield error(file, f"trigger {trigger.name}: `function` is such as 'public.touch()'", line)
    for role, privileges in table.grants.items():
        yield from _rights(role, privileges, _PRIVILEGES, file, at.line(file, f"{path}.grants.{role}"))
    columns = {column.name for column in table.columns}
    for role, by_privilege in table.column_grants.items():
        line = at.line(file, f"{path}.column_grants.{role}")
        yield from _rights(role, by_privilege, _ON_COLUMNS, file, line)
        for privilege, names in by_privilege.items():
            for name in names:
                if table.origin == "created" and name not in columns:
                    reason = f"{table.name}: {role} is to have {privilege} of {name}, which is no column of it"
                    yield error(file, reason, line)


def _rights(role: str, privileges: Iterable[str], known: Iterable[str], file: str, line: int | None) -> Iterator[Fault]:
    if role not in WATCHED_ROLES:
        yield warning(file, f"rights of {role} are not looked at, only those of {', '.join(WATCHED_ROLES)}", line)
    for privilege in privileges:
        if privilege.upper() not in known:
            yield error(file, f"{privilege!r} is none of {', '.join(sorted(known))}", line)


def _again(names: Iterable[str]) -> Iterator[tuple[int, str]]:
    """(number, name) of every name that was there before."""
    seen: Counter[str] = Counter()
    for number, name in enumerate(names):
        seen[name] += 1
        if seen[name] == 2:
            yield number, name
