"""A report for people, as Markdown: cleaned, without secrets, and with nothing in it that would become markup."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from tui.core.aftermath import aftermath, counted
from tui.core.check import Check
from tui.core.markdown import block, cell, code
from tui.core.report import KINDS, OTHER_WAYS, Report, label, rollback_command, route, tls
from tui.core.run import Finished, Outcome
from tui.core.surface import Change
from tui.core.text import count, duration

TITLES = {
    Outcome.REHEARSED: "Rehearsed",
    Outcome.COMMITTED: "Committed",
    Outcome.ROLLED_BACK: "Rolled back: nothing changed",
    Outcome.REFUSED: "Refused: nothing changed",
    Outcome.UNKNOWN: "OUTCOME NOT KNOWN",
}


def markdown(report: Report) -> str:
    """The report as Markdown."""
    end, bundle = report.end, report.plan.bundle
    title = "Already so: nothing was run" if not end.ran and end.outcome is Outcome.COMMITTED else TITLES[end.outcome]
    lines = [f"# {title}: {cell(f'{report.action} {bundle.name} {bundle.version} on {report.destination.name}')}", ""]
    lines += [cell(end.reason), "", f"**State of the database:** {cell(end.state)}", ""]
    lines += [f"**Next:** {cell(end.next_step)}", ""] if end.next_step else []
    lines += _facts(report)
    lines += _not_kept(report)
    lines += _failure(report)
    lines += _changes(report)
    lines += _not_restored(report)
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
    elif record is not None:
        rows += [("server", cell(f"PostgreSQL {record.server_version}"))]
    if record is not None:
        rows += [("began", _moment(record.started_at)), ("run", code(record.run_id))]
    rows += [
        ("ended", _moment(report.at)),
        ("file", cell(f"{plan.files} of {plan.bundle.name} {plan.bundle.version}")),
        ("patch SHA-256", code(plan.bundle.checksum)),
        ("statements", f"{count(report.run.done)} of {count(report.total)}"),
        ("took", duration(report.end.seconds) + _round_trips(report.end)),
        ("locks held", report.end.held + _locks(report.end)),
    ]
    if report.run.attempts > 1:
        waited = f"{report.run.attempts} attempts, {duration(report.run.waited)} waited for locks"
        rows.append(("attempts", waited))
    rows += [("rehearsal", report.rehearsal)] if report.rehearsal else []
    return ["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows), ""]


def _not_kept(report: Report) -> list[str]:
    if not report.not_kept:
        return []
    *first, last = report.not_kept.values()
    where = code(report.plan.client_host) if report.plan.client_host else "the machine it ran on"
    written = f"The report written when it ran, on {where}, says it."
    return [f"**Not recorded in the database:** {', '.join(first)} and {last}. {written}", ""]


def _round_trips(end: Finished) -> str:
    return f", {count(end.round_trips)} round trips" if end.round_trips else ""


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


def _not_restored(report: Report) -> list[str]:
    restore = report.plan.restore
    if restore is None:
        return []
    lines: list[str] = []
    parts = (("What can not be put back", restore.losses), ("What is kept back on purpose", restore.withheld))
    for title, losses in parts:
        if losses:
            lines += [f"## {title}: {count(len(losses))}", ""]
            lines += [*(f"- {code(loss.object)}: {cell(loss.reason)}" for loss in losses), ""]
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
    said = aftermath(report.plan.bundle, report.catalog).sentences()
    return [
        "## The way back",
        "",
        *(f"- {cell(sentence)}" for sentence in said),
        "",
        f"    {rollback_command(report)}",
        "",
        cell(OTHER_WAYS),
        "",
    ]


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S %Z}".strip()
