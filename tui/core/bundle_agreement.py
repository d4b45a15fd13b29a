"""Whether a bundle's scripts and its promises are about the same objects: promised and never made, made and never
promised, altered without a lock, left behind by the rollback.

Read off the heads of the statements, so it warns and never refuses: a DO block can make anything, and whatever is named
in one is taken as made by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec

from tui.core.bundle import LOCK_MODES, MANIFEST, LockMode, Manifest
from tui.core.bundle_faults import Fault, TomlPlaces, warning
from tui.core.expectation import Expectation, ExpectedTable
from tui.core.sqlscan import folded, scan
from tui.core.statements import Statement

_TAKES: dict[str, LockMode] = {
    "alter table": "ACCESS EXCLUSIVE",
    "drop table": "ACCESS EXCLUSIVE",
    "truncate": "ACCESS EXCLUSIVE",
    "create policy": "ACCESS EXCLUSIVE",
    "alter policy": "ACCESS EXCLUSIVE",
    "drop policy": "ACCESS EXCLUSIVE",
    "drop trigger": "ACCESS EXCLUSIVE",
    "create rule": "ACCESS EXCLUSIVE",
    "create trigger": "SHARE ROW EXCLUSIVE",
    "create index": "SHARE",
}
"""The lock a statement takes on the table it is about, where that keeps others from writing at least (PostgreSQL's
manual, 13.3)."""

_RUNS_CODE = frozenset(("do", "select", "call", "with"))
_ROLLED_BACK = frozenset(("drop policy", "drop trigger", "drop view"))
_CHANGES = re.compile(r"(create|alter|drop|grant|revoke|truncate|insert|update|delete|merge)\b")
_BORROWING = frozenset(("like", "partition", "inherits"))
"""Words of a CREATE TABLE that brings columns and indexes that are not written in it."""

_RENAMED = re.compile(r'\brename\s+to\s+("?)(\w+)\1\s*$', re.IGNORECASE)
_ENABLES = re.compile(r"\benable\s+row\s+level\s+security\b", re.IGNORECASE)

Made = dict[tuple[str, str, str], Statement]
"""What a script makes: (noun, name, the table it hangs on or "") to the statement that does."""


class Reading(msgspec.Struct):
    """What one script says it does. `code` is the text of what makes objects without saying so in its head."""

    made: Made = msgspec.field(default_factory=dict)
    strongest: dict[str, tuple[LockMode, Statement]] = msgspec.field(default_factory=dict)
    words: dict[str, set[str]] = msgspec.field(default_factory=dict)
    """By table, every word of the statements that create or alter it."""
    secured: set[str] = msgspec.field(default_factory=set)
    code: set[str] = msgspec.field(default_factory=set)

    def makes(self, noun: str, name: str, on: str = "") -> bool:
        """Whether the script makes it, or may in a block of code that names it."""
        return (noun, name, on) in self.made or name.rpartition(".")[2].partition("(")[0].lower() in self.code

    def tables(self) -> set[str]:
        """The tables it creates."""
        return {name for noun, name, _ in self.made if noun == "table"}


def read_script(statements: Sequence[Statement]) -> Reading:
    """What `statements` do, in order: something dropped after it was made was not made."""
    found = Reading()
    for statement in statements:
        verb, _, noun = statement.kind.partition(" ")
        noun = noun.removeprefix("materialized ")
        name, on = qualified(statement.object), qualified(statement.on)
        key = (noun, statement.object if on or noun == "schema" else name, on)
        if verb == "create" and statement.object:
            found.made[key] = statement
        elif verb == "drop":
            found.made.pop(key, None)
        if statement.kind in _RUNS_CODE:
            found.code |= _all_words(statement.text)
        elif statement.kind in ("create table", "alter table"):
            found.words.setdefault(name, set()).update(_all_words(statement.text))
            if _ENABLES.search(statement.text):
                found.secured.add(name)
            if statement.kind == "alter table" and (renamed := _RENAMED.search(statement.text)):
                found.made["table", f"{name.partition('.')[0]}.{renamed[2]}", ""] = statement
            for other in _referenced(statement.text):
                _lock(found, other, "SHARE ROW EXCLUSIVE", statement)
        if mode := _TAKES.get(statement.kind):
            _lock(found, on or name, mode, statement)
    return found


def agreement_faults(
    manifest: Manifest,
    patch: Sequence[Statement],
    rollback: Sequence[Statement],
    before: Sequence[Statement],
    expectation: Expectation | None,
    at: TomlPlaces,
) -> Iterator[Fault]:
    """Where scripts, prerequisites and expectation (None: unreadable) differ; `before` is BEFORE.sql, which may be
    empty.
    """
    reading = read_script(patch)
    yield from _locks(manifest, reading, at)
    yield from _policies_alone(manifest, reading)
    if expectation is not None:
        yield from _never_made(manifest, expectation, reading, at)
        yield from _never_promised(manifest, expectation, reading)
    yield from _left_behind(manifest, reading, read_script(before), rollback)


def _locks(manifest: Manifest, reading: Reading, at: TomlPlaces) -> Iterator[Fault]:
    """Tables from before the patch that it locks hard, beside those the prerequisites name."""
    needed = {table.name: table for table in manifest.prerequisites.tables}
    created = reading.tables()
    for name, (mode, statement) in reading.strongest.items():
        if name in created:
            continue
        known = needed.get(name)
        if known is None and name.rpartition(".")[2].lower() in reading.code:
            continue
        if known is None:
            reason = (
                f"{name} is neither created here nor named in the prerequisites: add it there with "
                f'lock = "{mode}", so that it is looked for before the run and never waited for with readers behind'
            )
            yield warning(manifest.patch, reason, statement.line, statement.column)
        elif known.lock is None or LOCK_MODES.index(known.lock) < LOCK_MODES.index(mode):
            has = f'only lock = "{known.lock}"' if known.lock else "no lock"
            reason = f'this takes {mode} on {name}, for which the prerequisites have {has}: give it lock = "{mode}"'
            yield warning(manifest.patch, reason, statement.line, statement.column)
    for number, table in enumerate(manifest.prerequisites.tables):
        bare = table.name.rpartition(".")[2].lower()
        if table.lock and table.name not in reading.strongest and bare not in reading.code:
            reason = f"{table.name} is to be locked, but no statement of {manifest.patch} needs it"
            yield warning(MANIFEST, reason, at.line(MANIFEST, f"$.prerequisites.tables[{number}].lock"))


def _policies_alone(manifest: Manifest, reading: Reading) -> Iterator[Fault]:
    """Policies on tables that the patch creates and never closes."""
    created = reading.tables()
    for (noun, name, on), statement in reading.made.items():
        bare = on.rpartition(".")[2].lower()
        if noun == "policy" and on in created and on not in reading.secured and bare not in reading.code:
            reason = f"policy {name} does nothing: no statement enables row level security on {on}"
            yield warning(manifest.patch, reason, statement.line, statement.column)


def _never_made(manifest: Manifest, expectation: Expectation, reading: Reading, at: TomlPlaces) -> Iterator[Fault]:
    """What is promised and no statement makes."""
    file = manifest.expected

    def lacks(what: str, path: str) -> Fault:
        return warning(file, f"{what} is expected, and {manifest.patch} never makes it", at.line(file, path))

    for number, table in enumerate(expectation.tables):
        path = f"$.tables[{number}]"
        if table.origin == "created" and not reading.makes("table", table.name):
            yield lacks(f"table {table.name}", path)
            continue
        words = reading.words.get(table.name, set()) | reading.code
        borrowed = not words.isdisjoint(_BORROWING)
        for place, column in enumerate(table.columns):
            made = table.origin == "existing" and not column.added
            if not made and not borrowed and not _all_words(column.name) <= words:
                yield lacks(f"column {column.name} of {table.name}", f"{path}.columns[{place}]")
        for place, constraint in enumerate(table.constraints):
            # One without a name of its own is called after its table.
            after_table = constraint.name.startswith(f"{table.name.partition('.')[2]}_")
            if not after_table and not borrowed and not _all_words(constraint.name) <= words:
                yield lacks(f"constraint {constraint.name} of {table.name}", f"{path}.constraints[{place}]")
        for noun, key, names in _hanging(table):
            for place, name in enumerate(names):
                if not reading.makes(noun, name, table.name) and not (borrowed and noun == "index"):
                    yield lacks(f"{noun} {name} on {table.name}", f"{path}.{key}[{place}]")
    for number, view in enumerate(expectation.views):
        if not reading.makes("view", view.name):
            yield lacks(f"view {view.name}", f"$.views[{number}]")
    routines = {name for noun, name, _ in reading.made if noun in ("function", "procedure")}
    for number, function in enumerate(expectation.functions):
        if function.name.partition("(")[0] not in routines and not reading.makes("function", function.name):
            yield lacks(f"function {function.name}", f"$.functions[{number}]")


def _never_promised(manifest: Manifest, expectation: Expectation, reading: Reading) -> Iterator[Fault]:
    """What is made and verification would call unexpected, or not look at."""
    tables = {table.name: table for table in expectation.tables}
    known = {("table", name, "") for name in tables} | {("view", view.name, "") for view in expectation.views}
    known |= {
        (noun, name, table.name) for table in tables.values() for noun, _, names in _hanging(table) for name in names
    }
    functions = {function.name.partition("(")[0] for function in expectation.functions}
    for (noun, name, on), statement in reading.made.items():
        place = (statement.line, statement.column)
        if (noun, name, on) in known or (noun in ("function", "procedure") and name in functions):
            continue
        strict = noun == "policy" or (noun == "trigger" and on in tables and tables[on].origin == "created")
        if strict and on in tables:
            reason = (
                f"{noun} {name} on {on} is not in {manifest.expected}: verified, it is a failure, so nothing commits"
            )
            yield warning(manifest.patch, reason, *place)
        elif noun in ("table", "view", "function", "procedure", "policy", "trigger"):
            where = f" on {on}" if on else ""
            reason = f"{noun} {name}{where} is not in {manifest.expected}: nothing verifies it"
            yield warning(manifest.patch, reason, *place)


def _left_behind(
    manifest: Manifest, reading: Reading, before: Reading, rollback: Sequence[Statement]
) -> Iterator[Fault]:
    """What a rollback should remove and does not, removes and should not, or can not do; `before` was there already."""
    dropped = {
        (statement.kind.removeprefix("drop "), *_names(statement)): statement
        for statement in rollback
        if statement.kind in _ROLLED_BACK
    }
    code: set[str] = set().union(*(_all_words(s.text) for s in rollback if s.kind in _RUNS_CODE))
    for (noun, name, on), statement in dropped.items():
        if not reading.makes(noun, name, on):
            reason = f"drops {noun} {name}{f' on {on}' if on else ''}, which {manifest.patch} does not make"
            yield warning(manifest.rollback, reason, statement.line, statement.column)
    for (noun, name, on), statement in reading.made.items():
        if statement.kind.partition(" ")[2] not in ("policy", "trigger", "view") or (noun, name, on) in before.made:
            continue
        if (noun, name, on) not in dropped and name.rpartition(".")[2].lower() not in code:
            reason = f"{noun} {name} stays after a rollback: {manifest.rollback} does not drop it"
            yield warning(manifest.patch, reason, statement.line, statement.column)
    for statement in rollback:
        if statement.kind not in _ROLLED_BACK and _CHANGES.match(statement.kind):
            reason = (
                f"{statement.kind.upper()}: a rollback is verified to remove policies, triggers and views and to touch "
                "nothing else of what is expected, rows included; one that does more does not commit"
            )
            yield warning(manifest.rollback, reason, statement.line, statement.column)


def _hanging(table: ExpectedTable) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(noun, key in the file, names) of what hangs on a table and has a statement of its own."""
    yield "policy", "policies", tuple(policy.name for policy in table.policies)
    yield "trigger", "triggers", tuple(trigger.name for trigger in table.triggers)
    yield "index", "indexes", tuple(index.name for index in table.indexes)


def _names(statement: Statement) -> tuple[str, str]:
    on = qualified(statement.on)
    return (statement.object if on else qualified(statement.object)), on


def qualified(name: str) -> str:
    """A relation's name with its schema; one that is written without is looked for in public."""
    return name if not name or "." in name else f"public.{name}"


def _lock(found: Reading, table: str, mode: LockMode, statement: Statement) -> None:
    held = found.strongest.get(table)
    if held is None or LOCK_MODES.index(held[0]) < LOCK_MODES.index(mode):
        found.strongest[table] = mode, statement


def _all_words(sql: str) -> set[str]:
    """Every word of a statement, also inside its strings: a DO block's body is one."""
    return {word.lower() for word in re.findall(r"\w+", sql)}


def _referenced(sql: str) -> Iterator[str]:
    """The tables behind REFERENCES."""
    words = [(token.kind, folded(sql, token)) for token in scan(sql)]
    for number, word in enumerate(words):
        if word != ("word", "references"):
            continue
        parts = [text.strip('"') for _, text in words[number + 1 : number + 4]]
        yield f"{parts[0]}.{parts[2]}" if parts[1:2] == ["."] else qualified(parts[0])
