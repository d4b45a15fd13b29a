"""What stands after a run, as the Markdown of a report: tables and views, who may what, functions, publications."""

from __future__ import annotations

from tui.core.expectation import WATCHED_ROLES
from tui.core.markdown import cell, code, codes
from tui.core.report import Report
from tui.core.report_tables import Standing, became
from tui.core.text import count

NOTHING = "–"


def standing_after(report: Report) -> list[str]:
    """The lines; none where nobody has looked since the run, or it committed nothing."""
    return [*_tables(report), *_functions(report), *_published(report)]


def _tables(report: Report) -> list[str]:
    """The bundle's tables and views as they stand, a line each, and who may what on them."""
    tables = report.tables
    if not tables:
        return []
    lines = [f"## Tables and views after it: {count(len(tables))}", ""]
    lines += ["| table | | columns | indexes | RLS | policies | triggers | published in | checks |"]
    lines += ["| --- | --- | --- | ---: | --- | --- | --- | --- | --- |"]
    lines += [_table(one) for one in tables]
    roles = [*WATCHED_ROLES, *sorted({role for one in tables for role in one.grants}.difference(WATCHED_ROLES))]
    lines += ["", "### Who may what", "", f"| | {' | '.join(cell(role) for role in roles)} |"]
    lines += [f"| --- |{' --- |' * len(roles)}"]
    lines += [
        f"| {code(one.name)} | {' | '.join(cell(one.grants.get(role, NOTHING)) for role in roles)} |" for one in tables
    ]
    return [*lines, ""]


def _table(one: Standing) -> str:
    added = f", added: {codes(one.added)}" if one.added else ""
    policies = ", ".join(command + ("" if n == 1 else f" ×{n}") for command, n in one.policies.items())
    values = (
        code(one.name),
        one.became if one.kind == "table" else f"view, {one.became}",
        f"{one.columns}{added}",
        str(len(one.indexes)),
        NOTHING if one.rls is None else "on" if one.rls else "**off**",
        f"{sum(one.policies.values())}: {policies}" if one.policies else NOTHING,
        codes(one.triggers) or NOTHING,
        codes(one.publications) or NOTHING,
        f"{one.held} of {one.checks} hold" if one.checks else NOTHING,
    )
    return f"| {' | '.join(values)} |"


def _functions(report: Report) -> list[str]:
    """The bundle's functions as they stand."""
    if report.left is None:
        return []
    named = [function.name for function in report.plan.bundle.expectation.functions]
    there = {function.name: function for function in report.left.functions if function.name in named}
    if not there:
        return []
    lines = ["### Functions", "", "| function | | runs as | may be called by |", "| --- | --- | --- | --- |"]
    for name, what in became(there, report.changes, "function").items():
        runs_as = "its owner" if there[name].security_definer else "its caller"
        callers = ", ".join(cell(role) for role in there[name].execute) or "its owner only"
        lines.append(f"| {code(name)} | {what} | {runs_as} | {callers} |")
    return [*lines, ""]


def _published(report: Report) -> list[str]:
    """What of the bundle's tables is published, for Realtime: a project may have no such publication."""
    if report.left is None:
        return []
    lines: list[str] = []
    for promised in report.plan.bundle.expectation.publications:
        holds = [one.name for one in report.tables if promised.name in one.publications]
        there = report.left.publication(promised.name) is not None
        said = f"publishes {codes(holds) or 'none of these tables'}" if there else "is not there: nothing is published"
        lines.append(f"- {code(promised.name)} {said}")
    return ["### Publications (Realtime)", "", *lines, ""] if lines else []
