"""A report for people, as Markdown: cleaned, without secrets, and with nothing in it that would become markup."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from tui.core.aftermath import aftermath, counted
from tui.core.check import Check, Layer
from tui.core.markdown import block, cell, code, codes
from tui.core.plan import Count
from tui.core.proof import LayerState
from tui.core.proof_words import control_said, counted_cases, counted_findings
from tui.core.report import KINDS, OTHER_WAYS, Report, address, label, rollback_command, route, tls
from tui.core.report_after import standing_after
from tui.core.report_tables import relation_of
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


_LAYER_SAID: Mapping[LayerState, str] = {"passed": "proven", "failed": "**FAILED**", "not_proven": "**NOT PROVEN**"}


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
    lines += _in_short(report)
    lines += _not_restored(report)
    lines += _verification(report)
    lines += standing_after(report)
    lines += _rows(report)
    lines += _left_to_do(report)
    lines += _way_back(report)
    lines += _changes(report)
    return "\n".join(lines).rstrip("\n") + "\n"


def _facts(report: Report) -> list[str]:
    plan, place, server, record = report.plan, report.destination, report.server, report.record
    # Made from the ledger it says where it was read, which need not be where the run came in.
    where, who = ("read from", "read as") if report.ledger else ("host", "as")
    rows = [
        ("database", code(place.database)),
        (where, code(f"{place.host}:{place.port}") + "".join(f", {cell(said)}" for said in [address(place)] if said)),
        (who, code(place.user)),
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
        ("locks held", report.end.held),
    ]
    if report.end.locks:
        rows.append(("locked", f"{counted(len(report.end.locks), 'existing table')}: {codes(report.end.locks)}"))
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
    lines = ["## What changed, object by object", ""]
    for kind in KINDS:
        found = report.of(kind)
        if found and kind != "unchanged":
            lines += [f"### {_would(report, kind)}: {count(len(found))}", ""]
            lines += _created(found, _relations(report)) if kind == "created" else _definitions(found)
            lines.append("")
    return lines if len(lines) > 2 else []


def _would(report: Report, kind: str) -> str:
    maybe = " (if it was committed)" if report.end.outcome is Outcome.UNKNOWN else ""
    return f"{'Would be ' if report.plan.rehearse else ''}{kind}{maybe}"


def _relations(report: Report) -> set[str]:
    """Every table and view that is there now, or was."""
    named = (change.object.partition(" ") for change in report.changes)
    return {name for kind, _, name in named if kind in ("table", "view")}


def _in_short(report: Report) -> list[str]:
    """How many objects of which kind: what a reader takes away who reads no further."""
    if not report.end.ran:
        return []
    lines = ["## In short", ""]
    relations = _relations(report)
    for kind in KINDS:
        found = Counter(_kind(change, relations) for change in report.of(kind))
        if kind == "unchanged":
            lines += [f"- {_would(report, kind)}: {count(found.total())} objects"] if found else []
        elif found:
            listed = ", ".join(cell(counted(number, name)) for name, number in found.items())
            lines.append(f"- {_would(report, kind)}: {listed}")
    if len(lines) == 2:
        undone = report.end.outcome is Outcome.ROLLED_BACK
        lines.append("Nothing changed: everything was rolled back." if undone else "Nothing changed.")
    elif report.run.rows:
        lines.append(f"- rows written: {count(report.run.rows)}")
    return [*lines, ""]


def _kind(change: Change, relations: Iterable[str]) -> str:
    kind = change.object.partition(" ")[0]
    return "column grant" if kind == "grant" and relation_of(change.object, relations)[1] else kind


def _created(changes: Iterable[Change], relations: Iterable[str]) -> list[str]:
    """What was created, by the table it belongs to: a list of every column would hide what a reader looks for."""
    places: dict[str, dict[str, list[str]]] = {}
    for change in changes:
        kind, _, rest = change.object.partition(" ")
        name, _, where = rest.partition(" on ")
        relation, column = relation_of(change.object, relations)
        if kind == "grant" and column:
            kind, name = f"column that {name} may {change.after}", column
        elif kind == "column":
            name = column
        places.setdefault(relation or where or rest, {}).setdefault(kind, []).append(name)
    lines: list[str] = []
    for place, kinds in places.items():
        lines.append(f"- {code(place)}")
        for kind, names in kinds.items():
            own = names == [place]
            listed = "" if own else f": {codes(names)}"
            noun, _, more = kind.partition(" ")
            lines.append(f"  - {cell(noun if own else f'{counted(len(names), noun)} {more}'.rstrip())}{listed}")
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


def _verification(report: Report) -> list[str]:
    """What was checked, when, and what came of it; each check that does not hold with what that means."""
    lines: list[str] = []
    if report.run.checks:
        lines += [f"{_held(report.run.checks)} on the result, before COMMIT.", ""]
    elif report.ledger and report.plan.action == "apply":
        lines += ["Every check of the structure held before COMMIT: else it would not have been committed.", ""]
    if report.layers:
        lines += ["| layer | result | |", "| --- | --- | --- |"]
        for layer, (state, checks) in report.layers.items():
            lines.append(f"| {layer} | {_LAYER_SAID[state]} | {_layer(report, layer, checks)} |")
        lines.append("")
    elif report.verified:
        lines += [f"{_held(report.verified)} afterwards.", ""]
    troubles = [check for check in (*report.run.checks, *report.verified) if not check.ok]
    if troubles:
        lines += ["| object | outcome | expected | actual | why it matters |", "| --- | --- | --- | --- | --- |"]
        lines += [_trouble(check) for check in dict.fromkeys(troubles)]
        lines.append("")
    return ["## Verification", "", *lines] if lines else []


def _layer(report: Report, layer: Layer, checks: Sequence[Check]) -> str:
    """What a layer looked at, in a few words."""
    proof, held = report.proof, _held(checks)
    if layer == "safety" and proof is not None:
        return f"{held}: {counted_findings(proof.findings)}"
    if layer == "behaviour" and proof is not None and proof.matrix is not None and proof.matrix.probes:
        return f"{held}: {counted_cases(proof.matrix)}; {cell(control_said(proof.matrix.control))}"
    return held if checks else "not tried on what was committed; `patchdeck verify` does it"


def _held(checks: Sequence[Check]) -> str:
    return f"{count(sum(check.ok for check in checks))} of {count(len(checks))} checks hold"


def _trouble(check: Check) -> str:
    definitions = " | ".join(code(text) if text else "" for text in (check.expected, check.actual))
    return f"| {cell(label(check))} | {check.outcome.replace('_', ' ')} | {definitions} | {cell(check.why)} |"


def _rows(report: Report) -> list[str]:
    """Rows that the run wrote, and the bundle's counts."""
    lines: list[str] = []
    if report.run.written and report.end.outcome is not Outcome.ROLLED_BACK:
        for index, rows in report.run.written:
            statement = report.plan.statements[index]
            place = code(f"{report.plan.source(index)}:{statement.line}")
            lines.append(f"- {count(rows)} written by {code(f'{statement.kind} {statement.object}')}, {place}")
        lines.append("")
    lines += _counted("Counted before the run", report.counts)
    lines += _counted("Counted afterwards", report.counts_after)
    return ["## Rows", "", *lines] if lines else []


def _counted(title: str, counts: Sequence[Count]) -> list[str]:
    if not counts:
        return []
    lines = [f"### {title}", "", "| | | rows | |", "| --- | --- | ---: | --- |"]
    lines += [f"| {cell(row.title)} | {cell(row.label)} | {count(row.rows)} | {cell(row.note)} |" for row in counts]
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
