"""The dashboard as lines: what is said of each change, what is not said again, and how the command ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from tests.cli.support import PATCHDECK, environment, patchdeck
from tests.support import DEMO, ROOT, MakeDatabase, wait_for
from tests.ui.recorded import BEGAN, record, story
from tests.ui.support import (
    APPLIED_RUN,
    BUNDLE,
    HERE,
    NOON,
    SERVER,
    WAITING,
    checks,
    errors,
    executions,
    look,
    missing,
    nothing_there,
)
from tui.commands.telling import FIGURES_EVERY, MOST, Teller
from tui.core.check import Check
from tui.core.drift import Drift
from tui.core.facts import Runner
from tui.core.panels import ErrorGroup
from tui.core.surface import Change
from tui.moment import Moment
from tui.store import AuthFailed, Connected, Notice, Reconnecting

UP = Connected(SERVER, 0.081)
WELL = Moment(UP, look=look(), look_at=1.0, executions=executions(), errors=errors(), panels_at=1.0, taken_at=NOON)


class Listener:
    """A teller and its clock."""

    def __init__(self, *moments: Moment) -> None:
        self.teller, self.now = Teller(BUNDLE, HERE, 7.0), 0.0
        for moment in moments:
            self.hear(moment)

    def hear(self, moment: Moment, after: float = 1.0, *, answered: bool = True) -> list[str]:
        """The lines of a moment that comes `after` seconds, just answered unless told otherwise."""
        self.now += after
        if answered:
            moment = replace(moment, look_at=self.now, panels_at=self.now)
        return list(self.teller.tell(moment, self.now))


def test_the_first_moments_say_where_what_and_how_it_stands() -> None:
    listener = Listener()
    (opening,) = listener.hear(Moment(), answered=False)
    assert opening == (
        "acme-prod, PRODUCTION: postgres@aws-1-us-east-1.pooler.example.com:6543/postgres, teams 20251122000000"
    )
    lines = listener.hear(WELL)
    assert lines[0].startswith("connected: PostgreSQL 17.4 through a pooler (transaction mode), encrypted")
    assert lines[0].endswith("round trip 81 ms")
    assert lines[1] == "APPLIED, teams 20251122000000: checks 175/175. Everything the migration promises is there."
    assert lines[2] == "last run: apply by dana@bastion-2 just now, committed, took 2.1 s"
    assert lines[3] == ("Executions, last 15 min: 12 running, 4 211 ok, 37 failed (0.9 %), p50 410 ms, p95 1.8 s")
    assert lines[4] == ("Errors, last 15 min: 37 of 4 kinds; most often RateLimitError: 429 from provider, 21 times")
    assert len(lines) == 5


def test_nothing_is_said_while_nothing_changes_and_the_round_trip_alone_moves() -> None:
    listener = Listener(WELL)
    for number in range(100):
        again = replace(
            WELL, look=look(at=NOON + timedelta(seconds=number)), connection=Connected(SERVER, 0.08 + number)
        )
        assert listener.hear(replace(again, executions=executions(), errors=errors())) == []


def test_a_check_that_breaks_and_holds_again_is_said_with_what_it_means() -> None:
    listener = Listener(WELL)
    lines = listener.hear(replace(WELL, look=look(checks(outcome=missing("flows_delete")), state="drifted")))
    assert lines[0].startswith("DRIFTED 1, teams 20251122000000: checks 174/175, 1 failed. ")
    assert lines[1] == (
        "does not hold: policy flows_delete on public.flows: missing. members can not do this until the policy is there"
    )
    assert len(lines) == 2
    lines = listener.hear(WELL)
    assert lines[0].startswith("APPLIED")
    assert lines[1:] == ["holds now: policy flows_delete on public.flows"]


def test_what_was_unexpected_and_is_gone_holds_again() -> None:
    found = (*checks(), Check("structure", "policy", "public.flows", "stranger", "unexpected"))
    listener = Listener(replace(WELL, look=look(found, state="drifted")))
    assert "holds now: policy stranger on public.flows" in listener.hear(WELL)


def test_a_whole_missing_migration_is_a_few_lines_and_a_number() -> None:
    lines = Listener().hear(replace(WELL, look=look(checks(outcome=nothing_there))))
    assert sum(line.startswith("does not hold") for line in lines) == MOST
    assert any(re.fullmatch(r"\d+ more that do not hold: patchdeck verify", line) for line in lines)


def test_a_lost_line_and_its_return_are_said_once_each() -> None:
    listener = Listener(WELL)
    down = Reconnecting(1, listener.now, listener.now + 1, "connection refused", "is it up?")
    assert listener.hear(replace(WELL, connection=down)) == [
        "UNREACHABLE, tried again by itself: connection refused; is it up?"
    ]
    for attempt in range(2, 9):
        assert listener.hear(replace(WELL, connection=replace(down, attempt=attempt)), 30.0, answered=False) == []
    other = replace(down, attempt=9, reason="the database system is starting up", hint="")
    assert listener.hear(replace(WELL, connection=other)) == ["still UNREACHABLE: the database system is starting up"]
    (back,) = listener.hear(WELL)
    assert back.startswith("connected again after 3 min 33 s: PostgreSQL 17.4")
    assert listener.hear(replace(WELL, connection=AuthFailed("password authentication failed", "which one?"))) == [
        "SIGN-IN REFUSED: password authentication failed; which one?"
    ]


def test_silence_on_a_line_that_stands_is_told() -> None:
    listener = Listener(WELL)
    assert listener.hear(WELL, 6.0, answered=False) == []
    assert listener.hear(WELL, 4.0, answered=False) == ["no answer for 10 s: what was said before is old"]
    assert listener.hear(WELL, 30.0, answered=False) == []
    assert listener.hear(WELL) == ["answers again"]


def test_figures_rest_after_they_were_said_and_are_said_again_when_it_matters() -> None:
    listener = Listener(WELL)
    totals = executions().totals
    worse = replace(executions(), totals=replace(totals, failed=400, ok=3848))
    assert listener.hear(replace(WELL, executions=worse), FIGURES_EVERY - 2) == []
    lines = listener.hear(replace(WELL, executions=worse), 3.0)
    assert lines == ["Executions, last 15 min: 12 running, 3 848 ok, 400 failed (9.4 %), p50 410 ms, p95 1.8 s"]
    little = replace(worse, totals=replace(worse.totals, failed=401, total=4261, p50_ms=1200.0))
    assert listener.hear(replace(WELL, executions=little), 10 * FIGURES_EVERY) == []


def test_a_panel_that_waits_says_what_for_and_its_figures_when_they_come() -> None:
    listener = Listener()
    lines = listener.hear(replace(WELL, executions=WAITING.executions, errors=WAITING.errors))
    assert "Executions: waits for table runs: the migration adds what this panel reads" in lines
    assert any(line.startswith("Executions, last 15 min: 12 running") for line in listener.hear(WELL))
    troubled = replace(WELL, errors=replace(errors(), problem="permission denied for table faults"))
    assert listener.hear(troubled) == ["Errors: permission denied for table faults"]
    assert listener.hear(WELL) == ["Errors: can be read again"]


def test_a_new_kind_of_errors_is_said_at_once_and_not_when_it_comes_back() -> None:
    listener = Listener(WELL)
    group = ErrorGroup("f9", "KeyError", "KeyError: 'x'\x1b[2J", 1, NOON)
    more = replace(WELL, errors=replace(errors(), groups=(*errors().groups, group)))
    assert listener.hear(more) == ["new error: KeyError: 'x'\\x1b[2J, 1 time"]
    assert listener.hear(WELL) == []
    assert listener.hear(more) == []


def test_a_storm_of_errors_is_not_a_flood_of_lines() -> None:
    listener = Listener(WELL)
    said = []
    for tick in range(30):
        groups = tuple(ErrorGroup(f"s{tick}-{n}", "Storm", f"number {tick}-{n}", 1, NOON) for n in range(20))
        said += listener.hear(replace(WELL, errors=replace(errors(), groups=groups)))
    assert len([line for line in said if line.startswith("new error")]) == MOST
    assert "15 more kinds of new errors" in said


def test_drift_a_run_of_somebody_and_trouble_are_said() -> None:
    listener = Listener(WELL)
    drift = Drift("r1", "apply", "", "dana", "", True, (Change("altered", "policy p on a", "old", "new"),))
    assert listener.hear(replace(WELL, drift=drift, drift_known=True)) == [
        "drift: 1 object has changed since that run.", "altered: policy p on a",
    ]  # fmt: skip
    known = replace(WELL, drift=drift, drift_known=True)
    runner = Runner(7, "postgres", "patchdeck kim@bastion", "14:00:00")
    assert listener.hear(replace(known, runner=runner)) == ["patchdeck kim@bastion is running since 14:00:00"]
    assert listener.hear(known) == ["the run is over"]
    newer = replace(APPLIED_RUN, run_id="r2", operator="kim", action="rollback", mode="lock")
    assert any("rollback (lock) by kim" in line for line in listener.hear(replace(known, look=look(run=newer))))
    assert listener.hear(replace(known, look=look(run=newer), notice=Notice("statement timeout", "it is slow"))) == [
        "trouble: statement timeout; it is slow"
    ]


pg18 = pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
direct = pytest.mark.parametrize("route", ["direct"])


@pg18
@direct
def test_it_tells_a_real_database_until_it_is_told_to_stop(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("applied")
    # A colour that somebody forces on every program is not for lines that are read out.
    env = environment(database.dsn, {"TERM": "dumb", "FORCE_COLOR": "1"})
    told = tmp_path / "told.txt"
    with told.open("wb") as file:
        running = subprocess.Popen(
            [*PATCHDECK, "--plain"], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE
        )
        try:
            wait_for(lambda: "APPLIED" in told.read_text(encoding="utf-8"), 30)
            with psycopg.connect(database.direct_dsn) as connection:
                connection.execute((DEMO / "broken.sql").read_bytes())
            wait_for(lambda: "does not hold: policy" in told.read_text(encoding="utf-8"), 30)
            began = time.monotonic()
            running.send_signal(signal.SIGTERM)
            _, err = running.communicate(timeout=20)
        finally:
            running.kill()
            running.wait()
    assert (running.returncode, err) == (0, b"")
    assert time.monotonic() - began < 3
    text = told.read_bytes()
    assert b"\x1b" not in text and b"\r" not in text
    assert all(re.match(r"\d\d:\d\d:\d\d \S", line) for line in text.decode().splitlines())
    assert "connected: PostgreSQL 18" in text.decode()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_stopped_while_a_server_takes_the_connection_and_says_nothing(number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        dsn = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/none"
        running = subprocess.Popen(
            [*PATCHDECK, "--plain"], cwd=ROOT, env=environment(dsn), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        try:
            silent.settimeout(20)
            line, _ = silent.accept()
            running.send_signal(number)
            out, _ = running.communicate(timeout=20)
            line.close()
        finally:
            running.kill()
            running.wait()
    assert (running.returncode, b"nobody@127.0.0.1" in out) == (0, True)


def test_a_recording_is_told_as_it_was_told_live(tmp_path: Path) -> None:
    teller = Teller(BUNDLE, HERE, 7.0)
    live = [line for at, moment in story() for line in teller.tell(moment, at)]
    told = patchdeck("replay", str(record(tmp_path / "story.jsonl", story())), "--plain")
    lines = [line.partition(" ")[2] for line in told.out.splitlines()]
    assert lines == [f"{BEGAN.astimezone():%A, %Y-%m-%d, UTC%z}", *live, "the recording ends here"]
    stamps = [line[:8] for line in told.out.splitlines()]
    assert stamps == sorted(stamps)
    at = f"{(BEGAN + timedelta(seconds=360)).astimezone():%H:%M:%S}"
    assert f"{at} UNREACHABLE, tried again by itself: connection refused" in told.out


def test_a_recording_that_somebody_made_up_writes_no_control_character(tmp_path: Path) -> None:
    path = record(tmp_path / "evil.jsonl", story()[:3])
    evil = "\\u001b]52;c;aGk=\\u0007\\u202e"
    text = path.read_text(encoding="utf-8")
    for name in ("headline", "sentence", "name", "title", "version", "message"):
        text = text.replace(f'"{name}":"', f'"{name}":"{evil}')
    path.write_text(text, encoding="utf-8")
    ran = patchdeck("replay", str(path), "--plain")
    assert ran.code == 0
    assert "connected" in ran.out and "aGk" in ran.out
    assert not set(ran.out) & (set(map(chr, range(32))) - {"\n"} | {"\u202e"})


@pg18
@direct
def test_it_ends_when_nobody_reads_any_more(make_database: MakeDatabase) -> None:
    database = make_database("applied")
    read, write = os.pipe()
    running = subprocess.Popen(
        [*PATCHDECK, "--plain"], cwd=ROOT, env=environment(database.dsn), stdin=subprocess.DEVNULL, stdout=write
    )
    try:
        os.close(write)
        assert os.read(read, 1)
        os.close(read)
        with psycopg.connect(database.direct_dsn) as connection:
            connection.execute((DEMO / "broken.sql").read_bytes())
        assert running.wait(30) == 0
    finally:
        running.kill()
        running.wait()


@pg18
@direct
def test_what_trying_again_does_not_mend_ends_it_with_a_line_and_the_reason(make_database: MakeDatabase) -> None:
    database = make_database("bare")
    away = patchdeck("--plain", dsn=database.dsn.replace(database.name, "nowhere"))
    assert away.code == 3
    assert "STOPPED: " in away.out and '"nowhere" does not exist' in away.out
    assert '"nowhere" does not exist' in away.err


def test_a_disk_that_is_full_from_the_start_is_told_before_anything_else(tmp_path: Path) -> None:
    file = tmp_path / "full.jsonl"
    # A limit on the size of files stands in for the disk.
    limited = (
        "import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000));"
        "runpy.run_module('tui', run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, "--plain", "--record", str(file)],
        cwd=ROOT, env=environment("postgresql://nobody@127.0.0.1:1/none"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{file} can not be written: File too large" in done.stderr
    assert not file.exists()


def test_it_stands_without_a_command() -> None:
    for wrong in (("--plain", "status"), ("--record", "x", "status")):
        ran = patchdeck(*wrong)
        assert (ran.code, "stand without a command" in ran.err) == (2, True)
