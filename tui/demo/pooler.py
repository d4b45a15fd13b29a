"""A PgBouncer in transaction mode before the demo's server, as a Supabase pooler stands before a project."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from tui.demo.home import DemoError
from tui.demo.processes import free_port, stop_child
from tui.demo.server import Cluster

_PATIENCE = 10.0

# `options` is not among the ignored parameters: hosted poolers do not take it either, and who sends it shall see that.
_CONFIGURATION = """\
[databases]
* = host=127.0.0.1 port={server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {users}
pool_mode = transaction
max_client_conn = 200
default_pool_size = 20
ignore_startup_parameters = extra_float_digits
server_tls_sslmode = disable
client_tls_sslmode = disable
server_connect_timeout = 5
server_login_retry = 1
"""


def pooler_program() -> Path | None:
    """The `pgbouncer` of this machine: on PATH, or where Debian puts it (an ordinary user's PATH lacks /usr/sbin)."""
    found = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/bin")
    return Path(found) if found else None


class Pooler:
    """One PgBouncer before a running `Cluster`, on a port of its own."""

    def __init__(self, cluster: Cluster, program: Path) -> None:
        self.cluster, self.program = cluster, program
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """The pooler's log, emptied at every start."""
        return self.cluster.home.log / "pgbouncer.log"

    def start(self) -> None:
        """Start it and wait until it listens. Raises DemoError with its last words."""
        home = self.cluster.home
        users = "".join(f'"{role}" "{word}"\n' for role, word in self.cluster.passwords().items())
        userlist = home.write("userlist.txt", users, secret=True, for_account=True)
        self.port = free_port()
        configuration = home.write(
            "pgbouncer.ini", _CONFIGURATION.format(server=self.cluster.port, port=self.port, users=userlist)
        )
        self._process = home.spawn([str(self.program), str(configuration)], self.log)
        home.write("pooler.pid", f"{self._process.pid}\n")
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.01)
        said = " | ".join(self.log.read_text(errors="replace").splitlines()[-3:])
        self.stop()
        raise DemoError(f"pgbouncer did not start: {said or 'it said nothing'} (log: {self.log})")

    def running(self) -> bool:
        """Whether the pooler's process lives."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop it at once and wait until it is gone. Harmless when it is stopped."""
        if self._process:
            # SIGTERM is PgBouncer's immediate shutdown; SIGINT would wait for clients to leave.
            stop_child(self._process, (signal.SIGTERM,), 3.0)
            self._process = None
            (self.cluster.home.etc / "pooler.pid").unlink(missing_ok=True)
