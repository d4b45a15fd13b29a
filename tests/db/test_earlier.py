"""A run that was cut off: the next start says what became of it, whoever asks; one that is under way is left alone."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from tests.cli.support import PATCHDECK, environment, inside
from tests.db.test_applier import LIBRARY, library, plan_for
from tests.db.test_commit import line_to, revive, run_and_cut
from tests.support import ROOT, Database, MakeDatabase, ask, wait_for
from tui.core.deck import Control
from tui.core.run import Attempt, Finished, Outcome, StatementDone
from tui.db import applier, commit
from tui.db.journal import Journal, unfinished
from tui.db.session import Session
from tui.db.target import resolve
from tui.exits import Exit

SLEEPS = "\nselect pg_sleep(30);\n"


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    return make_database("bare")


def killed(database: Database, folder: Path) -> None:
    """The real command, killed in the middle of its statements."""
    bundle = folder / "bundle"
    shutil.copytree(LIBRARY, bundle)
    with (bundle / "PATCH.sql").open("a", encoding="utf-8") as patch:
        patch.write(SLEEPS)
    process = subprocess.Popen(
        [*PATCHDECK, "--bundle", str(bundle), "apply", "--confirm", database.name],
        cwd=ROOT, env=environment(database.dsn), stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    asleep = "select 1 from pg_stat_activity where query = 'select pg_sleep(30)' and datname = current_database()"
    try:
        wait_for(lambda: ask(database.admin_dsn, asleep), 30)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def written(journals: Path) -> list[str]:
    """What stands in the journals, in no order."""
    return [path.read_text() for path in journals.glob("*.jsonl")]


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
def test_the_next_start_says_that_a_killed_run_was_rolled_back(database: Database, tmp_path: Path) -> None:
    killed(database, tmp_path)
    place = resolve(database.dsn, environ={}).destination
    assert [entry.action for entry in unfinished(place)] == ["apply"]
    ran = inside("--bundle", str(LIBRARY), "status", dsn=database.dsn)
    assert ran.code == Exit.FAILED, ran
    assert "NOT APPLIED" in ran.out
    assert "Cut off and rolled back: the apply of 2" in ran.out
    assert unfinished(place) == ()
    # It was told, and whoever asks later is not told again.
    assert "Cut off" not in inside("--bundle", str(LIBRARY), "status", dsn=database.dsn).out


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
def test_a_script_reads_it_too(database: Database, tmp_path: Path) -> None:
    killed(database, tmp_path)
    said = inside("--bundle", str(LIBRARY), "status", "--json", dsn=database.dsn).json["earlier_runs"]
    assert [(run["action"], run["outcome"]) for run in said] == [("apply", "rolled_back")]


@pytest.mark.parametrize("answer", [False, True], ids=["request lost", "answer lost"])
async def test_a_session_asks_again_until_it_is_known(
    database: Database, tmp_path: Path, answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run loses its line at COMMIT and nobody can be asked; the same session's first look on a new line says it."""
    monkeypatch.setattr(commit, "RESOLVE_WITHIN", 0.5)
    async with line_to(database) as (line, target):
        session = Session(target, library(), journals=tmp_path)
        finished = await run_and_cut(line, target, database, tmp_path, answer=answer, back=False)
        assert finished.outcome is Outcome.UNKNOWN
        revive(line)
        look = await session.look()
        assert [earlier.fate for earlier in look.earlier] == ["committed" if answer else "rolled_back"]
        assert look.verdict.state == ("applied" if answer else "not_applied")
        # It stays on the screen.
        assert (await session.look()).earlier == look.earlier
        await session.close()


async def test_a_run_under_way_is_no_earlier_one(database: Database, tmp_path: Path) -> None:
    target = resolve(database.dsn, environ={})
    events = applier.run(target, plan_for(database), Control(), journals=tmp_path)
    async for event in events:
        if isinstance(event, StatementDone):
            break
    assert [text.count('"running"') for text in written(tmp_path)] == [1]
    assert unfinished(target.destination, tmp_path) == ()
    # Nobody listens any more: the process goes on, the run does not, and now its end is asked for.
    await events.aclose()
    assert len(unfinished(target.destination, tmp_path)) == 1
    session = Session(target, library(), journals=tmp_path)
    assert [earlier.fate for earlier in (await session.look()).earlier] == ["rolled_back"]
    await session.close()


async def test_every_end_that_is_known_is_written_down(database: Database, tmp_path: Path) -> None:
    target = resolve(database.dsn, environ={})
    failing = library(PATCH=lambda text: text + "\nselect 1 / 0;\n")
    for bundle, outcome in ((failing, Outcome.ROLLED_BACK), (library(), Outcome.COMMITTED)):
        events = [
            event async for event in applier.run(target, plan_for(database, bundle), Control(), journals=tmp_path)
        ]
        assert events[-1].outcome is outcome  # type: ignore[union-attr]
        assert unfinished(target.destination, tmp_path) == ()
    texts = written(tmp_path)
    assert sorted(text.count('"finished"') for text in texts) == [1, 1]
    assert {"committed", "rolled_back"} == {
        word for word in ("committed", "rolled_back") for text in texts if word in text
    }


async def test_a_rehearsal_leaves_no_journal(database: Database, tmp_path: Path) -> None:
    target = resolve(database.dsn, environ={})
    plan = plan_for(database, rehearse=True)
    async for _ in applier.run(target, plan, Control(), journals=tmp_path):
        await asyncio.sleep(0)
    assert written(tmp_path) == []


async def test_without_a_journal_nothing_is_begun(database: Database, tmp_path: Path) -> None:
    target = resolve(database.dsn, environ={})
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    events = [event async for event in applier.run(target, plan_for(database), Control(), journals=in_the_way)]
    end = events[-1]
    assert isinstance(end, Finished)
    assert (end.outcome, end.lock_seconds) == (Outcome.REFUSED, 0)
    assert "There can be no journal" in end.reason
    assert not any(isinstance(event, Attempt) and event.number > 1 for event in events)
    assert ask(database.admin_dsn, "select to_regclass('public.books')") == [(None,)]


async def test_a_journal_that_a_full_disk_refuses_ends_the_run(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Journal, "record", full)
    target = resolve(database.dsn, environ={})
    events = [event async for event in applier.run(target, plan_for(database), Control(), journals=tmp_path)]
    end = events[-1]
    assert isinstance(end, Finished)
    assert (end.outcome, written(tmp_path)) == (Outcome.ROLLED_BACK, [])
    assert "No space left on device. COMMIT was not sent." in end.reason
    wait_for(lambda: ask(database.admin_dsn, "select 1 where to_regclass('public.books') is null"), 5)
