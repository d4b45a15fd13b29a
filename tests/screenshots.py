"""`make screenshots`: the pictures of the README, taken from the running product on the demo database.

One walk in the product's order: before the migration, planned, rehearsed, applying while somebody is in the way,
applied, damaged by hand, and that in a small terminal. And the walk through applying once more as a picture that moves.
"""

from __future__ import annotations

import asyncio
import html
import os
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psycopg
from rich.cells import cell_len
from textual.pilot import Pilot

from tests.film import Frame, film
from tests.support import BUNDLE, DEMO, ROOT
from tests.ui.support import screen_text, until
from tui.app import PatchdeckApp, Settings
from tui.db.session import Session
from tui.db.target import resolve
from tui.demo.kept import Demo, demo_database
from tui.files import read_bundle

PICTURES = ROOT / "screenshots"
WIDE, NARROW = (120, 36), (80, 24)
PATIENCE = 30.0
TEXT = re.compile(r'(<text class="[^"]*r\d+" )x="([\d.]+)" (y="[^"]*") textLength="[\d.]+" ([^>]*>)([^<]*)</text>')
CELL = 12.2
"""Width of a cell in the pictures' own unit, as Rich draws them; a monospaced font is about 0.602 of its size wide."""


def main() -> None:
    """Take every picture; needs nothing but this repository."""
    # Reports and crash files of this walk are nobody's, and its operator is no one in particular.
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(HOME=home, XDG_STATE_HOME=home, LOGNAME="dana", PATCHDECK_DEMO_HOME=f"{home}/demo")
        # The server's account has to enter it when root runs this.
        Path(home).chmod(0o711)
        PICTURES.mkdir(exist_ok=True)
        with demo_database(BUNDLE, "legacy", progress=print) as demo:
            asyncio.run(_take_all(demo))
        with demo_database(BUNDLE, "legacy", progress=print) as demo:
            asyncio.run(_film(demo))


async def _take_all(demo: Demo) -> None:
    async with _opened(demo, WIDE) as pilot:
        await _shown(pilot, "NOT APPLIED")
        await _settled(pilot)
        _take(pilot, "not-applied")
        await _walk_through_apply(pilot, demo)
        await _settled(pilot)
        # A group of errors: the traffic works under the new policies, and not all of it goes well.
        await _shown(pilot, "×1")
        _take(pilot, "applied")
    _damage(demo)
    async with _opened(demo, WIDE) as pilot:
        await _shown(pilot, "DRIFTED")
        await _settled(pilot)
        _take(pilot, "drifted")
        await pilot.press("n", "n", "enter")
        await _shown(pilot, "expected")
        _take(pilot, "drifted-detail")
    async with _opened(demo, NARROW) as pilot:
        await _shown(pilot, "DRIFTED")
        await _settled(pilot)
        _take(pilot, "narrow")


async def _walk_through_apply(pilot: Pilot[None], demo: Demo) -> None:
    await pilot.press("a")
    await _shown(pilot, "1 Target")
    await pilot.press("n")
    await _shown(pilot, "2 Preflight")
    await until(pilot, lambda: "server version" in screen_text(pilot.app), PATIENCE)
    await pilot.press("n")
    await _shown(pilot, "PATCH.sql")
    _take(pilot, "plan")
    await pilot.press("n", "n", "enter")
    await _shown(pilot, "IT WILL WORK")
    # Its connection is closed a moment after its end is told.
    await _shown(pilot, "enter Next  p Back")
    _take(pilot, "rehearsal")
    await pilot.press("n", *"postgres")
    with psycopg.connect(demo.direct_dsn, application_name="nightly report") as report:
        report.execute("lock table public.tenants in access share mode")
        await pilot.press("enter")
        await _shown(pilot, "nightly report")
        _take(pilot, "applying")
    await _shown(pilot, "COMMITTED")
    await pilot.press("n")
    await _shown(pilot, "The migration is in force")
    await _shown(pilot, "negative control")
    await pilot.press("n")
    await _shown(pilot, "What is left to do")
    await pilot.press("escape")


async def _film(demo: Demo) -> None:
    """Every step of applying at 80x24, the key that led to it below."""
    frames: list[Frame] = []

    async with _opened(demo, NARROW) as pilot:

        async def see(shown: str, seconds: float, key: str = "", said: str = "") -> None:
            await _shown(pilot, shown)
            strips = pilot.app.screen._compositor.render_strips()
            frames.append(Frame(tuple(tuple(strip) for strip in strips), seconds, key, said))

        await _shown(pilot, "NOT APPLIED")
        await _settled(pilot)
        await see("NOT APPLIED", 3.0, "", "a database before the migration")
        await pilot.press("a")
        await see("server     PostgreSQL", 3.0, "a", "apply: a walk of eight steps, first which database this is")
        await pilot.press("enter")
        await see("server version", 3.0, "enter", "is anything in the way?")
        await pilot.press("enter")
        await see("What is dropped", 3.5, "enter", "what will be made, changed and dropped")
        await pilot.press("enter")
        await see("enter rehearses", 2.5, "enter", "nothing has run so far")
        await pilot.press("enter")
        await see("PATCH.sql:", 1.0, "enter", "the rehearsal: all of it, for real")
        await _shown(pilot, "IT WILL WORK")
        await see("enter Next  p Back", 4.0, "", "and rolled back: this is how long it takes")
        await pilot.press("enter")
        await see("Type the database's name", 2.0, "enter", "the name is asked for")
        await pilot.press(*"postgres")
        await see("that is its name", 2.0, "postgres", "typed: only now enter does something")
        with psycopg.connect(demo.direct_dsn, application_name="nightly report") as report:
            report.execute("lock table public.tenants in access share mode")
            await pilot.press("enter")
            await see("nightly report", 3.0, "enter", "somebody is in the way: everything is let go, and tried again")
        await see("PATCH.sql:", 1.0, "", "the lock is free: all in one transaction")
        await _shown(pilot, "COMMITTED")
        await see("enter Next  p Back", 3.0, "", "every check passed before COMMIT")
        await pilot.press("enter")
        await _shown(pilot, "negative control")
        await see("behaviour passed", 3.5, "enter", "looked at again, and tried as every kind of user")
        await pilot.press("enter")
        await see("What is left to do", 3.0, "enter", "a report, for the team and for the pipeline")
        await pilot.press("enter")
        await see("✓ APPLIED", 4.0, "enter", "in force; b walks the way back")
    (PICTURES / "walkthrough.svg").write_text(film(frames, "Walking through applying the migration"), encoding="utf-8")
    print("screenshots/walkthrough.svg")


@asynccontextmanager
async def _opened(demo: Demo, size: tuple[int, int]) -> AsyncIterator[Pilot[None]]:
    """The real app on the real database, without a terminal."""
    session = Session(resolve(demo.dsn, environ={}), read_bundle(BUNDLE))
    app = PatchdeckApp(session, Settings())
    try:
        async with app.run_test(size=size) as pilot:
            yield pilot
    finally:
        await session.close()


async def _shown(pilot: Pilot[None], text: str) -> None:
    await until(pilot, lambda: text in screen_text(pilot.app), PATIENCE)


async def _settled(pilot: Pilot[None]) -> None:
    """Wait for a few ticks, so that the panels show traffic."""
    for _ in range(3):
        await pilot.pause(2.0)


def _damage(demo: Demo) -> None:
    with psycopg.connect(demo.direct_dsn) as connection:
        connection.execute((DEMO / "broken.sql").read_bytes())


def _take(pilot: Pilot[None], name: str) -> None:
    picture = pilot.app.export_screenshot(title="patchdeck")
    # It loads nothing from anywhere: whatever monospaced font there is, stretched to the cells.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    picture = picture.replace("font-size: 20px", f"font-size: {CELL / 0.602:.2f}px")
    picture = TEXT.sub(_parts, picture)
    (PICTURES / f"{name}.svg").write_text(picture, encoding="utf-8")
    print(f"screenshots/{name}.svg")


def _parts(text: re.Match[str]) -> str:
    """A text as its parts between wide gaps, each at its cell: many viewers know no textLength and trim spaces."""
    head, x, y, rest, content = text.groups()
    cells = html.unescape(content)
    return "".join(
        f'{head}x="{float(x) + cell_len(cells[: part.start()]) * CELL:g}" {y} '
        f'textLength="{cell_len(part[0]) * CELL:g}" {rest}{html.escape(part[0]).replace(" ", "&#160;")}</text>'
        for part in re.finditer(r"\S+(?:\s\S+)*", cells)
    )


if __name__ == "__main__":
    main()
