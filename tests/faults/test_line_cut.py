"""The line is cut before and after every chunk that either side sends: handshake, look, batch, COMMIT, last look."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path
from time import monotonic

import pytest

from tests.db.test_applier import library
from tests.faults.campaign import Campaign, Job, Stage, Word, drive, moment_of, stage
from tests.faults.line import Chunk, Fate, Side
from tests.support import BUNDLE, Cluster, MakeDatabase
from tui.core.deck import Problem
from tui.core.run import Event
from tui.db import commit
from tui.files import read_bundle

# How many of the server's chunks are passed over from one cut to the next.
JOBS: tuple[tuple[Job, int], ...] = (("apply", 1), ("rehearse", 8), ("lock", 5), ("restore", 8), ("restore-closed", 12))

Where = Callable[[Chunk], bool]


class Knife:
    """Cuts the line at the first chunk that `where` is true of; with `for_good` no connection is let in afterwards."""

    def __init__(self, made: Stage, where: Where, fate: Fate, *, for_good: bool = False) -> None:
        self._made, self._where, self._fate, self._for_good = made, where, fate, for_good
        self.struck = 0.0

    async def __call__(self, chunk: Chunk) -> Fate:
        if self.struck or not self._where(chunk):
            return Fate.PASS
        self.struck = monotonic()
        self._made.line.closed = self._for_good
        return self._fate


def at_chunk(side: Side, number: int) -> Where:
    return lambda chunk: (chunk.side, chunk.number) == (side, number)


def at_commit(side: Side) -> Where:
    """The client's chunk that carries COMMIT, or the server's first one after it."""
    asked = False

    def where(chunk: Chunk) -> bool:
        nonlocal asked
        answer = asked and chunk.side == "server"
        asked = asked or (chunk.side == "client" and b"commit\0" in chunk.data)
        return answer if side == "server" else asked

    return where


async def cut(made: Stage, campaign: Campaign, kind: str, where: Where, fate: Fate, *, for_good: bool = False) -> bool:
    """One run with one cut; whether the run came as far as that chunk."""
    knife = Knife(made, where, fate, for_good=for_good)
    made.line.decide = knife
    word: Word | None = None
    seen: list[Event] = []
    crash = ""
    try:
        word, seen = await drive(made.target, made.plan(), made.journals)
    except (OSError, Problem) as error:
        crash = f"the run raised {type(error).__name__}: {error}"
    if not knife.struck:
        await made.set_up()
        return False
    await made.judge(campaign, kind, moment_of(seen[:-1]), word, knife.struck, crash)
    return True


async def cut_everywhere(made: Stage, campaign: Campaign, *, step: int = 1) -> None:
    """Cuts at every chunk of the client and every `step`-th of the server, until a run ends before the chunk comes."""
    sides: tuple[tuple[Side, int], ...] = (("client", 1), ("server", step))
    for side, stride in sides:
        for number in count(1, stride):
            cuts = [
                await cut(made, campaign, f"line {fate.value} a {side} chunk", at_chunk(side, number), fate)
                for fate in (Fate.CUT_BEFORE, Fate.CUT_AFTER)
            ]
            if not any(cuts):
                break


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
@pytest.mark.parametrize(("job", "step"), JOBS)
async def test_at_every_chunk(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path, job: Job, step: int
) -> None:
    async with stage(make_database, library(), job, f"{cluster.id} {route}", tmp_path) as made:
        since = len(campaign.cases)
        await cut_everywhere(made, campaign, step=step)
        assert len(campaign.cases) - since > 20


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize(
    ("job", "route"), [("apply", "direct"), ("apply", "pooled"), ("lock", "direct"), ("restore", "pooled")]
)
async def test_at_commit_and_the_line_stays_away(
    cluster: Cluster,
    route: str,
    make_database: MakeDatabase,
    campaign: Campaign,
    tmp_path: Path,
    job: Job,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With nobody to ask the outcome is unknown, and said to be; the next start finds out."""
    monkeypatch.setattr(commit, "RESOLVE_WITHIN", 0.3)
    sides: tuple[Side, ...] = ("client", "server")
    async with stage(make_database, library(), job, f"{cluster.id} {route}", tmp_path) as made:
        for for_good in (False, True):
            for side in sides:
                for fate in (Fate.CUT_BEFORE, Fate.CUT_AFTER):
                    what = "COMMIT" if side == "client" else "its answer"
                    kind = f"line {fate.value} {what}{', for good' if for_good else ''}"
                    assert await cut(made, campaign, kind, at_commit(side), fate, for_good=for_good)


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
async def test_the_patch_that_ships(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path
) -> None:
    bundle = read_bundle(BUNDLE)
    async with stage(
        make_database, bundle, "apply", f"shipped, {cluster.id} {route}", tmp_path, state="legacy"
    ) as made:
        for fate in (Fate.CUT_BEFORE, Fate.CUT_AFTER):
            for number in (20, 60, 120):
                kind = f"line {fate.value} a server chunk"
                await cut(made, campaign, kind, at_chunk("server", number), fate)
            for side in ("client", "server"):
                assert await cut(made, campaign, f"line {fate.value} COMMIT or its answer", at_commit(side), fate)
