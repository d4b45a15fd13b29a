"""Databases in a stated condition: templates built once from the demo's files, working databases copied from them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from tui.demo.home import DemoError
from tui.demo.manifest import Manifest, State
from tui.demo.server import Address

# Nobody's database is made from it here (templates come from template0), so being connected to it disturbs nothing.
_MAINTENANCE = "template1"

Apply = Callable[[str], None]
"""Applies the migration to the database of a DSN, whose role is the database's owner."""


class Databases:
    """Makes and drops databases of one server in the states of a manifest.

    `address` is the running server's, `apply` brings a state's migration in.
    """

    def __init__(self, manifest: Manifest, folder: Path, address: Address, apply: Apply) -> None:
        self.manifest, self.folder, self._address, self._apply = manifest, folder, address, apply

    def create(self, name: str, state: str, template: str = "") -> None:
        """Make database `name` in `state`, replacing one of that name.

        `template` is the state on the way that is copied from a template (made when there is none); without it, the
        last one before anything is dated from now. Raises DemoError when one of the files fails.
        """
        chain = self.manifest.chain(state)
        kept = self._kept(chain) if not template else self.manifest.chain(template)
        if chain[: len(kept)] != kept:
            raise DemoError(f"state {state!r} is not built on {template!r}")
        source = self._template(kept)
        self.drop(name)
        self._copy(name, source)
        self._go_through(name, chain[len(kept) :])

    def drop(self, name: str) -> None:
        """Drop database `name` if it exists, ending whoever is connected to it."""
        self._maintain(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def _kept(self, chain: Sequence[State]) -> tuple[State, ...]:
        """The leading states that stay true over time."""
        for place, state in enumerate(chain):
            if state.fresh:
                return tuple(chain[:place])
        return tuple(chain)

    def _template(self, chain: Sequence[State]) -> str:
        """The name of the template database of the last state in `chain`, made if it is not there."""
        if not chain:
            return "template0"
        name = f"demo_{chain[-1].name}_{self._digest(chain)}"
        with psycopg.connect(self._address.admin_dsn(_MAINTENANCE), autocommit=True) as connection:
            known = {row[0] for row in connection.execute("select datname from pg_database")}
        if name in known:
            return name
        for old in known:
            if old.startswith(f"demo_{chain[-1].name}_"):  # made from other files
                self.drop(old)
        # Under another name until it is complete: what a crash leaves behind is never taken for a template.
        building = f"building_{chain[-1].name}"
        self.drop(building)
        self._copy(building, self._template(chain[:-1]))
        self._go_through(building, chain[-1:])
        self._maintain(sql.SQL("alter database {} rename to {}").format(sql.Identifier(building), sql.Identifier(name)))
        return name

    def _digest(self, chain: Sequence[State]) -> str:
        texts = hashlib.sha256(repr(chain).encode())
        for state in chain:
            patch = (self.manifest.patch,) if state.apply else ()
            for file in (*state.superuser, *patch, *state.owner):
                texts.update(self._text(file).encode())
        return texts.hexdigest()[:10]

    def _text(self, file: str) -> str:
        return (self.folder / file).read_text(encoding="utf-8")

    def _copy(self, name: str, source: str) -> None:
        # Copying files beats logging each page: nothing here is fsynced, and a small server's checkpoint is quick.
        self._maintain(
            sql.SQL("create database {} with template {} owner {} strategy = 'file_copy'").format(
                sql.Identifier(name), sql.Identifier(source), sql.Identifier(self.manifest.owner)
            )
        )

    def _go_through(self, name: str, states: Sequence[State]) -> None:
        for state in states:
            for file in state.superuser:
                self._run(self._address.admin_dsn(name), file)
            if state.apply:
                self._apply(self._address.dsn(self.manifest.owner, name))
            for file in state.owner:
                self._run(self._address.dsn(self.manifest.owner, name), file)

    def _run(self, dsn: str, file: str) -> None:
        """Run one file in one transaction."""
        try:
            with psycopg.connect(dsn, prepare_threshold=None) as connection:
                connection.execute(self._text(file).encode())
        except psycopg.Error as error:
            raise DemoError(f"{self.folder / file}: {str(error).strip()}") from None

    def _maintain(self, statement: sql.Composed) -> None:
        with psycopg.connect(self._address.admin_dsn(_MAINTENANCE), autocommit=True) as connection:
            connection.execute(statement)


def apply_in_one_transaction(patch: Path) -> Apply:
    """The plainest way to apply a migration, as `psql -1 -f` does: the file `patch` in one transaction."""

    def apply(dsn: str) -> None:
        try:
            with psycopg.connect(dsn, prepare_threshold=None) as connection:
                connection.execute(patch.read_bytes())
        except psycopg.Error as error:
            raise DemoError(f"{patch}: {str(error).strip()}") from None

    return apply
