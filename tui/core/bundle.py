"""Load and check a bundle: the folder that holds everything particular to one migration.

Pure: it is given the folder's texts by name and returns a typed `Bundle`, or raises `BundleError` with file and line.
Reading the folder is `tui.files`' business.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Literal, TypeVar, get_args

import msgspec

from tui.core.expectation import Expectation
from tui.core.isolation_spec import IsolationSpec, flaws
from tui.core.panel_source import Panel, panel_flaws
from tui.core.safety_scope import LintRequest, Mute
from tui.core.toml_shape import located, read

if TYPE_CHECKING:
    from tui.core.statements import Statement

MANIFEST = "bundle.toml"

LockMode = Literal[
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
]

LOCK_MODES: tuple[LockMode, ...] = get_args(LockMode)
"""From the weakest to the strongest."""


class BundleError(Exception):
    """A bundle that can not be used; `str()` is one line naming the file, the line where known, and the reason."""

    def __init__(self, file: str, reason: str, line: int | None = None) -> None:
        self.file, self.reason, self.line = file, reason, line
        super().__init__(f"{file}:{line}: {reason}" if line else f"{file}: {reason}")


class RequiredTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table that must exist before the patch, with the types of the columns it relies on and the lock it needs.

    `early`: the weaker lock that does until the patch's own LOCK TABLE statement, so that its readers wait less long.
    """

    name: str
    columns: dict[str, str] = {}
    lock: LockMode | None = None
    early: LockMode | None = None


class Prerequisites(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must hold before the patch; `min_server_version` is a major version."""

    min_server_version: int = 15
    roles: tuple[str, ...] = ()
    functions: tuple[str, ...] = ()
    tables: tuple[RequiredTable, ...] = ()


class CountQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A query for the plan and the report whose rows are (label text, rows bigint, note text)."""

    title: str
    file: str
    requires: tuple[str, ...] = ()


class Safety(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the safety lint is to look at: the schemas the API exposes, the column that makes a row a tenant's, and the
    findings the bundle explains.
    """

    schemas: tuple[str, ...] = ("public",)
    tenant_column: str = "tenant_id"
    mutes: tuple[Mute, ...] = ()

    def request(self) -> LintRequest:
        """What `safety.sql` is asked for this bundle."""
        return LintRequest(schemas=self.schemas, tenant_column=self.tenant_column)


class Online(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From which size on a table's new indexes are worth building before the patch runs: either limit is enough."""

    rows: int = 200_000
    megabytes: int = 256


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`bundle.toml`: the bundle's table of contents."""

    name: str
    version: str
    title: str
    summary: str = ""
    patch: str = "PATCH.sql"
    rollback: str = "ROLLBACK.sql"
    expected: str = "expected.toml"
    isolation: str = ""
    prerequisites: Prerequisites = Prerequisites()
    counts: tuple[CountQuery, ...] = ()
    panels: tuple[Panel, ...] = ()
    safety: Safety = Safety()
    online: Online = Online()
    notes: tuple[str, ...] = ()


class Script(msgspec.Struct, frozen=True, dict=True):
    """One SQL file of the bundle: its name for messages, its statements in order, its text as it was read.

    Without `parts` it is split when its `statements` are first asked for, which then raises BundleError where it is no
    SQL of one transaction: a look runs none of it, and splitting takes longer than all the rest.
    """

    file: str
    parts: tuple[Statement, ...] | None = None
    text: str = ""

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """What it consists of, in order."""
        return _split(self.file, self.text) if self.parts is None else self.parts


class Bundle(msgspec.Struct, frozen=True):
    """A whole, checked bundle. `checksum` is the SHA-256 of PATCH.sql, `digest` that of everything that decides a
    verdict.
    """

    manifest: Manifest
    patch: Script
    rollback: Script
    expectation: Expectation
    queries: Mapping[str, str]
    checksum: str
    digest: str
    isolation: IsolationSpec | None = None

    @property
    def name(self) -> str:
        """The bundle's name, e.g. `multi_tenant`."""
        return self.manifest.name

    @property
    def version(self) -> str:
        """The bundle's version, by convention `YYYYMMDDhhmmss`."""
        return self.manifest.version

    def locks(self) -> tuple[tuple[str, LockMode], ...]:
        """(table, mode) of every prerequisite to be locked, sorted by table (decision 20)."""
        return tuple(sorted((table.name, table.lock) for table in self.manifest.prerequisites.tables if table.lock))

    def early_locks(self) -> dict[str, LockMode]:
        """The tables that are locked wholly only from the patch's LOCK TABLE statement on, with their mode before."""
        return {table.name: table.early for table in self.manifest.prerequisites.tables if table.early}

    @property
    def lock_point(self) -> int | None:
        """The 0-based statement of the patch that locks tables, the first if there are several."""
        return next((at for at, one in enumerate(self.patch.statements) if one.kind == "lock"), None)


def load(files: Mapping[str, str], *, scripts: bool = True) -> Bundle:
    """The bundle in `files` (relative name to text). Raises BundleError: missing file, bad TOML or SQL, with its
    place.

    Without `scripts` the SQL of the patch and of the rollback is left unsplit, and unchecked until `check_scripts`.
    """
    manifest = _decode(files, MANIFEST, Manifest)
    expectation = _decode(files, manifest.expected, Expectation)
    wanted = [count.file for count in manifest.counts]
    wanted += [file for panel in manifest.panels for source in panel.sources for file in source.files()]
    for reason in panel_flaws(manifest.panels):
        raise BundleError(MANIFEST, reason)
    patch_text = _text(files, manifest.patch)
    deciding = [patch_text, _text(files, manifest.rollback), _text(files, manifest.expected)]
    isolation = None
    if manifest.isolation:
        isolation = _isolation(files, manifest.isolation, expectation)
        deciding.append(_text(files, manifest.isolation))
    bundle = Bundle(
        manifest=manifest,
        patch=Script(manifest.patch, text=patch_text),
        rollback=Script(manifest.rollback, text=_text(files, manifest.rollback)),
        expectation=expectation,
        queries={file: _text(files, file) for file in wanted},
        checksum=hashlib.sha256(patch_text.encode()).hexdigest(),
        digest=hashlib.sha256("\0".join(deciding).encode()).hexdigest(),
        isolation=isolation,
    )
    if scripts:
        check_scripts(bundle)
    return bundle


def check_scripts(bundle: Bundle) -> None:
    """Split what is not split yet. Raises BundleError where it is no SQL of one transaction, or locks too late."""
    for script in (bundle.patch, bundle.rollback):
        if not script.statements:
            raise BundleError(script.file, "holds no statement")
    _check_early_locks(bundle)


def _text(files: Mapping[str, str], name: str) -> str:
    try:
        return files[name]
    except KeyError:
        who = "every bundle has it" if name == MANIFEST else f"{MANIFEST} names it, or every bundle has it"
        raise BundleError(name, f"not found in the bundle; {who}") from None


def _isolation(files: Mapping[str, str], name: str, expectation: Expectation) -> IsolationSpec:
    spec = _decode(files, name, IsolationSpec)
    for flaw in located(_text(files, name), flaws(spec, expectation)):
        raise BundleError(name, flaw.reason, flaw.line)
    return spec


T = TypeVar("T")


def _decode(files: Mapping[str, str], name: str, shape: type[T]) -> T:
    found = read(_text(files, name), shape)
    if isinstance(found, tuple):
        raise BundleError(name, found[0].reason, found[0].line)
    return found


def _check_early_locks(bundle: Bundle) -> None:
    for table in bundle.manifest.prerequisites.tables:
        if not table.early:
            continue
        if not table.lock or LOCK_MODES.index(table.early) >= LOCK_MODES.index(table.lock):
            raise BundleError(MANIFEST, f"prerequisite {table.name}: `early` is a weaker mode than its `lock`")
        if bundle.lock_point is None:
            reason = f"it has no LOCK TABLE statement, from which on the early lock of {table.name} is not enough"
            raise BundleError(bundle.patch.file, reason)


def _split(file: str, text: str) -> tuple[Statement, ...]:
    # The splitter is slower to load than all the rest of a bundle.
    from tui.core.statements import check_script, split

    statements = split(text)
    refusals = check_script(statements)
    if refusals:
        first = refusals[0]
        raise BundleError(file, f"column {first.column}: {first.reason}", first.line)
    return statements
