"""`patchdeck bundle check` as a process: exit codes, both streams, the document and its schema."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cli.support import patchdeck
from tests.cli.test_schema import flaws
from tests.support import BUNDLE, ROOT
from tui.commands.shapes import schema

LIBRARY = ROOT / "tests" / "bundles" / "library"


@pytest.fixture
def library(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LIBRARY, tmp_path / "library"))


def test_a_good_bundle_is_told_so_and_a_warning_fails_nothing(library: Path) -> None:
    good = patchdeck("bundle", "check", str(library))
    assert (good.code, good.err) == (0, "")
    assert "library 20260101000000: 0 errors, 0 warnings" in good.out
    assert "23 statements" in good.out
    patch = library / "PATCH.sql"
    patch.write_text(patch.read_text() + "create policy more on public.books for select using (true);\n")
    warned = patchdeck("bundle", "check", str(library))
    assert (warned.code, "0 errors, 2 warnings" in warned.out) == (0, True)
    assert f"{patch}:65:1: policy more on public.books is not in expected.toml" in warned.out


def test_every_fault_is_told_with_its_place_and_exits_2(library: Path) -> None:
    patch = library / "PATCH.sql"
    patch.write_text("begin;\n" + patch.read_text() + "commit;\n")
    expected = library / "expected.toml"
    expected.write_text(expected.read_text().replace('command = "insert"', 'command = "put"'))
    ran = patchdeck("bundle", "check", str(library))
    assert ran.code == 2
    errors = [line for line in ran.out.splitlines() if line.startswith("error")]
    assert [line.split()[1] for line in errors] == [f"{patch}:1:1:", f"{patch}:66:1:", f"{expected}:42:"]
    assert "3 errors" in ran.out.splitlines()[-1]
    # What a run says of the same bundle is the first of them.
    assert patchdeck("status", "--bundle", str(library)).code == 2


def test_the_document_is_what_its_schema_says(library: Path) -> None:
    whole = schema("bundle-check")
    good = patchdeck("bundle", "check", "--json", str(library))
    assert (good.code, good.err) == (0, "")
    assert flaws(good.json, whole, whole) == []
    assert (good.json["usable"], good.json["holds"]["statements"]) == (True, 23)
    (library / "ROLLBACK.sql").unlink()
    bad = patchdeck("bundle", "check", "--json", str(library))
    assert bad.code == 2
    assert flaws(bad.json, whole, whole) == []
    assert (bad.json["usable"], bad.json["bundle"], bad.json["holds"], bad.json["errors"]) == (False, None, None, 1)
    assert bad.json["faults"][0]["file"] == "ROLLBACK.sql"


def test_a_demo_that_can_not_be_opened_is_a_warning(tmp_path: Path) -> None:
    folder = tmp_path / "sql"
    shutil.copytree(BUNDLE, folder)
    assert "0 errors, 0 warnings" in patchdeck("bundle", "check", str(folder)).out
    (folder / "demo" / "rows.sql").unlink()
    gone = patchdeck("bundle", "check", str(folder))
    assert (gone.code, "demo.toml: names rows.sql, which is not there" in gone.out) == (0, True)
    demo = folder / "demo" / "demo.toml"
    demo.write_text(demo.read_text().replace("fresh = true", "frsh = true"))
    line = next(number for number, text in enumerate(demo.read_text().splitlines(), 1) if "frsh" in text)
    assert f"{demo}:{line}: unknown field `frsh`" in patchdeck("bundle", "check", str(folder)).out


def test_what_is_no_folder_is_one_line(tmp_path: Path) -> None:
    ran = patchdeck("bundle", "check", str(tmp_path / "nowhere"))
    assert (ran.code, ran.out) == (2, "")
    assert "is not a folder; patchdeck bundle new" in ran.err
    empty = patchdeck("bundle", "check", str(tmp_path))
    assert empty.code == 2
    assert "bundle.toml: not found in the bundle; every bundle has it" in empty.out
