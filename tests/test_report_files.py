"""Reports on this machine: for their owner only, and never one over another."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.core.test_report import bundle, report
from tui.report_files import folder, write_report


def test_both_files_are_the_owners_alone() -> None:
    files = write_report(report())
    assert files.markdown.parent == folder()
    for path in (files.markdown, files.json):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder().stat().st_mode) == 0o700
    assert files.markdown.name == "20261120T120100Z-apply-teams.md"


def test_another_report_of_the_same_second_has_a_name_of_its_own_and_the_same_is_not_written_twice(
    tmp_path: Path,
) -> None:
    first, second = write_report(report(), tmp_path), write_report(report(rehearsal="skipped"), tmp_path)
    assert first != second
    assert write_report(report(), tmp_path) == first
    assert write_report(report(rehearsal="skipped"), tmp_path) == second
    assert len(list(tmp_path.iterdir())) == 4
    assert second.markdown.stem == second.json.stem == f"{first.markdown.stem}-2"


def test_a_bundles_name_is_no_path(tmp_path: Path) -> None:
    from msgspec.structs import replace
    from msgspec.structs import replace as changed

    named = replace(bundle(), manifest=changed(bundle().manifest, name="../../../etc/passwd"))
    files = write_report(report(plan=replace(report().plan, bundle=named)), tmp_path)
    assert files.markdown.parent == tmp_path


def test_a_folder_that_can_not_be_written_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        write_report(report(), tmp_path / "file")
