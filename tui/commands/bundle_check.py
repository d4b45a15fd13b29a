"""`bundle check`: what can be said of a bundle without a database, for a person and for a script."""

from __future__ import annotations

from pathlib import Path

from tui.commands import shapes
from tui.core.bundle_check import Checkup
from tui.core.bundle_check import check as examine
from tui.core.bundle_faults import Fault
from tui.exits import Exit, Stop
from tui.files import Folder
from tui.options import Options
from tui.output import BAD, CAREFUL, GOOD, Output, plain


def check(options: Options, folder: Path, *, as_json: bool) -> int:
    """Check the bundle in `folder`; 0 when it can be used, warnings or not, else 2. Raises Stop for no folder."""
    if not folder.is_dir():
        raise Stop(Exit.USAGE, f"{folder} is not a folder", "patchdeck bundle new makes one to begin with")
    out = Output(ascii_only=options.ascii)
    found = examine(Folder(folder))
    if as_json:
        out.json(document(folder, found))
    else:
        _say(out, folder, found)
    return Exit.HEALTHY if found.bundle is not None else Exit.USAGE


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
    parts = [
        f"{held['statements']} statements, {held['rollback_statements']} to roll back",
        f"{held['tables']} tables, {held['policies']} policies, {held['indexes']} indexes",
        f"{held['triggers']} triggers, {held['functions']} functions, {held['views']} views",
        f"{held['panels']} panels",
    ]
    out.line((f"{out.marks.ok} {plain(found.bundle.name)}", GOOD), f" {plain(found.bundle.version)}: {_counted(found)}")
    out.line(f"  {'; '.join(parts)}")
    if not held["personas"]:
        out.line("  no isolation.toml: who reaches which rows can not be tried, so behaviour stays not proven")


def _place(folder: Path, fault: Fault) -> str:
    """`file:line:column` as editors and terminals make it a link."""
    numbers = [str(number) for number in (fault.line, fault.column) if number is not None]
    return ":".join([str(folder / fault.file), *numbers])


def _counted(found: Checkup) -> str:
    def many(number: int, word: str) -> str:
        return f"{number or 'no'} {word}{'' if number == 1 else 's'}"

    return f"{many(found.errors, 'error')}, {many(found.warnings, 'warning')}"
