"""Fixtures of every test: real servers, real databases in a stated condition, a home that is not the user's.

cluster        a running server: PostgreSQL 18 of the embedded wheel always (id pg18), and every other one found on this
               machine (pg15, ...). Parametrised: a test that uses it, or anything below, runs on each of them.
route          "direct" | "pooled": whether `dsn` goes through PgBouncer in transaction mode. A machine without
               pgbouncer skips the pooled ones; with CI=true in the environment that is a failure.
make_database  make_database(state="legacy") -> Database, made from a template within 150 ms, dropped after the test.
               States: bare, legacy, bare2026, legacy2026, applied, broken (see sql/demo/demo.toml).
wait_until     wait_until(condition, timeout=10) -> the condition's first true value; fails when there is none in time.
demo_folder    a path, not yet made, for a demo of the test's own that the server's account can reach; gone afterwards.

HOME, XDG_*, PG* and the product's own variables are redirected to a temporary folder or removed for every test.
A test of one server only says @pytest.mark.parametrize("cluster", ["pg18"], indirect=True); one that does not care for
the route says @pytest.mark.parametrize("route", ["direct"]).
Types, `wait_for` and `ask` are in tests/support.py.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest

from tests.faults.reporting import (  # noqa: F401 - hooks: the table of the campaign is printed by the first process
    pytest_sessionfinish,
    pytest_terminal_summary,
    pytest_testnodedown,
)
from tests.support import DEMO, Cluster, Database, MakeDatabase, server_folder, wait_for
from tui.demo.installation import system_installations
from tui.demo.kept import Kept

# A shell's `&` starts what ignores Ctrl+C, and so does everything below it: there would be nothing to interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("steady", deadline=None, print_blob=True)
hypothesis.settings.load_profile("steady")

# Of one major version one server is enough: the embedded one, or the system's.
SERVERS: dict[str, Path | None] = {"pg18": None}
for _installation in system_installations():
    SERVERS.setdefault(f"pg{_installation.major}", _installation.binaries)

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def _servers() -> Iterator[Callable[[str], Cluster]]:
    """Servers by id, each started when it is first asked for, all stopped at the end."""
    running: dict[str, Cluster] = {}
    with ExitStack() as stack:

        def server(name: str) -> Cluster:
            if name not in running:
                folder = stack.enter_context(server_folder())
                kept = stack.enter_context(Kept(DEMO, home=folder, binaries=SERVERS[name]))
                running[name] = Cluster(name, int(name.removeprefix("pg")), kept, kept.ready.address)
            return running[name]

        yield server


@pytest.fixture(scope="session", params=list(SERVERS))
def cluster(request: pytest.FixtureRequest, _servers: Callable[[str], Cluster]) -> Cluster:
    """A running server; see the module's first lines."""
    if request.param not in SERVERS:
        pytest.skip(f"no server {request.param} on this machine; there is: {', '.join(SERVERS)}")
    return _servers(request.param)


@pytest.fixture(params=["direct", "pooled"])
def route(request: pytest.FixtureRequest) -> str:
    """How the test reaches its database; see the module's first lines."""
    return str(request.param)


@pytest.fixture
def make_database(cluster: Cluster, route: str) -> Iterator[MakeDatabase]:
    """Make databases of the test's own; see the module's first lines."""
    address, pooled = cluster.address, route == "pooled"
    if pooled and not address.pooler_port:
        how = "no pgbouncer runs; get it with: apt-get install pgbouncer (or: brew install pgbouncer)"
        how += "".join(f"; {note}" for note in cluster.kept.ready.notes)
        if os.environ.get("CI") == "true":
            pytest.fail(how)
        pytest.skip(how)
    made: list[str] = []

    def make(state: str = "legacy") -> Database:
        name = f"test_{next(_numbers)}"
        made.append(name)
        cluster.kept.create(name, state, template=state)
        return Database(
            name=name,
            state=state,
            dsn=address.dsn("postgres", name, pooled=pooled),
            direct_dsn=address.dsn("postgres", name),
            pooled_dsn=address.dsn("postgres", name, pooled=True) if address.pooler_port else "",
            admin_dsn=address.admin_dsn(name),
            api_dsn=address.dsn("authenticator", name, pooled=pooled),
        )

    yield make
    for name in made:
        cluster.kept.drop(name)


@pytest.fixture
def wait_until() -> Callable[..., object]:
    """`wait_for`, as a fixture; see the module's first lines."""
    return wait_for


@pytest.fixture
def demo_folder() -> Iterator[Path]:
    """A folder for a demo of the test's own; see the module's first lines."""
    with server_folder() as folder:
        yield folder


@pytest.fixture(autouse=True)
def _own_home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test touches, or is steered by, the home and the settings of whoever runs it."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    for kind in ("CONFIG", "DATA", "STATE", "CACHE"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(home / kind.lower()))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(home))
    for name in list(os.environ):
        if name.startswith(("PG", "PATCHDECK_", "SUPABASE_")) or name == "DATABASE_URL":
            monkeypatch.delenv(name)
