"""What is loaded when: a glance needs no engine, the first frame of the dashboard nothing that knows of databases."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.support import PATCHDECK, environment
from tests.support import BUNDLE, ROOT, MakeDatabase
from tests.terminal.pty_session import PtySession

GLANCE = """
import json, sys
from tui.__main__ import main
code = main(["status", *sys.argv[1:]])
print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""

FRAMES = """
import asyncio, json, sys
import tui.__main__, tui.commands.dashboard
from tui.app import PatchdeckApp

async def opening(leave):
    print(json.dumps([app.screen.name or type(app.screen).__name__, sorted(sys.modules)]), file=sys.stderr)

app = PatchdeckApp(opening)
asyncio.run(app.run_async(headless=True))
"""

ENGINE = {
    "tui.core.isolation", "tui.core.plan", "tui.core.preflight", "tui.core.report", "tui.core.restore", "tui.core.run",
    "tui.core.safety", "tui.core.statements", "tui.db.applier", "tui.db.attempt", "tui.db.feeds", "tui.db.lint",
    "tui.db.matrix", "tui.db.restoring", "tui.db.session",
}  # fmt: skip
"""What applies, plans and proves."""
SCREEN = {"textual", "tui.app", "tui.store", "tui.screens", "tui.widgets"}


def loaded(code: str, *arguments: str, dsn: str = "") -> tuple[object, set[str]]:
    """What `code` said first, and the modules it named, from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        env=environment(dsn),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=90,
        check=True,
    )
    said, modules = json.loads(done.stderr.splitlines()[-1])
    return said, set(modules)


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
def test_a_glance_loads_no_engine_no_screen_and_no_demo(make_database: MakeDatabase) -> None:
    """Nor the driver: that is what the other process is for."""
    code, modules = loaded(GLANCE, dsn=make_database("applied").dsn)
    assert code == 0
    assert "tui.db.glance" in modules
    assert (
        modules
        & (ENGINE | SCREEN | {"psycopg", "rich.console", "tui.demo", "tui.commands.documents", "tui.commands.shapes"})
        == set()
    )


def test_the_first_frame_waits_for_no_driver_no_engine_and_no_screen() -> None:
    screen, modules = loaded(FRAMES)
    assert screen == "Opening"
    assert modules & (ENGINE | {"psycopg", "tui.db", "tui.demo", "tui.store", "tui.poller", "tui.core.look"}) == set()
    ours = {module for module in modules if module.startswith(("tui.screens.", "tui.widgets."))}
    assert ours == {"tui.screens.opening", "tui.screens.opaque", "tui.widgets.lines"}


NOWHERE = "postgresql://postgres@127.0.0.1:1/nowhere?password=x"


@pytest.mark.parametrize(
    ("file", "text"), [("expected.toml", "tables = 1"), ("PATCH.sql", "create table public.a (id int);\nvacuum;")]
)
def test_a_bundle_that_can_not_be_used_ends_the_dashboard_with_its_reason(tmp_path: Path, file: str, text: str) -> None:
    """Also when that is found only while the screen stands already: nothing would tell there what to mend."""
    bundle = tmp_path / "bundle"
    shutil.copytree(BUNDLE, bundle)
    (bundle / file).write_text(text, encoding="utf-8")
    with PtySession([*PATCHDECK, "--bundle", str(bundle)], environment=environment(NOWHERE)) as running:
        code, _ = running.wait_exit(60)
        assert code == 2
        said = running.screen().replace("\n", "")
        assert "the bundle can not be used: " in said
        assert f"{file}:" in said
        assert running.modes_left_on() == []
