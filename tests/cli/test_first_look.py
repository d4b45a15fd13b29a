"""The process that looks first: what it hands over, what it leaves to be said by others, and that it never stays."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from tests.cli.support import environment
from tests.support import ROOT, MakeDatabase, ask, wait_for
from tests.terminal.opened import opened
from tui.db.target import resolve

LOOKING = """
import asyncio, json, os, sys
from pathlib import Path
from tui.commands.first_look import FirstLook
from tui.core.deck import Problem
from tui.options import Options

async def asked(first):
    target = await first.target()
    try:
        look = await first.look()
    except Problem as problem:
        said = [problem.kind, str(problem), problem.hint, problem.retry]
    else:
        said = look and [look.verdict.state, len(look.checks), look.server.database]
    return [target and repr(target), target and target.destination.database, said]

options = json.loads(sys.argv[1])
if "bundle" in options:
    options["bundle"] = Path(options["bundle"])
with FirstLook(Options(**options)) as first:
    answer = asyncio.run(asked(first))
try:
    os.waitpid(-1, os.WNOHANG)
    left = True
except ChildProcessError:
    left = False
print(json.dumps([answer, sorted(sys.modules), left]))
"""

WAITING = """
import sys, time
from tui.commands.first_look import FirstLook
from tui.options import Options

with FirstLook(Options(dsn=sys.argv[1])):
    print("began", flush=True)
    time.sleep(60)
"""

pytestmark = [
    pytest.mark.parametrize("cluster", ["pg18"], indirect=True),
    pytest.mark.parametrize("route", ["direct"]),
]


def first_look(dsn: str, **options: str) -> tuple[Any, set[str]]:
    """[the target's repr, its database, what the look came to], and what the asking process had loaded by then."""
    done = subprocess.run(
        [sys.executable, "-c", LOOKING, json.dumps(options)],
        cwd=ROOT, env=environment(dsn), stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=60,
        check=False,
    )  # fmt: skip
    assert done.stderr == ""
    answer, modules, left = json.loads(done.stdout)
    assert not left, "its process is waited for"
    return answer, set(modules)


@pytest.mark.parametrize("state", ["legacy", "applied"])
def test_it_hands_over_where_it_looked_and_what_it_saw(make_database: MakeDatabase, state: str) -> None:
    database = make_database(state)
    (shown, name, said), modules = first_look(database.dsn)
    assert shown == repr(resolve(database.dsn, environ={}, source="PATCHDECK_DSN"))
    assert name == database.name
    assert said[0] == {"legacy": "not_applied", "applied": "applied"}[state]
    assert said[1] > 300
    assert said[2] == database.name
    assert not any(module.startswith("psycopg") for module in modules), "the driver is the other process'"


def test_what_kept_it_from_looking_is_handed_over_as_it_is(make_database: MakeDatabase) -> None:
    """A wrong password above all: whoever asks next must know not to try it again by itself."""
    database = make_database("legacy")
    (_, _, said), _ = first_look(database.dsn.replace("@", ":wrong@", 1))
    kind, message, hint, retry = said
    assert (kind, retry) == ("auth", False)
    assert "password authentication failed" in message
    assert hint == "check the password; it is not tried again by itself"
    (_, name, said), _ = first_look("postgresql://postgres@127.0.0.1:1/nowhere?password=x")
    assert (name, said[0], said[3]) == ("nowhere", "unreachable", True)


def test_what_the_screen_has_to_say_is_left_to_it(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("legacy")
    for dsn, options in ((database.dsn, {"bundle": str(tmp_path)}), ("port=x y", {}), ("", {"target": "nobody"})):
        answer, _ = first_look(dsn, **options)
        assert answer == [None, None, None], options


def test_a_command_that_gives_the_password_is_left_to_it_too(make_database: MakeDatabase, tmp_path: Path) -> None:
    """It may ask on the terminal, which is the screen's by then."""
    config = Path(os.environ["XDG_CONFIG_HOME"]) / "patchdeck" / "config.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    ran = tmp_path / "ran"
    dsn = json.dumps(make_database("legacy").dsn)
    config.write_text(f'[targets.here]\ndsn = {dsn}\nenvironment = "local"\npassword_command = ["touch", "{ran}"]\n')
    answer, _ = first_look("", target="here")
    assert answer == [None, None, None]
    assert not ran.exists()


def test_it_ends_with_whoever_wanted_to_know(make_database: MakeDatabase) -> None:
    """Killed, nobody tells it to: it must not hold a connection, or a terminal, any longer."""
    database = make_database("legacy")
    ours = "from pg_stat_activity where application_name = 'patchdeck' and datname = current_database()"
    with psycopg.connect(database.admin_dsn) as holder:
        holder.execute("lock table pg_catalog.pg_policy")
        asking = subprocess.Popen(
            [sys.executable, "-c", WAITING, database.dsn], cwd=ROOT, env=environment(), stdout=subprocess.PIPE
        )
        assert asking.stdout is not None and asking.stdout.readline() == b"began\n"
        other = psutil.Process(asking.pid).children()[0]
        wait_for(lambda: ask(database.admin_dsn, f"select pid {ours} and wait_event_type = 'Lock'"), timeout=20)
        asking.send_signal(signal.SIGKILL)
        asking.wait()
        wait_for(lambda: not other.is_running() or other.status() == psutil.STATUS_ZOMBIE, timeout=5)
    wait_for(lambda: ask(database.admin_dsn, f"select count(*) {ours}") == [(0,)], timeout=10)


def test_nothing_of_it_is_left_beside_the_dashboard(make_database: MakeDatabase) -> None:
    with opened(make_database("applied").dsn) as running:
        running.wait_for("✓ APPLIED")
        running.wait_for("read-write")
        wait_for(lambda: psutil.Process(running.pid).children() == [])
        running.send("q")
        assert running.wait_exit()[0] == os.EX_OK
