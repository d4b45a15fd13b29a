"""A scripted database for screens: a deck that answers from memory, and the made-up world it answers with.

Nothing here knows the shipped bundle: the screens must draw any.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

from msgspec.structs import replace
from textual.app import App
from textual.pilot import Pilot

from tui.app import Clock, PatchdeckApp, Settings
from tui.core.bundle import Bundle, Manifest, Script
from tui.core.catalog import Catalog, Table
from tui.core.check import Check, Layer
from tui.core.deck import Control, Destination, Problem
from tui.core.drift import Drift
from tui.core.expectation import (
    Expectation,
    ExpectedColumn,
    ExpectedFunction,
    ExpectedIndex,
    ExpectedPolicy,
    ExpectedPublication,
    ExpectedTable,
    ExpectedTrigger,
    ExpectedView,
)
from tui.core.locks import Ended, Ending, LockPicture
from tui.core.look import Look, RunRecord, Server
from tui.core.opened import OpenedError, OpenedExecution
from tui.core.panel_source import Panel, PanelSource
from tui.core.panels import (
    Bucket,
    ErrorGroup,
    ErrorRow,
    ErrorsPanel,
    Execution,
    ExecutionsPanel,
    Panels,
    Scope,
    ScopeShare,
)
from tui.core.plan import Preview
from tui.core.preflight import PreflightCheck
from tui.core.proof import Proof
from tui.core.report_ledger import LedgerRow
from tui.core.run import Event, Plan
from tui.core.statements import split
from tui.core.verdict import State, Verdict
from tui.poller import Pace

NOON = datetime(2026, 11, 20, 14, 2, 31, tzinfo=UTC)
SHELVES = [
    "agents",
    "agent_runs",
    "flows",
    "flow_runs",
    "plans",
    "meters",
    "bills",
    "events",
    "flow_run_logs",
    "agent_run_logs",
    "faults",
    "timings",
    "hooks",
    "files",
    "members",
    "teams",
]


def expected_table(name: str, *, policies: int = 4) -> ExpectedTable:
    """A table with three columns, one index, one trigger and some policies."""
    commands = ("select", "insert", "update", "delete")
    return ExpectedTable(
        name=f"public.{name}",
        origin="created",
        why=f"keeps the {name}",
        columns=tuple(ExpectedColumn(column, "uuid", True) for column in ("id", "team_id", "made_at")),
        indexes=(ExpectedIndex(f"{name}_team", "btree (team_id)"),),
        policies=tuple(ExpectedPolicy(f"{name}_{word}", word) for word in commands[:policies]),  # type: ignore[arg-type]
        triggers=(ExpectedTrigger(f"{name}_touch", "before update", "public.touch()"),),
    )


EXPECTATION = Expectation(
    tables=tuple(expected_table(name, policies=2 if name.endswith("logs") else 4) for name in SHELVES),
    functions=(ExpectedFunction("public.touch()", "trigger", "plpgsql", "begin end"),),
    views=(ExpectedView("public.my_teams", ("id",), "select id from public.teams"),),
    publications=(ExpectedPublication("live", ("public.agents",)),),
)

BUNDLE = Bundle(
    manifest=Manifest(
        name="teams",
        version="20251122000000",
        title="Teams",
        panels=(
            Panel(
                "runs",
                "executions",
                "Executions",
                (PanelSource("new", "window", running="running", scope="team", scopes="scopes"),),
            ),
            Panel("faults", "errors", "Errors", (PanelSource("new", "window", top="top", occurrences="occurrences"),)),
        ),
    ),
    patch=Script("PATCH.sql", split("create table public.a (id int);\ncreate table public.b (id int);")),
    rollback=Script("ROLLBACK.sql", split("drop policy p on public.a;")),
    expectation=EXPECTATION,
    queries={},
    checksum="9f31c2d8" * 8,
    digest="0" * 64,
)

HERE = Destination(
    name="acme-prod",
    host="aws-1-us-east-1.pooler.example.com",
    port=6543,
    database="postgres",
    user="postgres",
    local=False,
    read_only=False,
)

SERVER = Server(
    host=HERE.host,
    port=6543,
    database="postgres",
    user="postgres",
    pooled=True,
    mode="transaction",
    version="17.4",
    version_num=170004,
    tls="TLSv1.3",
    tls_verified=True,
    rtt=0.081,
    superuser=False,
    bypass_rls=False,
    writable=True,
)

APPLIED_RUN = RunRecord(
    run_id="r1",
    bundle="teams",
    version="20251122000000",
    checksum=BUNDLE.checksum,
    action="apply",
    mode="",
    operator="dana",
    client_host="bastion-2",
    server_version="17.4",
    started_at=NOON,
    finished_at=NOON,
    seconds=2.1,
    lock_seconds=0.4,
    statements=170,
    outcome="committed",
)

POLICY_TEXT = "team_id = ANY (ARRAY( SELECT m.team_id FROM members m WHERE m.user_id = ( SELECT auth.uid() AS uid)))"


def checks(
    expectation: Expectation = EXPECTATION, *, outcome: Callable[[Check], Check] = lambda check: check
) -> tuple[Check, ...]:
    """Every check of the expectation, holding unless `outcome` says otherwise."""
    made: list[Check] = []

    def add(kind: str, table: str, name: str, definition: str = "") -> None:
        made.append(outcome(Check("structure", kind, table, name, "ok", definition, definition)))

    for table in expectation.tables:
        add("table", table.name, table.name)
        for column in table.columns:
            add("column", table.name, column.name, f"{column.name} {column.type} not null")
        for index in table.indexes:
            add("index", table.name, index.name, index.definition)
        add("rls", table.name, table.name, "on")
        for policy in table.policies:
            add(
                "policy", table.name, policy.name, f"permissive {policy.command} to authenticated using ({POLICY_TEXT})"
            )
        for trigger in table.triggers:
            add("trigger", table.name, trigger.name, "BEFORE UPDATE FOR EACH ROW")
    for view in expectation.views:
        add("view", view.name, view.name, view.definition)
    for function in expectation.functions:
        add("function", "", function.name, "plpgsql")
    for publication in expectation.publications:
        add("publication", "", publication.name, "agents")
    return tuple(made)


def missing(*names: str) -> Callable[[Check], Check]:
    """Makes the checks of these names missing."""

    def spoil(check: Check) -> Check:
        if check.name not in names:
            return check
        return Check(
            "structure", check.object, check.table, check.name, "missing", check.expected, "",
            "members can not do this until the policy is there",
        )  # fmt: skip

    return spoil


def differing(name: str, actual: str) -> Callable[[Check], Check]:
    """Makes the check of this name differ."""

    def spoil(check: Check) -> Check:
        if check.name != name:
            return check
        why = "a policy that asks another question opens rows to other teams"
        return Check("structure", check.object, check.table, check.name, "differs", check.expected, actual, why)

    return spoil


def nothing_there(check: Check) -> Check:
    """The state before the patch."""
    why = "the app's requests to it fail"
    return Check("structure", check.object, check.table, check.name, "missing", check.expected, "", why)


def look(
    found: Sequence[Check] | None = None,
    *,
    state: State | None = None,
    run: RunRecord | None = APPLIED_RUN,
    at: datetime = NOON,
) -> Look:
    """A look with these checks; the verdict follows from them unless `state` says otherwise."""
    judged = tuple(checks() if found is None else found)
    failed = sum(not one.ok and one.outcome != "not_proven" for one in judged)
    unproven = sum(one.outcome == "not_proven" for one in judged)
    passed = len(judged) - failed - unproven
    decided: State = state or ("applied" if not failed else "partial" if passed else "not_applied")
    headline = {
        "applied": "APPLIED",
        "not_applied": "NOT APPLIED",
        "partial": f"PARTIAL {passed}/{len(judged)}",
        "drifted": f"DRIFTED {failed}",
        "rolled_back": "ROLLED BACK",
    }[decided]
    verdict = Verdict(
        decided,
        decided == "applied" and not unproven,
        len(judged),
        passed,
        failed,
        unproven,
        headline,
        SENTENCES[decided],
    )
    catalog = Catalog(tables=tuple(Table(table.name, "postgres", True, True, False) for table in EXPECTATION.tables))
    runs = (run,) if run and decided != "not_applied" else ()
    return Look(SERVER, catalog, judged, verdict, runs, at)


SENTENCES = {
    "applied": "Everything the migration promises is there.",
    "not_applied": "Nothing of the migration is there: the app runs as before.",
    "partial": "A part of the migration is there: users may see too much or too little.",
    "drifted": "The migration was applied and something was changed since.",
    "rolled_back": "The policies are gone: users see no rows.",
}


def executions(number: int = 12, *, at: datetime = NOON, first: int = 0) -> ExecutionsPanel:
    """A panel with rows, newest first."""
    names = ("invoice-sync", "summarise", "triage", "nightly-export", "classify", "crm-push", "extract")
    words = ("ok", "failed", "running", "ok", "ok")
    rows = tuple(
        Execution(
            id=f"e{first + number - index}",
            kind="workflow" if index % 2 else "agent",
            name=names[(first + number - index) % len(names)],
            scope="acme",
            status=words[(first + number - index) % len(words)],
            started_at=at - timedelta(seconds=index),
            duration_ms=None if words[(first + number - index) % len(words)] == "running" else 188.0 + 97 * index,
            message="",
        )
        for index in range(number)
    )
    buckets = tuple(Bucket(at, total=(index * 7) % 11) for index in range(30))
    totals = Bucket(None, 4260, 4211, 37, 12, 410.0, 1800.0)
    return ExecutionsPanel("Executions", rows=rows, buckets=buckets, totals=totals)


def errors(*, at: datetime = NOON) -> ErrorsPanel:
    """A panel with four groups."""
    groups = (
        ErrorGroup("f1", "RateLimitError", "429 from provider", 21, at - timedelta(seconds=4)),
        ErrorGroup("f2", "TimeoutError", 'step "fetch" over 30 s', 9, at - timedelta(seconds=125)),
        ErrorGroup("f3", "PermissionDenied", "42501 on agents", 4, at - timedelta(seconds=400)),
        ErrorGroup("f4", "ValidationError", "field [items] missing", 3, at - timedelta(seconds=600)),
    )
    rows = tuple(
        ErrorRow(f"x{n}", at - timedelta(seconds=n), "agent", "RateLimitError", "429 from provider", "acme")
        for n in range(9)
    )
    return ErrorsPanel(
        "Errors", rows=rows, groups=groups, buckets=tuple(Bucket(at, total=n % 4) for n in range(30)), total=37
    )


def panels(runs: ExecutionsPanel | None = None, faults: ErrorsPanel | None = None, *, at: datetime = NOON) -> Panels:
    """Both panels after a tick."""
    return Panels(runs or executions(), faults or errors(), at, 0.081)


WAITING = Panels(
    ExecutionsPanel("Executions", waits_for="waits for table runs: the migration adds what this panel reads"),
    ErrorsPanel("Errors", waits_for="waits for table faults: the migration creates it"),
    NOON,
    0.081,
)


class ScriptedDeck:
    """Answers from `look_now` and `panels_now`, which a test changes as it likes; `fail` holds Problems to raise.

    `asked` counts the questions, `hold` keeps every answer back until it is set, `hold_looks` those of looks, `events`
    is what a run yields; `hangs_up`, when set, ends the line without a question.
    """

    def __init__(self, *, destination: Destination = HERE, bundle: Bundle = BUNDLE) -> None:
        self._bundle, self._destination = bundle, destination
        self.look_now: Look = look()
        self.panels_now: Panels = panels()
        self.fail: dict[str, Problem] = {}
        self.asked: dict[str, int] = {"connect": 0, "look": 0, "tick": 0, "run": 0}
        self.hold: asyncio.Event | None = None
        self.hold_looks: asyncio.Event | None = None
        self.waiting = 0
        self.crash: Exception | None = None
        self.preflight_now: tuple[PreflightCheck, ...] = (
            PreflightCheck("server version", "pass", "17.4 is supported"),
        )
        self.preview_now = Preview(())
        self.proof_now = Proof((), None, (), NOON)
        self.drift_now: Drift | None = Drift("r1", "apply", "", "dana", NOON.isoformat(), True, ())
        self.scopes_now: tuple[ScopeShare, ...] = ()
        self.opened_now = OpenedExecution()
        self.error_now = OpenedError(900)
        self.recorded_now: Sequence[LedgerRow] = ()
        self.events: Iterable[Event] = ()
        self.plans: list[Plan] = []
        self.locks_now = LockPicture(())
        self.ended: list[tuple[int, str, Ending]] = []
        self.end_now: Ended = "ended"
        self.closed = False
        self.hangs_up = asyncio.Event()
        self._server: Server | None = None

    @property
    def bundle(self) -> Bundle:
        return self._bundle

    @property
    def destination(self) -> Destination:
        return self._destination

    @property
    def server(self) -> Server | None:
        return self._server

    async def connect(self) -> Server:
        await self._question("connect")
        self._server = SERVER
        return SERVER

    async def look(self) -> Look:
        if self._server is None:
            # As with a real one: whoever looks without a connection makes one.
            await self.connect()
        await self._question("look")
        if self.hold_looks is not None:
            await self.hold_looks.wait()
        return self.look_now

    async def tick(self, window: int, scope: Scope | None = None) -> Panels:
        await self._question("tick")
        return replace(self.panels_now)

    async def scopes(self, window: int) -> tuple[ScopeShare, ...]:
        await self._question("scopes")
        return self.scopes_now

    async def open_execution(self, key: str) -> OpenedExecution:
        await self._question("open")
        return self.opened_now

    async def open_error(self, fingerprint: str, window: int, scope: Scope | None) -> OpenedError:
        await self._question("open")
        return self.error_now

    async def preflight(self, plan: Plan) -> tuple[PreflightCheck, ...]:
        await self._question("preflight")
        return self.preflight_now

    async def preview(self, plan: Plan) -> Preview:
        await self._question("preview")
        return self.preview_now

    async def prove(self, layers: Collection[Layer]) -> Proof:
        await self._question("prove")
        return self.proof_now

    async def drift(self) -> Drift | None:
        await self._question("drift")
        return self.drift_now

    async def find_runs(self, run: str) -> tuple[LedgerRow, ...]:
        await self._question("find_runs")
        return tuple(row for row in self.recorded_now if row.record.run_id.startswith(run))[:2]

    async def locks(self) -> LockPicture:
        await self._question("locks")
        return self.locks_now

    async def end_session(self, pid: int, token: str, how: Ending) -> Ended:
        self.ended.append((pid, token, how))
        await self._question("end")
        return self.end_now

    async def run(self, plan: Plan, control: Control) -> AsyncIterator[Event]:
        self.plans.append(plan)
        await self._question("run")
        for event in self.events:
            yield event

    async def hung_up(self) -> Problem:
        await self.hangs_up.wait()
        self.hangs_up.clear()
        return Problem("lost", "server closed the connection unexpectedly")

    async def close(self) -> None:
        self.closed = True

    async def _question(self, what: str) -> None:
        self.asked[what] = self.asked.get(what, 0) + 1
        await asyncio.sleep(0)
        if self.hold is not None:
            self.waiting += 1
            await self.hold.wait()
            self.waiting -= 1
        if self.crash is not None:
            raise self.crash
        problem = self.fail.get(what)
        if problem is not None:
            if problem.kind not in ("query", "timeout"):
                self._server = None
            raise problem


def screen_lines(app: App[Any]) -> list[str]:
    """What the screen shows, line by line, without trailing blanks.

    The one place that asks Textual's compositor, which has no public way to be read as text.
    """
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


def screen_text(app: App[Any]) -> str:
    """What the screen shows as one text."""
    return "\n".join(screen_lines(app))


class Time:
    """A clock that a test can turn on: real seconds plus what was added."""

    def __init__(self) -> None:
        self._added = 0.0

    def __call__(self) -> float:
        return monotonic() + self._added

    def turn_on(self, seconds: float) -> None:
        """Let `seconds` have passed."""
        self._added += seconds


@asynccontextmanager
async def dashboard(
    deck: ScriptedDeck,
    size: tuple[int, int] = (120, 40),
    *,
    settings: Settings | None = None,
    time: Time | None = None,
) -> AsyncIterator[tuple[PatchdeckApp, Pilot[None]]]:
    """The app over `deck`, its first answers on the screen; asks every 50 ms."""
    app = PatchdeckApp(
        deck,
        settings or Settings(pace=QUICK),
        Clock(now=lambda: NOON, monotonic=time or monotonic, jitter=lambda: 0.5),
    )
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot


QUICK = Pace(refresh=0.05, look_every=0.05)


async def until(pilot: Pilot[None], condition: Callable[[], object], timeout: float = 5.0) -> None:
    """Until `condition` holds; fails with the screen when it does not in time."""
    end = monotonic() + timeout
    while not condition():
        if monotonic() > end:
            raise AssertionError(f"waited {timeout} s; the screen:\n{screen_text(pilot.app)}")
        await pilot.pause(0.01)


async def shows(pilot: Pilot[None], text: str) -> None:
    """Until the screen shows `text`."""
    await until(pilot, lambda: text in screen_text(pilot.app))


async def shows_no(pilot: Pilot[None], text: str) -> None:
    """Until the screen does not show `text` any more."""
    await until(pilot, lambda: text not in screen_text(pilot.app))
