"""The walkthrough back in its three modes on a real server: what is told before the name is typed, what is then so."""

from __future__ import annotations

import json

import pytest

from tests.db.test_restore import ANNEX, annex, apply, look, missing
from tests.support import Database, MakeDatabase, ask
from tests.ui.test_walkthrough import Walker, walking
from tui.db.session import Session
from tui.db.target import resolve
from tui.screens.steps.report import ReportStep

pytestmark = [
    pytest.mark.parametrize("cluster", ["pg18"], indirect=True),
    pytest.mark.parametrize("route", ["direct"]),
]


@pytest.fixture
async def database(make_database: MakeDatabase) -> Database:
    made = make_database("bare")
    ask(made.dsn, (ANNEX / "BEFORE.sql").read_text(encoding="utf-8"))
    await apply(made, annex())
    return made


def session(database: Database) -> Session:
    return Session(resolve(database.dsn, environ={}), annex())


async def choose(walker: Walker, mode: str) -> None:
    await walker.until(lambda: walker.screen.walk.look is not None, "the look")
    while walker.screen.walk.plan.mode != mode:
        await walker.press("m")


@pytest.mark.parametrize("size", [(60, 20), (120, 40)])
async def test_a_closed_restore_says_what_it_keeps_back(database: Database, size: tuple[int, int]) -> None:
    async with walking(session(database), "rollback", size=size) as walker:
        await walker.reads("restore-closed", "(recommended)")
        await choose(walker, "restore-closed")
        await walker.reads("worked out from the ledger")
        await walker.to("Preflight")
        await walker.reads("recorded state", "can be put back")
        await walker.to("Plan")
        await walker.reads("What is kept back on purpose", "row level security on public.rooms", "it stays on")
        await walker.rehearse()
        await walker.press("n")
        await walker.reads("mode restore-closed", "On public.rooms row level security is then on without a policy")
        await walker.type(database.name)
        await walker.sees("COMMITTED")
        await walker.to("Verify")
        await walker.reads("ROLLED BACK. Rolled back (restore-closed)", "objects are as the rollback says")
        await walker.to("Report")
        await walker.sees("written")
        step = walker.screen.step
        assert isinstance(step, ReportStep)
        assert step.files is not None
        written = step.files.markdown.read_text(encoding="utf-8")
        assert "## What is kept back on purpose" in written
        assert "`row level security on public.rooms`: it stays on" in written
        document = json.loads(step.files.json.read_text(encoding="utf-8"))
        assert (document["mode"], document["not_restored"]) == ("restore-closed", [])
    assert ask(database.dsn, "select mode from patchdeck.runs order by finished_at desc limit 1") == [
        ("restore-closed",)
    ]


async def test_statements_of_a_restore_can_be_read_before(database: Database) -> None:
    async with walking(session(database), "rollback", size=(120, 40)) as walker:
        await choose(walker, "restore")
        await walker.to("Plan")
        await walker.reads("The holes from before are open again: row level security goes off on public.rooms")
        await walker.press("s")
        await walker.sees("ROLLBACK.sql and (recorded state)")
        await walker.press("end")
        await walker.sees("(recorded state):", "alter publication")


async def test_another_mode_asks_everything_anew(database: Database) -> None:
    async with walking(session(database), "rollback") as walker:
        await choose(walker, "restore")
        await walker.rehearse()
        await walker.press("p", "p", "p")
        assert walker.screen.step.name == "Target"
        await walker.press("m")
        assert walker.screen.walk.rehearsed == ""
        assert walker.screen.walk.preview.answer is None
        await walker.to("Plan")
        assert walker.screen.walk.plan.restore is not None
        assert walker.screen.walk.plan.restore.closed


async def test_drift_closes_the_way_and_is_shown(database: Database) -> None:
    ask(database.dsn, "alter policy shelves_read on public.shelves using (true)")
    before = await look(database, annex())
    async with walking(session(database), "rollback", size=(120, 40)) as walker:
        await choose(walker, "restore")
        await walker.to("Preflight")
        await walker.reads("policy shelves_read on public.shelves altered", "tag IS NOT NULL", "using (true)")
        assert "in the way" in walker.screen.step.against_next()
    assert missing(before, await look(database, annex())) == {}
