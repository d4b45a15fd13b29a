"""What the band says of drift and of the last proof, each in a few words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tui.core.drift import drift_state
from tui.core.text import age, count

if TYPE_CHECKING:
    from tui.core.isolation import Matrix
    from tui.core.safety import Finding
    from tui.store import Proving, Store
    from tui.theme import Role
    from tui.widgets.lines import Groups, Span, Spans

MINUTE = 60.0


def proof_news(store: Store, now: float, *, brief: bool = False) -> Groups:
    """Drift, isolation and findings as groups, as far as anything is known of them; `brief` for a narrow line."""
    return (*_drift(store), *_isolation(store.proving, now, brief=brief), *_safety(store.proving))


def old(seconds: float) -> str:
    """How long ago, by the minute: what is shown all day must not change every second (design: ui, rule 6)."""
    return age(seconds) if seconds >= MINUTE else "just now"


def _drift(store: Store) -> Groups:
    if not store.drift_known or (store.drift is None and (store.look is None or not store.look.runs)):
        return ()
    state = drift_state(store.drift)
    number = len(store.drift.changes) if store.drift else 0
    said: dict[str, Span] = {
        "none": ("none", "text"),
        "drifted": (count(number), "bad"),
        "not_proven": ("not proven", "warn"),
    }
    return (_group("drift", *said[state]),)


def _isolation(proving: Proving, now: float, *, brief: bool) -> Groups:
    if proving.running:
        return (_group("isolation", "proving", "live"),)
    if proving.trouble is not None:
        return (_group("isolation", "not proven", "warn"),)
    matrix = proving.proof.matrix if proving.proof else None
    if matrix is None:
        return ()
    if proving.outdated:
        return (_group("isolation", "proven before the last change", "warn"),)
    return (_group("isolation", *_result(matrix, old(now - proving.at), brief=brief)),)


def _result(matrix: Matrix, when: str, *, brief: bool) -> tuple[str, Role]:
    match matrix.state:
        case "passed":
            return f"{when}, 0 leaks" if brief else f"proven {when}, 0 leaks in {count(len(matrix.cells()))}", "text"
        case "not_proven":
            return "not proven", "warn"
    leaks = matrix.count("leak")
    failures = len(matrix.failures())
    what = (
        f"{count(leaks)} leak{'' if leaks == 1 else 's'}"
        if leaks
        else f"{count(failures)} wrong"
        if failures
        else "control not seen"
    )
    return f"{what}, {when}", "bad"


def _safety(proving: Proving) -> Groups:
    if proving.proof is None or proving.running or proving.outdated or proving.trouble is not None:
        return ()
    failing: list[Finding] = [finding for finding in proving.proof.findings if finding.fails]
    return (_group("findings", count(len(failing)), "bad" if failing else "text"),)


def _group(word: str, said: str, role: Role) -> Spans:
    return ((f"{word} ", "dim"), (said, role))
