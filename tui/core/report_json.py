"""A report for machines, as JSON: the keys of the commands and more, every text cleaned and without secrets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from tui.core.check import Check, Layer
from tui.core.cleaning import clean
from tui.core.look import Server
from tui.core.plan import Count
from tui.core.proof import LayerState
from tui.core.report import KINDS, Report, address, label
from tui.core.report_tables import Standing
from tui.core.restore import Loss
from tui.core.run import Failure

TEXT_LIMIT = 100_000
"""Characters of one text."""


def document(report: Report) -> dict[str, Any]:
    """The report with the keys of `apply --json` (design: cli) and more; texts are cleaned, times RFC 3339.

    What the ledger did not keep is null, and its keys are in `not_recorded`.
    """
    plan, place, run, end, server = report.plan, report.destination, report.run, report.end, report.server
    raw = {
        "action": report.action,
        "outcome": end.outcome.value,
        "ran": end.ran,
        "message": end.reason,
        "state": end.state,
        "next_step": end.next_step,
        "at": report.at,
        "target": {
            "name": place.name,
            "host": place.host,
            "port": place.port,
            "database": place.database,
            "user": place.user,
            "address": address(place) or None,
            **(_server(server) if server else {}),
        },
        "operator": plan.operator,
        "client_host": plan.client_host,
        "run_id": report.record.run_id if report.record else None,
        "xid": run.xid,
        "bundle": {"name": plan.bundle.name, "version": plan.bundle.version, "checksum": plan.bundle.checksum},
        "file": plan.file,
        "mode": plan.mode if plan.action == "rollback" else None,
        "not_restored": _losses(plan.restore.losses) if plan.restore else None,
        "kept_back": _losses(plan.restore.withheld) if plan.restore else None,
        "rehearsal": report.rehearsal or None,
        "statements": {
            "total": report.total,
            "done": run.done,
            "failed": int(run.failure is not None and run.failure.index is not None),
        },
        "failed_statement": _failed(run.failure) if run.failure else None,
        **{kind: [change.object for change in report.of(kind)] for kind in KINDS},
        "definitions": {
            change.object: {"before": change.before, "after": change.after}
            for change in report.changes
            if change.kind in ("altered", "dropped")
        },
        "seconds": end.seconds,
        "lock_hold_seconds": end.lock_seconds,
        "readers_blocked_seconds": end.alone_seconds,
        "locks": list(end.locks),
        "round_trips": end.round_trips,
        "attempts": run.attempts,
        "verdict": report.after.verdict.state if report.after else None,
        "layers": layer_tallies(report.layers) or None,
        "tables": [_table(one) for one in report.tables],
        "rows_written": [
            {"statement": index, "line": statement.line, "object": statement.object, "rows": rows}
            for index, rows in run.written
            if (statement := plan.statements[index])
        ],
        "checks": {"before_commit": _tally(run.checks), "afterwards": _tally(report.verified)},
        "counts": _counts(report.counts),
        "counts_afterwards": _counts(report.counts_after),
        "notes": list(plan.bundle.manifest.notes),
    }
    unknown = report.not_kept
    known = {key: None if key in unknown else clean(value, TEXT_LIMIT) for key, value in raw.items()}
    return {**known, "not_recorded": list(unknown)}


def as_json(report: Report) -> str:
    """The document as indented JSON text."""
    return json.dumps(document(report), indent=2, ensure_ascii=False) + "\n"


def layer_tallies(layers: Mapping[Layer, tuple[LayerState, tuple[Check, ...]]]) -> dict[Layer, Any]:
    """What each layer came to, counted."""
    return {
        layer: {"state": state, "total": len(checks), "passed": sum(check.ok for check in checks)}
        for layer, (state, checks) in layers.items()
    }


def _table(one: Standing) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "became": one.became,
        "columns": one.columns,
        "added_columns": list(one.added),
        "indexes": list(one.indexes),
        "rls": one.rls,
        "policies": dict(one.policies),
        "triggers": list(one.triggers),
        "grants": dict(one.grants),
        "publications": list(one.publications),
    }


def _counts(counts: Iterable[Count]) -> list[dict[str, Any]]:
    return [{"title": row.title, "label": row.label, "rows": row.rows, "note": row.note} for row in counts]


def _losses(losses: Iterable[Loss]) -> list[dict[str, Any]]:
    return [{"object": loss.object, "reason": loss.reason} for loss in losses]


def _server(server: Server) -> dict[str, Any]:
    return {
        "pooled": server.pooled,
        "mode": server.mode,
        "server_version": server.version,
        "tls": server.tls,
        "tls_verified": server.tls_verified,
    }


def _failed(failure: Failure) -> dict[str, Any]:
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


def _tally(checks: Iterable[Check]) -> dict[str, Any]:
    checks = tuple(checks)
    return {
        "total": len(checks),
        "passed": sum(check.ok for check in checks),
        "failing": [
            {
                "object": label(check),
                "outcome": check.outcome,
                "expected": check.expected,
                "actual": check.actual,
                "why": check.why,
            }
            for check in checks
            if not check.ok
        ],
    }
