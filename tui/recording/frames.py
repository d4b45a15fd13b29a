"""From one moment to the next and back: the frame that tells two moments apart, and the moment that a frame makes."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from tui.core.catalog import Catalog
from tui.core.look import Look
from tui.core.panels import ErrorsPanel, ExecutionsPanel
from tui.core.proof import Proof
from tui.core.splice import Span, splice, spliced
from tui.moment import Moment
from tui.recording.form import Answered, ErrorsPart, ExecutionsPart, Frame, Link, LookPart, ProofPart, ProvingPart
from tui.store import AuthFailed, Connected, Connecting, Connection, Proving, Reconnecting, Stopped

ALWAYS_TOLD_WHOLE = ("runner", "paused", "notice", "locks")
"""Parts that are small, or seldom change."""


def shifted(moment: Moment, seconds: float) -> Moment:
    """`moment` by a clock that is `seconds` ahead."""
    connection = moment.connection
    if isinstance(connection, Reconnecting):
        connection = replace(connection, since=connection.since + seconds, next_at=connection.next_at + seconds)
    return replace(
        moment,
        connection=connection,
        # 0.0 says that there was no answer yet.
        look_at=moment.look_at + seconds if moment.look else 0.0,
        panels_at=moment.panels_at + seconds if moment.taken_at else 0.0,
        proving=replace(moment.proving, at=moment.proving.at + seconds if moment.proving.proof else 0.0),
    )


def difference(before: Moment, after: Moment, at: float, wall: datetime) -> Frame | None:
    """What makes `after` of `before`, None when nothing does. Times in both are offsets, as `at` is."""
    parts: dict[str, Any] = {}
    if after.connection != before.connection:
        parts["connection"] = _link(after.connection)
    if after.look is not None and (after.look is not before.look or after.look_at != before.look_at):
        parts["looked"] = Answered(after.look_at, after.look.taken_at)
        if before.look is None or comparable(after.look) != comparable(before.look):
            parts["look"] = _look_part(before.look, after.look)
    if after.taken_at is not None and (after.panels_at, after.taken_at) != (before.panels_at, before.taken_at):
        parts["ticked"] = Answered(after.panels_at, after.taken_at)
    if after.executions is not None and after.executions != before.executions:
        parts["executions"] = _executions_part(before.executions, after.executions)
    if after.errors is not None and after.errors != before.errors:
        parts["errors"] = _errors_part(before.errors, after.errors)
    for name in ALWAYS_TOLD_WHOLE:
        if getattr(after, name) != getattr(before, name):
            parts[name] = getattr(after, name)
    if after.proving != before.proving:
        parts["proving"] = _proving_part(before.proving, after.proving)
    if after.drift_known and (not before.drift_known or after.drift != before.drift):
        parts["drift"] = after.drift
    return Frame(at, wall, **parts) if parts else None


def fold(before: Moment, frame: Frame) -> Moment:
    """The moment that `frame` makes of `before`: what `difference` took apart. Raises ValueError when it does not fit
    there, as in a file that somebody edited.
    """
    parts: dict[str, Any] = {}
    if frame.connection is not UNSET:
        parts["connection"] = _connection(frame.connection)
    if frame.looked is not UNSET:
        look = before.look if frame.look is UNSET else _look(before.look, frame.look)
        if look is None:
            raise ValueError("a look without what it saw")
        parts |= {"look": replace(look, taken_at=frame.looked.taken_at), "look_at": frame.looked.at}
    if frame.ticked is not UNSET:
        parts |= {"panels_at": frame.ticked.at, "taken_at": frame.ticked.taken_at}
    if frame.executions is not UNSET:
        parts["executions"] = _executions(before.executions, frame.executions)
    if frame.errors is not UNSET:
        parts["errors"] = _errors(before.errors, frame.errors)
    if frame.proving is not UNSET:
        parts["proving"] = _proving(before.proving, frame.proving)
    if frame.drift is not UNSET:
        parts |= {"drift": frame.drift, "drift_known": True}
    for name in ALWAYS_TOLD_WHOLE:
        value = getattr(frame, name)
        if value is not UNSET:
            parts[name] = value
    return replace(before, **parts)


def comparable(look: Look) -> Look:
    """`look` without what moves by itself, as the store compares looks, and without the catalog."""
    return replace(look, catalog=Catalog(), server=replace(look.server, rtt=0.0), taken_at=datetime.min)


T = TypeVar("T", bound=Hashable)


def _steps(before: object | None, after: object, name: str) -> tuple[Any, ...]:
    return splice(getattr(before, name) if before is not None else (), getattr(after, name))


def _made(before: object | None, name: str, steps: Sequence[T | Span]) -> tuple[T, ...]:
    return spliced(getattr(before, name) if before is not None else (), steps)


def _look_part(before: Look | None, after: Look) -> LookPart:
    head = replace(comparable(after), checks=(), runs=(), taken_at=after.taken_at)
    return LookPart(head, _steps(before, after, "checks"), _steps(before, after, "runs"))


def _look(before: Look | None, part: LookPart) -> Look:
    return replace(part.head, checks=_made(before, "checks", part.checks), runs=_made(before, "runs", part.runs))


def _executions_part(before: ExecutionsPanel | None, after: ExecutionsPanel) -> ExecutionsPart:
    head = replace(after, rows=(), buckets=())
    return ExecutionsPart(head, _steps(before, after, "rows"), _steps(before, after, "buckets"))


def _executions(before: ExecutionsPanel | None, part: ExecutionsPart) -> ExecutionsPanel:
    rows, buckets = _made(before, "rows", part.rows), _made(before, "buckets", part.buckets)
    return replace(part.head, rows=rows, buckets=buckets)


def _errors_part(before: ErrorsPanel | None, after: ErrorsPanel) -> ErrorsPart:
    head = replace(after, rows=(), groups=(), buckets=())
    return ErrorsPart(head, *(_steps(before, after, name) for name in ("rows", "groups", "buckets")))


def _errors(before: ErrorsPanel | None, part: ErrorsPart) -> ErrorsPanel:
    rows, groups = _made(before, "rows", part.rows), _made(before, "groups", part.groups)
    return replace(part.head, rows=rows, groups=groups, buckets=_made(before, "buckets", part.buckets))


def _proving_part(before: Proving, after: Proving) -> ProvingPart:
    proof: ProofPart | UnsetType | None = UNSET
    if after.proof != before.proof:
        proof = None if after.proof is None else _proof_part(before.proof, after.proof)
    return ProvingPart(after.at, after.running, after.trouble, after.outdated, proof)


def _proving(before: Proving, part: ProvingPart) -> Proving:
    proof = before.proof
    if part.proof is not UNSET:
        proof = None if part.proof is None else _proof(before.proof, part.proof)
    return Proving(proof, part.at, part.running, part.trouble, part.outdated)


def _proof_part(before: Proof | None, after: Proof) -> ProofPart:
    matrix = after.matrix and replace(after.matrix, probes=())
    head = replace(after, findings=(), checks=(), matrix=matrix)
    probes = _steps(before.matrix if before else None, after.matrix, "probes") if after.matrix else ()
    return ProofPart(head, _steps(before, after, "findings"), _steps(before, after, "checks"), probes)


def _proof(before: Proof | None, part: ProofPart) -> Proof:
    matrix = part.head.matrix
    if matrix is not None:
        matrix = replace(matrix, probes=_made(before.matrix if before else None, "probes", part.probes))
    findings, checks = _made(before, "findings", part.findings), _made(before, "checks", part.checks)
    return replace(part.head, findings=findings, checks=checks, matrix=matrix)


def _link(connection: Connection) -> Link:
    match connection:
        case Connecting():
            return Link("connecting")
        case Connected(server, rtt):
            return Link("connected", server=server, rtt=rtt)
        case Reconnecting(attempt, since, next_at, reason, hint):
            return Link("reconnecting", attempt=attempt, since=since, next_at=next_at, reason=reason, hint=hint)
        case AuthFailed(reason, hint):
            return Link("auth failed", reason=reason, hint=hint)
        case Stopped(reason, hint):
            return Link("stopped", reason=reason, hint=hint)


def _connection(link: Link) -> Connection:
    match link.state:
        case "connecting":
            return Connecting()
        case "connected":
            if link.server is None:
                raise ValueError("connected to no server")
            return Connected(link.server, link.rtt)
        case "reconnecting":
            return Reconnecting(link.attempt, link.since, link.next_at, link.reason, link.hint)
        case "auth failed":
            return AuthFailed(link.reason, link.hint)
        case "stopped":
            return Stopped(link.reason, link.hint)
