"""Faults inside the transaction: refused statements, killed backends, locks not had, a read-only database."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from tests.db.test_applier import library
from tests.faults.campaign import Campaign, Case, Job, Stage, drive, moment_of, stage
from tests.support import BUNDLE, Cluster, MakeDatabase, ask, wait_for
from tui.core.run import Plan
from tui.core.statements import Statement
from tui.files import read_bundle

Connection = psycopg.AsyncConnection[tuple[Any, ...]]

SUICIDE = "select pg_terminate_backend(pg_backend_pid())"
DEFERRED = """
do $$
begin
    create function public.refuse() returns trigger language plpgsql
        as 'begin raise exception ''no''; end';
    create table public.late (a int);
    create constraint trigger late after insert on public.late
        deferrable initially deferred for each row execute function public.refuse();
    insert into public.late values (1);
end
$$
"""


def with_statement(made: Stage, at: int, sql: str) -> Plan:
    """The stage's plan with one more statement before number `at`, counted from 0; their number is after the last."""
    plan = made.plan()
    script = plan.bundle.patch if made.action == "apply" else plan.bundle.rollback
    statements = list(script.statements)
    statements.insert(at, Statement(sql, 0, 1, 1, "select"))
    changed = replace(script, parts=tuple(statements))
    bundle = replace(plan.bundle, patch=changed) if made.action == "apply" else replace(plan.bundle, rollback=changed)
    return replace(plan, bundle=bundle)


async def strike_at(made: Stage, campaign: Campaign, at: int) -> None:
    """A killed backend, then a refused statement, before statement `at`: nothing of the run may stay."""
    for kind, sql in (("backend terminated", SUICIDE), ("statement refused", "select 1 / 0")):
        plan = with_statement(made, at, sql)
        case = await strike(made, campaign, f"{kind} at a statement", f"before statement {at}", plan)
        assert (case.state, case.word) == ("before", "rolled_back")


async def strike(
    made: Stage, campaign: Campaign, kind: str, moment: str, plan: Plan, holder: Connection | None = None
) -> Case:
    """One run of a plan that carries its own fault, or meets the locks of `holder`, who lets them go afterwards."""
    word, seen = await drive(made.target, plan, made.journals)
    if holder:
        await holder.rollback()
    return await made.judge(campaign, kind, f"{moment}, {moment_of(seen[:-1])}", word, monotonic())


def spread(total: int, step: int) -> list[int]:
    """First, last, and every `step`-th between."""
    return sorted({*range(0, total + 1, step), total})


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
@pytest.mark.parametrize(("job", "step"), [("apply", 1), ("rehearse", 8), ("lock", 2), ("restore", 20)])
async def test_at_every_statement(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path, job: Job, step: int
) -> None:
    async with stage(make_database, library(), job, f"{cluster.id} {route}", tmp_path) as made:
        for at in spread(len(made.plan().statements), step):
            await strike_at(made, campaign, at)


async def test_first_middle_and_last_on_every_server(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path
) -> None:
    async with stage(make_database, library(), "apply", f"{cluster.id} {route}", tmp_path) as made:
        total = len(made.plan().statements)
        for at in (0, total // 2, total):
            await strike_at(made, campaign, at)


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
async def test_the_patch_that_ships(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path
) -> None:
    where = f"shipped, {cluster.id} {route}"
    async with stage(make_database, read_bundle(BUNDLE), "apply", where, tmp_path, state="legacy") as made:
        for at in spread(len(made.plan().statements), 60):
            await strike_at(made, campaign, at)


RAISED = ("55P03", "40P01", "53100", "53200", "57014", "40001", "25006", "XX000", "PD001")
"""From a statement of the file: lock not available, deadlock, disk full, out of memory, cancelled, serialization,
read-only, internal error, and our own code for somebody else's run."""


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
@pytest.mark.parametrize("job", ["apply", "lock"])
async def test_errors_that_mean_something_else_to_us(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path, job: Job
) -> None:
    async with stage(make_database, library(), job, f"{cluster.id} {route}", tmp_path) as made:
        for code in RAISED:
            sql = f"do $$ begin raise exception 'planted' using errcode = '{code}'; end $$"
            plan = with_statement(made, 2, sql)
            case = await strike(made, campaign, "an error with a code we know", code, plan)
            assert case.state == "before"


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
async def test_refused_by_the_commit_itself(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path
) -> None:
    """A deferred constraint speaks only at COMMIT, after every check has passed."""
    async with stage(make_database, library(), "apply", f"{cluster.id} {route}", tmp_path) as made:
        plan = with_statement(made, len(made.plan().statements), DEFERRED)
        case = await strike(made, campaign, "COMMIT refused by a deferred constraint", "COMMIT", plan)
        assert (case.state, case.word) == ("before", "rolled_back")
        dying = DEFERRED.replace("raise exception ''no''", "perform pg_terminate_backend(pg_backend_pid())")
        plan = with_statement(made, len(made.plan().statements), dying)
        case = await strike(made, campaign, "backend terminated inside COMMIT", "COMMIT", plan)
        assert (case.state, case.word) == ("before", "rolled_back")


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
async def test_locks_that_are_not_free(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path
) -> None:
    """A bystander holds what we want: up front, in the middle of the file, and in a real deadlock."""
    async with stage(make_database, library(), "apply", f"{cluster.id} {route}", tmp_path) as made:
        aside = f"{made.database.admin_dsn}&application_name=bystander"
        async with await psycopg.AsyncConnection.connect(aside) as bystander:
            await bystander.execute("lock table auth.users in access exclusive mode")
            case = await strike(
                made, campaign, "lock held up front, patience ends", "LOCK TABLE", made.plan(), bystander
            )
            assert case.word == "refused"

            # Not on the bundle's list, so our statement waits for it: lock_timeout is the second net.
            await bystander.execute("lock table public.tenants in access exclusive mode")
            limits = replace(made.plan().limits, lock_timeout=0.3)
            plan = replace(with_statement(made, 3, "lock table public.tenants"), limits=limits)
            case = await strike(made, campaign, "lock timeout inside a statement", "statement 3", plan, bystander)
            assert case.word == "refused"

            for ours in (True, False):
                case = await deadlock(made, campaign, bystander, ours=ours)
                assert case.state == ("before" if ours else "after")


async def deadlock(made: Stage, campaign: Campaign, bystander: Connection, *, ours: bool) -> Case:
    """We hold auth.users and want public.tenants, the bystander the other way round; `ours`: the server picks us."""
    await bystander.execute("lock table public.tenants in access exclusive mode")
    # The one whose deadlock_timeout (ours: the server's 1 s) ends first finds the deadlock and is its victim.
    await bystander.execute(f"set local deadlock_timeout = '{'60s' if ours else '10ms'}'")
    plan = with_statement(made, 3, "lock table public.tenants")
    plan = replace(plan, limits=replace(plan.limits, lock_timeout=5), patience=0.0)
    running = asyncio.create_task(drive(made.target, plan, made.journals))
    await asyncio.to_thread(wait_for, lambda: ask(made.database.admin_dsn, "select 1 from pg_locks where not granted"))
    with suppress(psycopg.errors.DeadlockDetected):
        await bystander.execute("lock table auth.users in access exclusive mode")
    await bystander.rollback()
    word, seen = await running
    kind = f"deadlock, {'we are' if ours else 'the other is'} the victim"
    return await made.judge(campaign, kind, moment_of(seen[:-1]), word, monotonic())


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
@pytest.mark.parametrize("job", ["apply", "rehearse", "lock"])
async def test_a_database_that_takes_no_writes(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path, job: Job
) -> None:
    async with stage(make_database, library(), job, f"{cluster.id} {route}", tmp_path) as made:
        name = made.database.name
        async with await psycopg.AsyncConnection.connect(made.database.admin_dsn, autocommit=True) as admin:
            await admin.execute(f'alter role postgres in database "{name}" set default_transaction_read_only = on')
            await admin.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = %s and pid <> pg_backend_pid()",
                (name,),
            )
            case = await strike(made, campaign, "read-only database", "from the start", made.plan())
            assert case.state == "before"
            await admin.execute(f'alter role postgres in database "{name}" reset default_transaction_read_only')
        plan = with_statement(made, 2, "set local transaction_read_only = on")
        case = await strike(made, campaign, "read-only in the middle", "statement 2", plan)
        assert case.state == "before"
