"""A bundle as the Supabase CLI keeps a migration: a row of its history and a file in the project's repository.

The CLI compares versions only: a row without its file makes the next `supabase db push` fail, a file without its row
makes it run the file (facts: migrations A2).
"""

from __future__ import annotations

import re

import msgspec

from tui.core.bundle import Bundle
from tui.core.sqlscan import scan
from tui.core.statements import Statement

TABLE = "supabase_migrations.schema_migrations"
"""The CLI's history: version, name, statements."""

FOLDER = "supabase/migrations"
"""Where a project keeps its migration files."""

_VERSION = re.compile(r"[0-9]{14}")
_NAME = re.compile(r"\w[\w.-]{0,199}", re.ASCII)


class NotAMigration(Exception):  # noqa: N818 - what it is, not an error of ours
    """The bundle can not be kept as a migration of the CLI; `str()` is one sentence."""


class Migration(msgspec.Struct, frozen=True):
    """A migration as the CLI keeps it: the row's three columns, and the file's text."""

    version: str
    name: str
    statements: tuple[str, ...]
    text: str

    @property
    def file(self) -> str:
        """The file's path in the project."""
        return f"{FOLDER}/{self.version}_{self.name}.sql"


def migration(bundle: Bundle) -> Migration:
    """The bundle's patch as a migration. Raises NotAMigration when its name or version is not one the CLI can read."""
    if not _VERSION.fullmatch(bundle.version):
        raise NotAMigration(
            f"The bundle's version is {bundle.version!r}; the Supabase CLI wants 14 digits, YYYYMMDDhhmmss."
        )
    if not _NAME.fullmatch(bundle.name):
        raise NotAMigration(f"The bundle's name, {bundle.name!r}, can not be a part of a file's name.")
    return Migration(bundle.version, bundle.name, pieces(bundle.patch.text, bundle.patch.statements), bundle.patch.text)


def pieces(text: str, statements: tuple[Statement, ...]) -> tuple[str, ...]:
    """The script cut at each final `;`, which is left out, and trimmed: comments stay with the statement they precede.

    As `statements` of the CLI's history, except where its own splitter is wrong (a backslash in E'...', a CASE in a
    BEGIN ATOMIC body): there a statement is what the server runs.
    """
    cuts, at = [0], 0
    for begins, ends in [*((one.offset, one.offset + len(one.text)) for one in statements), (len(text), len(text))]:
        # Between two statements lie only blanks, comments and what ends them.
        for token in scan(text, at):
            if token.start >= begins:
                break
            cuts.append(token.end)
        at = ends
    parts = (text[begin:end] for begin, end in zip(cuts, [*cuts[1:], None], strict=True))
    found = (part.strip().removesuffix(";").strip() for part in parts)
    return tuple(piece for piece in found if piece)
