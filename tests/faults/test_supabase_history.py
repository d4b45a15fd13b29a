"""The row of the Supabase CLI's history and the run, under faults: either both are there or neither is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.db.test_applier import library
from tests.db.test_supabase_ledger import HISTORY
from tests.faults.campaign import Campaign, Job, Setting, State, stage
from tests.faults.line import BATCH_ENDS, Chunk, Fate, Side
from tests.faults.test_line_cut import at_commit, cut
from tests.faults.test_operator import cancel_when, nth
from tests.faults.test_statements import strike_at
from tests.support import Cluster, Database, MakeDatabase, ask

SIDES: tuple[Side, ...] = ("client", "server")


def disagreement(recorded_when: State) -> Callable[[Database, State], str]:
    """What is untrue of the history: its row is there in the state `recorded_when`, and in no other."""

    def besides(database: Database, state: State) -> str:
        there = ask(database.admin_dsn, f"select to_regclass('{HISTORY}') is not null")[0][0]
        rows = ask(database.admin_dsn, f"select version from {HISTORY}") if there else []
        wanted = [("20260101000000",)] if state == recorded_when else []
        return "" if rows == wanted else f"the database is as {state}, and the history has {rows}"

    return besides


def batch_ends(chunk: Chunk) -> bool:
    return chunk.side == "server" and BATCH_ENDS in chunk.data


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize(("job", "route"), [("apply", "direct"), ("apply", "pooled"), ("lock", "direct")])
async def test_row_and_run_agree(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path, job: Job
) -> None:
    where = f"{cluster.id} {route}, --record-supabase"
    recorded_when: State = "after" if job == "apply" else "before"
    setting = Setting({"record_supabase": True}, besides=disagreement(recorded_when))
    async with stage(make_database, library(), job, where, tmp_path, setting=setting) as made:
        since = len(campaign.cases)
        for fate in (Fate.CUT_BEFORE, Fate.CUT_AFTER):
            assert await cut(made, campaign, f"line {fate.value} the batch's end", batch_ends, fate)
            for side in SIDES:
                what = "COMMIT" if side == "client" else "its answer"
                assert await cut(made, campaign, f"line {fate.value} {what}", at_commit(side), fate)
        total = len(made.plan().statements)
        for at in (0, total):
            await strike_at(made, campaign, at)
        assert await cancel_when(made, campaign, "cancel at an event", nth(total), made.plan())
        states = {case.state for case in campaign.cases[since:]}
        assert states == {"before", "after"}, "a sample that saw only one of them proves little"
