"""A server and a pooler of the campaign's own, which it may stop, kill and start again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

import pytest

from tests.support import BUNDLE, DEMO, Database, server_folder
from tui.demo.baseline import Databases, apply_in_one_transaction
from tui.demo.home import Home
from tui.demo.installation import embedded_installation
from tui.demo.manifest import load_manifest
from tui.demo.pooler import Pooler, pooler_program
from tui.demo.server import Cluster, Logins


class Rig:
    """Server and pooler take a new port with every start: what leads to them has to be told."""

    def __init__(self, cluster: Cluster, pooler: Pooler | None) -> None:
        self._cluster, self._pooler = cluster, pooler
        self._manifest = load_manifest(DEMO)
        self._roles = (DEMO / self._manifest.roles).read_text(encoding="utf-8")
        self._names = (f"rig_{number}" for number in count(1))

    def start(self) -> None:
        """Start both."""
        self._cluster.start(self._roles, lambda _: None)
        if self._pooler:
            self._pooler.start()

    def restart(self, how: signal.Signals) -> None:
        """Stop the server, SIGINT being its fast and SIGQUIT its immediate way, and start it again."""
        pid = int((self._cluster.home.data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
        os.kill(pid, how)
        self._cluster.stop()
        self.start()

    def kill_pooler(self) -> None:
        """SIGKILL the pooler and start another one."""
        assert self._pooler is not None
        # It is our own child: `stop` finds it dead and takes it off the list of processes.
        os.kill(int((self._cluster.home.etc / "pooler.pid").read_text(encoding="utf-8")), signal.SIGKILL)
        self._pooler.stop()
        self._pooler.start()

    @property
    def port(self) -> int:
        """Where a client connects now."""
        return self._pooler.port if self._pooler else self._cluster.port

    @property
    def admin_address(self) -> str:
        """The superuser's DSN of the database made last, at the server's present port."""
        return self._cluster.address().admin_dsn(self._last)

    def make_database(self, state: str = "bare") -> Database:
        """A database of the campaign's own, as the fixture make_database makes them."""
        address = self._cluster.address(self._pooler.port if self._pooler else 0)
        self._last = next(self._names)
        apply = apply_in_one_transaction(BUNDLE / "PATCH.sql")
        Databases(self._manifest, DEMO, address, apply).create(self._last, state, state)
        pooled = self._pooler is not None
        return Database(
            name=self._last,
            state=state,
            dsn=address.dsn("postgres", self._last, pooled=pooled),
            direct_dsn=address.dsn("postgres", self._last),
            pooled_dsn=address.dsn("postgres", self._last, pooled=True) if pooled else "",
            admin_dsn=address.admin_dsn(self._last),
            api_dsn=address.dsn("authenticator", self._last, pooled=pooled),
        )


@contextmanager
def rig(*, pooled: bool = False) -> Iterator[Rig]:
    """A running rig in a folder of its own. Where there is no pooler to be had the test is skipped; in CI it fails."""
    program = pooler_program() if pooled else None
    if pooled and program is None:
        how = "no pgbouncer; get it with: apt-get install pgbouncer (or: brew install pgbouncer)"
        pytest.fail(how) if os.environ.get("CI") == "true" else pytest.skip(how)
    manifest = load_manifest(DEMO)
    with ExitStack() as stack:
        home = Home(stack.enter_context(server_folder()))
        home.hold(os.getpid())
        stack.callback(home.release)
        cluster = Cluster(home, embedded_installation(), Logins(manifest.superuser, manifest.logins))
        stack.callback(cluster.stop)
        pooler = Pooler(cluster, program) if program else None
        if pooler:
            stack.callback(pooler.stop)
        made = Rig(cluster, pooler)
        made.start()
        yield made
