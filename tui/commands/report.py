"""The report of a run: made again from the ledger on request, and written by the commands that run the engine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from tui.commands import shapes
from tui.commands.session import ask, open_session
from tui.core.deck import Problem
from tui.core.proof import BEYOND_STRUCTURE
from tui.core.report import Report
from tui.core.report_json import as_json
from tui.core.report_ledger import from_ledger
from tui.core.report_markdown import markdown
from tui.core.run import Finished, Outcome, Plan, RunState
from tui.core.text import count
from tui.exits import Exit, Stop
from tui.loop import at_signal
from tui.options import Options
from tui.output import BAD, CAREFUL, DIM, GOOD, Output, plain
from tui.report_files import write_private, write_report

if TYPE_CHECKING:
    from tui.core.report_ledger import LedgerRow
    from tui.db.session import Session

Form = Literal["markdown", "json"]


def report(options: Options, *, run: str, form: Form, output: Path | None) -> int:
    """The report of the run whose id begins with `run` ("": the newest), to standard output or a file."""
    out = Output(ascii_only=options.ascii)
    session = open_session(options, out)
    wanted = run.strip().lower()

    async def question(session: Session) -> tuple[LedgerRow, ...]:
        return await session.find_runs(wanted)

    found = ask(session, question)
    if not found:
        what = f"no recorded run's id begins with {plain(run, 60)!r}" if wanted else "no run is recorded there"
        # A ledger that the role may not read looks the same from here; `history` tells them apart.
        said = f"{what} that this role may read, for bundle {plain(session.bundle.name, 60)}"
        raise Stop(Exit.FAILED, said, "patchdeck history")
    if wanted and len(found) > 1:
        raise Stop(Exit.USAGE, f"more than one run's id begins with {plain(run, 60)!r}", "patchdeck history")
    made = from_ledger(session.bundle, session.destination, found[0])
    text = as_json(made) if form == "json" else markdown(made)
    if output is None:
        out.text(text)
        return Exit.HEALTHY
    try:
        write_private(output, text)
    except OSError as error:
        raise Stop(Exit.USAGE, f"{plain(str(output))} can not be written: {error.strerror}") from None
    out.notice(f"written to {plain(str(output))}")
    return Exit.HEALTHY


async def report_of(session: Session, plan: Plan, state: RunState, end: Finished, out: Output) -> Report | None:
    """The report of a run that just ended, None for a rehearsal and where nothing was tried.

    What was committed is looked at once more, and what an apply promises is proven on it, as the dashboard does: the
    report says what stands there now. Nothing that happens here changes how the run ended.
    """
    if plan.rehearse or not state.attempts:
        return None
    made = Report(plan, session.destination, state, end, at=datetime.now(UTC))
    if end.outcome is not Outcome.COMMITTED:
        return made
    try:
        with suppress(Problem), _until_a_signal():
            look = await session.look()
            made = replace(made, at=look.taken_at, after=look)
            if plan.action == "apply":
                made = replace(made, verified=look.checks)
                out.notice(("proving what was committed", DIM))
                proof = await session.prove(BEYOND_STRUCTURE)
                made = replace(made, proof=proof, verified=(*look.checks, *proof.checks))
                made = replace(made, counts_after=(await session.preview(plan)).counts)
    except Exception as error:  # noqa: BLE001 - a defect here must not hide that the run was committed
        from tui.crash import record

        said = f"what was committed could not be looked at: a defect in patchdeck; details in {record(error)}"
        out.notice(("warning: ", CAREFUL), plain(said, 1000))
    return made


@contextmanager
def _until_a_signal() -> Iterator[None]:
    """Leaves what is inside at SIGINT, SIGTERM or SIGHUP: what was committed is reported all the same."""
    task = asyncio.current_task()
    if task is None:
        raise AssertionError("a report is made on a task")
    try:
        with at_signal(task.cancel):
            yield
    except asyncio.CancelledError:
        task.uncancel()


def leaks(made: Report | None) -> bool:
    """Whether the proof of what was committed found that somebody reaches what he must not."""
    return made is not None and made.layers.get("behaviour", ("", ()))[0] == "failed"


def say_layers(made: Report, out: Output) -> None:
    """What was proven beyond the structure, which was judged before COMMIT."""
    for layer, (state, checks) in made.layers.items():
        if layer == "structure":
            continue
        mark, style = {"passed": (out.marks.ok, GOOD), "failed": (out.marks.bad, BAD)}.get(
            state, (out.marks.warn, CAREFUL)
        )
        word = {"passed": "proven", "failed": "FAILED"}.get(state, "NOT PROVEN")
        held = f"  {count(sum(check.ok for check in checks))} of {count(len(checks))} checks hold" if checks else ""
        more = "" if state == "passed" else ": patchdeck verify"
        out.line("  ", (f"{mark} {layer}: {word}", style), (f"{held}{more}", DIM))


def keep(made: Report, out: Output) -> shapes.ReportFiles | None:
    """Write both forms and say where; None, and why, where they can not be written: the run stands all the same."""
    try:
        files = write_report(made)
    except OSError as error:
        out.notice(("warning: ", CAREFUL), f"the report could not be written: {error.strerror}")
        return None
    out.notice(f"report: {plain(str(files.markdown), 1000)}")
    return {"markdown": str(files.markdown), "json": str(files.json)}
