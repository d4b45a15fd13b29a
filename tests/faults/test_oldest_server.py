"""A sample of the campaign on the oldest server that is served: lines cut, runs cancelled, statements refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.db.test_applier import library
from tests.faults.campaign import Campaign, Job, stage
from tests.faults.line import Fate, Side
from tests.faults.test_line_cut import at_chunk, at_commit, cut
from tests.faults.test_operator import cancel_when, nth
from tests.faults.test_statements import strike_at
from tests.support import Cluster, MakeDatabase

pytestmark = pytest.mark.parametrize("cluster", ["pg15"], indirect=True)

SIDES: tuple[Side, ...] = ("client", "server")


@pytest.mark.parametrize(("job", "route"), [("apply", "direct"), ("apply", "pooled"), ("restore", "direct")])
async def test_a_sample(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path, job: Job
) -> None:
    async with stage(make_database, library(), job, f"{cluster.id} {route}", tmp_path) as made:
        since = len(campaign.cases)
        for side in SIDES:
            for fate in (Fate.CUT_BEFORE, Fate.CUT_AFTER):
                what = "COMMIT" if side == "client" else "its answer"
                assert await cut(made, campaign, f"line {fate.value} {what}", at_commit(side), fate)
        for number in (9, 15, 21):
            await cut(made, campaign, "line cut before a server chunk", at_chunk("server", number), Fate.CUT_BEFORE)
        for number in (1, 6, 12):
            await cancel_when(made, campaign, "cancel at an event", nth(number), made.plan())
        total = len(made.plan().statements)
        for at in (total // 3, total - 1) if job == "restore" else ():
            await strike_at(made, campaign, at)
        assert len(campaign.cases) - since >= 9
