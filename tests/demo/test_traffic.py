"""The demo's traffic: it moves rows before and after the migration, and outlives what happens to its database."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.support import BUNDLE, DEMO, Cluster, Database, MakeDatabase, ask, wait_for

Start = Callable[[Database], "subprocess.Popen[bytes]"]

MOMENT = "clock_timestamp() - interval '20 seconds'"  # the legacy rows end 25 seconds before they were made


@pytest.fixture
def lively(tmp_path: Path) -> Path:
    """The demo's folder with ten times the traffic and short runs, so that a test need not wait."""
    folder = tmp_path / "demo"
    shutil.copytree(DEMO, folder)
    manifest = folder / "demo.toml"
    text = re.sub(r"^per_minute = (\d+)", lambda found: f"per_minute = {found[1]}0", manifest.read_text(), flags=re.M)
    manifest.write_text(re.sub(r"^seconds = .*", "seconds = [0.3, 1.0]", text, flags=re.M))
    return folder


@pytest.fixture
def start(lively: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts the lively traffic on a database; it must still run at the end of the test and end when told."""
    running: list[subprocess.Popen[bytes]] = []
    log = tmp_path / "traffic.log"

    def begin(database: Database, folder: Path = lively) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "tui.demo.traffic", "--home", str(tmp_path),
                 "--demo", str(folder), "--dsn", database.api_dsn],
                stdin=subprocess.PIPE, stdout=output, stderr=output, cwd="/",
                env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            )  # fmt: skip
        running.append(process)
        return process

    yield begin
    alive = [process.poll() is None for process in running]
    for process in running:
        assert process.stdin
        process.stdin.close()
        process.wait(3)
    assert all(alive), log.read_text()
    assert "Traceback" not in log.read_text()


def count(database: Database, what: str) -> int:
    """How many rows `what` (from ... where ...) has, asked past row-level security."""
    return int(ask(database.admin_dsn, f"select count(*) {what}")[0][0])


def recent(database: Database, condition: str) -> int:
    """How many executions that the traffic started fulfil `condition`."""
    return count(database, f"from public.workflow_executions where started_at > {MOMENT} and {condition}")


def test_before_the_migration_users_and_the_scheduler_start_what_workers_end(
    make_database: MakeDatabase, start: Start
) -> None:
    database = make_database("legacy")
    start(database)
    for condition in (
        "status = 'running'",
        "status = 'completed' and completed_at > started_at and output is not null",
        "status = 'failed' and error is not null",
        "user_id is null",
        "user_id is not null",
    ):
        wait_for(lambda condition=condition: recent(database, condition), timeout=20)  # type: ignore[misc]
    wait_for(lambda: count(database, f"from public.telemetry_events where created_at > {MOMENT}") > 3)


def patch(database: Database, file: str) -> None:
    """Run one of the bundle's scripts as the operator, under traffic: tried again when it lost a lock to it.

    On a busy machine ten times the traffic wins many times over, and who loses waits a second for the deadlock to show.
    """

    def tried() -> bool:
        with psycopg.connect(database.direct_dsn, prepare_threshold=None) as connection:
            connection.execute("set local lock_timeout = '2s'")
            try:
                connection.execute((BUNDLE / file).read_bytes())
            except (psycopg.errors.DeadlockDetected, psycopg.errors.LockNotAvailable):
                connection.rollback()
                return False
        return True

    wait_for(tried, timeout=150)


def assert_users_work_in_their_tenants(database: Database) -> None:
    """After the migration: what users write arrives through row-level security, and workers end it."""
    for table, logs in (("agent", "agent_execution_logs"), ("workflow", "workflow_execution_logs")):
        wait_for(
            lambda table=table: count(  # type: ignore[misc]
                database,
                f"from public.{table}_executions as e join public.tenant_members as m using (tenant_id, user_id)"
                f" join public.{table}s as parent on parent.id = e.{table}_id and parent.tenant_id = e.tenant_id"
                f" where e.status = 'completed' and e.started_at > {MOMENT}",
            ),
            timeout=30,
        )
        wait_for(lambda logs=logs: count(database, f"from public.{logs}"))  # type: ignore[misc]
    wait_for(lambda: count(database, "from public.error_logs where user_id is not null"), timeout=30)
    wait_for(
        lambda: count(database, "from public.telemetry_events where tenant_id is not null and user_id is not null")
    )


def test_after_the_migration_users_work_through_row_level_security(make_database: MakeDatabase, start: Start) -> None:
    database = make_database("applied")
    start(database)
    assert_users_work_in_their_tenants(database)


def test_the_migration_and_its_rollback_come_under_it(make_database: MakeDatabase, start: Start) -> None:
    database = make_database("legacy")
    start(database)
    wait_for(lambda: recent(database, "true"))
    patch(database, "PATCH.sql")
    assert_users_work_in_their_tenants(database)
    patch(database, "ROLLBACK.sql")
    # Users are refused from here on; what runs is still ended, because workers pass row-level security.
    wait_for(lambda: not recent(database, "status = 'running'"))
    before = recent(database, "true")
    patch(database, "PATCH.sql")
    wait_for(lambda: recent(database, "true") > before, timeout=20)


@pytest.mark.parametrize("route", ["direct"])
@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
class TestWhateverHappens:
    """The traffic goes on: one route and one server tell."""

    def test_the_database_is_made_anew(self, cluster: Cluster, make_database: MakeDatabase, start: Start) -> None:
        database = make_database("legacy")
        start(database)
        wait_for(lambda: recent(database, "status = 'completed'"))
        cluster.kept.drop(database.name)
        cluster.kept.create(database.name, "legacy", template="legacy")
        wait_for(lambda: recent(database, "status = 'completed'"), timeout=20)

    def test_a_table_is_locked_for_a_while(self, make_database: MakeDatabase, start: Start) -> None:
        database = make_database("legacy")
        start(database)
        wait_for(lambda: recent(database, "true"))
        with psycopg.connect(database.admin_dsn) as holder:
            holder.execute("lock table public.workflow_executions in access exclusive mode")
            blocked = "from pg_stat_activity where wait_event_type = 'Lock' and usename = 'authenticator'"
            wait_for(lambda: count(database, f"{blocked} and datname = '{database.name}'"))
        before = recent(database, "true")
        wait_for(lambda: recent(database, "true") > before)

    def test_its_connections_are_ended(self, make_database: MakeDatabase, start: Start) -> None:
        database = make_database("legacy")
        start(database)
        wait_for(lambda: recent(database, "true"))
        ask(
            database.admin_dsn, "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'authenticator'"
        )
        before = recent(database, "true")
        wait_for(lambda: recent(database, "true") > before)

    def test_it_costs_little_at_its_own_pace(self, make_database: MakeDatabase, start: Callable[..., object]) -> None:
        database = make_database("legacy")
        process = start(database, DEMO)
        assert isinstance(process, subprocess.Popen)
        wait_for(lambda: recent(database, "true"), timeout=20)
        meter = psutil.Process(process.pid)
        begun, since = meter.cpu_times(), time.monotonic()
        before = count(database, "from public.telemetry_events")
        wait_for(
            lambda: count(database, "from public.telemetry_events") >= before + 8 and time.monotonic() - since > 4,
            timeout=40,
        )
        ended, seconds = meter.cpu_times(), time.monotonic() - since
        assert (ended.user + ended.system - begun.user - begun.system) / seconds < 0.05
