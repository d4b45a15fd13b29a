"""The report of a run: made again from the ledger on request, and written by the commands that run the engine."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tui.commands import shapes
from tui.commands.session import ask, open_session
from tui.core.deck import Problem
from tui.core.report import Report
from tui.core.report_json import as_json
from tui.core.report_ledger import from_ledger
from tui.core.report_markdown import markdown
from tui.core.run import Finished, Outcome, Plan, RunState
from tui.exits import Exit, Stop
from tui.options import Options
from tui.output import CAREFUL, Output, plain
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


async def report_of(session: Session, plan: Plan, state: RunState, end: Finished) -> Report | None:
    """The report of a run that just ended, None for a rehearsal and where nothing was tried.

    What was committed is looked at once more, so that the report says what stands there now and knows the run's id.
    """
    if plan.rehearse or not state.attempts:
        return None
    look = None
    if end.outcome is Outcome.COMMITTED:
        with suppress(Problem):  # the report says less then; the run is what it is
            look = await session.look()
    at = look.taken_at if look else datetime.now(UTC)
    verified = look.checks if look and plan.action == "apply" else ()
    return Report(plan, session.destination, state, end, at=at, after=look, verified=verified)


def keep(made: Report, out: Output) -> shapes.ReportFiles | None:
    """Write both forms and say where; None, and why, where they can not be written: the run stands all the same."""
    try:
        files = write_report(made)
    except OSError as error:
        out.notice(("warning: ", CAREFUL), f"the report could not be written: {error.strerror}")
        return None
    out.notice(f"report: {plain(str(files.markdown), 1000)}")
    return {"markdown": str(files.markdown), "json": str(files.json)}
