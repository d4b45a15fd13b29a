"""The dashboard on a real Postgres in a real terminal: what it finds, and how it bears being cut off."""

from __future__ import annotations

import time

import pytest

from tests.support import MakeDatabase, ask
from tests.terminal.opened import opened

pytestmark = [pytest.mark.parametrize("cluster", ["pg18"], indirect=True)]


STATES = [("applied", "✓ APPLIED"), ("legacy", "! NOT APPLIED"), ("broken", "✗ "), ("bare", "! NOT APPLIED")]
CUT = """
select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
"""


@pytest.mark.parametrize(("state", "says"), STATES)
def test_every_state_of_a_database_is_told(make_database: MakeDatabase, state: str, says: str) -> None:
    with opened(make_database(state).dsn, 80, 24) as running:
        running.wait_for(says)
        running.wait_for("checks ")
        running.send("q")
        assert running.wait_exit()[0] == 0


@pytest.mark.parametrize("route", ["direct"])
def test_a_killed_backend_is_back_before_anyone_worries(make_database: MakeDatabase) -> None:
    database = make_database("applied")
    with opened(database.direct_dsn) as running:
        running.wait_for("✓ APPLIED")
        # The first look was another process', whose connection may linger; the panels are read by the lasting one.
        running.wait_for("no errors in the last")
        assert ask(database.admin_dsn, CUT)
        began = time.monotonic()
        running.wait_until(lambda: b"UNREACHABLE" in running.written, what="the loss")
        lost = time.monotonic()
        running.wait_for("✓ APPLIED")
        assert time.monotonic() - lost < 1.5
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("route", ["direct"])
def test_a_database_that_changes_is_seen_without_a_key(make_database: MakeDatabase) -> None:
    database = make_database("applied")
    with opened(database.dsn) as running:
        running.wait_for("✓ APPLIED")
        table = ask(
            database.admin_dsn,
            "select c.oid::regclass::text from pg_policy p join pg_class c on c.oid = p.polrelid order by 1 limit 1",
        )[0][0]
        ask(database.admin_dsn, f"alter table {table} disable row level security")
        running.send("v")
        running.wait_for("RLS 15/16")
        running.wait_for("✗")


@pytest.mark.parametrize("route", ["direct"])
def test_nothing_listens_there(make_database: MakeDatabase) -> None:
    dsn = make_database("bare").dsn
    port = "1"
    head, _, tail = dsn.rpartition(":")
    with opened(f"{head}:{port}/{tail.partition('/')[2]}", 80, 24) as running:
        running.wait_for("UNREACHABLE")
        running.send("q")
        assert running.wait_exit()[0] == 0


@pytest.mark.parametrize("route", ["direct"])
def test_the_panels_look_back_as_far_as_they_are_told(make_database: MakeDatabase) -> None:
    with opened(make_database("applied").dsn) as running:
        running.wait_for("✓ APPLIED")
        running.wait_for("last 15 min")
        for words, bar in (("1 h", "1 min"), ("6 h", "6 min"), ("5 min", "5 s")):
            running.send("w")
            running.wait_for(f"last {words} ")
            running.wait_for(f"per {bar}")
