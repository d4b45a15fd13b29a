"""What is refused, and how: exit codes 2, 3 and 4 before anything is sent, one clear line each, never a secret."""

from __future__ import annotations

import errno
import json
import os
import pty
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.support import PATCHDECK, environment, inside, patchdeck
from tests.support import ROOT, MakeDatabase

SECRET = "Corr3ct-horse/battery"


class _Ear:
    """Listens and counts who knocks."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.knocks = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.knocks += 1
            client.close()


@pytest.mark.parametrize("command", ["apply", "rollback"])
def test_a_wrong_confirmation_sends_nothing(command: str) -> None:
    ear = _Ear()
    dsn = f"postgresql://postgres@127.0.0.1:{ear.port}/production?sslmode=disable"
    ran = patchdeck(command, "--confirm", "staging", "--json", dsn=dsn)
    assert (ran.code, ran.json["outcome"], ran.json["attempts"]) == (4, "refused", 0)
    assert "production" in ran.json["message"]
    assert ear.knocks == 0
    # The counter can count: the right name does knock.
    assert patchdeck(command, "--confirm", "production", dsn=dsn).code == 3
    assert ear.knocks > 0
    ear.close()


@pytest.mark.parametrize("command", ["status", "verify", "plan", "doctor", "history"])
def test_an_unreachable_port_is_one_clear_line(command: str) -> None:
    began = time.monotonic()
    ran = patchdeck(command, dsn="postgresql://postgres@127.0.0.1:1/postgres")
    assert time.monotonic() - began < 10
    assert (ran.code, ran.out) == (3, "")
    assert len(ran.err.splitlines()) == 1
    assert "Connection refused" in ran.err


@pytest.mark.parametrize("command", [["rehearse"], ["apply", "--confirm", "postgres"]])
def test_a_run_that_reaches_nothing_is_exit_3(command: list[str]) -> None:
    ran = patchdeck(*command, "--json", dsn="postgresql://postgres@127.0.0.1:1/postgres")
    assert (ran.code, ran.json["outcome"]) == (3, "refused")


def test_a_server_that_never_answers_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        ran = patchdeck("status", dsn=f"postgresql://postgres@127.0.0.1:{silent.getsockname()[1]}/postgres")
    assert ran.code == 3
    assert time.monotonic() - began < 10
    assert len(ran.err.splitlines()) == 1


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
def test_a_wrong_password_is_exit_3_and_shown_nowhere(make_database: MakeDatabase) -> None:
    database = make_database("bare")
    dsn = database.dsn.split("?")[0] + "?sslmode=disable"
    for ran in (
        patchdeck("status", dsn=dsn, env={"PGPASSWORD": SECRET}),
        patchdeck("status", dsn=dsn.replace("postgres@", f"postgres:{SECRET.replace('/', '%2F')}@")),
        patchdeck("status", "--dsn", f"{dsn}&password={SECRET}"),
    ):
        assert ran.code == 3
        assert "authentication failed" in ran.err
        assert SECRET not in ran.out + ran.err
        assert SECRET.replace("/", "%2F") not in ran.out + ran.err


def test_a_password_in_argv_is_warned_about() -> None:
    ran = patchdeck("status", "--dsn", f"postgresql://postgres:{SECRET.replace('/', '%2F')}@127.0.0.1:1/postgres")
    assert ran.code == 3
    assert "warning: the password in --dsn" in ran.err
    assert "Corr3ct" not in ran.err


@pytest.mark.parametrize(
    "mistyped",
    ["postgres:Corr3ct@host/db", "postgresql//u:Corr3ct@h/d", "postgresql://u:Corr3ct horse@h/d", "host=x Corr3ct"],
)
def test_a_mistyped_dsn_is_not_quoted(mistyped: str) -> None:
    ran = patchdeck("status", dsn=mistyped)
    assert ran.code == 2
    assert "PATCHDECK_DSN: not a connection string" in ran.err
    assert "Corr3ct" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["reprot"], "No such command 'reprot'"),
        (["report", "--format", "junit"], "is not one of 'markdown', 'json'"),
        (["apply"], "Missing option '--confirm'"),
        (["rollback", "--confirm", "x", "--mode", "half"], "is not one of 'lock', 'restore', 'restore-closed'"),
        (["verify", "--layers", "structure,everything"], "everything is none of"),
        (["status", "--bundle", "/nowhere"], "not a folder"),
        (["status", "--dsn", "no connection string"], "not a connection string"),
        (["status", f"postgresql://postgres:{SECRET}@db.example.com/postgres"], "unexpected extra argument"),
        (["demo", "--dsn", "postgresql:///x"], "leave --dsn and --target out"),
        (["status", "--target", "nowhere"], "no target is named 'nowhere'"),
        (["status", "--dsn", ""], "--dsn is empty: is a variable not set?"),
        (["--dsn=", "status"], "--dsn is empty"),
        (["apply", "--confirm", ""], "--confirm is empty"),
        (["bundle", "new", ""], "an argument is empty"),
        (["apply", "--confirm", "x", "--patience", "nan"], "'nan' is not a valid number"),
    ],
)
def test_a_mistake_is_exit_2_in_one_line(arguments: list[str], says: str) -> None:
    ran = patchdeck(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert says in ran.err
    assert len(ran.err.splitlines()) == 1
    assert "Corr3ct" not in ran.err


def test_a_closed_standard_input_and_a_removed_folder_are_no_defect(tmp_path: Path) -> None:
    """As job runners leave them: nobody to be asked for a password, and a working folder that is no more."""
    place = tmp_path / "gone"
    place.mkdir()
    for line, code in (("status <&-", 3), ("status --target x", 2), ("status --all", 2)):
        script = f'rmdir "$PWD"; exec "$@" {line}'
        ran = subprocess.run(
            ["bash", "-c", script, "bash", *PATCHDECK], cwd=place, check=False, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, env=environment("postgresql://postgres@127.0.0.1:1/postgres"),
        )  # fmt: skip
        assert (ran.returncode, ran.stdout, len(ran.stderr.splitlines())) == (code, "", 1), ran
        place.mkdir()


def test_a_place_that_can_not_be_looked_at_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another user, whose HOME `sudo -u` left in the environment."""
    closed = "/root-of-somebody-else/x"

    def refusing(real: Callable[[Path], bool]) -> Callable[[Path], bool]:
        def look(self: Path) -> bool:
            if str(self).startswith(closed):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return real(self)

        return look

    for question in ("is_dir", "is_file"):
        monkeypatch.setattr(Path, question, refusing(getattr(Path, question)))
    monkeypatch.setenv("XDG_CONFIG_HOME", closed)
    for arguments in (
        ("status", "--bundle", closed),
        ("bundle", "check", closed),
        ("bundle", "derive", closed),
        ("status", "--all"),
    ):
        ran = inside(*arguments)
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (2, "", 1), ran
        assert "can not be read: Permission denied" in ran.err


def test_help_offers_what_there_is() -> None:
    shown = patchdeck("--help").out
    assert all(f"  {command} " in shown for command in ("status", "verify", "plan", "rehearse", "apply", "rollback"))
    assert all(f"  {command} " in shown for command in ("doctor", "history", "demo", "isolation", "drift", "report"))


@pytest.mark.parametrize("target", ["first", "last"])
def test_target_options_hold_before_and_after_the_command(target: str) -> None:
    option = ["--dsn", "postgresql://postgres@127.0.0.1:1/postgres"]
    ran = patchdeck(*option, "status") if target == "first" else patchdeck("status", *option)
    assert ran.code == 3
    assert "Connection refused" in ran.err
    wins = patchdeck("--bundle", "/not-this-one", "status", "--bundle", "/but-this-one")
    assert "/but-this-one" in wins.err


def test_a_bundle_is_refused_with_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "bundle.toml").write_text('name = "x"\nversion = "1"\ntitle = "x"\nsummery = "typo"\n')
    ran = patchdeck("status", "--bundle", str(tmp_path))
    assert ran.code == 2
    assert "bundle.toml" in ran.err
    assert "summery" in ran.err
    (tmp_path / "bundle.toml").write_text('name = "x"\nversion = "1"\ntitle = "x"\npatch = "../PATCH.sql"\n')
    (tmp_path / "expected.toml").write_text("tables = []\n")
    outside = patchdeck("status", "--bundle", str(tmp_path))
    assert outside.code == 2
    assert "outside the bundle" in outside.err


def test_without_a_terminal_the_dashboard_names_status() -> None:
    ran = patchdeck()
    assert ran.code == 2
    assert "patchdeck status" in ran.err
    assert ran.out == ""


def test_a_dumb_terminal_is_none() -> None:
    main, terminal = pty.openpty()
    done = subprocess.run(
        PATCHDECK, cwd=ROOT, env=environment(extra={"TERM": "dumb"}), stdin=terminal, stdout=terminal, stderr=terminal,
        timeout=30, check=False,
    )  # fmt: skip
    said = os.read(main, 10_000).decode()
    os.close(main)
    os.close(terminal)
    assert done.returncode == 2
    assert "TERM=dumb" in said
    assert "patchdeck status" in said


def _piped(arguments: list[str], env: dict[str, str]) -> tuple[int, str]:
    """Run with a standard output whose reader has gone before the first word."""
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [*PATCHDECK, *arguments], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    _, said = process.communicate(timeout=60)
    return process.returncode, said.decode()


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
def test_a_reader_that_has_gone_changes_no_outcome(make_database: MakeDatabase) -> None:
    database = make_database("legacy")
    env = environment(database.dsn)
    assert _piped(["status"], env) == (1, "")
    code, said = _piped(["apply", "--confirm", database.name, "--json"], env)
    assert (code, "Traceback" in said) == (0, False)
    assert patchdeck("status", dsn=database.dsn).code == 0


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
def test_colour_and_marks_follow_the_environment(make_database: MakeDatabase) -> None:
    dsn = make_database("legacy").dsn
    utf8 = {"LC_ALL": "C.UTF-8"}
    plain = patchdeck("status", dsn=dsn, env=utf8).out
    coloured = patchdeck("status", dsn=dsn, env={**utf8, "FORCE_COLOR": "1", "TERM": "xterm-256color"}).out
    assert "\x1b[" not in plain
    assert "\x1b[" in coloured
    assert not plain.isascii()
    assert patchdeck("status", "--ascii", dsn=dsn, env=utf8).out.isascii()
    assert patchdeck("status", dsn=dsn, env={"LC_ALL": "C"}).out.isascii()
    forced = {**utf8, "FORCE_COLOR": "1", "NO_COLOR": "1", "TERM": "xterm-256color"}
    assert "\x1b[3" not in patchdeck("status", dsn=dsn, env=forced).out
    assert json.loads(patchdeck("status", "--json", dsn=dsn, env={"LC_ALL": "C"}).out)["verdict"] == "not_applied"


def test_nothing_but_ascii_where_nothing_else_can_be_shown() -> None:
    named = patchdeck("status", "--bundle", "/café", env={"LC_ALL": "C"})
    assert (named.code, named.err.isascii()) == (2, True)
    assert "caf\\xe9" in named.err
    assert "café" in patchdeck("status", "--bundle", "/café", env={"LC_ALL": "C.UTF-8"}).err
