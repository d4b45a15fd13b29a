"""The report of one run: what was asked, what happened, what changed, what is left to do, and the way back.

Markdown for people, JSON for machines, both from the same frozen `Report`. Everything from outside is cleaned and
stripped of secrets here.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tui.core.aftermath import aftermath, counted
from tui.core.check import Check
from tui.core.deck import Destination
from tui.core.look import Look, RunRecord, Server
from tui.core.markdown import block, cell, code
from tui.core.plan import Count
from tui.core.run import Failure, Finished, Outcome, Plan, RunState
from tui.core.surface import Change
from tui.core.text import count, duration, redact, visible

TITLES = {
    Outcome.REHEARSED: "Rehearsed",
    Outcome.COMMITTED: "Committed",
    Outcome.ROLLED_BACK: "Rolled back: nothing changed",
    Outcome.REFUSED: "Refused: nothing changed",
    Outcome.UNKNOWN: "OUTCOME NOT KNOWN",
}
KINDS = ("created", "altered", "dropped", "unchanged")
TEXT_LIMIT = 100_000
"""Characters of one text in the JSON document."""


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a report is made of. `at` is when the run ended, `before` and `after` are looks around it (None when
    the database could not be looked at), `verified` the checks on the committed state.

    `rehearsal` is "worked", "skipped" or "" when the run was a rehearsal itself.
    """

    plan: Plan
    destination: Destination
    run: RunState
    end: Finished
    at: datetime
    before: Look | None = None
    after: Look | None = None
    verified: tuple[Check, ...] = ()
    counts: tuple[Count, ...] = ()
    rehearsal: str = ""

    @property
    def server(self) -> Server | None:
        """The server as last reached."""
        look = self.after or self.before
        return look.server if look else None

    @property
    def record(self) -> RunRecord | None:
        """The ledger's row of this run, None when it left none."""
        known = {run.run_id for run in self.before.runs} if self.before else set()
        new = self.after.last_run if self.after and self.end.outcome is Outcome.COMMITTED and self.end.ran else None
        return new if new and new.run_id not in known else None

    @property
    def changes(self) -> tuple[Change, ...]:
        """What the run changed for good, or in a rehearsal would change; what was rolled back changed nothing."""
        undone = self.end.outcome in (Outcome.ROLLED_BACK, Outcome.REFUSED)
        return () if undone else self.run.changes

    @property
    def action(self) -> str:
        """What was run, in a word or two."""
        if self.plan.rehearse:
            return f"rehearse {self.plan.action}"
        return self.plan.action if self.plan.action == "apply" else f"rollback ({self.plan.mode})"

    def of(self, kind: str) -> tuple[Change, ...]:
        """The changes of one kind."""
        return tuple(change for change in self.changes if change.kind == kind)


def markdown(report: Report) -> str:
    """The report as Markdown."""
    end, bundle = report.end, report.plan.bundle
    title = "Already so: nothing was run" if not end.ran and end.outcome is Outcome.COMMITTED else TITLES[end.outcome]
    lines = [f"# {title}: {cell(f'{report.action} {bundle.name} {bundle.version} on {report.destination.name}')}", ""]
    lines += [cell(end.reason), "", f"**State of the database:** {cell(end.state)}", ""]
    lines += [f"**Next:** {cell(end.next_step)}", ""] if end.next_step else []
    lines += _facts(report)
    lines += _failure(report)
    lines += _changes(report)
    lines += _checks(report)
    lines += _counts(report)
    lines += _left_to_do(report)
    lines += _way_back(report)
    return "\n".join(lines).rstrip("\n") + "\n"


def _facts(report: Report) -> list[str]:
    plan, place, server, record = report.plan, report.destination, report.server, report.record
    rows = [
        ("database", code(place.database)),
        ("host", code(f"{place.host}:{place.port}")),
        ("as", code(place.user)),
        ("by", cell(f"{plan.operator or 'unknown'}@{plan.client_host or 'unknown'}")),
    ]
    if server is not None:
        rows += [("server", cell(f"PostgreSQL {server.version}, {route(server)}, {tls(server)}"))]
    if record is not None:
        rows += [("began", _moment(record.started_at)), ("run", code(record.run_id))]
    rows += [
        ("ended", _moment(report.at)),
        ("file", cell(f"{plan.file} of {plan.bundle.name} {plan.bundle.version}")),
        ("patch SHA-256", code(plan.bundle.checksum)),
        ("statements", f"{count(report.run.done)} of {count(len(plan.statements))}"),
        ("took", f"{duration(report.end.seconds)}, {count(report.end.round_trips)} round trips"),
        ("locks held", duration(report.end.lock_seconds) + _locks(report.end)),
    ]
    if report.run.attempts > 1:
        waited = f"{report.run.attempts} attempts, {duration(report.run.waited)} waited for locks"
        rows.append(("attempts", waited))
    rows += [("rehearsal", report.rehearsal)] if report.rehearsal else []
    return ["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows), ""]


def route(server: Server) -> str:
    """How the server is reached, in words."""
    return f"through a pooler ({server.mode} mode)" if server.pooled else "directly"


def tls(server: Server) -> str:
    """How the line is protected, in words."""
    if server.tls == "off":
        return "not encrypted"
    return f"encrypted ({server.tls}), server {'verified' if server.tls_verified else 'not verified'}"


def _locks(end: Finished) -> str:
    if not end.locks:
        return ""
    return f" on {counted(len(end.locks), 'existing table')}: " + ", ".join(code(lock) for lock in end.locks)


def _failure(report: Report) -> list[str]:
    failure = report.run.failure
    if failure is None:
        return []
    where = f" at {code(failure.place)}" if failure.place else ""
    state = f" (SQLSTATE {cell(failure.sqlstate)})" if failure.sqlstate else ""
    lines = ["## What failed", "", f"{cell(failure.message)}{state}{where}", ""]
    for name, text in (("Detail", failure.detail), ("Hint", failure.hint)):
        lines += [f"{name}: {cell(text)}", ""] if text else []
    if failure.index is not None:
        lines += [*block(report.plan.statements[failure.index].text), ""]
    return lines


def _changes(report: Report) -> list[str]:
    if not report.end.ran:
        return []
    lines = ["## What changed", ""]
    if not report.changes:
        undone = report.end.outcome is Outcome.ROLLED_BACK
        return [*lines, "Nothing: everything was rolled back." if undone else "Nothing.", ""]
    would = "Would be " if report.plan.rehearse else ""
    maybe = " (if it was committed)" if report.end.outcome is Outcome.UNKNOWN else ""
    for kind in KINDS:
        found = report.of(kind)
        if not found:
            continue
        if kind == "unchanged":
            lines += [f"Unchanged: {count(len(found))} objects.", ""]
            continue
        lines += [f"### {would}{kind}{maybe}: {count(len(found))}", ""]
        lines += _created(found) if kind == "created" else _definitions(found)
        lines.append("")
    return lines


def _created(changes: Iterable[Change]) -> list[str]:
    """What was created, by the table it belongs to: a list of every column would hide what a reader looks for."""
    places: dict[str, dict[str, list[str]]] = {}
    for change in changes:
        kind, _, rest = change.object.partition(" ")
        name, _, where = rest.partition(" on ")
        if kind == "column":
            where, _, name = rest.rpartition(".")
        places.setdefault(where or rest, {}).setdefault(kind, []).append(name)
    lines: list[str] = []
    for place, kinds in places.items():
        lines.append(f"- {code(place)}")
        for kind, names in kinds.items():
            own = names == [place]
            listed = "" if own else ": " + ", ".join(code(name) for name in names)
            lines.append(f"  - {cell(kind if own else counted(len(names), kind))}{listed}")
    return lines


def _definitions(changes: Iterable[Change]) -> list[str]:
    """What was altered or dropped, with what stood there before and what stands there now."""
    lines: list[str] = []
    for change in changes:
        lines.append(f"- {code(change.object)}")
        lines += [f"  - was {code(change.before)}"] if change.before else []
        lines += [f"  - is {code(change.after)}"] if change.after else []
    return lines


def _checks(report: Report) -> list[str]:
    lines: list[str] = []
    for title, checks in (("on the result, before COMMIT", report.run.checks), ("afterwards", report.verified)):
        if not checks:
            continue
        held = sum(check.ok for check in checks)
        lines += [f"{count(held)} of {count(len(checks))} checks hold {title}.", ""]
        troubles = [check for check in checks if not check.ok]
        if troubles:
            lines += ["| object | outcome | expected | actual | why it matters |", "| --- | --- | --- | --- | --- |"]
            lines += [_trouble(check) for check in troubles]
            lines.append("")
    return ["## Checks", "", *lines] if lines else []


def _trouble(check: Check) -> str:
    definitions = " | ".join(code(text) if text else "" for text in (check.expected, check.actual))
    return f"| {cell(label(check))} | {check.outcome.replace('_', ' ')} | {definitions} | {cell(check.why)} |"


def label(check: Check) -> str:
    """What a check is about: `policy readers on public.books`."""
    named = f"{check.object} {check.name}" if check.name else check.object
    return f"{named} on {check.table}" if check.table and check.table != check.name else named


def _counts(report: Report) -> list[str]:
    if not report.counts:
        return []
    lines = ["## Rows, counted before the run", "", "| | | rows | |", "| --- | --- | ---: | --- |"]
    lines += [
        f"| {cell(row.title)} | {cell(row.label)} | {count(row.rows)} | {cell(row.note)} |" for row in report.counts
    ]
    return [*lines, ""]


def _left_to_do(report: Report) -> list[str]:
    todo = [report.end.next_step] if report.end.next_step else []
    if report.end.outcome is Outcome.COMMITTED and report.plan.action == "apply":
        todo += report.plan.bundle.manifest.notes
    return ["## What is left to do", "", *(f"- {cell(item)}" for item in todo), ""] if todo else []


def _way_back(report: Report) -> list[str]:
    if report.plan.action != "apply" or report.end.outcome not in (Outcome.COMMITTED, Outcome.UNKNOWN):
        return []
    look = report.after or report.before
    said = aftermath(report.plan.bundle, look.catalog if look else None).sentences()
    return [
        "## The way back",
        "",
        *(f"- {cell(sentence)}" for sentence in said),
        "",
        f"    {rollback_command(report)}",
        "",
    ]


def rollback_command(report: Report) -> str:
    """The command that rolls back, to be completed with the target's address."""
    name = visible(report.destination.database)
    return f"patchdeck rollback --mode lock --confirm {name}"


def document(report: Report) -> dict[str, Any]:
    """The report with the keys of `apply --json` (design: cli) and more; texts are cleaned, times RFC 3339."""
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
            **(_server(server) if server else {}),
        },
        "operator": plan.operator,
        "client_host": plan.client_host,
        "run_id": report.record.run_id if report.record else None,
        "xid": run.xid,
        "bundle": {"name": plan.bundle.name, "version": plan.bundle.version, "checksum": plan.bundle.checksum},
        "file": plan.file,
        "rehearsal": report.rehearsal or None,
        "statements": {
            "total": len(plan.statements),
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
        "locks": list(end.locks),
        "round_trips": end.round_trips,
        "attempts": run.attempts,
        "verdict": report.after.verdict.state if report.after else None,
        "checks": {"before_commit": _tally(run.checks), "afterwards": _tally(report.verified)},
        "counts": [
            {"title": row.title, "label": row.label, "rows": row.rows, "note": row.note} for row in report.counts
        ],
        "notes": list(plan.bundle.manifest.notes),
    }
    return {key: _clean(value) for key, value in raw.items()}


def as_json(report: Report) -> str:
    """The document as indented JSON text."""
    return json.dumps(document(report), indent=2, ensure_ascii=False) + "\n"


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


def _clean(value: Any) -> Any:
    match value:
        case str():
            return redact(visible(value, limit=TEXT_LIMIT, newlines=True))
        case float():
            return round(value, 6)
        case datetime():
            return value.isoformat()
        case Mapping():
            return {_clean(key): _clean(item) for key, item in value.items()}
        case list() | tuple():
            return [_clean(item) for item in value]
        case _:
            return value


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S %Z}".strip()
