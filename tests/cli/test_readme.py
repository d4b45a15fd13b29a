"""Every command of the README is run as it stands; the two that take the whole machine have tests of their own."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path

import psycopg
import pytest

from tests.cli.support import environment, patchdeck
from tests.support import ROOT, MakeDatabase

README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = [line for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) for line in block.splitlines() if line]

ELSEWHERE = {
    "make demo": "tests/cli/test_demo.py",
    "make test": ".ci/run",
    "python3 -m venv patchdeck-env": "tests/cli/test_wheel.py",
    "patchdeck-env/bin/pip install '.[demo]'": "tests/cli/test_wheel.py",
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
        password = connection.info.password
    # It is exported all the while, as the README says: what starts a server of its own must not take it for that one's.
    environ = {"PROD_PASSWORD": password, "PGPASSWORD": password, "PATCHDECK_DEMO_HOME": str(demo_folder)}
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


def _steps() -> list[dict[str, str | dict[str, str]]]:
    """The steps of the workflow, as YAML has them: by indentation, a list of mappings of texts and of mappings."""
    (text,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    steps: list[dict[str, str | dict[str, str]]] = []
    for item in re.split(r"(?m)^- ", textwrap.dedent(text))[1:]:
        step: dict[str, str | dict[str, str]] = {}
        # Every key of a step stands under its first one, two blanks in; what is below a key is four in.
        for key, value, below in re.findall(r"(?m)^(?:  )?(\w+): ?(.*)\n((?:    .*\n)*)", item):
            inner = textwrap.dedent(below)
            step[key] = (
                value if not below else inner if value == "|" else dict(re.findall(r"(?m)^([\w-]+): (.*)$", inner))
            )
        steps.append(step)
    return steps


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["pooled"])
def test_the_step_for_ci_is_a_gate(make_database: MakeDatabase, tmp_path: Path) -> None:
    """Run as a runner runs it: its script by `bash -e`, its secrets in the environment and nowhere else."""
    *setting_up, step = _steps()
    assert [sorted(one) for one in setting_up] == [["uses", "with"], ["uses", "with"], ["run"]]
    env, script = step["env"], step["run"]
    assert isinstance(env, dict)
    assert isinstance(script, str)
    assert all(re.fullmatch(r"\$\{\{ secrets\.[A-Z_]+ \}\}", value) for value in env.values())
    for state, code in (("applied", 0), ("legacy", 1)):
        database = make_database(state)
        with psycopg.connect(database.dsn) as connection:
            password = connection.info.password
        given = {"PATCHDECK_DSN": database.dsn.partition("?")[0] + "?sslmode=disable", "PGPASSWORD": password}
        assert given.keys() == env.keys()
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        folder = tmp_path / state
        folder.mkdir()
        ran = subprocess.run(
            ["bash", "-e", "-c", script], cwd=folder, env=environment(extra={**given, "PATH": path}),
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ran.returncode == code, ran
        assert (folder / "patchdeck.xml").exists() is (code == 0)
        assert password not in ran.stdout + ran.stderr


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
