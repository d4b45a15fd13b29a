"""The JSON documents of the commands: their keys are the contract of design `cli` and change only on purpose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tui.core.deck import Aim, Deck, Destination
from tui.core.look import Look, RunRecord, Server

if TYPE_CHECKING:
    # A glance's document needs nothing of plans and runs, and waits for what is loaded.
    from tui.commands import shapes
    from tui.core.bundle import Bundle
    from tui.core.check import Check
    from tui.core.plan import Preview
    from tui.core.preflight import PreflightCheck
    from tui.core.restore import Loss, Restore
    from tui.core.run import Failure, Finished, Plan, RunState
    from tui.core.surface import Change, ChangeKind
    from tui.core.verdict import Verdict


def place(destination: Destination) -> shapes.Place:
    """`target` of what may not have been reached: where it goes."""
    return {
        "name": destination.name,
        "environment": destination.environment,
        "host": destination.host,
        "port": destination.port,
        "database": destination.database,
        "user": destination.user,
        "read_only": destination.read_only,
    }


def target(destination: Destination, server: Server) -> shapes.Target:
    """`target`: where it goes, and what was found there."""
    return {
        **place(destination),
        "database": server.database,
        "user": server.user,
        "pooled": server.pooled,
        "mode": server.mode,
        "server_version": server.version,
        "tls": server.tls,
        "tls_verified": server.tls_verified,
        "rtt_seconds": server.rtt,
    }


def bundle(loaded: Bundle) -> shapes.Bundle:
    """`bundle`: what is being judged or run."""
    return {"name": loaded.name, "version": loaded.version, "checksum": loaded.checksum}


def run_record(record: RunRecord) -> shapes.Run:
    """One row of the ledger."""
    return {
        "run_id": record.run_id,
        "bundle": record.bundle,
        "version": record.version,
        "checksum": record.checksum,
        "action": record.action,
        "mode": record.mode,
        "operator": record.operator,
        "client_host": record.client_host,
        "server_version": record.server_version,
        "started_at": record.started_at,
        "finished_at": record.finished_at,
        "seconds": record.seconds,
        "lock_hold_seconds": record.lock_seconds,
        "statements": record.statements,
        "outcome": record.outcome,
    }


def _verdict(verdict: Verdict) -> shapes.Verdict:
    return {
        "verdict": verdict.state,
        "healthy": verdict.healthy,
        "headline": verdict.headline,
        "message": verdict.sentence,
        "checks": {
            "total": verdict.total,
            "passed": verdict.passed,
            "failed": verdict.failed,
            "not_proven": verdict.not_proven,
        },
    }


def status(deck: Aim, look: Look) -> shapes.Status:
    """`status --json`."""
    return {
        "target": target(deck.destination, look.server),
        "bundle": bundle(deck.bundle),
        **_verdict(look.verdict),
        "last_run": run_record(look.last_run) if look.last_run else None,
        "earlier_runs": [
            {"action": run.action, "at": run.at, "outcome": run.fate, "message": run.said} for run in look.earlier
        ],
    }


def check(judged: Check) -> shapes.Check:
    """One check, its keys in the contract's order."""
    return {
        "layer": judged.layer,
        "object": judged.object,
        "table": judged.table,
        "name": judged.name,
        "outcome": judged.outcome,
        "expected": judged.expected,
        "actual": judged.actual,
        "why": judged.why,
    }


def plan(deck: Deck, look: Look, wanted: Plan, preview: Preview) -> shapes.Plan:
    """`plan --json`: what would become of each object, with the place of the statement that does it."""
    lines = [statement.line for statement in wanted.statements]
    return {
        "target": target(deck.destination, look.server),
        "bundle": bundle(deck.bundle),
        **_verdict(look.verdict),
        "action": wanted.action,
        "mode": wanted.mode if wanted.action == "rollback" else None,
        "file": wanted.file,
        "statements": len(lines),
        "obstacle": preview.obstacle or None,
        **_restore(preview.restore),
        "summary": dict(Counter(item.verb for item in preview.items)),
        "items": [
            {
                "verb": item.verb,
                "object": item.object,
                "table": item.table,
                "line": None if item.statement is None else lines[item.statement],
                "definition": item.definition,
            }
            for item in preview.items
        ],
        "counts": [
            {"title": count.title, "label": count.label, "rows": count.rows, "note": count.note}
            for count in preview.counts
        ],
    }


def _restore(found: Restore | None) -> shapes.Restore:
    """What a restore can not put back, and what it keeps back on purpose; null for what restores nothing."""

    def listed(losses: Iterable[Loss]) -> list[shapes.Loss]:
        return [{"object": loss.object, "reason": loss.reason} for loss in losses]

    if found is not None:
        from tui.core.restore_words import meaning

    return {
        "meaning": list(meaning(found)) if found else None,
        "not_restored": listed(found.losses) if found else None,
        "kept_back": listed(found.withheld) if found else None,
    }


def run(deck: Deck, wanted: Plan, state: RunState, end: Finished) -> shapes.RunResult:
    """`rehearse`, `apply`, `rollback --json`. What was rolled back again was not created: its lists are empty then."""
    from tui.core.run import Outcome

    outcomes: dict[Outcome, shapes.RunOutcome] = {
        Outcome.REHEARSED: "rehearsed",
        Outcome.COMMITTED: "committed",
        Outcome.ROLLED_BACK: "rolled_back",
        Outcome.REFUSED: "refused",
        Outcome.UNKNOWN: "unknown",
    }
    failure = state.failure
    changes = () if end.outcome in (Outcome.ROLLED_BACK, Outcome.REFUSED) else state.changes
    return {
        "target": place(deck.destination),
        "bundle": bundle(deck.bundle),
        "action": "rehearse" if wanted.rehearse else wanted.action,
        "mode": wanted.mode if wanted.action == "rollback" else None,
        **_restore(wanted.restore),
        "outcome": outcomes[end.outcome],
        "message": end.reason,
        "state": end.state,
        "next_step": end.next_step,
        "statements": {
            "total": len(wanted.statements),
            "done": state.done,
            "failed": int(failure is not None and failure.index is not None),
        },
        "failed_statement": _failure(failure) if failure else None,
        "created": _objects(changes, "created"),
        "altered": _objects(changes, "altered"),
        "dropped": _objects(changes, "dropped"),
        "unchanged": _objects(changes, "unchanged"),
        "failed_checks": [check(judged) for judged in state.checks if not judged.ok],
        "seconds": end.seconds,
        "lock_hold_seconds": end.lock_seconds,
        "readers_blocked_seconds": end.alone_seconds,
        "round_trips": end.round_trips,
        "attempts": state.attempts,
        "verdict": end.verdict.state if end.verdict else None,
    }


def _objects(changes: Iterable[Change], kind: ChangeKind) -> list[str]:
    return [change.object for change in changes if change.kind == kind]


def _failure(failure: Failure) -> shapes.FailedStatement:
    return {
        "index": failure.index,
        "file": failure.file,
        "line": failure.line,
        "column": failure.column,
        "sqlstate": failure.sqlstate,
        "message": failure.message,
        "detail": failure.detail,
        "hint": failure.hint,
    }


def doctor(deck: Deck, server: Server, checks: Iterable[PreflightCheck], round_trips: Sequence[float]) -> shapes.Doctor:
    """`doctor --json`; `round_trips` in seconds, as measured one after the other."""
    from statistics import median

    return {
        "target": target(deck.destination, server),
        "role": {"name": server.user, "superuser": server.superuser, "bypass_rls": server.bypass_rls},
        "writable": server.writable,
        "round_trip": {
            "median_seconds": median(round_trips),
            "best_seconds": min(round_trips),
            "worst_seconds": max(round_trips),
        },
        "checks": [
            {"name": found.name, "level": found.level, "meaning": found.meaning, "remedy": found.remedy}
            for found in checks
        ],
    }


def history(deck: Aim, look: Look) -> shapes.History:
    """`history --json`, newest run first."""
    return {
        "target": target(deck.destination, look.server),
        "bundle": bundle(deck.bundle),
        "runs": [run_record(record) for record in look.runs],
    }
