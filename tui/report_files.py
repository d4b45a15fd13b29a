"""Reports on this machine: one Markdown and one JSON file per run, readable by their owner only."""

from __future__ import annotations

import os
from datetime import UTC
from itertools import count
from pathlib import Path

import msgspec
from platformdirs import user_state_path

from tui.core.report import Report
from tui.core.report_json import as_json
from tui.core.report_markdown import markdown


class ReportFiles(msgspec.Struct, frozen=True):
    """Where a report was written."""

    markdown: Path
    json: Path


def folder() -> Path:
    """Where reports of this user lie."""
    return user_state_path("patchdeck") / "reports"


def write_report(report: Report, at: Path | None = None) -> ReportFiles:
    """Write both forms, mode 0600, under names nobody has yet; the very same report is not written twice.

    Raises OSError when they can not be kept.
    """
    place = at or folder()
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    moment = report.at.astimezone(UTC)
    action = "rehearsal" if report.plan.rehearse else report.plan.action
    stem = f"{moment:%Y%m%dT%H%M%SZ}-{action}-{_filename(report.plan.bundle.name)}"
    words, data = markdown(report), as_json(report)
    for number in count(1):
        numbered = stem if number == 1 else f"{stem}-{number}"
        files = ReportFiles(place / f"{numbered}.md", place / f"{numbered}.json")
        try:
            _write(files.markdown, words)
            _write(files.json, data)
        except FileExistsError:
            if not (_holds(files.markdown, words) and _holds(files.json, data)):
                continue
        return files
    raise AssertionError("count() has no end")


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, UnicodeDecodeError):
        return False


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, in the place of the one that may lie there. Raises OSError."""
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if path.is_file():
            os.fchmod(file.fileno(), 0o600)
        file.write(text)


def _filename(name: str) -> str:
    """A bundle's name as a part of a file's name: it is text from outside."""
    return "".join(character if character.isalnum() or character in "-_" else "-" for character in name)[:60]
