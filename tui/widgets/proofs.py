"""A cell of the matrix and a finding in full, and the two lines that sum a proof up."""

from __future__ import annotations

from collections.abc import Sequence

from tui.core.isolation import Cell, Mark, Matrix, Probe
from tui.core.proof_words import (
    control_brief,
    counted_findings,
    expected_said,
    lock_words,
    not_probed,
    outcomes,
    standing_said,
    tried,
    tried_cases,
)
from tui.core.safety import Finding
from tui.core.text import Glyphs, duration, visible
from tui.store import Proving
from tui.theme import Role
from tui.widgets.lines import Groups, Line, Span, keep_whole, line, wrap
from tui.widgets.matrix import LOOKS
from tui.widgets.news import old

LABEL = 9


def matrix_summary(proving: Proving, now: float, cells: int, glyphs: Glyphs) -> tuple[Line, Line]:
    """Whether the isolation is proven, since when, by how much; then the control, or the reason why not."""
    matrix = proving.proof.matrix if proving.proof else None
    if matrix is None or proving.trouble is not None:
        return _unmade(proving, cells, glyphs)
    sign: dict[str, Span] = {
        "passed": (f"{glyphs.ok} PROVEN", "ok!"),
        "failed": (f"{glyphs.bad} NOT ISOLATED", "bad!"),
        "not_proven": (f"{glyphs.warn} NOT PROVEN", "warn!"),
    }
    if matrix.reasons:
        head = ((sign[matrix.state],), *_when(proving, now, glyphs))
        return Line(keep_whole(head, cells)), line(*wrap(((matrix.reasons[0], "warn"),), cells)[0])
    marks: tuple[Mark, ...] = ("leak", "lost", "differs", "not_probed")
    roles: list[Role] = ["bad" if matrix.count(mark) else "text" for mark in marks]
    leaks, *rest = (((said, role),) for said, role in zip(outcomes(matrix), roles, strict=True))
    first: Groups = ((sign[matrix.state],), leaks, *_when(proving, now, glyphs), *rest, ((tried_cases(matrix), "dim"),))
    role: Role = {"red": "text", "green": "bad"}.get(matrix.control.state, "warn")  # type: ignore[assignment]
    twins = f"on throw-away twins of {' and '.join(matrix.control.tables)}, broken on purpose"
    second: Groups = (((control_brief(matrix.control), role),), ((twins, "dim"),) if matrix.control.cells else ())
    return Line(keep_whole(first, cells)), Line(keep_whole(second, cells))


def findings_summary(proving: Proving, now: float, cells: int, glyphs: Glyphs) -> tuple[Line, Line]:
    """How many findings there are, and whether those that are new can be told."""
    if proving.proof is None or proving.trouble is not None:
        return _unmade(proving, cells, glyphs)
    findings = proving.proof.findings
    failing = [finding for finding in findings if finding.fails]
    unproven = [check for check in proving.proof.of("safety") if check.outcome == "not_proven"]
    sign: Span = (f"{glyphs.bad} FINDINGS", "bad!") if failing else (f"{glyphs.ok} NOTHING FAILS", "ok!")
    if unproven:
        sign = (f"{glyphs.warn} NOT PROVEN", "warn!")
    first: Groups = ((sign,), *_when(proving, now, glyphs), ((counted_findings(findings), "text"),))
    known = [finding for finding in findings if finding.new is not None]
    new = sum(bool(finding.new) for finding in known)
    said = f"{new} of them new since the patch" if known else "what was there before the patch was not recorded"
    second = unproven[0].why if unproven else said
    return Line(keep_whole(first, cells)), line(*wrap(((second, "warn" if unproven else "dim"),), cells)[0])


def cost(matrix: Matrix) -> str:
    """What the matrix took and held, for the edge of its frame; "" when it was not run."""
    if not matrix.probes:
        return ""
    return f"{duration(matrix.seconds)}, rolled back; locks: {lock_words(matrix) or 'none'}"


def cell_lines(cell: Cell, cells: int, glyphs: Glyphs) -> list[Line]:
    """Every case of a cell, the wrong ones first: what was tried, what had to happen, what did, as whom, with what."""
    lines: list[Line] = []
    look = LOOKS[cell.state]
    lines.append(line((f"{getattr(glyphs, look.mark)} {cell.state}", look.role), (f"  {_meaning(cell)}", "dim")))
    for probe in sorted(cell.probes, key=lambda probe: probe.mark == "ok"):
        lines.append(Line())
        lines += _probe_lines(probe, cells, glyphs)
    return lines


def finding_lines(finding: Finding, cells: int) -> list[Line]:
    """What it is, where, why it matters, how to mend it, what the advisors call it, since when it is there."""
    rule = finding.rule
    fields: list[tuple[str, str, Role]] = [
        ("object", f"{finding.object} {finding.key}", "strong"),
        ("found", finding.detail, "text"),
        ("why", rule.why, "text"),
        ("mend", rule.mend, "live"),
        ("advisors", rule.advisor or "have no such check", "text" if rule.advisor else "dim"),
        ("standing", standing_said(finding), "warn" if finding.new else "text"),
    ]
    lines = [line((f"{rule.level}: {rule.title}", "bad!" if finding.fails else "strong"))]
    for label, text, role in fields:
        lines += _field(label, text, role, cells) if text else []
    return lines


def reproduction(cell: Cell) -> str:
    """The statements that show what the cell says, the wrong ones if there are any; cleaned, to be pasted."""
    wrong = [probe for probe in cell.probes if probe.mark not in ("ok", "not_probed")]
    return "\n".join(visible(probe.reproduction(), limit=100_000) for probe in wrong or cell.probes)


def unprobed_lines(matrix: Matrix, cells: int) -> list[Line]:
    """What was not probed, with its reason: shown where no cell is marked."""
    texts = [f"{number} cases: {reason}" if number else reason for reason, number in not_probed(matrix)]
    return [Line(part) for text in texts for part in wrap(((visible(text), "warn"),), cells)]


def _unmade(proving: Proving, cells: int, glyphs: Glyphs) -> tuple[Line, Line]:
    trouble = proving.trouble
    if proving.running:
        return line((f"{glyphs.wait} proving", "live!")), line(("in one transaction that is rolled back", "dim"))
    if trouble is None:
        return line((f"{glyphs.wait} not tried yet", "dim")), Line()
    word = "NOT PROVEN" if proving.proof is None else "NOT PROVEN AGAIN   what is below is old"
    first = line((f"{glyphs.warn} {word}", "warn!"))
    return first, line(*wrap(((f"{trouble.text}  {trouble.hint}", "warn"),), cells)[0])


def _when(proving: Proving, now: float, glyphs: Glyphs) -> Groups:
    if proving.running:
        return (((f"{glyphs.wait} proving again", "live"),),)
    if proving.outdated:
        return (((f"{glyphs.warn} before the last change", "warn"),),)
    return (((old(now - proving.at), "dim"),),)


def _meaning(cell: Cell) -> str:
    return {
        "allowed": "every case succeeds, as it must",
        "own rows only": "one's own succeed, all others are refused",
        "denied": "every case is refused",
        "LEAK": "somebody gets what nobody gave them",
        "LOST": "somebody does not get what is theirs",
        "differs": "refused, but by another layer than the one meant",
        "not probed": "nothing is known about it",
    }[cell.state]


def _probe_lines(probe: Probe, cells: int, glyphs: Glyphs) -> list[Line]:
    case = probe.case
    marks: dict[str, tuple[str, Role]] = {
        "ok": (glyphs.ok, "ok"),
        "leak": (glyphs.bad, "bad!"),
        "not_probed": (glyphs.unknown, "warn"),
    }
    sign, role = marks.get(probe.mark, (glyphs.bad, "bad"))
    said = f": {probe.actual}" if probe.mark == "ok" else f": {probe.actual}, expected {expected_said(probe)}"
    head: Sequence[Span] = ((f"{sign} {visible(tried(probe))}", role), (said, "text"))
    lines = [Line(part) for part in wrap(head, cells)]
    lines += _field("because", probe.reason, "warn", cells) if probe.reason else []
    lines += _field("why", case.why, "text", cells) if case.why else []
    lines += _field("as", f"role {case.role}, claims {case.claims}", "dim", cells)
    return lines + _field("sends", case.sql, "text", cells)


def _field(label: str, text: str, role: Role, cells: int) -> list[Line]:
    first, *rest = wrap(((visible(text, limit=20_000), role),), max(10, cells - LABEL - 2))
    lines = [line((f"  {label:<{LABEL}}", "dim"), *first)]
    return lines + [line((" " * (LABEL + 2), "text"), *part) for part in rest]
