"""The proof of what lies beyond the structure, over an open line: the safety lint and the isolation matrix."""

from __future__ import annotations

from collections.abc import Collection

from tui.core.bundle import Bundle
from tui.core.check import Check, Layer
from tui.core.deck import Problem
from tui.core.isolation import to_checks as isolation_checks
from tui.core.look import Look
from tui.core.proof import Proof
from tui.core.safety import Finding, judge, scope, unproven
from tui.core.safety import to_checks as safety_checks
from tui.db.link import Link
from tui.db.lint import lint
from tui.db.matrix import prove
from tui.db.sight import Observer


async def proof_of(
    link: Link, observer: Observer, bundle: Bundle, look: Look, layers: Collection[Layer], *, read_only: bool
) -> Proof:
    """The proof of `layers` beside `look`. Raises Problem when the line is lost; what else keeps a layer from being
    proven is in the proof.
    """
    checks: list[Check] = []
    findings: tuple[Finding, ...] = ()
    matrix = None
    if "safety" in layers:
        try:
            findings, found = await _lint(link, observer, bundle)
        except Problem as problem:
            if problem.kind != "query":
                raise
            found = (unproven(problem.message),)
        checks += found
    if "behaviour" in layers:
        matrix = await prove(link, bundle, look.catalog, read_only=read_only)
        checks += isolation_checks(matrix)
    return Proof(findings, matrix, tuple(checks), look.taken_at)


async def _lint(link: Link, observer: Observer, bundle: Bundle) -> tuple[tuple[Finding, ...], tuple[Check, ...]]:
    """The findings with the checks they amount to, compared with what was found before the last apply."""
    safety = bundle.manifest.safety
    rows = await lint(link, safety.request())
    apply = (await observer.records(link)).apply
    known = apply.findings_before if apply else None
    findings = judge(rows, safety.mutes, None if known is None else frozenset(known))
    return findings, safety_checks(findings, scope(rows))
