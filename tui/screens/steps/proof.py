"""A proof as a step of the walkthrough tells it: each layer in a line, what it came from, what does not hold."""

from __future__ import annotations

from tui.core.check import Layer
from tui.core.isolation import Matrix
from tui.core.proof import Proof, layer_state
from tui.core.proof_words import control_said, counted_cases, counted_findings, lock_words
from tui.core.text import Glyphs, count, duration, one_line
from tui.screens.steps.progress import failed_checks
from tui.screens.steps.step import paragraph
from tui.theme import Role
from tui.widgets.lines import Line


def proof_lines(proof: Proof, cells: int, glyphs: Glyphs) -> list[Line]:
    """Safety, then isolation with its control beside it."""
    lines = _layer(proof, "safety", counted_findings(proof.findings), cells, glyphs)
    matrix = proof.matrix
    said = counted_cases(matrix) if matrix and matrix.probes else ""
    lines += _layer(proof, "behaviour", said, cells, glyphs)
    if matrix is not None and matrix.probes:
        lines += _control(matrix, cells)
    return lines + failed_checks(tuple(check for check in proof.checks if not check.ok), cells, glyphs)


def _layer(proof: Proof, layer: Layer, said: str, cells: int, glyphs: Glyphs) -> list[Line]:
    checks, state = proof.of(layer), layer_state(proof.of(layer))
    marks: dict[str, tuple[str, Role]] = {"passed": (glyphs.ok, "ok!"), "failed": (glyphs.bad, "bad!")}
    mark, role = marks.get(state, (glyphs.warn, "warn!"))
    held = f"{count(sum(check.ok for check in checks))} of {count(len(checks))} checks hold"
    words = f"{mark} {layer} {state.replace('_', ' ')}: {held}"
    return [*paragraph(words, cells, role), *(paragraph(said, cells, "dim", indent=2) if said else [])]


def _control(matrix: Matrix, cells: int) -> list[Line]:
    role: Role = "bad" if matrix.control.state == "green" else "dim"
    lines = paragraph(one_line(control_said(matrix.control), 500), cells, role, indent=2)
    took = f"{duration(matrix.seconds)}, rolled back; locks: {lock_words(matrix) or 'none'}"
    return lines + paragraph(one_line(took, 500), cells, "dim", indent=2)
