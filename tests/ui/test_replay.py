"""A recording shown again: what was seen then is seen again, at its own time, and nothing can be asked or changed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot

from tests.support import ROOT
from tests.ui.recorded import BEGAN, record, story, well
from tests.ui.support import (
    BUNDLE,
    HERE,
    ScriptedDeck,
    Time,
    checks,
    look,
    missing,
    screen_lines,
    screen_text,
    shows,
    shows_no,
    until,
)
from tui.app import PatchdeckApp, Settings
from tui.commands.recording import recorded
from tui.core.deck import Problem
from tui.core.locks import LockPicture, LockSession
from tui.core.run import Finished, Outcome, Plan
from tui.moment import NAMES, Moment, moment_of
from tui.output import Output
from tui.pace import Pace
from tui.prover import BEYOND_STRUCTURE
from tui.recording.app import ReplayApp
from tui.recording.deck import REPLAYED, ReplayDeck
from tui.recording.player import Player
from tui.recording.reader import STEP, Recording, RecordingError, read_recording
from tui.recording.recorder import Recorder
from tui.store import Changed, Store


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The story of `tests.ui.recorded`, read back."""
    return read_recording(record(tmp_path_factory.mktemp("told") / "story.jsonl", story()))


@asynccontextmanager
async def replayed(
    recording: Recording, size: tuple[int, int] = (120, 40), *, paused: bool = True
) -> AsyncIterator[tuple[ReplayApp, Pilot[None], Time]]:
    """The replay on a screen, standing still at its beginning unless it is to play; and the clock that it plays by."""
    time = Time()
    player = Player(recording, time)
    player.pause(paused)
    player.seek(0)
    app = ReplayApp(recording, player, Settings(pace=Pace(), read_only=True))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot, time


def seek(app: ReplayApp, position: float) -> None:
    """To an offset, as the keys go there."""
    app.player.seek(position)
    app.action_skip(0)


def test_a_moment_is_the_store_s_state_and_all_of_it() -> None:
    store = Store(lambda _: None)
    assert {name for name in vars(store) if not name.startswith("_")} == set(NAMES)


def test_every_moment_comes_back_whichever_way_it_is_reached(told: Recording) -> None:
    moments = [(at, moment) for at, _, moment in told.moments()]
    assert len(moments) > STEP
    assert [at for at, _ in moments] == list(told.times)
    for at, moment in (*moments[::37], *moments[::-53], moments[STEP - 1], moments[STEP], moments[STEP + 1]):
        assert told.moment(at) == moment
        assert told.moment(at + 0.5) == moment
        assert told.moment(at, told.moment(at - 8), at - 8) == moment
    assert told.moment(0.5) == Moment()
    assert told.flaw == ""


def test_what_went_wrong_is_found(told: Recording) -> None:
    assert told.troubles == (120.0, 360.0, 540.0)


def test_the_wall_s_time_goes_with_the_lines(told: Recording) -> None:
    assert told.wall(301.0) == BEGAN + timedelta(seconds=301)
    assert told.wall(0.25) == BEGAN + timedelta(seconds=0.25)


def test_a_store_becomes_a_moment_naming_only_what_differs() -> None:
    said: list[Changed] = []
    store = Store(said.append)
    moment = well(4.0)
    store.become(moment)
    assert moment_of(store) == moment
    assert store.take() == {"connection", "look", "executions", "errors", "drift"}
    later = well(6.0)
    store.become(later)
    assert store.take() == {"executions"}
    assert (store.look_at, store.panels_at, store.taken_at) == (6.0, 6.0, later.taken_at)
    store.become(later)
    assert store.take() == frozenset()
    store.become(Moment())
    assert moment_of(store) == Moment()
    assert "look" in store.take()


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (120, 40)])
async def test_it_says_that_it_is_a_replay_and_when_it_was(told: Recording, size: tuple[int, int]) -> None:
    async with replayed(told, size) as (app, pilot, _):
        seek(app, 90)
        await shows(pilot, "APPLIED")
        title = screen_lines(app)[0]
        assert "REPLAY 2026-11-20" in title
        assert title.endswith(f"{(BEGAN + timedelta(seconds=90)).astimezone():%H:%M:%S}")
        assert "s old" not in title


async def test_it_plays_by_its_own_clock_and_stops_at_the_end(told: Recording) -> None:
    async with replayed(told, paused=False) as (app, pilot, time):
        await shows(pilot, "APPLIED")
        time.turn_on(120)
        await pilot.press("right_square_bracket")
        await shows(pilot, "DRIFTED")
        assert re.search(r"2:1\d of 10:00", screen_lines(app)[0])
        time.turn_on(3600)
        await until(pilot, lambda: app.player.at_end)
        await shows(pilot, "the recording ends here")
        assert "REPLAY 2026-11-20 ended" in screen_lines(app)[0]
        await pilot.press("space")
        await shows(pilot, "0:0")
        assert app.player.going


async def test_seeking_shows_what_was_there_then_in_both_directions(told: Recording) -> None:
    async with replayed(told) as (app, pilot, _):
        for at, seen, unseen in (
            (130, "DRIFTED 1", "APPLIED"),
            (400, "UNREACHABLE 40 s", "DRIFTED"),
            (130, "DRIFTED 1", "UNREACHABLE"),
            (599, "KeyError", "DRIFTED"),
            (20, "APPLIED", "KeyError"),
        ):
            seek(app, at)
            await shows(pilot, seen)
            await shows_no(pilot, unseen)
        await pilot.press("home")
        await shows(pilot, "CONNECTING")
        assert "flows" not in screen_text(app)
        await pilot.press("end")
        await shows(pilot, "KeyError")


async def test_what_was_old_then_is_old_again_and_ages_stand_still_while_it_is_paused(told: Recording) -> None:
    async with replayed(told) as (app, pilot, time):
        seek(app, 400)
        await shows(pilot, "42 s old")
        time.turn_on(1000)
        await pilot.pause(0.1)
        assert "42 s old" in screen_text(app)


async def test_keys_move_by_ten_seconds_and_to_what_went_wrong(told: Recording) -> None:
    async with replayed(told) as (app, pilot, _):
        places = []
        for key in ("]", "]", "[", "}", "}", "}", "{", "{", "[", "end", "[", "home"):
            await pilot.press({"]": "right_square_bracket", "[": "left_square_bracket", "}": "right_curly_bracket",
                               "{": "left_curly_bracket"}.get(key, key))  # fmt: skip
            places.append(app.player.position)
        assert places == [10, 20, 10, 120, 360, 540, 360, 120, 110, 600, 590, 0]
        await pilot.press("end", "right_curly_bracket")
        await shows(pilot, "nothing goes wrong from here on")
        await pilot.press("home", "left_curly_bracket")
        await shows(pilot, "nothing went wrong before this")


async def test_faster_and_slower(told: Recording) -> None:
    async with replayed(told, paused=False) as (app, pilot, time):
        await pilot.press("plus", "plus")
        await shows(pilot, "×4")
        here = app.player.position
        time.turn_on(10)
        assert 40 <= app.player.position - here < 44
        await pilot.press("minus", "minus", "minus")
        await shows(pilot, "×0.5")


async def test_brackets_can_be_typed_into_a_filter(told: Recording) -> None:
    async with replayed(told) as (app, pilot, _):
        seek(app, 90)
        await shows(pilot, "APPLIED")
        await pilot.press("slash", "left_square_bracket", "plus", "space", "right_curly_bracket")
        await shows(pilot, "[+ }")
        assert (app.player.position, app.player.speed, app.player.going) == (90, 1.0, False)


async def test_nothing_can_be_asked_or_changed_and_the_keys_say_why(told: Recording) -> None:
    async with replayed(told) as (app, pilot, _):
        seek(app, 130)
        await shows(pilot, "DRIFTED")
        before = moment_of(app.store)
        footer = screen_lines(app)[-1]
        assert "Apply" not in footer and "Verify" not in footer
        assert "[ -10 s" in footer
        for key in ("a", "b", "v", "r", "w", "o", "t"):
            screens = len(app.screen_stack)
            await pilot.press(key)
            if len(app.screen_stack) > screens:
                await shows(pilot, "a replay")
                await pilot.press("escape")
            else:
                await until(pilot, lambda: "replay" in screen_lines(app)[-2] or "read-only" in screen_lines(app)[-2])
            app.screen.say("-")  # type: ignore[attr-defined]
            await shows_no(pilot, "replay:")
        assert moment_of(app.store) == before
        await pilot.press("question_mark")
        await shows(pilot, "10 recorded seconds back")
        assert "Walk through" not in screen_text(app) and "Verify" not in screen_text(app)
        await pilot.press("escape", "ctrl+p")
        await shows(pilot, "Trouble")
        assert "Walk through" not in screen_text(app)


async def test_every_view_opens_on_what_was_recorded(told: Recording, tmp_path: Path) -> None:
    session = LockSession(41, "t", "app", "nightly report", "active", 3.5, "select 1", (), (), False, True)
    moments = [(1.0, well(1.0)), (5.0, replace(well(5.0), locks=LockPicture((session,))))]
    recording = read_recording(record(tmp_path / "locks.jsonl", moments))
    async with replayed(recording) as (app, pilot, _):
        seek(app, 1.0)
        await shows(pilot, "APPLIED")
        await pilot.press("l")
        await shows(pilot, "not kept in the recording")
        await pilot.press("escape")
        seek(app, 5.0)
        await pilot.press("l")
        await shows(pilot, "nightly report")
        await pilot.press("x")
        await shows(pilot, "not this one")
        await pilot.press("escape", "d")
        await shows(pilot, "NOT PROVEN")
        await pilot.press("escape", "i")
        await shows(pilot, "replay")
        await pilot.press("escape", "h")
        await shows(pilot, "dana")
        await pilot.press("escape", "2", "enter")
        await shows(pilot, "nightly-export")


async def test_the_deck_of_a_replay_asks_nobody(told: Recording) -> None:
    deck = ReplayDeck(told.header, told.bundle, Moment)
    plan = Plan(BUNDLE, confirmed=HERE.database, operator="x", client_host="y")
    for question in (
        deck.connect(), deck.look(), deck.tick(900), deck.preflight(plan), deck.preview(plan),
        deck.prove(BEYOND_STRUCTURE),
        deck.drift(), deck.locks(), deck.find_runs(""), deck.end_session(1, "", "cancel"), deck.scopes(900),
        deck.open_execution("e1"), deck.open_error("f1", 900, None),
    ):  # fmt: skip
        with pytest.raises(Problem) as refused:
            await question
        assert refused.value.hint == REPLAYED
    (end,) = [event async for event in deck.run(plan, None)]  # type: ignore[arg-type]
    assert isinstance(end, Finished)
    assert (end.outcome, end.reason, end.ran) == (Outcome.REFUSED, REPLAYED, False)
    assert deck.destination.read_only
    assert told.bundle.patch.statements == ()


def test_a_new_recording_is_its_owner_s_alone_and_never_takes_another_file_s_place(tmp_path: Path) -> None:
    path = record(tmp_path / "a.jsonl", story()[:3])
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for taken in (path, tmp_path / "link"):
        with pytest.raises(FileExistsError):
            Recorder(taken, lambda: 0.0)
    assert path.read_bytes() == before
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("cut", [1, 7, 400])
def test_a_last_line_that_is_cut_off_is_left_out_and_said(told: Recording, tmp_path: Path, cut: int) -> None:
    path = record(tmp_path / "cut.jsonl", story()[:40])
    whole = path.read_bytes()
    lines = whole.splitlines(keepends=True)
    # The recording's own end goes first; then the last moment loses its tail.
    path.write_bytes(b"".join(lines[:-1])[:-cut])
    found = read_recording(path)
    assert found.flaw == "its last line is cut off"
    assert len(found.times) == len(lines) - 4
    path.write_bytes(b"".join(lines[:-1]))
    assert read_recording(path).flaw == "it was not ended in good order"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda lines: [b"hello\n"], ":1: not a recording of patchdeck"),
        (lambda lines: [b'{"format":"asciicast","version":2}\n'], ":1: not a recording of patchdeck"),
        (lambda lines: [b"\xff\xfe\x00\n"], ":1: not a recording of patchdeck"),
        (lambda lines: [], ":1: not a recording of patchdeck"),
        (lambda lines: lines[:1], "it holds nothing"),
        (lambda lines: lines[:2], "it holds nothing"),
        (
            lambda lines: [lines[0].replace(b'"version":1', b'"version":2').replace(b"0.1.0", b"9.0"), *lines[1:]],
            ":1: a recording of form 2 by patchdeck 9.0; this one reads form 1",
        ),
        (lambda lines: [*lines[:4], b"{\n", *lines[4:]], ":5: "),
        (lambda lines: [*lines[:4], b'{"at":"x","wall":"2026-01-01T00:00:00Z"}\n'], ":5: Expected `float`"),
        (lambda lines: [*lines[:4], b'{"at":1e9,"wall":"2026-01-01T00:00:00Z"}\n'], ":5: "),
        (lambda lines: [*lines[:3], *lines[5:]], "a look without what it saw"),
        (lambda lines: [*lines[:4], lines[5], lines[4]], ":6: earlier than the line before it"),
        (lambda lines: [*lines[:3], b"[" * 100_000 + b"\n"], ":4: "),
    ],
)
def test_a_file_that_is_no_recording_is_refused_in_one_line_with_its_place(
    tmp_path: Path, spoil: object, said: str
) -> None:
    path = record(tmp_path / "spoilt.jsonl", story()[:12])
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(spoil(lines)))  # type: ignore[operator]
    with pytest.raises(RecordingError, match=re.escape(said)) as refused:
        read_recording(path)
    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, said in (("none", "no such file"), (".", "not a file"), ("pipe", "not a file")):
        with pytest.raises(RecordingError, match=said):
            read_recording(tmp_path / name)


RECORDING = """
import itertools, resource, sys
from pathlib import Path
from tests.ui.recorded import story, record
if sys.argv[2] != "-":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
record(Path(sys.argv[1]), itertools.cycle(story()[:1]) if sys.argv[2] == "-" else story())
"""


def test_a_full_disk_ends_the_recording_with_whole_lines_only(tmp_path: Path) -> None:
    path = tmp_path / "full.jsonl"
    # A file-size limit stands in for the disk: write() fails in the middle of a line in the same way.
    done = subprocess.run(
        [sys.executable, "-c", RECORDING, path, "200000"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    whole = record(tmp_path / "whole.jsonl", story()).read_bytes()
    assert 150_000 < path.stat().st_size <= 200_000 < len(whole)
    assert whole.startswith(path.read_bytes())
    found = read_recording(path)
    assert (found.flaw, found.moment(found.end)) == ("it was not ended in good order", found.moment(found.end))


def fill(recorder: Recorder) -> None:
    """Let the disk below the recording be full."""
    with Path("/dev/full").open("wb") as full:
        os.dup2(full.fileno(), recorder._file)  # type: ignore[arg-type]


async def test_a_dashboard_goes_on_when_its_recording_can_not_and_says_so(tmp_path: Path) -> None:
    deck = ScriptedDeck()
    recorder = Recorder(tmp_path / "short.jsonl", Time())
    app = PatchdeckApp(deck, Settings(pace=Pace(0.05, 0.05)), recorder=recorder)
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "APPLIED")
        assert " rec " in screen_lines(app)[0]
        fill(recorder)
        await shows(pilot, "the recording has ended")
        assert "rec ended" in screen_lines(app)[0]
        asked = deck.asked["tick"]
        await until(pilot, lambda: deck.asked["tick"] > asked + 2)
        assert "APPLIED" in screen_text(app)


def test_that_a_recording_ended_early_is_said_again_when_the_dashboard_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "early.jsonl"
    with recorded(path, ScriptedDeck(), Pace(), Output()) as recorder:
        assert recorder is not None
        recorder.keep(well(1.0))
        fill(recorder)
        recorder.keep(well(2.0))
    said = capsys.readouterr().err
    assert "the recording ended early: No space left on device" in said
    assert f"patchdeck replay {path}" in said
    assert read_recording(path).flaw == "it was not ended in good order"


async def test_what_a_dashboard_recorded_is_what_it_showed(tmp_path: Path) -> None:
    deck, file, pace = ScriptedDeck(), tmp_path / "live.jsonl", Pace(0.05, 0.05)
    with recorded(file, deck, pace, Output()) as recorder:
        app = PatchdeckApp(deck, Settings(pace=pace), recorder=recorder)
        first = await _lived(app, deck)
    recording = read_recording(file)
    async with replayed(recording) as (again, pilot, _):
        seek(again, recording.troubles[0] - 0.001)
        await shows(pilot, "APPLIED")
        await until(pilot, lambda: screen_lines(again)[1:30] == first)
        await pilot.press("right_curly_bracket")
        await shows(pilot, "PARTIAL 174/175")
        await pilot.press("right_curly_bracket")
        await shows(pilot, "UNREACHABLE")


async def _lived(app: PatchdeckApp, deck: ScriptedDeck) -> list[str]:
    """The panels when all was well; then a policy is missing, then the line is lost."""
    async with app.run_test(size=(120, 40)) as pilot:
        await shows(pilot, "APPLIED")
        for part in ("drift none", "checks 175/175", "live · realtime", "429 from", "triage", "made_at"):
            await shows(pilot, part)
        first = screen_lines(app)[1:30]
        deck.look_now = look(checks(outcome=missing("flows_delete")))
        await shows(pilot, "PARTIAL")
        deck.fail["look"] = deck.fail["tick"] = Problem("unreachable", "connection refused", "")
        await shows(pilot, "UNREACHABLE")
        app.exit()
    return first


def test_whatever_ends_the_program_at_most_one_line_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "killed.jsonl"
    running = subprocess.Popen([sys.executable, "-c", KILLED, path], cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert running.stdout is not None
        kept = int(running.stdout.readline())
        running.send_signal(signal.SIGKILL)
    finally:
        running.kill()
        running.wait()
    assert len(read_recording(path).times) >= kept - 1
    assert json.loads(path.read_bytes().splitlines()[0])["format"] == "patchdeck-recording"


KILLED = """
import sys, time
from pathlib import Path
from tests.ui.recorded import record, story
told = story()[:100]
record(Path(sys.argv[1]), told, whole=False)
print(len(told), flush=True)
time.sleep(60)
"""
