"""Run the isolation matrix: one transaction, rolled back, in one round trip, as the owner, through any pooler."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import groupby

import msgspec

from tui.core.bundle import Bundle
from tui.core.catalog import Catalog
from tui.core.control import Drill, drill
from tui.core.isolation import Control, Matrix, Result, cell_key, judge, judge_control, unproven
from tui.core.isolation_cases import Case, Plan, compose
from tui.core.isolation_spec import IsolationSpec
from tui.core.text import one_line, visible
from tui.db.batch import Command, Reply, StatementError, set_local
from tui.db.link import Link
from tui.db.queries import query

MATRIX_LIMITS = {
    "search_path": "",
    "statement_timeout": "10s",
    "lock_timeout": "2s",
    "idle_in_transaction_session_timeout": "10s",
    "jit": "off",
    "row_security": "on",
    "standard_conforming_strings": "on",
    # The old form of the claims wins over the new one in auth.uid() (facts: supabase A3).
    "request.jwt.claim.sub": "",
    "request.jwt.claim.role": "",
    "request.jwt.claims": "",
}
"""Limits of the matrix, SET LOCAL: its locks are those of ordinary writes, and it must not wait long for any."""

ANSWERS = {"G": "denied_grant", "P": "denied_policy", "D": "denied"}


class Proof(msgspec.Struct, frozen=True):
    """A matrix to be run: its batch without BEGIN and ROLLBACK, so that a rehearsal can run it in its own."""

    plan: Plan
    drill: Drill
    commands: tuple[Command, ...]


class _Pass(msgspec.Struct, frozen=True):
    results: tuple[str, ...]
    error: str | None = None


class _Answer(msgspec.Struct, frozen=True):
    unseeded: dict[str, str]
    passes: tuple[_Pass, ...]


async def prove(link: Link, bundle: Bundle, live: Catalog, *, read_only: bool = False) -> Matrix:
    """The matrix of the database behind an open link, whose catalog is `live`.

    What keeps it from running is in the matrix, not raised; `read_only` is the operator's wish to change nothing, not
    even for a moment. Raises Problem when the line is lost.
    """
    if bundle.isolation is None:
        return unproven("the bundle has no isolation.toml: nobody said who may reach which rows")
    if read_only:
        return unproven("this session is read-only: no synthetic row can be made, not even to be rolled back")
    proof = prepare(bundle.isolation, bundle, live)
    before = link.round_trips
    began = Command("begin isolation level read committed")
    try:
        replies = await link.batch([began, *proof.commands, Command("rollback")])
    except StatementError as error:
        await link.run("rollback")
        return ended(error)
    return read(proof, replies[1:-1], seconds=replies[-1].seconds, round_trips=link.round_trips - before)


def ended(error: StatementError) -> Matrix:
    """The matrix that the server did not let come to its end."""
    return unproven(one_line(f"the server ended it: {error.message} ({error.sqlstate})", 300))


def prepare(spec: IsolationSpec, bundle: Bundle, live: Catalog) -> Proof:
    """The batch of one matrix, without BEGIN and ROLLBACK."""
    return assemble(spec, compose(spec, bundle.expectation, live), drill(spec, bundle.expectation, live))


def assemble(spec: IsolationSpec, plan: Plan, control: Drill) -> Proof:
    """The batch that tries the cases of a plan and of a negative control."""
    asked = {
        "tables": [seed.table for seed in plan.seeds],
        "accounts": spec.accounts.table,
        "roles": sorted({persona.role for persona in spec.personas}),
    }
    matrix = {
        "seed": [{"table": seed.table, "sql": seed.statements} for seed in plan.seeds],
        "passes": [
            {"setup": (), "personas": _personas(plan.cases)},
            {"setup": control.making, "personas": _personas(control.intact, twins=True)},
            {"setup": control.breaking, "personas": _personas(control.broken, twins=True)},
        ],
    }
    commands = (
        set_local(MATRIX_LIMITS),
        Command(query("matrix_guard"), (json.dumps(asked),)),
        Command("select set_config('patchdeck.matrix', $1, true)", (msgspec.json.encode(matrix).decode(),)),
        Command("set constraints all immediate"),
        Command(query("matrix")),
        Command("select current_setting('patchdeck.matrix_result', true)"),
        Command(query("matrix_locks")),
    )
    return Proof(plan, control, commands)


def read(proof: Proof, replies: Sequence[Reply], *, seconds: float, round_trips: int) -> Matrix:
    """The replies to `proof.commands`, judged. `seconds` and `round_trips` are what it took."""
    refused = msgspec.json.decode(replies[1].value, type=tuple[str, ...])
    if refused:
        return unproven(*refused)
    answer = msgspec.json.decode(replies[5].value, type=_Answer)
    cases = proof.plan.cases
    probes = judge(cases, _results(cases, answer.passes[0].results, answer.unseeded))
    red = frozenset(cell_key(probe.case) for probe in probes if probe.mark != "ok")
    return Matrix(
        probes=probes,
        control=_control(proof.drill, answer.passes[1], answer.passes[2], red, replies[1].rows[0][1] or ""),
        unseeded={table: visible(reason) for table, reason in answer.unseeded.items()},
        unsaid=proof.plan.unsaid,
        locks=tuple((visible(relation or ""), mode or "") for relation, mode in replies[6].rows),
        seconds=seconds,
        round_trips=round_trips,
    )


def _personas(cases: Sequence[Case], *, twins: bool = False) -> list[Mapping[str, object]]:
    """The cases as matrix.sql wants them: grouped by persona, in their order."""
    return [
        {"role": role, "claims": claims, "steps": [_step(case, twins) for case in group]}
        for (_, role, claims), group in groupby(cases, key=lambda case: (case.persona, case.role, case.claims))
    ]


def _step(case: Case, twins: bool) -> Mapping[str, object]:
    step: dict[str, object] = {"s": case.sql}
    if not twins:
        # A twin has rows of its own, whether or not its table's could be made.
        step["t"] = case.table
    if case.counts:
        step["c"] = True
    if case.row:
        step["r"] = case.row
    return step


def _results(cases: Sequence[Case], answers: Sequence[str], unseeded: Mapping[str, str]) -> list[Result]:
    return [_result(case, answer, unseeded) for case, answer in zip(cases, answers, strict=True)]


def _result(case: Case, answer: str, unseeded: Mapping[str, str]) -> Result:
    if answer == "X":
        return Result("skipped", reason=f"its rows could not be made: {unseeded.get(case.table, '')}")
    if answer.startswith("N"):
        return Result("rows", rows=int(answer[1:]))
    return Result(ANSWERS.get(answer, answer))


def _control(control: Drill, intact: _Pass, broken: _Pass, red: frozenset[tuple[str, ...]], hindrance: str) -> Control:
    reason = control.reason or hindrance or intact.error or broken.error
    if reason:
        return Control("not_run", control.tables, reason=visible(reason))
    return judge_control(
        control.tables,
        judge(control.intact, _results(control.intact, intact.results, {})),
        judge(control.broken, _results(control.broken, broken.results, {})),
        red,
    )
