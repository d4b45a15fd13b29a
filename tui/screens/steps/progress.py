"""A run as lines: how far it is, what it waits for, what it heard, and in the end how it ended."""

from __future__ import annotations

from collections.abc import Sequence

from tui.core.aftermath import counted
from tui.core.check import Check
from tui.core.locks import Node, tree
from tui.core.proof_words import isolation_said
from tui.core.report import label
from tui.core.run import Blocker, Building, Failure, Finished, Outcome, Phase, Plan, RunState, Validating
from tui.core.statements import title
from tui.core.text import Glyphs, count, duration, one_line
from tui.screens.steps.step import behind, cleaned, ending_lines, field, hanging, heading, paragraph
from tui.screens.steps.walk import Run
from tui.theme import Role
from tui.widgets.checklist import OUTCOME_WORDS, bare
from tui.widgets.lines import Line, Span, justify, line

NOTICES = 5
"""Warnings shown, the newest."""
FAILURES = 30
ONWARD = "enter goes on to the confirmation."
AROUND = 1
"""Lines of the file above and below the one that failed."""

PHASES = {
    Phase.IDLE: "not begun",
    Phase.CONNECTING: "connecting",
    Phase.PREFLIGHT: "looking at the database once more",
    Phase.LOCKING: "taking the locks; if one is not free at once, everything is let go",
    Phase.RUNNING: "running the statements in one transaction",
    Phase.VERIFYING: "reading the catalog inside the transaction and checking the result",
    Phase.PROVING: "trying on the result who can reach which rows, as each role",
    Phase.COMMITTING: "COMMIT is sent; it can not be called back any more",
}


def run_lines(run: Run, cells: int, glyphs: Glyphs) -> list[Line]:
    """The run as it stands."""
    if run.end is not None:
        return end_lines(run.plan, run.state, run.end, cells, glyphs)
    state = run.state
    lines = [*_bar(run, cells, glyphs), Line()]
    if run.control.cancelled:
        word = f"{glyphs.wait} cancelling: everything is being rolled back"
        lines += paragraph(word, cells, "warn!")
    elif state.online is not None and state.phase in (Phase.BUILDING, Phase.VALIDATING):
        lines += paragraph(online_words(state.online), cells, "live")
        lines += paragraph("Nobody is kept from reading or writing meanwhile.", cells, "dim")
    elif state.phase is Phase.WAITING or (state.phase is Phase.LOCKING and state.blockers):
        lines += waiting_lines(run.plan, state, cells, glyphs)
    else:
        lines += paragraph(PHASES.get(state.phase, ""), cells, "live")
    lines += _statement(run, cells)
    lines += notice_lines(run.plan, state, cells)
    return lines


def _bar(run: Run, cells: int, glyphs: Glyphs) -> list[Line]:
    """How much is done, as a bar and in numbers that do not move sideways."""
    state = run.state
    total = max(1, state.total)
    digits = len(str(total))
    right = f"  {100 * state.done // total:>3} %  {state.done:>{digits}} of {total}  {int(run.elapsed):>3} s"
    width = max(4, min(60, cells - len(right)))
    full = width * state.done // total
    return [
        line((glyphs.thumb * full, "live"), (("-" if glyphs.ascii else "░") * (width - full), "dim"), (right, "text"))
    ]


def _statement(run: Run, cells: int) -> list[Line]:
    """The statement the server is at, with its place in the file."""
    state, statements = run.state, run.plan.statements
    if state.phase is not Phase.RUNNING or state.done >= len(statements):
        return []
    statement = statements[state.done]
    place: Span = (f"{one_line(run.plan.source(state.done), 40)}:{statement.line}", "dim")
    return [Line(justify(((title(statement), "text"),), (place,), cells))]


def online_words(event: Building | Validating) -> str:
    """The index being built before the transaction, or the constraint being validated after it."""
    what = f"{one_line(event.name, 80)} on {one_line(event.table, 120)}, {event.at} of {event.total}"
    if isinstance(event, Validating):
        return f"committed; validating {what}"
    share = "" if event.done is None else f", {event.done:.0%}"
    phase = f" ({one_line(event.phase, 60)})" if event.phase else ""
    return f"building {what}: {duration(int(event.seconds))}{share}{phase}"


def waiting_lines(plan: Plan, state: RunState, cells: int, glyphs: Glyphs) -> list[Line]:
    """Why it waits: who holds what, since when, doing what; and for how long it goes on trying."""
    waited = f"waited {int(state.waited)} s of {int(plan.patience)} s, next try in {state.retry_in:.1f} s"
    lines = behind(((f"{glyphs.wait} a lock is not free: ", "warn!"),), waited, cells)
    lines += paragraph("Everything was let go meanwhile: nobody waits for us.", cells, "dim", indent=2)
    for node in tree(state.blockers):
        held = [blocker for blocker in state.blockers if blocker.pid == node.session.pid and blocker.blocks]
        lines += [Line(), *_blocker(node, held, cells)]
    return lines


def _blocker(node: Node[Blocker], held: Sequence[Blocker], cells: int) -> list[Line]:
    """A session, what it holds of what we want, and whom it waits for, below whom it then stands."""
    blocker, indent = node.session, 2 * min(node.depth, 4)
    who = one_line(blocker.application or "no application name", 60)
    since = f"{one_line(blocker.state, 40)}, its transaction began {duration(int(blocker.age))} ago"
    head = " " * indent + f"  process {blocker.pid or 'prepared transaction'}  "
    lines = behind(((head, "strong"),), f"{who}, user {one_line(blocker.user, 60)}", cells)
    for one in held:
        what = f"{one_line(one.mode, 40)} on {one_line(one.blocks, 120)}"
        lines += paragraph(what, cells, "warn", indent=indent + 4)
    if blocker.waits_for:
        waits = f"waits for process {', '.join(str(pid) for pid in blocker.waits_for)}"
        lines += paragraph(waits, cells, "warn", indent=indent + 4)
    elif node.behind:
        lines += paragraph(f"keeps {counted(node.behind, 'other')} of these waiting", cells, "warn", indent=indent + 4)
    lines += paragraph(since, cells, indent=indent + 4)
    return lines + paragraph(one_line(blocker.query, 300) or "no query", cells, "dim", indent=indent + 4)


def notice_lines(plan: Plan, state: RunState, cells: int, *, whole: bool = False) -> list[Line]:
    """What is more than a NOTICE, the newest first to go; of the others, which every second run has by the dozen, how
    many there were and the newest: in one line while they come, `whole` when it has ended.
    """
    lines = [Line()] if state.warned or state.noticed else []
    if state.warned > NOTICES:
        lines += paragraph(f"{counted(state.warned - NOTICES, 'warning')} before these", cells, "warn")
    for index, notice in state.warnings[-NOTICES:]:
        head = f"{one_line(notice.severity, 12)} line {plan.statements[index].line}  "
        lines += hanging((head, "warn"), one_line(notice.message, 300), cells, "warn")
    if state.newest is not None:
        index, notice = state.newest
        said = f"{counted(state.noticed, 'notice')}, the newest: line {plan.statements[index].line}  {notice.message}"
        lines += paragraph(one_line(said, 500 if whole else cells), cells, "dim")
    return lines


def end_lines(plan: Plan, state: RunState, end: Finished, cells: int, glyphs: Glyphs) -> list[Line]:
    """How a run ended: a word, what happened, what state the database is in, what to do next."""
    word, role = _word(plan, state, end)
    mark = glyphs.ok if role == "ok!" else glyphs.bad
    measured = measures(plan, state, end) if end.ran and state.attempts else ""
    if end.outcome is Outcome.REHEARSED:
        lines = behind(((f"{mark} {word}: ", role),), measured, cells)
        lines += [
            Line(),
            *ending_lines(("", "text"), one_line(end.reason, 1000), one_line(end.state, 500), ONWARD, cells),
        ]
    else:
        said = (one_line(end.reason, 1000), one_line(end.state, 500), one_line(end.next_step, 500))
        lines = [line((f"{mark} {word}", role)), Line(), *ending_lines(("", "text"), *said, cells)]
        lines += field("measured", measured, cells) if measured else []
    lines += _locks(end, cells)
    if state.matrix is not None:
        lines += field("isolation", isolation_said(state.matrix), cells, "dim" if state.matrix.probes else "warn")
    if state.failure is not None:
        lines += [Line(), *failure_lines(plan, state.failure, cells)]
    lines += failed_checks(tuple(check for check in state.checks if not check.ok), cells, glyphs)
    return lines + notice_lines(plan, state, cells, whole=True)


def _locks(end: Finished, cells: int) -> list[Line]:
    """The strong locks that were held, by their mode."""
    modes: dict[str, list[str]] = {}
    for lock in end.locks:
        relation, _, mode = lock.rpartition(" ")
        modes.setdefault(mode if relation else "", []).append(relation or mode)
    lines: list[Line] = []
    for mode, relations in modes.items():
        names = ", ".join(one_line(bare(relation), 120) for relation in relations)
        lines += field("" if lines else "locks", f"{one_line(mode, 40)}: {names}" if mode else names, cells, "dim")
    return lines


def _word(plan: Plan, state: RunState, end: Finished) -> tuple[str, Role]:
    """The outcome as a person reads it; for a rollback "rolled back" would say two opposite things."""
    apply = plan.action == "apply"
    match end.outcome:
        case Outcome.REHEARSED:
            return ("IT WILL WORK", "ok!")
        case Outcome.COMMITTED if not end.ran:
            return ("ALREADY APPLIED" if apply else "ALREADY ROLLED BACK", "ok!")
        case Outcome.COMMITTED:
            return ("COMMITTED" if apply else "COMMITTED: the patch is rolled back", "ok!")
        case Outcome.ROLLED_BACK if plan.rehearse:
            broken = state.failure is not None or any(check.failed for check in state.checks)
            return ("IT WILL NOT WORK" if broken else "NOT REHEARSED TO THE END", "bad!")
        case Outcome.ROLLED_BACK:
            return ("ROLLED BACK: nothing has changed" if apply else "UNDONE: nothing has changed", "bad!")
        case Outcome.REFUSED:
            return ("REFUSED: nothing has changed", "bad!")
        case Outcome.UNKNOWN:
            return ("OUTCOME NOT KNOWN YET", "bad!")


def measures(plan: Plan, state: RunState, end: Finished) -> str:
    """What a run cost, in one sentence."""
    held = f"locks on {counted(len(end.locks), 'existing table')} held" if end.locks else "locks held"
    parts = [
        f"{count(state.done)} of {count(len(plan.statements))} statements",
        duration(end.seconds),
        f"{held} {end.held}",
    ]
    if state.rows:
        parts.append(f"{counted(state.rows, 'row')} written")
    if state.checks:
        parts.append(f"{count(sum(check.ok for check in state.checks))} of {count(len(state.checks))} checks pass")
    if state.attempts > 1:
        parts.append(f"{state.attempts} attempts")
    return ", ".join(parts)


def failure_lines(plan: Plan, failure: Failure, cells: int) -> list[Line]:
    """The statement that failed: where, what the server said, and the lines of the file around it."""
    lines = [heading("What failed")]
    lines += field("at", one_line(failure.place, 200), cells, "strong") if failure.place else []
    lines += field("SQLSTATE", failure.sqlstate, cells) if failure.sqlstate else []
    lines += field("server", cleaned(failure.message), cells, "bad")
    lines += field("detail", cleaned(failure.detail), cells) if failure.detail else []
    lines += field("hint", cleaned(failure.hint), cells) if failure.hint else []
    if failure.index is not None:
        lines += [Line(), *_excerpt(plan, failure, failure.index)]
    return lines


def _excerpt(plan: Plan, failure: Failure, index: int) -> list[Line]:
    """The failing line of the file and its neighbours, with their numbers and a mark under the column."""
    statement = plan.statements[index]
    source = statement.text.splitlines()
    failing = (failure.line or statement.line) - statement.line
    first = max(0, failing - AROUND)
    lines: list[Line] = []
    for at, text in list(enumerate(source))[first : failing + AROUND + 1]:
        # The first line of a statement may begin in the middle of a line of the file.
        shown = " " * (statement.column - 1) + text if at == 0 else text
        number = f"{statement.line + at:>5}  "
        lines.append(line((number, "dim"), (cleaned(shown, 400), "text" if at == failing else "dim")))
        if at == failing and failure.column:
            lines.append(line((" " * (len(number) + failure.column - 1) + "^", "bad!")))
    return lines


def failed_checks(checks: tuple[Check, ...], cells: int, glyphs: Glyphs) -> list[Line]:
    """The checks that do not hold, each with what it means."""
    if not checks:
        return []
    lines = [Line(), heading(f"{counted(len(checks), 'check')} {'does' if len(checks) == 1 else 'do'} not hold")]
    for check in checks[:FAILURES]:
        head: tuple[Span, ...] = ((f"{glyphs.bad} ", "bad"),)
        lines += behind(head, f"{one_line(label(check), 200)}: {OUTCOME_WORDS[check.outcome]}", cells)
        lines += paragraph(one_line(check.why, 400), cells, "dim", indent=2) if check.why else []
        for name, text in (("expected", check.expected), ("found", check.actual)):
            lines += behind(((f"  {name:<9}", "dim"),), one_line(text, 400), cells, "dim") if text else []
    if len(checks) > FAILURES:
        lines += paragraph(f"{count(len(checks) - FAILURES)} more are in the report", cells, "dim")
    return lines
