"""What the commands say to a person: the text form of looks, plans and runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from tui.core.deck import Aim, Destination
from tui.core.look import LEDGER_SAID, Look, Server
from tui.core.said import label, route, tls
from tui.core.text import age, count, duration
from tui.output import BAD, CAREFUL, DIM, GOOD, LIVE, Output, plain

if TYPE_CHECKING:
    # The glance must be quick: it loads nothing of runs and plans.
    from tui.core.check import Check, Outcome
    from tui.core.plan import Preview
    from tui.core.preflight import PreflightCheck
    from tui.core.restore import Restore
    from tui.core.run import Finished, Plan, RunState
    from tui.core.verdict import Verdict

WORST_FIRST: tuple[Outcome, ...] = ("leak", "finding", "unexpected", "differs", "missing", "not_proven", "ok")
SHOWN = 10
"""Lines of trouble on the glance; `verify` has all of them."""


def place(destination: Destination) -> str:
    """`user@host:port/database`, cleaned."""
    return plain(f"{destination.user}@{destination.host}:{destination.port}/{destination.database}")


def environment(destination: Destination) -> tuple[str, str]:
    """What the database is for, as the end of a line: production in the colour of what is broken."""
    if destination.environment == "production":
        return "  PRODUCTION", f"bold {BAD}"
    return f"  {destination.environment}", DIM


def connection(server: Server) -> str:
    """How the database is reached, for one line."""
    return plain(f"PostgreSQL {server.version} {route(server)}, {tls(server)}, round trip {duration(server.rtt)}")


def status(out: Output, deck: Aim, look: Look) -> None:
    """The glance."""
    headline(out, deck, look)
    verdict = look.verdict
    out.line(f"  {counted(verdict)}. {plain(verdict.sentence, 500)}")
    _last_run(out, look)
    troubles = gathered(check for check in look.checks if not check.ok)
    for check in troubles[:SHOWN]:
        trouble(out, check)
    if len(troubles) > SHOWN:
        out.line((f"  {count(len(troubles) - SHOWN)} more: patchdeck verify", DIM))


def counted(verdict: Verdict) -> str:
    """How many checks hold, fail and are not proven."""
    parts = [f"checks {count(verdict.passed)}/{count(verdict.total)}"]
    parts += [f"{count(verdict.failed)} failed"] if verdict.failed else []
    parts += [f"{count(verdict.not_proven)} not proven"] if verdict.not_proven else []
    return ", ".join(parts)


def headline(out: Output, deck: Aim, look: Look) -> None:
    """The verdict and where it was reached."""
    mark, style = _verdict_mark(out, look.verdict)
    bundle = plain(f"{deck.bundle.name} {deck.bundle.version}")
    verdict, where = (f"{mark} {look.verdict.headline}", f"bold {style}"), deck.destination
    out.line(verdict, f"  {bundle}  ", (place(where), DIM), environment(where))
    out.line((f"  {connection(look.server)}", DIM))
    for earlier in look.earlier:
        out.line("  ", (out.marks.warn, CAREFUL), f" {plain(earlier.said, 500)}")


def _verdict_mark(out: Output, verdict: Verdict) -> tuple[str, str]:
    if verdict.healthy:
        return out.marks.ok, GOOD
    return (out.marks.bad, BAD) if verdict.failed else (out.marks.warn, CAREFUL)


def _last_run(out: Output, look: Look) -> None:
    if look.last_run is None:
        out.line((f"  {LEDGER_SAID[look.ledger]}", DIM))
        return
    run = look.last_run
    out.line((f"  last run: {last_run(look)}, {plain(run.outcome)}, took {duration(run.seconds)}", DIM))


def last_run(look: Look) -> str:
    """The newest recorded run in a few words."""
    run = look.last_run
    if run is None:
        return "no recorded run"
    ago = age(max((look.taken_at - run.finished_at).total_seconds(), 0))
    who = plain(f"{run.operator or 'somebody'}@{run.client_host or 'somewhere'}")
    return f"{plain(run.name)} by {who} {ago}"


def gathered(checks: Iterable[Check]) -> list[Check]:
    """Worst first; of a relation that is missing only that is said, not each of its columns and grants."""
    troubles = list(checks)
    relations = ("table", "view")
    absent = {check.name for check in troubles if check.object in relations and check.outcome == "missing"}
    kept = [check for check in troubles if check.object in relations or check.table not in absent]
    return sorted(kept, key=lambda check: WORST_FIRST.index(check.outcome))


def trouble(out: Output, check: Check, *, definitions: bool = False) -> None:
    """One check that does not hold, with what that means; `definitions` adds what was expected and what is there."""
    doubt = check.outcome == "not_proven"
    mark, style = (out.marks.warn, CAREFUL) if doubt else (out.marks.bad, BAD)
    out.line("  ", (mark, style), f" {plain(label(check))}: ", (check.outcome.replace("_", " "), style))
    if check.why:
        out.line((f"      {plain(check.why, 500)}", DIM))
    if definitions:
        for name, definition in (("expected", check.expected), ("actual  ", check.actual)):
            if definition:
                out.line((f"      {name}  {plain(definition, 1000)}", DIM))


def plan(out: Output, deck: Aim, look: Look, wanted: Plan, preview: Preview) -> None:
    """What apply would do, table by table; what would be dropped or replaced with what is there now."""
    headline(out, deck, look)
    if preview.obstacle:
        out.line((f"{out.marks.bad} there is no way: ", BAD), plain(preview.obstacle, 2000))
        return
    verbs = Counter(item.verb for item in preview.items)
    counted = ", ".join(f"{verb} {count(number)}" for verb, number in verbs.items())
    number = f"{len(wanted.statements)} statements in one transaction"
    out.line(f"  {wanted.files}: {number}: {counted or 'nothing to do'}")
    if preview.restore:
        _restore(out, preview.restore)
    for item in preview.items:
        if item.verb == "leave":
            continue
        style = {"drop": BAD, "replace": CAREFUL, "alter": CAREFUL}.get(item.verb, GOOD)
        where = "" if item.statement is None else f"  {wanted.file}:{wanted.statements[item.statement].line}"
        out.line("  ", (f"{item.verb:<8}", style), plain(item.object), (where, DIM))
        if item.definition and item.verb == "drop":
            out.line((f"             {plain(item.definition, 1000)}", DIM))
    for counted_rows in preview.counts:
        note = f"  ({plain(counted_rows.note)})" if counted_rows.note else ""
        out.line(f"  {plain(counted_rows.title)}: {plain(counted_rows.label)} {count(counted_rows.rows)}", (note, DIM))
    how = "rehearse" if wanted.action == "apply" else f"rehearse --rollback {wanted.mode}"
    out.line((f"  Nothing was executed. Try it for real with: patchdeck {how}", DIM))


def _restore(out: Output, restore: Restore) -> None:
    """What a restore means, and everything that does not come back as it was."""
    from tui.core.restore_words import meaning

    for sentence in meaning(restore):
        out.line(f"  {plain(sentence, 2000)}")
    for verb, style, losses in (("not restored", BAD, restore.losses), ("kept back", CAREFUL, restore.withheld)):
        for loss in losses:
            out.line("  ", (f"{verb}: ", style), f"{plain(loss.object, 500)}: {plain(loss.reason, 1000)}")


def ending(out: Output, wanted: Plan, state: RunState, end: Finished) -> None:
    """How a run ended: what happened, what state the database is in, what to do next (design: ui, rule 5)."""
    from tui.core.run import Outcome as RunOutcome

    good = end.outcome in (RunOutcome.COMMITTED, RunOutcome.REHEARSED)
    mark, style = (out.marks.ok, GOOD) if good else (out.marks.bad, BAD)
    nothing = end.outcome is RunOutcome.COMMITTED and not end.ran
    word = "NOTHING TO DO" if nothing else end.outcome.value.replace("_", " ").upper()
    out.line((f"{mark} {word}", f"bold {style}"), f"  {plain(end.reason, 1000)}")
    if state.failure is not None:
        for name, text in (("detail", state.failure.detail), ("hint", state.failure.hint)):
            if text:
                out.line((f"  {name}: {plain(text, 1000)}", DIM))
    out.line(f"  {plain(end.state, 500)}")
    if end.ran and state.attempts:
        out.line((f"  {_measures(wanted, state, end)}", DIM))
    if state.matrix is not None:
        from tui.core.proof_words import isolation_said

        out.line((f"  isolation on the result: {plain(isolation_said(state.matrix), 1000)}", DIM))
    if good and state.changes:
        kinds = Counter(change.kind for change in state.changes)
        counted = [
            f"{kind} {count(kinds[kind])}" for kind in ("created", "altered", "dropped", "unchanged") if kinds[kind]
        ]
        out.line((f"  {', '.join(counted)}", DIM))
    for check in gathered(check for check in state.checks if not check.ok)[:SHOWN]:
        trouble(out, check, definitions=True)
    if end.next_step:
        out.line(("  next: ", LIVE), plain(end.next_step, 500))


def _measures(wanted: Plan, state: RunState, end: Finished) -> str:
    attempts = "" if state.attempts == 1 else f", {state.attempts} attempts"
    rows = f", {count(state.rows)} rows written" if state.rows else ""
    return (
        f"{state.done} of {len(wanted.statements)} statements in {duration(end.seconds)}{rows}, "
        f"locks held {end.held}; {end.round_trips} round trips{attempts}"
    )


def doctor(out: Output, deck: Aim, server: Server, checks: Sequence[PreflightCheck], round_trip: float) -> None:
    """The connection and every preflight check; `round_trip` in seconds."""
    out.line((place(deck.destination), "bold"), (f"  {connection(server)}", DIM), environment(deck.destination))
    rights = [f"role {server.user}"]
    rights += ["superuser"] if server.superuser else []
    rights += ["bypasses row level security"] if server.bypass_rls else []
    rights += [] if server.writable else ["can only read here"]
    out.line(f"  {plain(', '.join(rights))}; a round trip takes {duration(round_trip)}")
    marks = {"pass": (out.marks.ok, GOOD), "warn": (out.marks.warn, CAREFUL), "stop": (out.marks.bad, BAD)}
    for check in checks:
        mark, style = marks[check.level]
        out.line("  ", (mark, style), f" {plain(check.name)}: {plain(check.meaning, 500)}")
        if check.remedy:
            out.line((f"      {plain(check.remedy, 500)}", DIM))


def history(out: Output, look: Look) -> None:
    """The ledger, newest first."""
    if not look.runs:
        out.line(LEDGER_SAID[look.ledger])
    for run in look.runs:
        good = run.outcome == "committed"
        mark, style = (out.marks.ok, GOOD) if good else (out.marks.bad, BAD)
        out.line(
            (mark, style),
            f" {_moment(run.finished_at)}  {plain(run.name):<16} ",
            (f"{plain(run.outcome):<10}", style),
            f" {duration(run.seconds):>8}  {run.statements:>4} statements  ",
            (plain(f"{run.operator}@{run.client_host}  {run.bundle} {run.version} {run.checksum[:8]}"), DIM),
        )


def _moment(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
