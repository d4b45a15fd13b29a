"""The JSON documents of what was proven: verify, isolation, drift. Their keys change only on purpose (design `cli`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.commands.documents import bundle, check, status, target
from tui.commands.verification import Verification
from tui.core.check import Layer
from tui.core.deck import Deck
from tui.core.drift import Drift, drift_said, drift_state
from tui.core.isolation import Matrix, Probe
from tui.core.proof_words import grid, not_probed, standing
from tui.core.safety import Finding

if TYPE_CHECKING:
    from tui.commands import shapes  # some milliseconds that only `schema` needs to spend


def verification(deck: Deck, found: Verification) -> shapes.Verification:
    """`verify --format json`: the status document and, per layer asked for, its state, its checks and what it knows
    beyond them.
    """
    layers: dict[Layer, shapes.Judged] = {
        name: {"state": state, "checks": [check(judged) for judged in checks]}
        for name, (state, checks) in found.layers.items()
    }
    if "safety" in layers:
        layers["safety"]["findings"] = [finding(one) for one in found.findings]
    if "behaviour" in layers and found.matrix is not None:
        layers["behaviour"]["isolation"] = matrix_document(found.matrix)
    return {**status(deck, found.look), "layers": layers, "seconds": found.seconds}


def isolation(deck: Deck, matrix: Matrix) -> shapes.Isolation:
    """`isolation --json`."""
    return {"target": _target(deck), "bundle": bundle(deck.bundle), **matrix_document(matrix)}


def _target(deck: Deck) -> shapes.Target:
    if deck.server is None:
        raise AssertionError("what was proven was proven on a server")
    return target(deck.destination, deck.server)


def finding(found: Finding) -> shapes.Finding:
    """One finding of the safety lint. `new` is null where nothing was recorded before the patch."""
    rule = found.rule
    return {
        "code": rule.code,
        "level": rule.level,
        "title": rule.title,
        "object": found.object,
        "table": found.table,
        "name": found.name,
        "key": found.key,
        "detail": found.detail,
        "why": rule.why,
        "mend": rule.mend,
        "advisor": rule.advisor or None,
        "standing": standing(found) or None,
        "new": found.new,
        "muted_by": found.muted_by,
        "fails": found.fails,
    }


def matrix_document(matrix: Matrix) -> shapes.Matrix:
    """An isolation matrix: what `isolation`, `verify` and a rehearsal say of it."""
    control, table = matrix.control, grid(matrix)
    return {
        "state": matrix.state,
        "cases": len(matrix.probes),
        "cells": len(matrix.cells()),
        "outcomes": {
            "ok": matrix.count("ok"),
            "leak": matrix.count("leak"),
            "lost": matrix.count("lost"),
            "differs": matrix.count("differs"),
            "not_probed": matrix.count("not_probed"),
        },
        "control": {
            "state": control.state,
            "tables": list(control.tables),
            "cells": control.cells,
            "turned": control.turned,
            "reason": control.reason or None,
        },
        "reasons": list(matrix.reasons),
        "not_probed": [{"reason": reason, "cases": cases} for reason, cases in not_probed(matrix)],
        "unseeded": dict(matrix.unseeded),
        "unsaid": list(matrix.unsaid),
        "locks": [{"relation": relation, "mode": mode} for relation, mode in matrix.locks],
        "seconds": matrix.seconds,
        "round_trips": matrix.round_trips,
        "personas": list(table.personas),
        "matrix": [
            {"table": row.table, "command": row.command, "cells": {who: cell.state for who, cell in row.cells.items()}}
            for row in table.rows
        ],
        "failures": [_probe(probe) for probe in matrix.failures()],
    }


def _probe(probe: Probe) -> shapes.Probe:
    case = probe.case
    return {
        "mark": probe.mark,
        "table": case.table,
        "command": case.command,
        "persona": case.persona,
        "scope": case.scope,
        "detail": case.detail or None,
        "expected": case.expected,
        "actual": probe.actual,
        "why": case.why or None,
        "role": case.role,
        "claims": case.claims,
        "statement": case.sql,
        "reproduction": probe.reproduction(),
    }


def drift(deck: Deck, found: Drift | None) -> shapes.Drift:
    """`drift --json`: `state` is none, drifted or not_proven; `recorded` is null where nothing is."""
    recorded: shapes.Recorded | None = None
    if found is not None:
        recorded = {
            "run_id": found.run_id,
            "action": found.action,
            "mode": found.mode,
            "operator": found.operator,
            "finished_at": found.finished_at,
            "same_server_version": found.same_version,
        }
    return {
        "target": _target(deck),
        "bundle": bundle(deck.bundle),
        "state": drift_state(found),
        "message": drift_said(found),
        "recorded": recorded,
        "changes": [
            {"kind": change.kind, "object": change.object, "before": change.before, "after": change.after}
            for change in (found.changes if found else ())
        ],
    }
