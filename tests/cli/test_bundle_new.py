"""`patchdeck bundle new`: what it writes is complete, works as it stands, and never replaces a file."""

from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest

from tests.cli.support import patchdeck
from tests.support import MakeDatabase, ask
from tui.core.bundle import load
from tui.core.bundle_check import check
from tui.core.panels import Panels
from tui.db.session import Session
from tui.db.target import resolve
from tui.files import Folder

FILES = {
    "BEFORE.sql", "PATCH.sql", "ROLLBACK.sql", "bundle.toml", "expected.toml", "isolation.toml",
    "panels/notes_new.sql", "panels/notes_running.sql", "panels/notes_window.sql",
}  # fmt: skip


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new") / "deep" / "my notes!"
    ran = patchdeck("bundle", "new", str(folder))
    assert ran.code == 0, ran
    assert "bundle my_notes, 9 files" in ran.out
    return folder


def test_it_is_complete_and_without_fault(begun: Path) -> None:
    assert set(Folder(begun)) == FILES
    found = check(Folder(begun))
    assert found.faults == ()
    assert found.bundle is not None
    assert (found.bundle.name, found.bundle.manifest.title) == ("my_notes", "My notes")
    assert len(found.bundle.version) == 14
    assert not any("@NAME@" in text or "@VERSION@" in text or "@TITLE@" in text for text in Folder(begun).values())
    assert all(stat.S_IMODE((begun / file).stat().st_mode) & 0o111 == 0 for file in FILES)


def test_no_file_is_ever_replaced(begun: Path, tmp_path: Path) -> None:
    before = dict(Folder(begun))
    again = patchdeck("bundle", "new", str(begun), "--name", "other")
    assert (again.code, again.out) == (4, "")
    assert "nothing was written" in again.err
    assert dict(Folder(begun)) == before
    # One file in the way is enough, a link to nowhere too, and nothing is written beside it.
    (tmp_path / "expected.toml").symlink_to(tmp_path / "nowhere")
    one = patchdeck("bundle", "new", str(tmp_path), "--name", "other")
    assert (one.code, "has expected.toml already" in one.err) == (4, True)
    assert [path.name for path in tmp_path.iterdir()] == ["expected.toml"]


@pytest.mark.parametrize("name", ["1st", "a-b", "drop table", "x" * 64])
def test_a_name_that_can_be_none_is_refused(name: str, tmp_path: Path) -> None:
    ran = patchdeck("bundle", "new", str(tmp_path / "folder"), "--name", name)
    assert (ran.code, ran.out) == (2, "")
    assert "can not be a bundle's name" in ran.err
    assert not (tmp_path / "folder").exists()


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
def test_its_panel_shows_what_is_there(begun: Path, make_database: MakeDatabase) -> None:
    database = make_database("platform")
    ask(database.dsn, (begun / "PATCH.sql").read_text(encoding="utf-8"))
    user = "5eed0000-0000-4000-8000-000000000001"
    ask(database.admin_dsn, f"insert into auth.users (id) values ('{user}')")
    ask(
        database.admin_dsn,
        "insert into public.notes (owner, body, created_at, done_at) values "
        f"('{user}', 'done', now() - interval '9 s', now() - interval '7 s'), "
        f"('{user}', 'under way', now() - interval '5 s', null), ('{user}', 'old', now() - interval '9 h', now())",
    )

    async def ticks() -> tuple[Panels, Panels]:
        session = Session(resolve(database.dsn, environ={}), load(Folder(begun)))
        try:
            await session.look()
            first = await session.tick(900)
            ask(database.admin_dsn, "update public.notes set done_at = now() where done_at is null")
            ask(database.admin_dsn, f"insert into public.notes (owner, body) values ('{user}', 'newest')")
            return first, await session.tick(900)
        finally:
            await session.close()

    first, second = asyncio.run(ticks())
    assert first.executions.problem == second.executions.problem == ""
    assert [(row.name, row.status) for row in first.executions.rows] == [("under way", "running"), ("done", "ok")]
    assert first.executions.rows[1].duration_ms == pytest.approx(2000, abs=1)
    assert (first.executions.totals.total, first.executions.totals.running) == (2, 1)
    assert [(row.name, row.status) for row in second.executions.rows] == [
        ("newest", "running"), ("under way", "ok"), ("done", "ok"),
    ]  # fmt: skip
