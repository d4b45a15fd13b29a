"""`bundle check`: what can be said of a bundle without a database, for a person and for a script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec.structs import replace

from tui.commands import shapes
from tui.core.aftermath import counted
from tui.core.bundle_check import Checkup
from tui.core.bundle_check import check as examine
from tui.core.bundle_faults import Fault, warning
from tui.core.toml_shape import read
from tui.exits import Exit, Stop
from tui.files import Folder, is_folder
from tui.options import Options
from tui.output import BAD, CAREFUL, GOOD, Output, plain


def check(options: Options, folder: Path, *, as_json: bool) -> int:
    """Check the bundle in `folder`; 0 when it can be used, warnings or not, else 2. Raises Stop for no folder."""
    if not is_folder(folder):
        raise Stop(Exit.USAGE, f"{folder} is not a folder", "patchdeck bundle new makes one to begin with")
    out = Output(ascii_only=options.ascii)
    files = Folder(folder)
    found = examine(files)
    found = replace(found, faults=(*found.faults, *_demo_faults(files)))
    if as_json:
        out.json(document(folder, found))
    else:
        _say(out, folder, found)
    return Exit.HEALTHY if found.bundle is not None else Exit.USAGE


def _demo_faults(files: Mapping[str, str]) -> Iterator[Fault]:
    """What keeps the bundle's own demo, where it has one, from being opened. A run does not need it."""
    from tui.demo.manifest import MANIFEST, Manifest, named_files

    name = f"demo/{MANIFEST}"
    try:
        manifest = read(files[name], Manifest)
    except KeyError:
        return
    if isinstance(manifest, Manifest):
        for file in named_files(manifest):
            if f"demo/{file}" not in files:
                yield warning(name, f"names {file}, which is not there: the demo can not be opened")
    else:
        for flaw in manifest:
            yield warning(name, f"{flaw.reason}: the demo can not be opened", flaw.line)


def document(folder: Path, found: Checkup) -> shapes.BundleCheck:
    """`bundle check --json`."""
    bundle = found.bundle
    return {
        "folder": str(folder),
        "usable": bundle is not None,
        "bundle": {"name": bundle.name, "version": bundle.version, "checksum": bundle.checksum} if bundle else None,
        "errors": found.errors,
        "warnings": found.warnings,
        "faults": [
            {
                "level": fault.level,
                "file": fault.file,
                "line": fault.line,
                "column": fault.column,
                "reason": fault.reason,
            }
            for fault in found.faults
        ],
        "holds": holdings(found),
    }


def holdings(found: Checkup) -> shapes.BundleHolds | None:
    """How much of what the bundle holds; None where it can not be used."""
    if found.bundle is None:
        return None
    expected, manifest, isolation = found.bundle.expectation, found.bundle.manifest, found.bundle.isolation
    return {
        "statements": len(found.bundle.patch.statements),
        "rollback_statements": len(found.bundle.rollback.statements),
        "tables": len(expected.tables),
        "policies": sum(len(table.policies) for table in expected.tables),
        "indexes": sum(len(table.indexes) for table in expected.tables),
        "triggers": sum(len(table.triggers) for table in expected.tables),
        "views": len(expected.views),
        "functions": len(expected.functions),
        "panels": len(manifest.panels),
        "counts": len(manifest.counts),
        "personas": len(isolation.personas) if isolation else 0,
    }


def _say(out: Output, folder: Path, found: Checkup) -> None:
    for fault in found.faults:
        style = BAD if fault.level == "error" else CAREFUL
        out.line((f"{fault.level:<8}", style), f" {plain(_place(folder, fault), 300)}: {plain(fault.reason, 1000)}")
    held = holdings(found)
    if found.bundle is None or held is None:
        out.line((f"{out.marks.bad} not usable", BAD), f": {_counted(found)}")
        return
    made = [
        counted(number, kind)
        for number, kind in (
            (held["tables"], "table"), (held["policies"], "policy"), (held["indexes"], "index"),
            (held["triggers"], "trigger"), (held["functions"], "function"), (held["views"], "view"),
        )
        if number
    ]  # fmt: skip
    run = f"{counted(held['statements'], 'statement')}, {held['rollback_statements']} to roll back"
    out.line((f"{out.marks.ok} {plain(found.bundle.name)}", GOOD), f" {plain(found.bundle.version)}: {_counted(found)}")
    out.line(f"  {'; '.join((run, ', '.join(made), counted(held['panels'], 'panel')))}")
    if not held["personas"]:
        out.line("  no isolation.toml: who reaches which rows can not be tried, so behaviour stays not proven")


def _place(folder: Path, fault: Fault) -> str:
    """`file:line:column` as editors and terminals make it a link."""
    numbers = [str(number) for number in (fault.line, fault.column) if number is not None]
    return ":".join([str(folder / fault.file), *numbers])


def _counted(found: Checkup) -> str:
    return f"{counted(found.errors, 'error')}, {counted(found.warnings, 'warning')}"
