"""What the preflight rules judge, as the database answers it: what is there, what the role may do, who is in the way.

`db/queries/facts.sql` answers with one JSON document of this shape, to a request made from the bundle.
"""

from __future__ import annotations

import re

import msgspec

from tui.core.bundle import Bundle


class SchemaFact(msgspec.Struct, frozen=True):
    """A schema that exists and what the connected role may do in it."""

    name: str
    create: bool
    usage: bool


class RelationFact(msgspec.Struct, frozen=True):
    """A table to be locked: its rows and bytes as statistics know them (-1: unknown), and whether the role may lock
    it.
    """

    name: str
    rows: float
    lockable: bool
    bytes: float = 0.0


class RowFilter(msgspec.Struct, frozen=True):
    """A publication's row filter on a table to be locked."""

    publication: str
    table: str
    where: str


class HoldingSession(msgspec.Struct, frozen=True):
    """A session that holds a lock on `relation` that conflicts with the one wanted; `age` is its transaction's, in
    seconds. Process 0 is a prepared transaction.
    """

    pid: int
    user: str
    application: str
    state: str
    age: float
    query: str
    relation: str
    mode: str


class Runner(msgspec.Struct, frozen=True):
    """Who holds the advisory lock of a run, and since when by the server's clock."""

    pid: int
    user: str
    application: str
    since: str


class Facts(msgspec.Struct, frozen=True):
    """What `facts.sql` answers: of everything asked for, what is there, and what the role may do."""

    in_recovery: bool
    read_only_default: bool
    create_in_database: bool
    ledger: bool
    roles: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    schemas: tuple[SchemaFact, ...] = ()
    relations: tuple[RelationFact, ...] = ()
    no_references: tuple[str, ...] = ()
    not_owned: tuple[str, ...] = ()
    no_publication: tuple[str, ...] = ()
    row_filters: tuple[RowFilter, ...] = ()
    sessions: tuple[HoldingSession, ...] = ()
    runner: Runner | None = None


def decode_facts(document: str | bytes) -> Facts:
    """The facts in a JSON document of `facts.sql`. Raises msgspec.ValidationError when it is not of this shape."""
    return msgspec.json.decode(document, type=Facts)


def facts_request(bundle: Bundle) -> dict[str, object]:
    """What `facts.sql` is asked for on behalf of a bundle, ready for JSON."""
    expectation, needed = bundle.expectation, bundle.manifest.prerequisites
    locks: dict[str, str] = dict(bundle.locks())
    locks.update({table.name: "ACCESS EXCLUSIVE" for table in expectation.tables})
    made = [*expectation.relations(), *(function.name for function in expectation.functions)]
    schemas = {name.partition(".")[0] for name in made} | {schema.name for schema in expectation.schemas}
    return {
        "locks": locks,
        "references": sorted(_referenced(bundle)),
        "functions": list(needed.functions),
        "roles": list(needed.roles),
        "views": [view.name for view in expectation.views],
        "creates": [function.name for function in expectation.functions],
        "schemas": sorted(schemas),
        "publications": [publication.name for publication in expectation.publications],
    }


def _referenced(bundle: Bundle) -> set[str]:
    """Tables from before the patch that its foreign keys refer to."""
    created = {table.name for table in bundle.expectation.tables if table.origin == "created"}
    found = {
        target[1]
        for table in bundle.expectation.tables
        for constraint in table.constraints
        if (target := re.search(r"\breferences\s+([\w.]+)", constraint.definition, re.IGNORECASE))
    }
    return found - created
