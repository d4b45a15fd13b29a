"""Named targets and every way a password is given, through the real command on a server that asks for one."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import psycopg
import pytest

from tests.cli.support import PATCHDECK, environment, patchdeck
from tests.support import BUNDLE, MakeDatabase
from tests.terminal.pty_session import PtySession

pytestmark = [
    pytest.mark.parametrize("cluster", ["pg18"], indirect=True),
    pytest.mark.parametrize("route", ["direct"]),
]


def _password(dsn: str) -> str:
    """The password that libpq finds for `dsn`."""
    with psycopg.connect(dsn) as connection:
        return connection.info.password


def _without(dsn: str) -> str:
    """`dsn` without the file that holds its password."""
    return dsn.split("?")[0] + "?sslmode=disable"


def _project(folder: Path, dsn: str, more: str = "", name: str = "prod", kind: str = "production") -> Path:
    text = f'[targets.{name}]\nenvironment = "{kind}"\ndsn = "{dsn}"\n{more}\n'
    (folder / "patchdeck.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_target_brings_its_settings(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("legacy")
    shutil.copytree(BUNDLE, tmp_path / "own")
    manifest = tmp_path / "own/bundle.toml"
    text = manifest.read_text(encoding="utf-8")
    name = next(line for line in text.splitlines() if line.startswith("name = "))
    manifest.write_text(text.replace(name, 'name = "their_own"'), encoding="utf-8")
    _project(tmp_path, database.dsn, 'read_only = true\nbundle = "own"')
    below = tmp_path / "some/folder"
    below.mkdir(parents=True)
    found = patchdeck("status", "--json", "--target", "prod", cwd=below)
    assert found.code == 1
    assert found.json["bundle"]["name"] == "their_own"
    said = found.json["target"]
    assert (said["name"], said["environment"], said["database"]) == ("prod", "production", database.name)
    assert said["read_only"] is True
    assert patchdeck("--target", "prod", "apply", "--confirm", database.name, cwd=below).code == 4


def test_production_is_marked(make_database: MakeDatabase, tmp_path: Path) -> None:
    dsn = make_database("legacy").dsn
    _project(tmp_path, dsn)
    assert "PRODUCTION" in patchdeck("status", "--target", "prod", cwd=tmp_path).out.splitlines()[0]
    assert "PRODUCTION" in patchdeck("rehearse", "--target", "prod", cwd=tmp_path).err.splitlines()[0]
    _project(tmp_path, dsn, kind="staging")
    assert "staging" in patchdeck("status", "--target", "prod", cwd=tmp_path).out.splitlines()[0]
    assert "PRODUCTION" not in patchdeck("status", dsn=dsn).out


def test_the_users_own_configuration_wins(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("legacy")
    _project(tmp_path, "postgresql://postgres@127.0.0.1:1/elsewhere")
    home = Path(os.environ["XDG_CONFIG_HOME"]) / "patchdeck"
    home.mkdir(parents=True)
    _project(home, database.dsn)
    (home / "patchdeck.toml").rename(home / "config.toml")
    assert patchdeck("status", "--json", "--target", "prod", cwd=tmp_path).json["target"]["database"] == database.name


def test_a_mistake_is_exit_2_with_its_place(make_database: MakeDatabase, tmp_path: Path) -> None:
    dsn = make_database("bare").dsn
    _project(tmp_path, dsn)
    unknown = patchdeck("status", "--target", "prd", cwd=tmp_path)
    assert (unknown.code, unknown.out) == (2, "")
    assert "there are: prod" in unknown.err
    both = patchdeck("status", "--target", "prod", "--dsn", dsn, cwd=tmp_path)
    assert (both.code, "--dsn and --target" in both.err) == (2, True)
    _project(tmp_path, dsn, "refersh = 2")
    mistyped = patchdeck("status", "--target", "prod", cwd=tmp_path)
    assert (mistyped.code, len(mistyped.err.splitlines())) == (2, 1)
    assert "patchdeck.toml:4: " in mistyped.err
    assert "targets.prod.refersh" in mistyped.err
    _project(tmp_path, "no connection string")
    assert "targets.prod.dsn: not a connection string" in patchdeck("status", "--target", "prod", cwd=tmp_path).err


def test_a_file_of_somebody_else_is_not_used(make_database: MakeDatabase, tmp_path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can give a file away")
    file = _project(tmp_path, make_database("bare").dsn) / "patchdeck.toml"
    os.chown(file, 12345, 12345)
    # Root trusts root only.
    ran = patchdeck("status", "--target", "prod", cwd=tmp_path)
    assert (ran.code, "belongs to somebody else" in ran.err) == (2, True)


def test_a_password_by_environment_passfile_and_service(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("legacy")
    dsn, password = _without(database.dsn), _password(database.dsn)
    asked = patchdeck("status", dsn=dsn)
    assert (asked.code, "PGPASSWORD" in asked.err) == (3, True)
    assert patchdeck("status", dsn=dsn, env={"PGPASSWORD": password}).code == 1
    passfile = tmp_path / "pass"
    passfile.write_text(f"127.0.0.1:*:{database.name}:postgres:{password}\n", encoding="utf-8")
    passfile.chmod(0o600)
    assert patchdeck("status", dsn=dsn, env={"PGPASSFILE": str(passfile)}).code == 1
    service = tmp_path / "service.conf"
    place = psycopg.conninfo.conninfo_to_dict(dsn)
    lines = [f"{key}={place[key]}" for key in ("host", "port", "user", "dbname")]
    service.write_text("\n".join(["[shop]", *lines, f"password={password}", ""]), encoding="utf-8")
    assert patchdeck("status", "--dsn", "service=shop", env={"PGSERVICEFILE": str(service)}).code == 1


def test_a_password_by_command(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("legacy")
    dsn, password = _without(database.dsn), _password(database.dsn)

    def status(code: str, extra: dict[str, str] | None = None) -> tuple[int, str]:
        (tmp_path / "secret.py").write_text(code, encoding="utf-8")
        # A shell would take the third word for two more commands.
        program = f'password_command = ["{sys.executable}", "secret.py", "; touch taken; $(touch taken)"]'
        _project(tmp_path, dsn, program)
        ran = patchdeck("status", "--target", "prod", cwd=tmp_path, env=extra)
        assert password not in ran.out + ran.err
        assert "Corr3ct" not in ran.out + ran.err
        assert not (tmp_path / "taken").exists()
        return ran.code, ran.err

    assert status(f"print({password!r})") == (1, "")
    assert status(f"import sys; print('Corr3ct', file=sys.stderr); print({password!r})") == (1, "")
    code, said = status("print('Corr3ct')")
    assert (code, "authentication failed" in said) == (3, True)
    code, said = status("import sys; print('Corr3ct'); print('Corr3ct', file=sys.stderr); sys.exit(7)")
    assert (code, "ended with 7" in said) == (3, True)
    assert status("print('Corr3ct\\nCorr3ct')")[0] == 3
    assert status("pass")[0] == 3
    # PGPASSWORD is nearer than a file, and the command is not run then.
    assert status("import sys; sys.exit(7)", {"PGPASSWORD": password})[0] == 1


@pytest.mark.parametrize("command", [["status"], ["rehearse"], []])
def test_a_prompt_on_a_terminal(make_database: MakeDatabase, command: list[str]) -> None:
    database = make_database("legacy")
    env = environment(_without(database.dsn))
    with PtySession([*PATCHDECK, *command], columns=120, rows=40, environment=env) as running:
        running.wait_for("Password for postgres on 127.0.0.1")
        running.send(_password(database.dsn) + "\n")
        running.wait_for("NOT APPLIED" if command != ["rehearse"] else "REHEARSED", timeout=20)
        if not command:
            running.send("q")
        assert running.wait_exit()[0] == (1 if command == ["status"] else 0)
        assert _password(database.dsn).encode() not in running.written
        assert running.written.count(b"Password for") == 1


@pytest.mark.parametrize("command", [["status"], ["apply", "--confirm"]])
def test_ctrl_c_at_the_prompt_ends_it_and_a_wrong_one_is_not_asked_again(
    make_database: MakeDatabase, command: list[str]
) -> None:
    database = make_database("legacy")
    arguments = [*PATCHDECK, *command, *([database.name] if "--confirm" in command else [])]
    for answer, code in (("\x03", 130), ("Corr3ct\n", 3)):
        with PtySession(arguments, columns=120, environment=environment(_without(database.dsn))) as running:
            running.wait_for("Password for postgres")
            running.send(answer)
            assert running.wait_exit()[0] == code
            assert running.written.count(b"Password for") == 1


def test_libpq_is_asked_what_it_would_use(make_database: MakeDatabase, tmp_path: Path) -> None:
    from tui.db.target import resolve

    dsn = make_database("bare").dsn
    assert resolve(dsn, environ={}).has_password
    assert not resolve(_without(dsn), environ={}).has_password
    passfile = tmp_path / "pass"
    passfile.write_text("db.example.com:6543:*:postgres:word\n", encoding="utf-8")
    passfile.chmod(0o600)
    for host, known in (("db.example.com", True), ("db.example.org", False)):
        place = f"postgresql://postgres@{host}:6543/postgres?passfile={passfile}"
        assert resolve(place, environ={}).has_password is known


@pytest.mark.parametrize("kind", ["production", "staging"])
def test_the_walkthrough_is_marked(make_database: MakeDatabase, tmp_path: Path, kind: str) -> None:
    _project(tmp_path, make_database("legacy").dsn, kind=kind)
    command = ["env", "-C", str(tmp_path), *PATCHDECK, "--target", "prod"]
    with PtySession(command, columns=120, rows=40, environment=environment()) as running:
        running.wait_for("NOT APPLIED", timeout=20)
        running.send("a")
        running.wait_for(f"{kind.upper()}  prod: database")
        running.send("\x1b")
        running.wait_for("executions", timeout=10)
        running.send("q")
        assert running.wait_exit()[0] == 0
