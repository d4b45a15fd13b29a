"""The commands that run the engine: rehearse, apply, rollback."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tui.commands import documents, shapes, words
from tui.commands.migration_file import MigrationFile
from tui.commands.progress import Progress
from tui.commands.proof_documents import matrix_document
from tui.commands.report import keep, leaks, report_of, say_layers
from tui.commands.session import ask, open_session
from tui.core.bundle import Bundle
from tui.core.deck import Control, Problem
from tui.core.report import Report
from tui.core.report_json import layer_tallies
from tui.core.run import Finished, Outcome, Phase, Plan, RollbackMode, RunState, advance, plan_of
from tui.exits import Exit, Stop
from tui.identity import client_host, operator
from tui.loop import at_signal
from tui.options import Options
from tui.output import Output

if TYPE_CHECKING:
    from tui.db.session import Session

EXITS = {
    Outcome.REHEARSED: Exit.HEALTHY,
    Outcome.COMMITTED: Exit.HEALTHY,
    Outcome.REFUSED: Exit.REFUSED,
    Outcome.ROLLED_BACK: Exit.ROLLED_BACK,
    Outcome.UNKNOWN: Exit.UNKNOWN,
}


def rehearse(options: Options, *, mode: RollbackMode | None, as_json: bool) -> int:
    """Run the patch, or a rollback in `mode`, in a transaction that is rolled back, and say how it went."""
    return _run(options, lambda bundle: replace(plan_of(bundle, mode), rehearse=True), as_json)


def apply(
    options: Options,
    *,
    confirm: str,
    patience: float,
    again: bool,
    record_supabase: bool,
    online: bool,
    as_json: bool,
) -> int:
    """Run the patch and commit it if every check passes; `patience` in seconds."""

    def planned(bundle: Bundle) -> Plan:
        plan = Plan(bundle, confirmed=confirm, patience=patience, again=again)
        return replace(plan, record_supabase=record_supabase, online=online)

    return _run(options, planned, as_json)


def rollback(options: Options, *, confirm: str, mode: RollbackMode, as_json: bool) -> int:
    """Take the patch back in the given mode."""
    return _run(options, lambda bundle: replace(plan_of(bundle, mode), confirmed=confirm), as_json)


def _run(options: Options, planned: Callable[[Bundle], Plan], as_json: bool) -> int:
    out = Output(ascii_only=options.ascii)
    session = open_session(options, out)
    plan = replace(planned(session.bundle), operator=operator(), client_host=client_host())
    file = MigrationFile(plan, out) if plan.record_supabase else None

    async def question(session: Session) -> tuple[Plan, RunState, Finished, Report | None]:
        # A wrong confirmation is refused before anything is sent, by the engine.
        named = plan.rehearse or plan.confirmed == session.destination.database
        if named:
            with suppress(Problem):  # the run meets it too, and ends with the words for it
                await session.sign_in()
        whole = replace(plan, restore=(await session.preview(plan)).restore) if plan.restores and named else plan
        state, end = await _follow(session, whole, out)
        return whole, state, end, await report_of(session, whole, state, end, out)

    plan, state, end, made = ask(session, question)
    kept = file.keep(end) if file is not None else None
    report = keep(made, out) if made is not None else None
    if as_json:
        document: shapes.RunDocument = {
            **documents.run(session, plan, state, end),
            "isolation": matrix_document(state.matrix) if state.matrix is not None else None,
            "migration_file": kept,
            "report": report,
            "layers": layer_tallies(made.layers) if made is not None and made.layers else None,
        }
        out.json(document)
    else:
        words.ending(out, plan, state, end)
        if made is not None:
            say_layers(made, out)
    return Exit.FAILED if leaks(made) else _exit_code(state, end)


async def _follow(session: Session, plan: Plan, out: Output) -> tuple[RunState, Finished]:
    """Run the plan with progress on standard error; returns the last event and the state just before it."""
    control, state = Control(), RunState(total=len(plan.statements))
    progress = Progress(plan, session.destination, out)
    with _known_end(), _cancelled_by_signals(control, progress):
        async for event in session.run(plan, control):
            progress.show(event)
            if isinstance(event, Finished):
                return state, event
            state = advance(state, event)
        raise AssertionError("a run's last event is Finished")


class _known_end:  # noqa: N801 - reads as the verb it is in a `with`
    """Whatever throws a run out of its way: its outcome is then not known, which is exit code 6 and what to do."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None:
            left = isinstance(error, asyncio.CancelledError)
            message = (
                "left before the run had ended" if left else f"a defect in patchdeck: {type(error).__name__}: {error}"
            )
            # The server rolls back what was not committed within a second of losing us; only then is there an answer.
            raise Stop(Exit.UNKNOWN, message, "in a few seconds `patchdeck status` says what became of it") from (
                None if left else error
            )


@contextmanager
def _cancelled_by_signals(control: Control, progress: Progress) -> Iterator[None]:
    """The first SIGINT, SIGTERM or SIGHUP asks the run to stop and roll back, a second one leaves at once."""
    task = asyncio.current_task()

    def stop() -> None:
        if control.cancelled and task is not None:
            task.cancel()
        else:
            control.cancel()
            progress.cancelling()

    with at_signal(stop):
        yield


def _exit_code(state: RunState, end: Finished) -> Exit:
    """The exit code of a run's end; `state` is the one just before it: refused while connecting is "no connection"."""
    if end.outcome is Outcome.REFUSED and state.phase is Phase.CONNECTING and end.problem != "query":
        return Exit.UNREACHABLE
    return EXITS[end.outcome]
