"""Everything that can be said of a bundle without a database: all faults at once, each with file and line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

import msgspec

from tui.core.bundle import MANIFEST, Bundle, BundleError, Manifest, load
from tui.core.bundle_agreement import agreement_faults
from tui.core.bundle_expected import expectation_faults, prerequisite_faults
from tui.core.bundle_faults import Fault, TomlPlaces, error, warning
from tui.core.bundle_queries import query_faults
from tui.core.expectation import Expectation
from tui.core.isolation_spec import IsolationSpec, flaws
from tui.core.statements import Statement, check_script, split
from tui.core.toml_shape import located, read

BEFORE = "BEFORE.sql"
"""What was there before the patch, in a bundle that has no demo of its own; no run ever reads it."""

OLDEST, NEWEST = 15, 18
"""The servers that patchdeck is tested on (decision 7)."""


class Checkup(msgspec.Struct, frozen=True):
    """What was found. `bundle` is None where there is an error: no run would take it."""

    faults: tuple[Fault, ...]
    bundle: Bundle | None

    @property
    def errors(self) -> int:
        """How many faults keep the bundle from being used."""
        return sum(fault.level == "error" for fault in self.faults)

    @property
    def warnings(self) -> int:
        """How many are worth a look."""
        return len(self.faults) - self.errors


def check(files: Mapping[str, str]) -> Checkup:
    """Check the bundle in `files` (relative name to text). Raises nothing: what can not be read is a fault."""
    reader = _Reader(files)
    faults = [*reader.read(), *reader.unreadable()]
    order = {name: number for number, name in enumerate(reader.order)}
    faults.sort(key=lambda fault: (order.get(fault.file, len(order)), fault.line or 0, fault.column or 0))
    unique = tuple(dict.fromkeys(faults))
    if any(fault.level == "error" for fault in unique):
        return Checkup(unique, None)
    try:
        return Checkup(unique, load(files))
    except BundleError as refused:
        return Checkup((*unique, error(refused.file, refused.reason, refused.line)), None)


T = TypeVar("T")


class _Reader:
    """The files of one bundle, each read once; what could not be read is kept to be told."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._texts: dict[str, str | None] = {}
        self._faults: list[Fault] = []
        self._at = TomlPlaces(files)

    @property
    def order(self) -> tuple[str, ...]:
        """The files in the order they were asked for, the manifest first."""
        return tuple(self._texts)

    def unreadable(self) -> tuple[Fault, ...]:
        """What was wrong with files as such, and with their shape."""
        return tuple(self._faults)

    def read(self) -> Iterator[Fault]:
        """Every other fault."""
        manifest = self._typed(MANIFEST, Manifest)
        if manifest is None:
            return
        yield from self._identity(manifest)
        yield from prerequisite_faults(manifest.prerequisites, self._at)
        patch, rollback = self._script(manifest.patch), self._script(manifest.rollback)
        expectation = self._typed(manifest.expected, Expectation)
        if expectation is not None:
            yield from expectation_faults(expectation, manifest.prerequisites, manifest.expected, self._at)
        if manifest.isolation:
            self._isolation(manifest.isolation, expectation)
        yield from query_faults(manifest, self._text, self._at)
        if patch and rollback:
            before = split(self._optional(BEFORE))
            yield from agreement_faults(manifest, patch, rollback, before, expectation, self._at)

    def _identity(self, manifest: Manifest) -> Iterator[Fault]:
        if not (len(manifest.version) == 14 and manifest.version.isdigit()):
            reason = f"version {manifest.version!r} is not of the form YYYYMMDDhhmmss, by which migrations are ordered"
            yield warning(MANIFEST, reason, self._at.line(MANIFEST, "$.version"))
        if not manifest.name.replace("_", "").isalnum() or not manifest.name.isascii():
            reason = f"name {manifest.name!r}: letters, digits and _ only; it becomes part of a migration file's name"
            yield error(MANIFEST, reason, self._at.line(MANIFEST, "$.name"))
        oldest = manifest.prerequisites.min_server_version
        if not OLDEST <= oldest <= NEWEST:
            reason = f"min_server_version {oldest}: patchdeck is for PostgreSQL {OLDEST} to {NEWEST}"
            yield warning(MANIFEST, reason, self._at.line(MANIFEST, "$.prerequisites.min_server_version"))

    def _text(self, name: str) -> str | None:
        if name not in self._texts:
            self._texts[name] = None
            try:
                self._texts[name] = self._files[name]
            except KeyError:
                by = "every bundle has it" if name == MANIFEST else f"{MANIFEST} names it"
                self._faults.append(error(name, f"not found in the bundle; {by}"))
            except BundleError as refused:
                self._faults.append(error(refused.file, refused.reason, refused.line))
        return self._texts[name]

    def _optional(self, name: str) -> str:
        """The text of a file that need not be there; "" without one."""
        try:
            return self._files[name]
        except KeyError:
            return ""
        except BundleError as refused:
            self._faults.append(error(refused.file, refused.reason, refused.line))
            return ""

    def _typed(self, name: str, shape: type[T]) -> T | None:
        text = self._text(name)
        found = read(text, shape) if text is not None else None
        if isinstance(found, tuple):
            self._faults += [error(name, flaw.reason, flaw.line) for flaw in found]
            return None
        return found

    def _script(self, name: str) -> tuple[Statement, ...]:
        """The statements of a script; none where there is an error in it, which makes whatever follows guesswork."""
        text = self._text(name)
        if text is None:
            return ()
        statements = split(text)
        if not statements:
            self._faults.append(error(name, "holds no statement"))
        refusals = check_script(statements)
        self._faults += [error(name, found.reason, found.line, found.column) for found in refusals]
        return () if refusals else statements

    def _isolation(self, name: str, expectation: Expectation | None) -> None:
        spec, text = self._typed(name, IsolationSpec), self._text(name)
        if spec is not None and expectation is not None and text is not None:
            self._faults += [error(name, flaw.reason, flaw.line) for flaw in located(text, flaws(spec, expectation))]
