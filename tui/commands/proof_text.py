"""What the commands that prove say to a person: layers, findings, the matrix, drift."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from tui.commands.verification import Verification
from tui.commands.words import headline, place, trouble
from tui.core.check import Check, Layer
from tui.core.deck import Deck
from tui.core.drift import Drift, drift_said, drift_state
from tui.core.isolation import Cell, Matrix, Probe
from tui.core.proof import LayerState
from tui.core.proof_words import (
    LEGEND,
    SHORT,
    UNTRIED,
    control_said,
    counted_cases,
    counted_findings,
    expected_said,
    grid,
    lock_words,
    not_probed,
    standing_said,
    tried,
)
from tui.core.safety import Finding
from tui.core.text import count, duration, fit
from tui.output import BAD, CAREFUL, DIM, GOOD, LIVE, Output, Part, plain

WIDTH = 80
"""Cells that the matrix is laid out for: what is piped has no width, and a terminal over SSH is often this wide."""
COMMAND = 12
"""Cells of the matrix's first column: the longest command and what it is indented by."""
SHOWN = 40
"""Failures of the matrix that are shown with their statements; the JSON form has all."""

_STYLES = {"allowed": "", "own rows only": "", "denied": DIM, "LEAK": f"bold {BAD}", "LOST": BAD, "differs": BAD}


def verification(out: Output, deck: Deck, found: Verification) -> None:
    """Every layer with what does not hold, what is worth knowing, what the proof took and what it held."""
    headline(out, deck, found.look)
    for layer, (state, checks) in found.layers.items():
        _layer(out, layer, state, checks)
        if layer == "structure":
            _troubles(out, checks)
        elif layer == "safety":
            _safety(out, found.findings, checks)
        elif found.matrix is not None:
            _behaviour(out, found.matrix)
    locks = lock_words(found.matrix) if found.matrix else ""
    held = f", locks until the rollback: {locks}" if locks else ", no lock but those of reading the catalog"
    out.line((f"  proved in {duration(found.seconds)}{held}", DIM))


def isolation(out: Output, deck: Deck, matrix: Matrix) -> None:
    """The matrix alone."""
    mark, style = _mark(out, matrix.state)
    word = matrix.state.replace("_", " ").upper()
    out.line(
        (f"{mark} ISOLATION {word}", f"bold {style}"), f"  {plain(deck.bundle.name)}  ", (place(deck.destination), DIM)
    )
    if matrix.probes:
        _grid(out, matrix)
    _behaviour(out, matrix)
    if matrix.probes:
        trips = f"{matrix.round_trips} round trip{'' if matrix.round_trips == 1 else 's'}"
        out.line((f"  tried in {duration(matrix.seconds)}, {trips}, and rolled back", DIM))
        out.line((f"  locks until the rollback: {lock_words(matrix) or 'none'}", DIM))


def drift(out: Output, deck: Deck, found: Drift | None) -> None:
    """What changed since the recorded run, old and new."""
    state = drift_state(found)
    mark, style = {"none": (out.marks.ok, GOOD), "drifted": (out.marks.bad, BAD)}.get(state, (out.marks.warn, CAREFUL))
    word = {"none": "NO DRIFT", "drifted": f"DRIFTED {len(found.changes) if found else 0}"}.get(state, "NOT PROVEN")
    out.line((f"{mark} {word}", f"bold {style}"), f"  {plain(deck.bundle.name)}  ", (place(deck.destination), DIM))
    if found is not None:
        run = found.action if found.action == "apply" else f"{found.action} ({found.mode})"
        who = plain(found.operator) or "somebody"
        out.line((f"  recorded: {plain(run)} by {who}, {plain(found.finished_at)}, run {plain(found.run_id)}", DIM))
    out.line(f"  {drift_said(found)}")
    for change in found.changes if found else ():
        colour = {"dropped": BAD, "altered": CAREFUL}.get(change.kind, LIVE)
        out.line("  ", (f"{change.kind:<8}", colour), plain(change.object, 500))
        for name, definition in (("was", change.before), ("is ", change.after)):
            if definition:
                out.line((f"      {name}  {plain(definition, 2000)}", DIM))


def _layer(out: Output, layer: Layer, state: LayerState, checks: Sequence[Check]) -> None:
    mark, style = _mark(out, state)
    held = sum(check.ok for check in checks)
    word = state.replace("_", " ")
    out.line((f"{mark} {layer}: {word}", style), f"  {count(held)} of {count(len(checks))} checks hold")


def _mark(out: Output, state: str) -> tuple[str, str]:
    doubt = (out.marks.warn, CAREFUL)
    return {"passed": (out.marks.ok, GOOD), "failed": (out.marks.bad, BAD)}.get(state, doubt)


def _troubles(out: Output, checks: Sequence[Check]) -> None:
    for check in checks:
        if not check.ok:
            trouble(out, check, definitions=True)


def _safety(out: Output, findings: tuple[Finding, ...], checks: Sequence[Check]) -> None:
    _troubles(out, [check for check in checks if check.outcome == "not_proven"])
    if findings:
        out.line((f"  {counted_findings(findings)}", DIM))
    for finding in findings:
        rule = finding.rule
        mark, style = {"error": (out.marks.bad, BAD), "warn": (out.marks.warn, CAREFUL)}.get(rule.level, ("i", DIM))
        if not finding.fails:
            mark, style = ("i", DIM)
        what = f" {rule.title}: {plain(finding.key)}"
        out.line("  ", (f"{mark} {rule.code} {rule.level}", style), (what, "" if finding.fails else DIM))
        if finding.fails:
            lines = [f"found: {plain(finding.detail, 600)}", f"why: {rule.why}", f"mend: {rule.mend}"]
            lines += [f"the advisors call it {rule.advisor}"] if rule.advisor else []
            lines += [standing_said(finding)] if standing_said(finding) else []
            for line in lines:
                out.line((f"      {line}", DIM))
        elif finding.muted_by is not None:
            out.line((f"      {plain(standing_said(finding), 500)}", DIM))


def _behaviour(out: Output, matrix: Matrix) -> None:
    """Why nothing was tried, or what came out of it, the failures with what reproduces them, the control beside."""
    for reason in matrix.reasons:
        out.line("  ", (out.marks.warn, CAREFUL), f" not proven: {plain(reason, 500)}")
    if matrix.reasons:
        return
    out.line(f"  {counted_cases(matrix)}")
    mark, style = {"red": (out.marks.ok, GOOD), "green": (out.marks.bad, BAD)}.get(
        matrix.control.state, (out.marks.warn, CAREFUL)
    )
    out.line("  ", (mark, style), f" {plain(control_said(matrix.control), 500)}")
    for reason, cases in not_probed(matrix):
        out.line("  ", (out.marks.warn, CAREFUL), f" {count(cases)} not probed: {plain(reason, 500)}")
    failures = matrix.failures()
    for probe in failures[:SHOWN]:
        _failure(out, probe)
    if len(failures) > SHOWN:
        out.line((f"  {count(len(failures) - SHOWN)} more: patchdeck isolation --json", DIM))


def _failure(out: Output, probe: Probe) -> None:
    case = probe.case
    out.line(
        "  ", (out.marks.bad, BAD), f" {plain(case.table)}: {plain(case.persona)} {plain(tried(probe))}: ",
        (probe.mark.upper(), BAD), f" {plain(probe.actual, 300)}, expected {expected_said(probe)}",
    )  # fmt: skip
    if case.why:
        out.line((f"      {plain(case.why, 500)}", DIM))
    out.line((f"      {plain(probe.reproduction(), 4000)}", DIM))


def _grid(out: Output, matrix: Matrix) -> None:
    """Tables with a line per command and a column per persona, all in `WIDTH` cells."""
    table = grid(matrix)
    widths = _widths(table.personas, WIDTH - COMMAND)
    titles: list[Part] = [(f"{fit(who, width - 2)}  ", DIM) for who, width in widths.items()]
    out.line(" " * COMMAND, *titles)
    last = ""
    for row in table.rows:
        if row.table != last:
            last = row.table
            out.line((plain(row.table), "bold"))
        cells = [_cell(row.cells.get(who), width) for who, width in widths.items()]
        out.line(f"  {fit(row.command, COMMAND - 4)}  ", *cells)
    out.line((LEGEND, DIM))


def _widths(personas: Sequence[str], room: int) -> dict[str, int]:
    """Cells of each persona's column, gap included: its name's where all fit, else the longest are cut first."""
    least = max(map(cell_len, SHORT.values()))
    widths = {who: max(cell_len(who), least) + 2 for who in personas}
    while sum(widths.values()) > room and max(widths.values()) > least + 2:
        widths[max(widths, key=lambda who: widths[who])] -= 1
    return widths


def _cell(cell: Cell | None, width: int) -> Part:
    if cell is None:
        return (fit(UNTRIED, width), DIM)
    return (fit(SHORT[cell.state], width - 2) + "  ", _STYLES.get(cell.state, CAREFUL))
