"""A glance whose connection another process holds: what it says when that ends, and that it ends with the glance."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import psycopg
import pytest

from tests.cli.support import PATCHDECK, environment, patchdeck
from tests.support import ROOT, Database, MakeDatabase, ask, wait_for
from tui.exits import Exit

OURS = "from pg_stat_activity where application_name = 'patchdeck' and datname = current_database()"

pytestmark = [
    pytest.mark.parametrize("cluster", ["pg18"], indirect=True),
    pytest.mark.parametrize("route", ["direct"]),
]


@contextmanager
def held_up(database: Database) -> Iterator[subprocess.Popen[str]]:
    """`patchdeck status`, whose look waits for a lock."""
    with psycopg.connect(database.admin_dsn) as holder:
        holder.execute("lock table pg_catalog.pg_policy")
        with subprocess.Popen(
            [*PATCHDECK, "status"],
            cwd=ROOT, env=environment(database.dsn), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, encoding="utf-8",
        ) as running:  # fmt: skip
            wait_for(lambda: ask(database.admin_dsn, f"select pid {OURS} and wait_event_type = 'Lock'"), timeout=20)
            yield running
    wait_for(lambda: ask(database.admin_dsn, f"select count(*) {OURS}") == [(0,)])


def test_the_other_process_is_killed(make_database: MakeDatabase) -> None:
    with held_up(make_database()) as running:
        psutil.Process(running.pid).children()[0].kill()
        out, said = running.communicate(timeout=10)
    assert (running.returncode, out) == (Exit.UNREACHABLE, "")
    assert said == "patchdeck: the process that held the connection has ended; try again\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_ends_with_the_glance(make_database: MakeDatabase, number: signal.Signals) -> None:
    with held_up(make_database()) as running:
        other = psutil.Process(running.pid).children()[0]
        running.send_signal(number)
        out, said = running.communicate(timeout=10)
        wait_for(lambda: not other.is_running() or other.status() == psutil.STATUS_ZOMBIE)
    assert out == ""
    assert (running.returncode, said.strip()) == {
        signal.SIGINT: (130, "patchdeck: interrupted"),
        signal.SIGTERM: (-signal.SIGTERM, ""),
        signal.SIGKILL: (-signal.SIGKILL, ""),
    }[number]


def test_a_bundle_that_can_not_be_used_leaves_no_connection(make_database: MakeDatabase) -> None:
    """One was begun before the bundle was read."""
    database = make_database()
    ran = patchdeck("status", "--bundle", "/nowhere", dsn=database.dsn)
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert "/nowhere" in ran.err
    wait_for(lambda: ask(database.admin_dsn, f"select count(*) {OURS}") == [(0,)])


def test_what_the_server_refuses_is_said_as_from_here(make_database: MakeDatabase) -> None:
    """Also the second question, about who is in the way, goes over the other process."""
    database = make_database()
    with psycopg.connect(database.admin_dsn) as holder:
        holder.execute("lock table public.tenants in access exclusive mode")
        ran = patchdeck("status", dsn=database.dsn)
    assert ran.code == Exit.REFUSED
    assert "public.tenants" in ran.err
    assert "process " in ran.err
