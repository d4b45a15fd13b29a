"""The file of `apply --record-supabase`: made sure of before anything is sent, written once the run has committed."""

from __future__ import annotations

from tui.core.run import Finished, Outcome, Plan
from tui.core.supabase_ledger import NotAMigration, migration
from tui.exits import Exit, Stop
from tui.migration_file import OtherContent, check, place_of, write
from tui.output import CAREFUL, DIM, Output, plain


class MigrationFile:
    """The migration file of one run."""

    def __init__(self, plan: Plan, out: Output) -> None:
        """Raises Stop when the bundle is no migration, or another one lies where the file belongs."""
        self._out = out
        try:
            self._migration = migration(plan.bundle)
        except NotAMigration as error:
            raise Stop(Exit.REFUSED, str(error), "nothing was sent; run it without --record-supabase") from None
        self._path = place_of(self._migration)
        try:
            check(self._path, self._migration)
        except OtherContent as error:
            raise Stop(
                Exit.REFUSED, str(error), "nothing was sent; move that file or give the bundle a version of its own"
            ) from None
        except OSError as error:
            raise Stop(Exit.REFUSED, f"{self._path}: {error.strerror}", "nothing was sent") from None

    def keep(self, end: Finished) -> str | None:
        """Write the file of a run that ended so, and say where; returns its path, None when there is none to commit."""
        if end.outcome is Outcome.UNKNOWN:
            self._warn(
                "the migration file was not written; should the run turn out committed: supabase migration fetch"
            )
        elif end.outcome is Outcome.COMMITTED and not end.ran:
            self._warn("nothing was recorded for the Supabase CLI, since nothing was run; --again runs and records it")
        elif end.outcome is Outcome.COMMITTED:
            return self._write()
        return None

    def _write(self) -> str | None:
        try:
            new = write(self._path, self._migration)
        except (OtherContent, OSError) as error:
            why = str(error) if isinstance(error, OtherContent) else f"{self._path}: {error.strerror}"
            self._warn(
                f"committed, but its migration file could not be written: {why}; supabase migration fetch makes it"
            )
            return None
        verb = "written" if new else "already there"
        self._out.notice(("migration file: ", DIM), plain(f"{self._path} ({verb}); commit it to your repository", 1000))
        return str(self._path)

    def _warn(self, words: str) -> None:
        self._out.notice(("warning: ", CAREFUL), plain(words, 1000))
