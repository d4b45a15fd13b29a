"""Read a bundle folder from disk: only the files its manifest names, never one outside the folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from tui.core.bundle import MANIFEST, Bundle, BundleError, load

SIZE_LIMIT = 32 * 1024 * 1024
"""Bytes. A file of a bundle that is larger is a mistaken path (a dump, a device), not SQL that somebody reads."""


def default_bundle() -> Path:
    """The folder of the bundle that ships with patchdeck: in the installed package, or beside it in a source tree."""
    package = Path(__file__).resolve().parent
    inside = package / "sql"
    return inside if inside.is_dir() else package.parent / "sql"


def read_bundle(folder: Path | None = None, *, scripts: bool = True) -> Bundle:
    """The checked bundle in `folder` (None: the one that ships). Raises BundleError, one line with file and reason.

    Without `scripts` its SQL is left unsplit, for whoever only looks (see `tui.core.bundle.load`).
    """
    place = default_bundle() if folder is None else folder
    if not is_folder(place):
        raise BundleError(str(place), "not a folder; a bundle is a folder that holds " + MANIFEST)
    try:
        return load(Folder(place), scripts=scripts)
    except BundleError as error:
        if folder is None:
            raise
        # Of several bundles it must be said whose file is wrong.
        raise BundleError(str(place / error.file), error.reason, error.line) from None


def is_folder(place: Path) -> bool:
    """Whether there is such a folder. Raises BundleError where that can not be told."""
    try:
        return place.is_dir()
    except OSError as error:
        raise BundleError(str(place), f"can not be read: {error.strerror}") from None


class Folder(Mapping[str, str]):
    """The texts of a folder by relative name, each read when it is asked for: `--bundle /` must not read a disk.

    A name that is not there is a KeyError, as in every mapping; one that is there and can not be used is a BundleError.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()

    def __getitem__(self, name: str) -> str:
        try:
            path = (self._root / name).resolve()
        except RuntimeError:
            raise BundleError(name, "a link that leads to itself") from None
        if not path.is_relative_to(self._root):
            raise BundleError(name, "lies outside the bundle's folder")
        try:
            if not path.is_file():
                raise KeyError(name)
            if path.stat().st_size > SIZE_LIMIT:
                raise BundleError(name, f"larger than {SIZE_LIMIT // 2**20} MiB")
            # newline="": positions in messages are those of the file, so line ends stay as they are.
            with path.open(encoding="utf-8-sig", newline="") as file:
                return file.read()
        except UnicodeDecodeError as error:
            raise BundleError(name, f"not UTF-8 at byte {error.start}") from None
        except OSError as error:
            raise BundleError(name, f"can not be read: {error.strerror}") from None

    def __iter__(self) -> Iterator[str]:
        return (str(path.relative_to(self._root)) for path in sorted(self._root.rglob("*")) if path.is_file())

    def __len__(self) -> int:
        return sum(1 for _ in self)
