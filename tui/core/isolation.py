"""What the isolation matrix found: each case judged, the cells they make, what the negative control says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from tui.core.check import Check, Outcome
from tui.core.isolation_cases import Case
from tui.core.isolation_spec import EITHER
from tui.core.text import visible

Mark = Literal["ok", "leak", "lost", "differs", "not_probed"]
"""What a case came to: as expected; more than allowed; less than allowed; refused, but by another layer; not tried."""

CellState = Literal["allowed", "own rows only", "denied", "LEAK", "LOST", "differs", "not probed"]
ControlState = Literal["red", "green", "not_run"]
State = Literal["passed", "failed", "not_proven"]

_WORST: tuple[Mark, ...] = ("leak", "lost", "differs", "not_probed")

_SAID = {
    "allowed": "allowed",
    "denied_grant": "denied by grant (42501, permission denied)",
    "denied_policy": "denied by policy (42501, row-level security)",
    "denied": "denied (42501, in words of a language unknown here)",
    "no_rows": "no rows",
}


class Result(msgspec.Struct, frozen=True):
    """What the database answered to one case: a number of rows, or the SQLSTATE it refused with and by which layer
    (`got` as in `Case.expected`, or `denied` where the words do not tell).
    """

    got: str
    rows: int = 0
    reason: str = ""


class Probe(msgspec.Struct, frozen=True):
    """One case and how it came out. `actual` is in words; `reason` says why a case was not tried."""

    case: Case
    mark: Mark
    actual: str
    reason: str = ""

    def reproduction(self) -> str:
        """The statement with role and claims, as somebody can run it after making rows like the synthetic ones.

        One that is `without WHERE` was tried on a single row; run like this it reaches every row it is let through to.
        """
        return (
            f"begin; select set_config('request.jwt.claims', '{self.case.claims}', true);"
            f" set local role {self.case.role}; {self.case.sql}; rollback;"
        )


class Cell(msgspec.Struct, frozen=True):
    """What one persona can do with one command on one table, over all scopes and details."""

    table: str
    command: str
    persona: str
    state: CellState
    probes: tuple[Probe, ...]


class Control(msgspec.Struct, frozen=True):
    """The negative control: whether breaking one policy of a throw-away twin turned the matrix red, as it must.

    `turned` of `cells` refused cells became leaks; `reason` says why it was not run or what it saw instead.
    """

    state: ControlState
    tables: tuple[str, ...] = ()
    cells: int = 0
    turned: int = 0
    reason: str = ""


class Matrix(msgspec.Struct, frozen=True):
    """The isolation matrix of one database.

    `reasons`: why nothing was tried at all. `unseeded`: tables whose synthetic rows could not be made, with the
    server's words; `unsaid`: what the bundle expects and has no case for. `locks`: (relation, mode) it held until its
    rollback. `seconds`: from the first byte sent to the last reply.
    """

    probes: tuple[Probe, ...] = ()
    control: Control = Control("not_run")
    unseeded: Mapping[str, str] = msgspec.field(default_factory=dict)
    unsaid: tuple[str, ...] = ()
    locks: tuple[tuple[str, str], ...] = ()
    seconds: float = 0.0
    round_trips: int = 0
    reasons: tuple[str, ...] = ()

    @property
    def state(self) -> State:
        """Failed by any leak, loss, difference or a control that stayed green; proven only when all was tried."""
        marks = {probe.mark for probe in self.probes}
        if marks & {"leak", "lost", "differs"} or self.control.state == "green":
            return "failed"
        tried = self.probes and "not_probed" not in marks and not self.unseeded and not self.unsaid
        return "passed" if tried and not self.reasons and self.control.state == "red" else "not_proven"

    def failures(self) -> tuple[Probe, ...]:
        """The probes that came out wrong, leaks first."""
        wrong = [probe for probe in self.probes if probe.mark in ("leak", "lost", "differs")]
        return tuple(sorted(wrong, key=lambda probe: _WORST.index(probe.mark)))

    def count(self, mark: Mark) -> int:
        """How many cases came out so."""
        return sum(probe.mark == mark for probe in self.probes)

    def cells(self) -> tuple[Cell, ...]:
        """One cell per table, command and persona, in the order of the cases."""
        groups: dict[tuple[str, str, str], list[Probe]] = {}
        for probe in self.probes:
            groups.setdefault((probe.case.table, probe.case.command, probe.case.persona), []).append(probe)
        return tuple(Cell(*key, _cell_state(probes), tuple(probes)) for key, probes in groups.items())


def unproven(*reasons: str) -> Matrix:
    """The matrix of a database on which nothing could be tried."""
    return Matrix(reasons=tuple(visible(reason) for reason in reasons))


def judge(cases: Sequence[Case], results: Sequence[Result]) -> tuple[Probe, ...]:
    """Each case with its result. Raises ValueError when there is not one result for each case."""
    return tuple(_judge(case, result) for case, result in zip(cases, results, strict=True))


def judge_control(
    tables: tuple[str, ...], intact: Sequence[Probe], broken: Sequence[Probe], leaking: frozenset[tuple[str, ...]]
) -> Control:
    """Whether the broken twin was seen. `leaking`: the cells (see `cell_key`) that are red on the live tables as well:
    there the twin rightly shows what the table does.
    """
    honest = [probe for probe in intact if probe.mark != "ok" and cell_key(probe.case) not in leaking]
    if honest:
        case = honest[0].case
        seen = f"{case.persona}, {case.command} on {case.scope} rows of {case.table}: {honest[0].actual}"
        return Control("green", tables, len(broken), 0, f"the unbroken twin does not act as its table does ({seen})")
    turned = sum(probe.mark == "leak" for probe in broken)
    if not broken or turned < len(broken):
        missed = next((probe.case for probe in broken if probe.mark != "leak"), None)
        where = f": {missed.persona}, {missed.command} on {missed.scope} rows of {missed.table}" if missed else ""
        return Control("green", tables, len(broken), turned, f"a policy broken on purpose was not seen{where}")
    return Control("red", tables, len(broken), turned)


def cell_key(case: Case) -> tuple[str, ...]:
    """What makes two cases the same question, asked of a table or of its twin."""
    return case.table, case.command, case.persona, case.scope, case.detail


def to_checks(matrix: Matrix) -> tuple[Check, ...]:
    """The layer "behaviour": one check per cell that holds, one per probe that does not, one for the control."""
    checks = [_not_run(reason) for reason in matrix.reasons]
    if not matrix.reasons:
        checks.append(_control_check(matrix.control))
    for table, reason in matrix.unseeded.items():
        why = "no synthetic row could be made, so nothing is known about who reaches this table's rows"
        checks.append(_check("rows", table, "synthetic rows", "not_proven", "made", reason, why))
    for name in matrix.unsaid:
        why = "the bundle's isolation file says nothing of it, so nothing is known about who reaches it"
        checks.append(_check("cases", name, "cases", "not_proven", "tried", "none", why))
    for cell in matrix.cells():
        checks += _cell_checks(cell)
    return tuple(checks)


def _cell_checks(cell: Cell) -> Iterator[Check]:
    name = f"{cell.persona} {cell.command}"
    wrong = [probe for probe in cell.probes if probe.mark != "ok"]
    if not wrong:
        yield _check("access", cell.table, name, "ok", cell.state, cell.state, "")
    for probe in wrong:
        yield _check(
            "access", cell.table, " ".join(filter(None, (name, probe.case.scope, probe.case.detail))),
            _OUTCOMES[probe.mark], _SAID.get(probe.case.expected, probe.case.expected),
            probe.reason or f"{probe.actual}: {probe.reproduction()}", _why(probe),
        )  # fmt: skip


_OUTCOMES: dict[Mark, Outcome] = {"leak": "leak", "lost": "differs", "differs": "differs", "not_probed": "not_proven"}


def _judge(case: Case, result: Result) -> Probe:
    if result.got == "skipped":
        return Probe(case, "not_probed", "not probed", visible(result.reason))
    words = _SAID.get(result.got, result.got)
    if result.got == "rows":
        words = "allowed" if result.rows == case.rows else f"{result.rows} of {case.rows} rows"
        words = words if result.rows else _SAID["no_rows"]
    return Probe(case, _mark(case, result), words)


def _mark(case: Case, result: Result) -> Mark:
    rows = result.rows if result.got == "rows" else 0
    if case.expected == "allowed":
        return "ok" if rows == case.rows else "leak" if rows > case.rows else "lost"
    if rows:
        return "leak"
    got, wanted = "no_rows" if result.got == "rows" else result.got, case.expected.split(EITHER)
    alike = got == "denied" and bool({"denied_grant", "denied_policy"} & set(wanted))
    return "ok" if got in wanted or alike else "differs"


def _cell_state(probes: Sequence[Probe]) -> CellState:
    marks = {probe.mark for probe in probes}
    for mark, state in _STATES:
        if mark in marks:
            return state
    allowed = sum(probe.case.expected == "allowed" for probe in probes)
    return "denied" if not allowed else "allowed" if allowed == len(probes) else "own rows only"


_STATES: tuple[tuple[Mark, CellState], ...] = (
    ("leak", "LEAK"),
    ("lost", "LOST"),
    ("differs", "differs"),
    ("not_probed", "not probed"),
)

_MEANS = {
    "leak": "{who} got what nobody gave them: one customer's rows are open to another",
    "lost": "{who} lost what is theirs: the app's requests fail or come back empty",
    "differs": "{who} is refused by another layer than the one meant: the remaining one stands alone",
    "not_probed": "nothing is known about this cell",
}


def _why(probe: Probe) -> str:
    means = _MEANS[probe.mark].format(who=probe.case.persona)
    return f"{means} ({probe.case.why})" if probe.case.why else means


def _not_run(reason: str) -> Check:
    return _check("matrix", "", "isolation matrix", "not_proven", "every cell probed", reason, reason)


def _control_check(control: Control) -> Check:
    why = "a proof that can not fail proves nothing: one policy of a throw-away twin is broken, the matrix must see it"
    expected = "red after one policy is broken on purpose"
    if control.state == "red":
        actual = f"{control.turned} of {control.cells} cells turned red on twins of {', '.join(control.tables)}"
        return _check("control", "", "negative control", "ok", expected, actual, why)
    if control.state == "green":
        actual = f"the proof does not work here: {control.reason}"
        return _check("control", "", "negative control", "differs", expected, actual, why)
    return _check("control", "", "negative control", "not_proven", expected, control.reason, why)


def _check(kind: str, table: str, name: str, outcome: Outcome, expected: str, actual: str, why: str) -> Check:
    return Check("behaviour", kind, table, name, outcome, expected, visible(actual), why)
