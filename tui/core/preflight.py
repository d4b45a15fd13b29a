"""Is it safe and possible to run here, now? Pure rules over facts that one round trip brought."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Literal

import msgspec

from tui.core.aftermath import counted
from tui.core.aspects import canonical_type
from tui.core.bundle import Bundle
from tui.core.catalog import Catalog
from tui.core.expectation import ExpectedTable
from tui.core.facts import Facts, decode_facts, facts_request
from tui.core.look import Server
from tui.core.online import Size, builds
from tui.core.plan import strangers
from tui.core.tablechecks import PLAIN_TYPES
from tui.core.text import duration, one_line

__all__ = ["Facts", "Level", "PreflightCheck", "check_preflight", "decode_facts", "facts_request"]

Level = Literal["pass", "warn", "stop"]

NOISE = 1.0
"""Seconds a transaction may hold a lock before it is worth a word: what is shorter is gone before anybody reads it."""

BUILDABLE = "indexes to build"
"""Name of the check that offers to build a big table's indexes before the patch runs."""

SLOW = 2.0
"""Seconds of blocked writes from which the operator is warned."""

INDEX_ROW, CONSTRAINT_ROW, UPDATE_ROW = 1e-6, 0.15e-6, 10e-6
"""Seconds per row of building an index, validating a constraint, updating a row: 2,000,000 rows took 0.88 s and 0.28 s
(facts: migrations C5, an integer index; a uuid's is twice that), a backfill about five times an index.
"""


class PreflightCheck(msgspec.Struct, frozen=True):
    """One preflight check: what was looked at, how it came out, what that means, how to mend it ("" when it passes)."""

    name: str
    level: Level
    meaning: str
    remedy: str = ""


def check_preflight(
    facts: Facts, bundle: Bundle, server: Server, live: Catalog, action: Literal["apply", "rollback"]
) -> tuple[PreflightCheck, ...]:
    """Every check of a run of `action` on this database, in the order an operator asks; each rule gives at least one.

    A `stop` makes the run refuse before anything is sent.
    """
    rules = _Rules(facts, bundle, server, live)
    checks = [*rules.version(), *rules.writable()]
    if action == "apply":
        checks += [*rules.prerequisites(), *rules.shapes(), *rules.rights()]
    checks += [*rules.ownership(), *rules.other_runs(), *rules.blockers()]
    if action == "apply":
        checks += [*rules.sizes(), *rules.online(), *rules.dropped_policies(), *rules.row_filters()]
    return (*checks, *rules.pooler(), *rules.encryption())


class _Rules:
    """The rules, one method each; a method yields one `pass` or what is wrong."""

    def __init__(self, facts: Facts, bundle: Bundle, server: Server, live: Catalog) -> None:
        self._facts, self._bundle, self._server, self._live = facts, bundle, server, live
        self._expectation, self._needed = bundle.expectation, bundle.manifest.prerequisites

    def version(self) -> Iterator[PreflightCheck]:
        name, oldest = "server version", self._needed.min_server_version
        if self._server.version_num // 10000 < oldest:
            meaning = f"PostgreSQL {self._server.version}; the patch needs {oldest} or newer."
            yield PreflightCheck(name, "stop", meaning, "Upgrade the database first.")
        else:
            yield PreflightCheck(name, "pass", f"PostgreSQL {self._server.version}; {oldest} or newer is needed.")

    def writable(self) -> Iterator[PreflightCheck]:
        name = "writable"
        if self._facts.in_recovery:
            meaning = "This server is a standby: nothing can be changed on it."
            yield PreflightCheck(name, "stop", meaning, "Connect to the primary.")
        elif self._facts.read_only_default:
            meaning = "The database is in read-only mode (hosted projects set it when the disk is full)."
            remedy = "Free or extend the disk and end the read-only mode, then try again."
            yield PreflightCheck(name, "stop", meaning, remedy)
        elif not self._server.writable:
            meaning = "This session is read-only: nothing will be changed."
            yield PreflightCheck(name, "stop", meaning, "Start without --read-only.")
        else:
            yield PreflightCheck(name, "pass", "Primary, read-write.")

    def prerequisites(self) -> Iterator[PreflightCheck]:
        lacking = list(self._lacking())
        for what, remedy in lacking:
            yield PreflightCheck("prerequisites", "stop", what, remedy)
        if not lacking:
            needed = (
                ("role", self._needed.roles),
                ("function", self._needed.functions),
                ("table", self._needed.tables),
            )
            counts = ", ".join(counted(len(there), kind) for kind, there in needed)
            what = f"Everything the patch builds on is here: {counts}."
            yield PreflightCheck("prerequisites", "pass", what)

    def _lacking(self) -> Iterator[tuple[str, str]]:
        platform = "The patch is made for a database that has it: is this the right one?"
        for role in self._needed.roles:
            if role not in self._facts.roles:
                yield f"Role {role} does not exist.", platform
        for function in self._needed.functions:
            if function not in self._facts.functions:
                yield f"Function {function} does not exist.", platform
        for required in self._needed.tables:
            table = self._live.table(required.name)
            if table is None:
                yield f"Table {required.name} does not exist.", "Create it first: the patch builds on it."
                continue
            types = {column.name: column.type for column in table.columns}
            for column, wanted in required.columns.items():
                if column not in types:
                    yield f"Table {required.name} has no column {column}.", f"Add {column} {wanted} to it first."
                elif types[column] != canonical_type(wanted):
                    found = f"Column {required.name}.{column} is {types[column]}, not {canonical_type(wanted)}."
                    yield found, "The patch's foreign keys and policies rely on that type: convert the column first."

    def shapes(self) -> Iterator[PreflightCheck]:
        name, wrong = "tables of the same name", False
        for table in self._expectation.tables:
            what = self._other_shape(table)
            if what:
                wrong = True
                level: Level = "warn" if self._adds_columns(table.name) else "stop"
                remedy = f"`if not exists` leaves it as it is. Rename {table.name}, or give it the patch's shape."
                yield PreflightCheck(name, level, what, remedy)
        for view in self._expectation.views:
            if self._live.table(view.name):
                wrong = True
                yield PreflightCheck(name, "stop", f"{view.name} is a table here, not a view.", f"Rename {view.name}.")
        if not wrong:
            yield PreflightCheck(name, "pass", "No relation of another shape is in the way.")

    def _other_shape(self, table: ExpectedTable) -> str:
        if self._live.view(table.name):
            return f"{table.name} is a view here, not a table."
        found = self._live.table(table.name)
        if found is None or table.origin == "existing":
            return ""
        expected = {column.name: canonical_type(column.type) for column in table.columns}
        here = {column.name: column.type for column in found.columns}
        parts = [f"lacks {', '.join(lacking)}"] if (lacking := [c for c in expected if c not in here]) else []
        parts += [f"also has {', '.join(extra)}"] if (extra := [c for c in here if c not in expected]) else []
        for column, wanted in expected.items():
            if column in here and here[column] != wanted and wanted in PLAIN_TYPES:
                parts.append(f"has {column} as {here[column]} instead of {wanted}")
        return f"{table.name} exists in another shape: it {'; '.join(parts)}." if parts else ""

    def _adds_columns(self, table: str) -> bool:
        return any(
            statement.kind == "alter table"
            and statement.object == table
            and re.search(r"\badd\s+(column\s+)?if\s+not\s+exists\b", statement.text, re.IGNORECASE)
            for statement in self._bundle.patch.statements
        )

    def rights(self) -> Iterator[PreflightCheck]:
        name, facts = "rights", self._facts
        here = {schema.name: schema for schema in facts.schemas}
        made = {table.name for table in self._expectation.tables if table.origin == "created"}
        made |= {view.name for view in self._expectation.views} | {f.name for f in self._expectation.functions}
        wrong: list[tuple[str, str]] = []
        new = sorted(schema.name for schema in self._expectation.schemas if schema.name not in here)
        new += [] if facts.ledger else ["patchdeck"]
        if new and not facts.create_in_database:
            what = f"May not create schema {', '.join(new)}: CREATE on database {self._server.database} is not granted."
            wrong.append((what, f"grant create on database {self._server.database} to {self._server.user}"))
        for schema in sorted({called.partition(".")[0] for called in made}):
            if schema in here and not (here[schema].create and here[schema].usage):
                remedy = f"grant usage, create on schema {schema} to {self._server.user}"
                wrong.append((f"May not create anything in schema {schema}.", remedy))
        for table in facts.no_references:
            remedy = f"grant references on {table} to {self._server.user}"
            wrong.append((f"May not make foreign keys to {table}: REFERENCES is not granted.", remedy))
        for publication in self._expectation.publications:
            live = self._live.publication(publication.name)
            entries = {entry.table for entry in live.tables} if live else set()
            if live and publication.name in facts.no_publication and not entries.issuperset(publication.tables):
                what = f"May not add tables to publication {publication.name}: another role owns it."
                wrong.append((what, "Connect as its owner, or let the owner add the tables first."))
        for what, remedy in wrong:
            yield PreflightCheck(name, "stop", what, remedy)
        if not wrong:
            yield PreflightCheck(name, "pass", f"{self._server.user} may create everything the patch creates.")

    def ownership(self) -> Iterator[PreflightCheck]:
        name, wrong = "ownership", False
        user = self._server.user
        for called in (table.name for table in self._expectation.tables):
            table = self._live.table(called)
            if table is not None and not table.usable:
                wrong = True
                what = f"{called} belongs to {table.owner}: {user} can not alter it."
                yield PreflightCheck(name, "stop", what, f"alter table {called} owner to {user}, as {table.owner}")
        for relation in self._facts.relations:
            owned = self._live.table(relation.name)
            if not relation.lockable and not (owned and owned.usable):
                wrong = True
                what = f"{user} may not lock {relation.name}: it needs UPDATE, DELETE or TRUNCATE on it."
                yield PreflightCheck(name, "stop", what, f"grant update on {relation.name} to {user}")
        for called in self._facts.not_owned:
            wrong = True
            what = f"{called} exists and belongs to another role: {user} can not replace it."
            yield PreflightCheck(name, "stop", what, "Let its owner change the owner, or connect as the owner.")
        if not wrong:
            yield PreflightCheck(name, "pass", f"{user} may alter and lock every table concerned.")

    def other_runs(self) -> Iterator[PreflightCheck]:
        name, runner = "other runs", self._facts.runner
        if runner is None:
            yield PreflightCheck(name, "pass", "Nobody else is running a patch here.")
            return
        who = one_line(runner.application or runner.user or "a session", 80)
        since = f" since {runner.since}" if runner.since else ""
        what = f"Another run is under way: {who}, role {runner.user or 'unknown'}, process {runner.pid}{since}."
        yield PreflightCheck(name, "stop", what, "Wait until it has ended.")

    def blockers(self) -> Iterator[PreflightCheck]:
        name, wrong = "blockers", False
        for session in self._facts.sessions:
            if session.age < NOISE and session.pid:
                continue
            wrong = True
            who = one_line(session.application or session.user or "a session", 60)
            doing = f": {one_line(session.query, 80)}" if session.query else ""
            state = (
                f"{one_line(session.state, 40)} for {duration(session.age)}"
                if session.pid
                else "a prepared transaction"
            )
            what = f"Process {session.pid} ({who}, {state}) holds {session.mode} on {session.relation}{doing}"
            end = f"end it with select pg_terminate_backend({session.pid})" if session.pid else "commit or roll it back"
            remedy = f"The run waits for it no longer than its patience, and in nobody's way. Let it finish, or {end}."
            yield PreflightCheck(name, "warn", what, remedy)
        if not wrong:
            yield PreflightCheck(name, "pass", "No session holds a conflicting lock for long.")

    def sizes(self) -> Iterator[PreflightCheck]:
        name, rows, slow = "sizes", {relation.name: relation.rows for relation in self._facts.relations}, False
        for table in self._expectation.tables:
            count = max(rows.get(table.name, 0.0), 0.0)
            seconds = self._blocked(table, count)
            if seconds > SLOW:
                slow = True
                what = f"{table.name} has about {count:.0f} rows: it can not be written for about {duration(seconds)}."
                remedy = "Choose a quiet hour, or build its new indexes CONCURRENTLY beforehand: the patch leaves them."
                yield PreflightCheck(name, "warn", what, remedy)
        if not slow:
            biggest = max(0.0, *rows.values(), 0.0)
            what = f"The largest table concerned has about {biggest:.0f} rows: no table is blocked for {SLOW:g} s."
            yield PreflightCheck(name, "pass", what)

    def online(self) -> Iterator[PreflightCheck]:
        sizes = {relation.name: Size(relation.rows, relation.bytes) for relation in self._facts.relations}
        for table, group in groupby(builds(self._bundle, self._live, sizes), key=lambda build: build.table):
            steps = list(group)
            names = ", ".join(one_line(step.name, 80) for step in steps)
            took = duration(sum(step.seconds for step in steps))
            what = f"{table} is big, and these indexes can be built before the patch, while it is written: {names}."
            remedy = f"Build them first, CONCURRENTLY, in about {took}: apply --online, or o in the walkthrough."
            yield PreflightCheck(BUILDABLE, "warn", what, remedy)

    def _blocked(self, table: ExpectedTable, rows: float) -> float:
        """Seconds writes to a table from before the patch are blocked while what it lacks is built."""
        live = self._live.table(table.name)
        if live is None or table.origin == "created":
            return 0.0
        indexes = {index.name for index in table.indexes} - {index.name for index in live.indexes}
        constraints = {constraint.name for constraint in table.constraints} - {c.name for c in live.constraints}
        updates = sum(s.kind == "update" and s.object == table.name for s in self._bundle.patch.statements)
        return rows * (len(indexes) * INDEX_ROW + len(constraints) * CONSTRAINT_ROW + updates * UPDATE_ROW)

    def dropped_policies(self) -> Iterator[PreflightCheck]:
        name, found = "policies to be dropped", strangers(self._expectation, self._live)
        if not found:
            yield PreflightCheck(name, "pass", "No policy of somebody else's is on the tables concerned.")
            return
        named = ", ".join(f"{one_line(policy.name, 80)} on {table}" for table, policy in found)
        what = f"Not the patch's, and dropped because permissive policies are OR-ed: {named}."
        yield PreflightCheck(
            name, "warn", what, "Read them in the plan. Is anything that still relies on them covered?"
        )

    def row_filters(self) -> Iterator[PreflightCheck]:
        name, wrong = "publication row filters", False
        updated = {s.object for s in self._bundle.patch.statements if s.kind == "update"}
        for found in self._facts.row_filters:
            if found.table in updated:
                wrong = True
                what = (
                    f"Publication {found.publication} filters {found.table} by {one_line(found.where, 100)}: the"
                    " patch's UPDATE fails with 42P10 if that column is not of the replica identity."
                )
                remedy = f"Take {found.table} out of {found.publication} for the run, or drop the filter."
                yield PreflightCheck(name, "stop", what, remedy)
        if not wrong:
            yield PreflightCheck(name, "pass", "No publication filters rows of a table the patch updates.")

    def pooler(self) -> Iterator[PreflightCheck]:
        if self._server.pooled:
            mode = f"in {self._server.mode} mode" if self._server.mode != "unknown" else "in a mode it does not tell"
            meaning = f"Through a pooler {mode}: that is fine, the run uses one transaction and leaves nothing behind."
        else:
            meaning = "Directly to the server."
        yield PreflightCheck("pooler", "pass", meaning)

    def encryption(self) -> Iterator[PreflightCheck]:
        name, server = "encryption", self._server
        local = server.host in ("", "localhost", "::1") or server.host.startswith(("/", "@", "127."))
        if local:
            yield PreflightCheck(name, "pass", "A connection on this machine.")
        elif server.tls == "off":
            what = f"The connection to {server.host} is not encrypted: who listens on the way reads everything."
            yield PreflightCheck(name, "warn", what, "Use sslmode=verify-full with the project's certificate.")
        elif not server.tls_verified:
            what = f"The connection is encrypted ({server.tls}), but who {server.host} is was not verified."
            yield PreflightCheck(name, "warn", what, "Use sslmode=verify-full with the project's certificate.")
        else:
            yield PreflightCheck(name, "pass", f"Encrypted ({server.tls}), the server's name verified.")
