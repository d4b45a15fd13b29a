"""The real command as a process: killed, frozen and told to stop at every phase; then the next start is asked."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest

from tests.cli.support import environment
from tests.db.test_applier import LIBRARY, library
from tests.faults.campaign import Campaign, Case, Job, Stage, Word, line_dsn, stage
from tests.faults.line import BATCH_ENDS, Chunk, Fate, Side
from tests.support import ROOT, Cluster, MakeDatabase
from tui.core.run import Outcome
from tui.db import journal
from tui.exits import Exit

OUTCOMES = {
    Exit.UNREACHABLE: Outcome.REFUSED,
    Exit.REFUSED: Outcome.REFUSED,
    Exit.ROLLED_BACK: Outcome.ROLLED_BACK,
    Exit.UNKNOWN: Outcome.UNKNOWN,
}


Moment = Callable[[Chunk], bool]


def at_chunk(side: Side, number: int) -> Moment:
    return lambda chunk: (chunk.side, chunk.number) == (side, number)


def at_answer(part: bytes) -> Moment:
    """The server's answer with a command tag, or another part of the protocol, in it."""
    return lambda chunk: chunk.side == "server" and part in chunk.data


class Struck:
    """Sends a signal to a process when a chunk of the line comes by, which is delivered all the same."""

    def __init__(self, moment: Moment, blow: signal.Signals) -> None:
        self._moment, self._blow = moment, blow
        self.pid = 0
        self.at = 0.0
        self.happened = asyncio.Event()

    async def __call__(self, chunk: Chunk) -> Fate:
        if not self.at and self._moment(chunk):
            self.at = monotonic()
            self.happened.set()
            os.kill(self.pid, self._blow)
        return Fate.PASS


async def start(made: Stage) -> asyncio.subprocess.Process:
    """`patchdeck` at the stage's job, through its line."""
    name = made.database.name
    command = {
        "apply": ["apply", "--confirm", name],
        "rehearse": ["rehearse"],
        "lock": ["rollback", "--mode", "lock", "--confirm", name],
    }[made.job]
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tui", "--bundle", str(LIBRARY), *command,
        cwd=ROOT, env=environment(line_dsn(made.line, made.database)), stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip


async def strike(
    made: Stage, campaign: Campaign, moment: Moment, blow: signal.Signals, *, frozen: bool = False
) -> Case | None:
    """One run struck at one chunk; `frozen`: only thawed once its locks are gone. None when the chunk did not come."""
    struck = Struck(moment, blow)
    made.line.decide = struck
    process = await start(made)
    struck.pid = process.pid
    waiting = asyncio.create_task(process.communicate())
    frozen_for = 0.0
    if frozen:
        await asyncio.wait((waiting, asyncio.create_task(struck.happened.wait())), return_when=asyncio.FIRST_COMPLETED)
        frozen_for = await made.wait_for_locks(struck.at or monotonic())
        process.send_signal(signal.SIGCONT)
    async with asyncio.timeout(30):
        out, said = await waiting
    assert process.returncode is not None
    if not struck.at:
        await made.set_up()
        return None
    assert b"Traceback" not in said, said
    done = Outcome.REHEARSED if made.job == "rehearse" else Outcome.COMMITTED
    code = process.returncode
    reason = out.decode().strip()[-200:] or said.decode().strip()[-200:]
    word = Word(done if code == 0 else OUTCOMES[Exit(code)], True, reason) if code >= 0 else None
    last_line = said.decode().strip().splitlines()[-1:]
    case = await made.judge(campaign, f"client {blow.name}", f"{last_line}", word, struck.at)
    assert frozen_for <= 3, f"locks of a frozen client lived for {frozen_for:.1f} s"
    return case


@pytest.fixture
def journals() -> Path:
    """Where the child, which has this process's environment, keeps its journals."""
    return journal.folder()


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize(("job", "step"), [("apply", 1), ("rehearse", 4), ("lock", 3)])
async def test_killed(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, journals: Path, job: Job, step: int
) -> None:
    """SIGKILL at every chunk of the client, and at some of the server's."""
    step = step if route == "direct" else 6
    async with stage(make_database, library(), job, f"{cluster.id} {route}", journals) as made:
        struck = 0
        for number in range(1, 15, step):
            if await strike(made, campaign, at_chunk("client", number), signal.SIGKILL) is None:
                break
            struck += 1
        for number in range(8, 40, 5 * step):
            if await strike(made, campaign, at_chunk("server", number), signal.SIGKILL) is None:
                break
            struck += 1
        assert struck > 3


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_told_to_stop(
    cluster: Cluster,
    route: str,
    make_database: MakeDatabase,
    campaign: Campaign,
    journals: Path,
    blow: signal.Signals,
) -> None:
    async with stage(make_database, library(), "apply", f"{cluster.id} {route}", journals) as made:
        for number in (10, 18):
            case = await strike(made, campaign, at_chunk("server", number), blow)
            assert case is None or case.word in ("rolled_back", "committed")


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
async def test_frozen(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, journals: Path
) -> None:
    """A stopped client keeps its connection and says nothing: the server ends its transaction, locks and all."""
    async with stage(make_database, library(), "apply", f"{cluster.id} {route}", journals) as made:
        for part in (b"CREATE POLICY\0", BATCH_ENDS, b"COMMIT\0"):
            case = await strike(made, campaign, at_answer(part), signal.SIGSTOP, frozen=True)
            assert case is not None
            if part != BATCH_ENDS:  # with that COMMIT may be on the line already
                assert case.state == ("after" if part == b"COMMIT\0" else "before")
