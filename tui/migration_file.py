"""The migration file that belongs to a row of the Supabase CLI's history: where it lies, and writing it once."""

from __future__ import annotations

from pathlib import Path

from tui.core.supabase_ledger import Migration


class OtherContent(Exception):  # noqa: N818 - what was found, not an error of ours
    """A file of that name is there and says something else."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is there already and holds something else than the patch")


def place_of(migration: Migration, start: Path | None = None) -> Path:
    """Where the file belongs: the nearest folder from `start` (the working directory) upwards that is a project of the
    CLI, that is with supabase/config.toml, else `start` itself, as the CLI does.
    """
    here = (start or Path.cwd()).resolve()
    root = next((one for one in (here, *here.parents) if (one / "supabase" / "config.toml").is_file()), here)
    return root / migration.file


def check(path: Path, migration: Migration) -> None:
    """Raises OtherContent when another migration lies there, OSError when it can not be read."""
    try:
        same = path.read_bytes() == migration.text.encode()
    except FileNotFoundError:
        return
    if not same:
        raise OtherContent(path)


def write(path: Path, migration: Migration) -> bool:
    """Write the file; False when it was there already, as it is to be. Raises OtherContent or OSError.

    Never over another file, whoever makes one meanwhile, and never half.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("xb") as file:
            file.write(migration.text.encode())
    except FileExistsError:
        check(path, migration)
        return False
    except OSError:
        # A full disk: half a migration would be pushed as if it were one.
        path.unlink(missing_ok=True)
        raise
    return True
