"""A patch tried on a throw-away database of the embedded server: what the catalog was before it, and what it is after.

The server has a folder of its own inside the demo's: a demo that is open meanwhile is not disturbed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import msgspec
import psycopg

from tui.core.catalog import Catalog, decode
from tui.core.expectation import WATCHED_ROLES
from tui.core.statements import Statement, place, split
from tui.db.queries import query
from tui.demo.home import DemoError, default_folder
from tui.demo.kept import Kept
from tui.demo.manifest import MANIFEST, load_manifest

PLATFORM = "platform"
"""The state of the shipped demo that holds nothing but what the platform brings."""

_PLATFORM_S = frozenset(("create schema", "alter schema", "comment", "alter default privileges", "create extension"))
"""Kinds of statements by which a dump of a project says what the platform has made."""

_THERE_ALREADY = (
    psycopg.errors.DuplicateSchema,
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.FeatureNotSupported,
)
"""The schema is there, it is the platform's own, or the embedded server has no such extension."""

_DATABASE = "bundle"


class PatchError(Exception):
    """A script that the server refused; `str()` is one line: file, line, column and what the server said."""

    def __init__(self, file: str, line: int, column: int, reason: str) -> None:
        super().__init__(f"{file}:{line}:{column}: {reason}")


class Baseline(msgspec.Struct, frozen=True):
    """What the patch is tried on: `state` of the demo in folder `demo`, and after it the script `before` (a name for
    messages and its text), where there is one.
    """

    demo: Path
    state: str
    before: tuple[str, str] | None = None


class Tried(msgspec.Struct, frozen=True):
    """The catalogs before and after, both of the whole database, which is still there at `dsn` (role: its owner)."""

    dsn: str
    before: Catalog
    after: Catalog
    server_version: str


def baseline_of(bundle: Path, shipped: Path, before: tuple[str, str] | None) -> Baseline:
    """The baseline of the bundle in folder `bundle`: the state that its own demo applies the patch to; else, with
    `before`, the platform's of the bundle in folder `shipped`. Raises DemoError when the demo's file is wrong.
    """
    demo = bundle.resolve() / "demo"  # the keeper stands elsewhere
    if not (demo / MANIFEST).is_file():
        return Baseline(shipped / "demo", PLATFORM, before)
    states = load_manifest(demo).states
    if not states:
        raise DemoError(f"{demo / MANIFEST}: has no state to apply the patch to")
    return Baseline(demo, next((state.base for state in states if state.apply), states[-1].name), before)


@contextmanager
def tried(baseline: Baseline, patch: tuple[str, str], progress: Callable[[str], None]) -> Iterator[Tried]:
    """Run `patch` (its name and its text) on a new database in the baseline's state, in one transaction.

    The database and its server end with the context. Raises PatchError, DemoError.
    """
    owner = load_manifest(baseline.demo).owner
    with Kept(baseline.demo, home=default_folder() / "bundles", pooler=False, progress=progress) as kept:
        kept.create(_DATABASE, baseline.state)
        dsn = kept.ready.address.dsn(owner, _DATABASE)
        if baseline.before:
            progress(f"Running {baseline.before[0]}")
            for left_out in _run(dsn, *baseline.before, dumped=True):
                progress(f"Left out: {left_out}")
        before = _catalog(dsn)
        progress(f"Running {patch[0]}")
        _run(dsn, *patch)
        yield Tried(dsn, before, _catalog(dsn), kept.ready.server_version)


def _run(dsn: str, file: str, text: str, *, dumped: bool = False) -> list[str]:
    """Run a script in one transaction, statement by statement: few errors tell their place by themselves.

    One that may come from pg_dump (`dumped`) also says what the platform brings already and its owner may not touch:
    that is left out, and returned a line each.
    """
    left_out = []
    with psycopg.connect(dsn, prepare_threshold=None) as connection:
        for statement in split(text):
            if dumped and statement.kind == "psql":
                continue
            try:
                with connection.transaction() if dumped and statement.kind in _PLATFORM_S else nullcontext():
                    connection.execute(statement.text.encode())
            except psycopg.Error as error:
                line, column, reason = _explained(statement, error)
                if not (dumped and statement.kind in _PLATFORM_S and isinstance(error, _THERE_ALREADY)):
                    raise PatchError(file, line, column, reason) from None
                left_out.append(f"{file}:{line}: {f'{statement.kind} {statement.object}'.strip()}: {reason}")
    return left_out


def _explained(statement: Statement, error: psycopg.Error) -> tuple[int, int, str]:
    """Line, column and the server's words."""
    said = error.diag
    line, column = place(statement, int(said.statement_position) if said.statement_position else None)
    words = (said.message_primary or str(error).strip(), said.message_detail, said.message_hint)
    return line, column, f"{'; '.join(word for word in words if word)} ({error.sqlstate or 'no SQLSTATE'})"


def _catalog(dsn: str) -> Catalog:
    """Everything in the database but what is the server's own."""
    with psycopg.connect(dsn, prepare_threshold=None, cursor_factory=psycopg.RawCursor) as connection:
        connection.execute("set local search_path = ''")
        names = connection.execute(query("names").encode()).fetchone()
        wanted = msgspec.json.decode(names[0] if names else "{}", type=dict[str, list[str]])
        asked = json.dumps({**wanted, "roles": list(WATCHED_ROLES), "twin": False})
        found = connection.execute(query("catalog").encode(), [asked]).fetchone()
    return decode(found[0] if found else "{}")
