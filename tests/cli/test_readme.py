"""Every command of the README is run as it stands; the two that take the whole machine have tests of their own."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import psycopg
import pytest

from tests.cli.support import patchdeck
from tests.support import ROOT, MakeDatabase

README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines() if line]

ELSEWHERE = {
    "make demo": "tests/cli/test_demo.py",
    "make test": ".ci/run",
    "python3 -m venv patchdeck-env": "tests/cli/test_wheel.py",
    "patchdeck-env/bin/pip install .": "tests/cli/test_wheel.py",
    "patchdeck demo --serve": "tests/cli/test_demo.py",
    "patchdeck --record tonight.jsonl": "tests/terminal/test_record.py",
    "patchdeck replay tonight.jsonl": "tests/terminal/test_record.py",
    "patchdeck --plain": "tests/cli/test_plain.py",
}


def test_each_command_is_run_somewhere() -> None:
    ours = [line for line in LINES if line.startswith(("patchdeck ", "export ")) and line not in ELSEWHERE]
    assert sorted([*ours, *ELSEWHERE]) == sorted(LINES)
    assert all((ROOT / place).is_file() for place in ELSEWHERE.values())


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["pooled"])
def test_the_commands_for_a_real_project_work_in_their_order(
    make_database: MakeDatabase, tmp_path: Path, demo_folder: Path
) -> None:
    database = make_database("legacy")
    (configuration,) = re.findall(r"```toml\n(.*?)```", README, re.DOTALL)
    configuration = re.sub(r'(?m)^dsn = ".*"$', f'dsn = "{database.dsn}"', configuration)
    (tmp_path / "patchdeck.toml").write_text(configuration, encoding="utf-8")
    with psycopg.connect(database.dsn) as connection:
        environ = {"PROD_PASSWORD": connection.info.password, "PATCHDECK_DEMO_HOME": str(demo_folder)}
    ran = []
    for line in LINES:
        if not line.startswith("patchdeck ") or line in ELSEWHERE:
            continue
        command, _, remark = line.partition("#")
        wanted = re.search(r"exits (\d)", remark)
        arguments = shlex.split(command.replace("--confirm postgres", f"--confirm {database.name}"))[1:]
        done = patchdeck(*arguments, dsn=database.dsn, cwd=tmp_path, env=environ)
        assert done.code == int(wanted[1] if wanted else 0), (line, done)
        ran.append(arguments[0])
    assert {"apply", "rollback", "schema"} <= set(ran)
    assert (tmp_path / "patchdeck.xml").read_text(encoding="utf-8").startswith("<?xml")


@pytest.mark.parametrize("document", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"])
def test_what_it_shows_and_names_is_there(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    named = re.findall(r"`((?:tui|tests|sql|\.ci|queries|core)/[\w./]*)`", text)
    assert document == "README.md" or len(named) > 10
    for name in [*re.findall(r"\]\(([^)#:]+)\)", text), *named]:
        # Of a file that is named in short the folder is said before.
        places = [ROOT / name, ROOT / "tui" / name, ROOT / "tui" / "db" / name]
        assert any(place.exists() for place in places), name


def test_the_other_documents_commands_are_run_by_the_gate() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    gate = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        assert set(block.splitlines()) <= set(gate)
