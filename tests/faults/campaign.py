"""Inject a fault into a run and judge it: what the database is afterwards, what the tool said, how long locks lived."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import psycopg
from msgspec.structs import replace

from tests.faults.line import Line, line_to, pass_on
from tests.support import Database, MakeDatabase
from tui.core.bundle import Bundle
from tui.core.deck import Control
from tui.core.run import Action, Event, Finished, Outcome, Plan, RollbackMode
from tui.db import applier, journal, recovery
from tui.db.target import Target, resolve

TRUTH = (Path(__file__).parent / "truth.sql").read_text(encoding="utf-8")

LOCKS_GONE_WITHIN = 3.0
"""Seconds after the fault within which no lock of a dead or refused run may be left."""

PLAIN = "-c jit=off"
"""Where a server can compile queries it does so with the truth's, for seconds each time."""

# Strong locks and our advisory lock, of any session but the observer's own and the bystanders a test names.
HELD = """
select count(*) from pg_locks l join pg_stat_activity a using (pid)
 where a.datname = current_database() and a.pid <> pg_backend_pid() and a.application_name <> 'bystander'
   and l.granted and (l.locktype = 'advisory' or l.locktype = 'relation' and l.mode not in
       ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))
"""

Job = Literal["apply", "rehearse", "lock", "restore", "restore-closed"]
State = Literal["before", "after", "between"]


@dataclass(frozen=True, slots=True)
class Truth:
    """The digests of every definition and of every row outside the ledger, and the number of runs in the ledger."""

    surface: str
    rows: str
    runs: int


@dataclass(frozen=True, slots=True)
class Word:
    """What a run said last. `ran`: whether it says that it did anything."""

    outcome: Outcome
    ran: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Case:
    """One injected fault and what came of it. `lie` says what was untrue, "" when all held."""

    kind: str
    where: str
    moment: str
    state: State
    word: str
    lock_seconds: float
    lie: str


@dataclass
class Campaign:
    """Every case of a test session."""

    cases: list[Case] = field(default_factory=list)

    def lies(self, since: int) -> list[Case]:
        """The untrue ones from case number `since` on."""
        return [case for case in self.cases[since:] if case.lie]

    def table(self) -> list[str]:
        """The outcomes, one line for each kind of fault and place."""
        groups: dict[tuple[str, str], list[Case]] = defaultdict(list)
        for case in self.cases:
            groups[case.kind, case.where].append(case)
        titles = f"{'n':>4} {'before':>6} {'after':>5} {'unknown*':>8} {'lock s':>6} {'lies':>4}"
        lines = [f"{'fault':44} {'run on':34} {titles}"]
        for (kind, where), cases in sorted(groups.items()):
            before, after = (sum(case.state == state for case in cases) for state in ("before", "after"))
            unknown = sum("unknown" in case.word for case in cases)
            longest = max(case.lock_seconds for case in cases)
            lies = sum(bool(case.lie) for case in cases)
            counts = f"{len(cases):4} {before:6} {after:5} {unknown:8} {longest:6.2f} {lies:4}"
            lines.append(f"{kind[:44]:44} {where[:34]:34} {counts}")
        lines.append(f"{len(self.cases)} faults injected, {len(self.lies(0))} lies")
        lines.append("* said not to be known yet, and resolved truly by the next start")
        return lines


@dataclass(frozen=True, slots=True)
class Setting:
    """What is special to a campaign: `options` of every plan; `prepare` brings a new database into the condition before
    the job; lines of the truth with a `passed_over` expression in them say nothing; `besides` says what else is untrue
    of a database that is before or after the job, "" when nothing is.
    """

    options: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[Database], None] | None = None
    passed_over: str = ""
    besides: Callable[[Database, State], str] | None = None


class Stage:
    """One database on a line of its own, set up for one job, made again when a fault let the job through."""

    def __init__(
        self,
        make_database: MakeDatabase,
        line: Line,
        bundle: Bundle,
        job: Job,
        state: str,
        where: str,
        journals: Path,
        setting: Setting,
    ) -> None:
        self._make, self.line, self.bundle, self.job, self._state = make_database, line, bundle, job, state
        self.where = f"{job}, {where}"
        self.journals = journals
        self._setting = setting
        self._truth = (
            TRUTH.replace("'patchdeck'", f"'patchdeck|{setting.passed_over}'") if setting.passed_over else TRUTH
        )
        self.database: Database
        self.target: Target
        self.before: Truth
        self._after = ""

    @property
    def action(self) -> Action:
        """What the engine calls the job."""
        return "apply" if self.job in ("apply", "rehearse") else "rollback"

    def plan(self, bundle: Bundle | None = None, **options: Any) -> Plan:
        """The plan of the job; `bundle` and `options` replace what the fault needs."""
        mode: RollbackMode = self.job if self.job in ("lock", "restore", "restore-closed") else "lock"
        plan = Plan(
            bundle or self.bundle,
            self.action,
            mode,
            rehearse=self.job == "rehearse",
            confirmed=self.database.name,
            operator="dana",
            client_host="bastion",
            patience=0.5,
        )
        return replace(plan, **(dict(self._setting.options) | options))

    async def set_up(self) -> None:
        """A database before the job, and once on the first call what it is after the job."""
        if not self._after:
            await self._new_database()
            finished, _ = await drive(self.target, replace(self.plan(), rehearse=False), self.journals)
            assert finished is not None
            assert finished.outcome is Outcome.COMMITTED, finished
            self._after = (await self.look()).surface
        await self._new_database()

    async def _new_database(self) -> None:
        self.line.reset()
        self.database = self._make(self._state)
        self.target = through(self.line, self.database)
        if self._setting.prepare:
            await asyncio.to_thread(self._setting.prepare, self.database)
        if self.action == "rollback":
            plan = replace(self.plan(), action="apply", rehearse=False)
            finished, _ = await drive(self.target, plan, self.journals)
            assert finished is not None
            assert finished.outcome is Outcome.COMMITTED, finished
        self.before = await self.look()
        self.line.reset()
        for path in self.journals.glob("*.jsonl"):
            path.unlink()

    async def look(self) -> Truth:
        """What the database is now."""
        dsn = self.database.admin_dsn
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, options=PLAIN) as admin:
            surface, tables, ledger = await _row(admin, self._truth)
            rows = " || ".join(
                f"(select coalesce(md5(string_agg(t::text, '' order by t::text)), '') from {name} t)" for name in tables
            )
            (digest,) = await _row(admin, f"select md5({rows})")
            (runs,) = await _row(admin, "select count(*) from patchdeck.runs") if ledger else (0,)
        return Truth(surface, digest, runs)

    async def wait_for_locks(self, since: float) -> float:
        """Seconds from `since` (monotonic) until no lock of a run was left; gives up at 20."""
        dsn = self.database.admin_dsn
        async with await psycopg.AsyncConnection.connect(dsn, autocommit=True, options=PLAIN) as admin:
            while True:
                (held,) = await _row(admin, HELD)
                passed = monotonic() - since
                if held == 0 or passed > 20:
                    return passed
                await asyncio.sleep(0.02)

    async def state(self) -> State:
        """Whether the database is what it was, what it was to become, or neither."""
        now = await self.look()
        if now == self.before:
            return "before"
        return "after" if (now.surface, now.runs) == (self._after, self.before.runs + 1) else "between"

    async def judge(
        self, campaign: Campaign, kind: str, moment: str, word: Word | None, struck: float, crash: str = ""
    ) -> Case:
        """Record the case. `word` is the run's last one, None when it could say nothing; `struck` when the fault hit.

        An UNKNOWN and a silent death are settled as the next start settles them, and that word is judged too.
        """
        self.line.decide, self.line.closed = pass_on, False
        lock_seconds = await self.wait_for_locks(struck)
        state = await self.state()
        said = str(word.outcome) if word else "(silent)"
        settled = await self.next_start()
        lie = crash
        if state == "between":
            lie = "the database is neither as before nor as after"
        elif word and (claim := _claimed(word)) and claim != state:
            lie = f"said {word.outcome} ({word.reason}), but the database is as {state}"
        elif word is None or word.outcome is Outcome.UNKNOWN:
            if settled is None and state == "after":
                lie = "a commit that no journal announced"
            elif settled is not None and settled != state:
                lie = f"the next start says {settled}, but the database is as {state}"
            said += f", then {settled}"
        if not lie and self._setting.besides:
            lie = self._setting.besides(self.database, state)
        if not lie and lock_seconds > LOCKS_GONE_WITHIN:
            lie = f"locks lived for {lock_seconds:.1f} s"
        case = Case(kind, self.where, moment, state, said, lock_seconds, lie)
        campaign.cases.append(case)
        if state == "before":
            self.line.reset()
        else:
            await self._new_database()
        return case

    async def next_start(self) -> State | Literal["unknown"] | None:
        """What the next start says of the newest run in the journals, None when no run announced a commit."""
        await recovery.recover(self.target, self.journals)
        left = journal.unfinished(self.target.destination, self.journals)
        paths = sorted(self.journals.glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
        text = paths[-1].read_text(encoding="utf-8") if paths else ""
        for path in paths:
            path.unlink()
        if left:
            return "unknown"
        if '"step": "finished"' not in text:
            return None
        return "after" if '"outcome": "committed"' in text else "before"


async def _row(connection: psycopg.AsyncConnection[tuple[Any, ...]], query: str) -> tuple[Any, ...]:
    row = await (await connection.execute(query.encode())).fetchone()
    assert row is not None
    return row


def _claimed(word: Word) -> State | None:
    """What the last event says the database is."""
    match word.outcome:
        case Outcome.COMMITTED:
            return "after" if word.ran else "before"
        case Outcome.UNKNOWN:
            return None
        case _:
            return "before"


async def drive(
    target: Target,
    plan: Plan,
    journals: Path,
    *,
    control: Control | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> tuple[Word | None, list[Event]]:
    """A run in this process: its last word and everything it said."""
    seen: list[Event] = []
    async for event in applier.run(target, plan, control or Control(), journals=journals):
        seen.append(event)
        if on_event:
            on_event(event)
    last = seen[-1]
    return (Word(last.outcome, last.ran, last.reason) if isinstance(last, Finished) else None), seen


def through(line: Line, database: Database) -> Target:
    """The database's target with the line between."""
    return resolve(line_dsn(line, database), environ={})


def line_dsn(line: Line, database: Database) -> str:
    """The database's DSN with the line between."""
    passfile = parse_qs(urlsplit(database.dsn).query)["passfile"][0]
    return f"host=127.0.0.1 port={line.port} user=postgres dbname={database.name} passfile={passfile} sslmode=disable"


@asynccontextmanager
async def stage(
    make_database: MakeDatabase,
    bundle: Bundle,
    job: Job,
    where: str,
    journals: Path,
    *,
    state: str = "bare",
    setting: Setting | None = None,
) -> AsyncIterator[Stage]:
    """A stage that is set up; `where` is how the table calls server and route."""
    parts = urlsplit(make_database(state).dsn)
    async with line_to(parts.hostname or "", parts.port or 0) as line:
        made = Stage(make_database, line, bundle, job, state, where, journals, setting or Setting())
        await made.set_up()
        yield made


def moment_of(seen: list[Event]) -> str:
    """Where a run was when it was last heard of."""
    return type(seen[-1]).__name__ if seen else "nothing said"
