"""What the operator and their machine do: cancel at every event, a silent line, a journal that can not be written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import psycopg
import pytest
from msgspec.structs import replace

from tests.db.test_applier import library
from tests.faults.campaign import Campaign, Case, Job, Stage, drive, moment_of, stage
from tests.faults.line import BATCH_ENDS, Chunk, Fate
from tests.support import Cluster, MakeDatabase
from tui.core.deck import Control
from tui.core.run import Event, Plan, WaitingForLock
from tui.db import applier

pytestmark = [
    pytest.mark.parametrize("cluster", ["pg18"], indirect=True),
    pytest.mark.parametrize("route", ["direct"]),
]

Moment = Callable[[Event], bool]


async def cancel_when(made: Stage, campaign: Campaign, kind: str, moment: Moment, plan: Plan) -> Case | None:
    """A run that is cancelled at the first event that `moment` is true of; None when none came."""
    control, struck = Control(), [0.0]

    def on_event(event: Event) -> None:
        if not struck[0] and moment(event):
            struck[0] = monotonic()
            control.cancel()

    word, seen = await drive(made.target, plan, made.journals, control=control, on_event=on_event)
    if not struck[0]:
        await made.set_up()
        return None
    return await made.judge(campaign, kind, moment_of(seen[:-1]), word, struck[0])


def nth(number: int) -> Moment:
    left = [number]

    def moment(event: Event) -> bool:
        left[0] -= 1
        return left[0] < 0

    return moment


@pytest.mark.parametrize(("job", "step"), [("apply", 1), ("rehearse", 7), ("lock", 3), ("restore", 5)])
async def test_cancel_at_every_event(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path, job: Job, step: int
) -> None:
    async with stage(make_database, library(), job, f"{cluster.id} {route}", tmp_path) as made:
        commit = len(made.plan().statements) + 6
        for number in range(0, commit + 1, step):
            case = await cancel_when(made, campaign, "cancel at an event", nth(number), made.plan())
            # The promise of Control.cancel: before COMMIT is sent everything is rolled back.
            assert case is None or case.state == "before", case


async def test_cancel_while_waiting_for_a_lock(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path
) -> None:
    async with stage(make_database, library(), "apply", f"{cluster.id} {route}", tmp_path) as made:
        aside = f"{made.database.admin_dsn}&application_name=bystander"
        async with await psycopg.AsyncConnection.connect(aside) as bystander:
            await bystander.execute("lock table auth.users in row exclusive mode")
            plan = made.plan(patience=30.0)
            case = await cancel_when(
                made, campaign, "cancel while waiting for a lock", lambda event: isinstance(event, WaitingForLock), plan
            )
    assert case is not None
    assert case.word == "rolled_back"


class Silence:
    """Holds back the server's answer with `part` in it, behind one with `behind` in it, and all after it; then cancels,
    if told to.
    """

    def __init__(self, part: bytes, control: Control, *, cancelled: bool, behind: bytes = b"") -> None:
        self._part, self.control, self._cancelled, self._behind = part, control, cancelled, behind
        self.struck = 0.0

    async def __call__(self, chunk: Chunk) -> Fate:
        if self.struck or chunk.side != "server":
            return Fate.PASS
        _, found, rest = chunk.data.partition(self._behind) if self._behind else (b"", b"all", chunk.data)
        if found:
            self._behind = b""
        if not found or self._part not in rest:
            return Fate.PASS
        self.struck = monotonic()
        if self._cancelled:
            self.control.cancel()
        return Fate.HOLD


@pytest.mark.parametrize("cancelled", [False, True], ids=["left alone", "cancelled"])
@pytest.mark.parametrize("job", ["apply", "lock"])
async def test_a_line_that_goes_silent(
    cluster: Cluster,
    route: str,
    make_database: MakeDatabase,
    campaign: Campaign,
    tmp_path: Path,
    job: Job,
    cancelled: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Answers stop coming and nothing breaks, as behind a pooler that lost one (facts: migrations 0.5)."""
    monkeypatch.setattr(applier, "CANCEL_GRACE", 0.3)
    async with stage(make_database, library(), job, f"{cluster.id} {route}", tmp_path) as made:
        limits = replace(made.plan().limits, statement_timeout=60 if cancelled else 0.4, silence=0.4)
        for part in (b"CREATE POLICY\0" if job == "apply" else b"DROP POLICY\0", BATCH_ENDS, b"COMMIT\0"):
            silence = Silence(part, Control(), cancelled=cancelled)
            made.line.decide = silence
            word, seen = await drive(made.target, made.plan(limits=limits), made.journals, control=silence.control)
            assert silence.struck
            assert monotonic() - silence.struck < 3
            kind = f"silent line{', cancelled' if cancelled else ''}"
            await made.judge(campaign, kind, f"{part!r} unheard, {moment_of(seen[:-1])}", word, silence.struck)


@pytest.mark.parametrize("more", [0, 30_000], ids=["a small file", "a file that fills every buffer"])
async def test_a_line_that_takes_no_more(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path, more: int
) -> None:
    """In the middle of the batch the line stops taking, and stays: the server would wait for the rest, locks in hand,
    for as long as the connection stands.
    """
    filler = f"select '{'x' * 200}';\n" * more
    bundle = library(PATCH=lambda text: text + filler)
    async with stage(make_database, library(), "apply", f"{cluster.id} {route}", tmp_path) as made:
        made.line.gulp = 4096
        struck = 0.0

        async def stall(chunk: Chunk) -> Fate:
            nonlocal struck
            if struck or chunk.side != "client" or b"drop policy if exists books_read" not in chunk.data:
                return Fate.PASS
            struck = monotonic()
            return Fate.HOLD

        made.line.decide = stall
        word, seen = await drive(made.target, made.plan(bundle), made.journals)
        assert struck
        assert monotonic() - struck < 4
        kind = f"line that takes no more, {'large' if more else 'small'} file"
        case = await made.judge(campaign, kind, moment_of(seen[:-1]), word, struck)
        assert (case.state, case.word) == ("before", "rolled_back")


async def test_an_answer_that_is_lost_is_not_waited_for_as_long_as_a_statement_may_take(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path
) -> None:
    """The server gives up a transaction whose client says nothing; with the usual limits we hear of it at once."""
    async with stage(make_database, library(), "apply", f"{cluster.id} {route}", tmp_path) as made:
        # The catalog of the result: without it nothing is decided.
        silence = Silence(b'{"tables"', Control(), cancelled=False, behind=b"CREATE POLICY\0")
        made.line.decide = silence
        word, seen = await drive(made.target, made.plan(), made.journals)
        assert silence.struck
        assert monotonic() - silence.struck < 6
        case = await made.judge(campaign, "silent line, usual limits", moment_of(seen[:-1]), word, silence.struck)
        assert (case.state, case.word) == ("before", "rolled_back")


@pytest.mark.parametrize("job", ["apply", "lock"])
async def test_a_journal_that_can_not_be_written(
    cluster: Cluster,
    route: str,
    make_database: MakeDatabase,
    campaign: Campaign,
    tmp_path: Path,
    job: Job,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = tmp_path / "taken"
    taken.write_text("a file where the folder should be", encoding="utf-8")
    real = os.fsync
    async with stage(make_database, library(), job, f"{cluster.id} {route}", tmp_path / "journals") as made:
        for kind, folder in (("journal folder is a file", taken), ("journal folder can not be made", Path("/proc/no"))):
            word, seen = await drive(made.target, made.plan(), folder)
            case = await made.judge(campaign, kind, moment_of(seen[:-1]), word, monotonic())
            assert (case.state, case.word) == ("before", "refused")
        for full_at, state in ((1, "before"), (2, "after")):
            calls = [0]

            def full(descriptor: int, at: int = full_at, calls: list[int] = calls) -> None:
                calls[0] += 1
                if calls[0] == at:
                    raise OSError(28, "No space left on device")
                real(descriptor)

            monkeypatch.setattr(os, "fsync", full)
            word, seen = await drive(made.target, made.plan(), made.journals)
            monkeypatch.setattr(os, "fsync", real)
            kind = f"disk full at the journal's line {full_at}"
            case = await made.judge(campaign, kind, moment_of(seen[:-1]), word, monotonic())
            assert case.state == state
