"""What commands and screens say of a proof in the same words: cells, counts, reasons, locks, the negative control."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import msgspec

from tui.core.isolation import Cell, CellState, Control, Matrix, Probe
from tui.core.isolation_spec import EITHER
from tui.core.safety import Finding
from tui.core.text import count

SHORT: Mapping[CellState, str] = {
    "allowed": "all",
    "own rows only": "own",
    "denied": "no",
    "LEAK": "LEAK",
    "LOST": "LOST",
    "differs": "diff",
    "not probed": "?",
}
"""A cell's state in a word, for a table of them."""

LEGEND = "all: allowed  own: own rows only  no: denied  LEAK  LOST  diff: wrongly denied  ?: untried"
UNTRIED = "-"
"""What stands where nobody asks: a persona for whom there is no such case."""

MATRIX_LOCKS = {"AccessShareLock", "RowShareLock", "RowExclusiveLock"}
"""What ordinary reads and writes take: nobody but a schema change waits for these."""


class GridRow(msgspec.Struct, frozen=True):
    """One command on one table, with the cell of each persona that tries it."""

    table: str
    command: str
    cells: Mapping[str, Cell]


class Grid(msgspec.Struct, frozen=True):
    """The matrix as a table: `personas` are its columns."""

    personas: tuple[str, ...]
    rows: tuple[GridRow, ...]


def grid(matrix: Matrix) -> Grid:
    """Tables and personas in the order of the cases; a table's commands in the order in which they first appear."""
    personas: dict[str, None] = {}
    rows: dict[tuple[str, str], dict[str, Cell]] = {}
    for cell in matrix.cells():
        personas[cell.persona] = None
        rows.setdefault((cell.table, cell.command), {})[cell.persona] = cell
    tables = {table: at for at, table in enumerate(dict.fromkeys(table for table, _ in rows))}
    ordered = sorted(rows.items(), key=lambda row: tables[row[0][0]])
    return Grid(tuple(personas), tuple(GridRow(*key, cells) for key, cells in ordered))


def counted_cases(matrix: Matrix) -> str:
    """How many cases there were and how they came out, e.g. `2 117 cases in 851 cells: 0 leaks, 0 lost, ...`."""
    return f"{tried_cases(matrix)}: {', '.join(outcomes(matrix))}"


def isolation_said(matrix: Matrix) -> str:
    """The matrix in a line: its state in a word, then the cases, or why nothing was tried."""
    word = {"passed": "proven", "failed": "FAILED", "not_proven": "NOT PROVEN"}[matrix.state]
    return f"{word}, {counted_cases(matrix) if matrix.probes else '; '.join(matrix.reasons)}"


def tried_cases(matrix: Matrix) -> str:
    """How much was tried."""
    return f"{count(len(matrix.probes))} cases in {count(len(matrix.cells()))} cells"


def outcomes(matrix: Matrix) -> tuple[str, ...]:
    """How the cases came out, the worst first."""
    return (
        _plural(matrix.count("leak"), "leak"),
        f"{count(matrix.count('lost'))} lost",
        f"{count(matrix.count('differs'))} refused otherwise",
        f"{count(matrix.count('not_probed'))} not probed",
    )


def not_probed(matrix: Matrix) -> tuple[tuple[str, int], ...]:
    """What was not probed and why, with the number of cases it concerns, most first; 0 where there was none to try."""
    reasons: Counter[str] = Counter()
    for probe in matrix.probes:
        if probe.mark == "not_probed":
            reasons[f"{probe.case.table}: {probe.reason}"] += 1
    reasons.update({f"{name}: the bundle's isolation file says nothing of it": 0 for name in matrix.unsaid})
    return tuple(reasons.most_common())


def control_said(control: Control) -> str:
    """The negative control in a sentence."""
    if control.state == "red":
        twins = f"throw-away twins of {' and '.join(control.tables)}"
        turned = f"{count(control.turned)} of {count(control.cells)} cells turned red"
        return f"negative control: policies broken on purpose on {twins} were seen, {turned}"
    if control.state == "green":
        return f"negative control: the proof does not work here, {control.reason}"
    return f"negative control: not run, {control.reason or 'since the matrix was not'}"


def control_brief(control: Control) -> str:
    """The same for a narrow line: whether it was seen, without which twins."""
    if control.state != "red":
        return control_said(control)
    return f"negative control seen: {count(control.turned)} of {count(control.cells)} cells turned red"


def expected_said(probe: Probe) -> str:
    """What had to happen, in words: `denied by policy`, `no rows`, a SQLSTATE."""
    words = {"denied_grant": "denied by grant", "denied_policy": "denied by policy", "no_rows": "no rows"}
    return EITHER.join(words.get(word, word) for word in probe.case.expected.split(EITHER))


def tried(probe: Probe) -> str:
    """What was tried on whose rows: `update foreign without WHERE`."""
    return " ".join(filter(None, (probe.case.command, probe.case.scope, probe.case.detail)))


def lock_words(matrix: Matrix) -> str:
    """The locks it held until its rollback, by mode, e.g. `ROW EXCLUSIVE on 17 relations`; "" when it held none."""
    modes = Counter(mode for _, mode in matrix.locks)
    words = [f"{_lock_name(mode)} on {_plural(number, 'relation')}" for mode, number in modes.most_common()]
    if not words:
        return ""
    strong = sorted({relation for relation, mode in matrix.locks if mode not in MATRIX_LOCKS})
    return ", ".join(words) + (f"; stronger than a write's on {', '.join(strong)}" if strong else "; nothing stronger")


def standing(finding: Finding) -> str:
    """Where a finding stands in a word: muted, new, known, or "" where nothing is known from before the patch."""
    if finding.muted_by is not None:
        return "muted"
    return {None: "", True: "new", False: "known"}[finding.new]


def standing_said(finding: Finding) -> str:
    """The same in a sentence, "" where nothing is known from before the patch."""
    said = {
        "muted": f"Muted by the bundle: {finding.muted_by}",
        "new": "New since the patch.",
        "known": "It was there before the patch.",
        "": "",
    }
    return said[standing(finding)]


def counted_findings(findings: tuple[Finding, ...]) -> str:
    """How many findings there are, by what they come to, e.g. `2 errors, 1 warning, 3 muted, 13 to know of`."""
    errors = sum(finding.fails and finding.rule.level == "error" for finding in findings)
    warnings = sum(finding.fails and finding.rule.level == "warn" for finding in findings)
    muted = sum(finding.muted_by is not None for finding in findings)
    known = len(findings) - errors - warnings - muted
    return (
        f"{_plural(errors, 'error')}, {_plural(warnings, 'warning')}, {count(muted)} muted, {count(known)} to know of"
    )


def _lock_name(mode: str) -> str:
    """`RowExclusiveLock` as the manual writes it: `ROW EXCLUSIVE`."""
    words = "".join(f" {letter}" if letter.isupper() else letter for letter in mode.removesuffix("Lock"))
    return words.strip().upper()


def _plural(number: int, word: str) -> str:
    return f"{count(number)} {word}{'' if number == 1 else 's'}"
