"""A real database recorded by the real command in a real terminal, and the file shown again where there is none."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import psycopg
import pytest

from tests.cli.support import PATCHDECK, patchdeck
from tests.support import DEMO, MakeDatabase
from tests.terminal.pty_session import PtySession, without_sequences
from tests.ui.recorded import record, story
from tui.recording.reader import read_recording

ANYWHERE = {"PATCHDECK_DSN": "", "PGHOST": "192.0.2.1", "PGCONNECT_TIMEOUT": "2"}
"""The environment of a machine that reaches no database."""


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
def test_what_was_seen_on_a_real_database_is_seen_again_without_it(make_database: MakeDatabase, tmp_path: Path) -> None:
    database, file = make_database("applied"), tmp_path / "night.jsonl"
    with psycopg.connect(database.direct_dsn) as connection:
        own = connection.info.password
        given = {"PGPASSWORD": own, "PATCHDECK_DSN": database.dsn}
    command = [*PATCHDECK, "--record", str(file)]
    with PtySession(command, columns=120, rows=40, environment=given) as running:
        running.wait_for("✓ APPLIED")
        assert " rec " in running.screen().splitlines()[0]
        running.send("i")
        running.wait_for("negative control")
        running.send("\x1b")
        running.wait_for("Checklist")
        running.send("l")
        running.wait_for("nobody")
        running.send("\x1b")
        running.wait_for("Checklist")
        with psycopg.connect(database.direct_dsn) as connection:
            connection.execute((DEMO / "broken.sql").read_bytes())
        running.wait_for("✗")
        running.send("q")
        assert running.wait_exit()[0] == 0
        assert f"patchdeck replay {file}".encode() in running.written
    written = file.read_bytes()
    assert own.encode() not in written
    assert re.search(rb"postgres(?:ql)?://[^\s\"]*:[^*\s\"]+@", written) is None
    assert file.stat().st_mode & 0o777 == 0o600
    recording = read_recording(file)
    assert recording.flaw == ""
    assert recording.troubles

    told = patchdeck("replay", str(file), "--plain", env=ANYWHERE)
    assert (told.code, told.err) == (0, "")
    said = [line.partition(" ")[2] for line in told.out.splitlines()]
    parts = ("connected: PostgreSQL 18", "APPLIED, ", "isolation: passed", "does not hold: ", "ends here")
    order = [next(number for number, line in enumerate(said) if part in line) for part in parts]
    assert order == sorted(order)

    with PtySession([*PATCHDECK, "replay", str(file)], columns=120, rows=40, environment=ANYWHERE) as running:
        running.wait_for("REPLAY")
        running.wait_for("✓ APPLIED")
        running.send("}")
        running.wait_for("✗")
        running.send("a")
        running.wait_for("Apply is off: this is a replay")
        running.send("q")
        assert running.wait_exit()[0] == 0


def test_a_recording_that_is_there_already_stays_and_nothing_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "kept.jsonl"
    file.write_text("mine", encoding="utf-8")
    nowhere = tmp_path / "none" / "x.jsonl"
    for path, said in ((file, "is already there, and nothing is overwritten"), (nowhere, "No such file or directory")):
        with PtySession(
            [*PATCHDECK, "--dsn", "postgresql://nobody@127.0.0.1:1/none", "--record", str(path)], columns=200
        ) as running:
            assert running.wait_exit()[0] == 2
            assert said in without_sequences(bytes(running.written)).decode()
            assert b"\x1b[?1049h" not in running.written
    assert file.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_replay_ends_as_a_dashboard_does(tmp_path: Path, number: signal.Signals, code: int) -> None:
    file = record(tmp_path / "story.jsonl", story()[:60])
    command = [*PATCHDECK, "replay", str(file), "--speed", "8"]
    with PtySession(command, columns=80, rows=24, environment=ANYWHERE) as running:
        running.wait_for("✓ APPLIED")
        running.kill(number)
        ended, seconds = running.wait_exit()
        assert ended == code
        assert seconds < 1.5
        assert running.modes_left_on() == []


def test_a_replay_can_not_be_shown_where_nothing_can_be_drawn_and_says_what_can(tmp_path: Path) -> None:
    file = record(tmp_path / "story.jsonl", story()[:5])
    ran = patchdeck("replay", str(file))
    assert (ran.code, f"patchdeck replay {file} --plain" in ran.err) == (2, True)
    with PtySession([*PATCHDECK, "replay", str(file)], columns=300, environment={"TERM": "dumb"}) as running:
        assert running.wait_exit()[0] == 2
        assert b"--plain" in running.written
    with PtySession([*PATCHDECK, "replay", str(file), "--plain"], environment={"TERM": "dumb"}) as running:
        assert running.wait_exit()[0] == 0
        assert b"\x1b" not in running.written
        assert b"the recording ends here" in running.written


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("README.md", "--plain"), "README.md:1: not a recording of patchdeck"),
        (("nowhere.jsonl", "--plain"), "nowhere.jsonl: there is no such file"),
        (("nowhere.jsonl", "--plain", "--speed", "2"), "leave --speed out"),
        (("nowhere.jsonl", "--speed", "nan"), "Invalid value for '--speed': 'nan'"),
        (("nowhere.jsonl", "--speed", "0"), "--speed"),
        ((), "FILE"),
    ],
)
def test_what_can_not_be_replayed_ends_with_2_and_one_line(arguments: tuple[str, ...], said: str) -> None:
    ran = patchdeck("replay", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
