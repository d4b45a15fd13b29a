"""The life of one PostgreSQL server: initialise, start, sign in, stop, for any installation's programs.

The wheel's own manager is not used: as root it makes an account of its own and opens every parent folder to the world.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

import msgspec
import psycopg
from psycopg import sql

from tui.demo.home import DemoError, Home
from tui.demo.installation import Installation, readable
from tui.demo.processes import free_port, stop_child

Progress = Callable[[str], None]

_LISTENING_PATIENCE = 30.0
_STOPPING_PATIENCE = 5.0

# Made for a demo: nothing in it is worth an fsync, and a crash of the machine ends in a new initdb.
_CONFIGURATION = """\
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{sockets}'
unix_socket_permissions = 0700
hba_file = '{etc}/pg_hba.conf'
ident_file = '{etc}/pg_ident.conf'
password_encryption = 'scram-sha-256'
max_connections = 100
wal_level = logical
max_wal_senders = 4
max_wal_size = '256MB'
shared_buffers = '64MB'
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum_naptime = '15s'
# As hosted projects have it (facts: supabase A1): a patch that needs longer must say so with SET LOCAL.
statement_timeout = '2min'
log_line_prefix = '%m [%p] %q%u@%d '
log_checkpoints = off
log_min_error_statement = panic
log_min_messages = warning
"""

# The superuser is reached over the socket only, by the account of the server and the person who started the demo.
_ACCESS = """\
local all {superuser} peer map=demo
host all {superuser} 0.0.0.0/0 reject
host all all 127.0.0.1/32 scram-sha-256
"""


class Logins(msgspec.Struct, frozen=True):
    """Who signs in: the bootstrap superuser, and the roles that get a random password of their own."""

    superuser: str
    roles: tuple[str, ...]


class Address(msgspec.Struct, frozen=True):
    """Where a running server is and how to sign in; `pooler_port` is 0 when nothing stands before it."""

    superuser: str
    sockets: str
    passfile: str
    port: int
    pooler_port: int = 0

    def dsn(self, role: str, database: str, *, pooled: bool = False) -> str:
        """A URL for `role` over TCP, directly or through the pooler; it names a password file, not a password."""
        return (
            f"postgresql://{quote(role, safe='')}@127.0.0.1:{self.pooler_port if pooled else self.port}"
            f"/{quote(database, safe='')}?passfile={quote(self.passfile, safe='')}&sslmode=disable"
        )

    def admin_dsn(self, database: str) -> str:
        """A URL for the superuser, over the Unix socket."""
        return (
            f"postgresql://{quote(self.superuser, safe='')}@/{quote(database, safe='')}"
            f"?host={quote(self.sockets, safe='')}&port={self.port}&sslmode=disable"
        )


class _Marker(msgspec.Struct, frozen=True):
    """Written last when a cluster is initialised: a data folder without it, or with another one, is made anew."""

    major: int
    superuser: str
    roles: tuple[str, ...]
    digest: str


class Cluster:
    """One server in a `Home`. `start` and `stop` may follow each other; the caller holds the home meanwhile."""

    def __init__(self, home: Home, installation: Installation, logins: Logins) -> None:
        self.home, self.installation, self.logins = home, installation, logins
        self.port = 0
        self.notes: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def passfile(self) -> Path:
        """The 0600 password file of the demo's roles, readable by the person who started the demo alone."""
        return self.home.etc / "pgpass"

    @property
    def log(self) -> Path:
        """The server's log, emptied at every start."""
        return self.home.log / "postgres.log"

    def address(self, pooler_port: int = 0) -> Address:
        """Where the server is, now that it is started; `pooler_port` of the pooler before it."""
        return Address(self.logins.superuser, str(self.home.sockets), str(self.passfile), self.port, pooler_port)

    def start(self, roles_sql: str, progress: Progress) -> None:
        """Start the server, initialising it first where needed (`roles_sql` then runs once, as the superuser).

        A cluster that was initialised before and does not start is made anew, once. Raises DemoError.
        """
        self.home.make_server_folder(self.home.sockets)
        found = self.installation
        self.installation = readable(found, self.home, progress)
        if self.installation is not found:
            self.notes.append(
                f"the server's account can not read {found.binaries}: it runs a copy in {self.home.folder}"
            )
        wanted = _Marker(
            self.installation.major,
            self.logins.superuser,
            self.logins.roles,
            hashlib.sha256(roles_sql.encode()).hexdigest(),
        )
        reused = self._marker() == wanted
        if not reused:
            self._initialise(progress)
        try:
            self._run()
        except DemoError as error:
            if not reused:
                raise
            self.notes.append(f"the earlier server folder did not start and was made anew ({error})")
            reused = False
            self._initialise(progress)
            self._run()
        if not reused:
            progress("Making the roles")
            self._make_roles(roles_sql)
            self.home.write("initialised.json", msgspec.json.encode(wanted).decode())

    def stop(self) -> None:
        """Stop the server and wait until it is gone: fast first, then at once, then by force. Harmless when stopped."""
        if self._process:
            stop_child(self._process, (signal.SIGINT, signal.SIGQUIT), _STOPPING_PATIENCE)
            self._process = None
        if self.home.sockets.parent != self.home.folder:
            shutil.rmtree(self.home.sockets, ignore_errors=True)

    def running(self) -> bool:
        """Whether the server process lives."""
        return self._process is not None and self._process.poll() is None

    def _marker(self) -> _Marker | None:
        try:
            return msgspec.json.decode((self.home.etc / "initialised.json").read_bytes(), type=_Marker)
        except (FileNotFoundError, msgspec.DecodeError, msgspec.ValidationError):
            return None

    def _initialise(self, progress: Progress) -> None:
        progress(f"Initialising PostgreSQL {self.installation.version}")
        (self.home.etc / "initialised.json").unlink(missing_ok=True)
        if self.home.data.exists():
            shutil.rmtree(self.home.data)
        self.home.make_server_folder(self.home.data)
        if self.installation.major >= 17:  # the same on every system; a C library may lack C.UTF-8
            locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        else:
            locale = ["--locale=C.UTF-8"]
        done = self.home.run([
            str(self.installation.binaries / "initdb"), "-D", str(self.home.data), "--no-sync", "--no-instructions",
            "--username", self.logins.superuser, "--encoding=UTF8", *locale,
            "--auth-local=peer", "--auth-host=scram-sha-256",
        ])  # fmt: skip
        if done.returncode != 0:
            raise DemoError(f"initdb failed in {self.home.data}: {_last_lines(done.stderr or done.stdout)}")

    def _run(self) -> None:
        """Start on a free port; another program may take the port between the choice and the start, so try thrice."""
        for attempt in range(3):
            self.port = free_port()
            self._configure()
            self._clear_sockets()
            # The configuration lies outside the data folder, so that a reused cluster always gets the present one.
            self._process = self.home.spawn(
                [str(self.installation.binaries / "postgres"), "-D", str(self.home.data),
                 "-c", f"config_file={self.home.etc / 'postgresql.conf'}"],
                self.log,
            )  # fmt: skip
            if self._wait_until_ready(self._process):
                return
            shown = _last_lines(self.log.read_text(errors="replace"))
            self.stop()
            self.home.make_server_folder(self.home.sockets)
            # A server killed by force leaves backends that hold its shared memory for a moment.
            if attempt == 2 or not re.search(r"could not bind|could not create any TCP/IP|shared memory block", shown):
                raise DemoError(f"PostgreSQL did not start: {shown} (log: {self.log})")
            time.sleep(0.5)

    def _configure(self) -> None:
        self.home.write(
            "postgresql.conf",
            _CONFIGURATION.format(port=self.port, sockets=_quoted(self.home.sockets), etc=_quoted(self.home.etc)),
        )
        self.home.write("pg_hba.conf", _ACCESS.format(superuser=self.logins.superuser))
        people = {os.geteuid(), self.home.account.uid if self.home.account else os.geteuid()}
        names = sorted(pwd.getpwuid(uid).pw_name for uid in people)
        self.home.write("pg_ident.conf", "".join(f'demo "{name}" {self.logins.superuser}\n' for name in names))

    def _clear_sockets(self) -> None:
        for left in self.home.sockets.glob(".s.PGSQL.*"):
            left.unlink()

    def _wait_until_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether the server says in time, in line 8 of its pid file as pg_ctl reads it, that it takes connections."""
        deadline = time.monotonic() + _LISTENING_PATIENCE
        while time.monotonic() < deadline and process.poll() is None:
            with suppress(FileNotFoundError):
                lines = (self.home.data / "postmaster.pid").read_text().splitlines()
                # The pid: an earlier server's file may still lie there while ours starts.
                if len(lines) >= 8 and lines[0] == str(process.pid) and lines[7].strip() == "ready":
                    return True
            time.sleep(0.01)
        return False

    def _make_roles(self, roles_sql: str) -> None:
        """Run the roles' script and give each login a random password; the server is only ever sent its verifier."""
        words = {role: secrets.token_urlsafe(24) for role in self.logins.roles}
        with psycopg.connect(self.address().admin_dsn("template1")) as connection:
            connection.execute(roles_sql.encode())
            for role, word in words.items():
                verifier = connection.pgconn.encrypt_password(word.encode(), role.encode(), b"scram-sha-256")
                statement = sql.SQL("alter role {} login password {}")
                connection.execute(statement.format(sql.Identifier(role), sql.Literal(verifier.decode())))
        # Any host and port, so that a proxy or a pooler in front works with the same file.
        self.home.write("pgpass", "".join(f"*:*:*:{role}:{word}\n" for role, word in words.items()), secret=True)

    def passwords(self) -> dict[str, str]:
        """The password of each login role, from the password file."""
        lines = self.passfile.read_text().splitlines()
        return dict(line.split(":")[3:5] for line in lines)


def _quoted(path: Path) -> str:
    """A path inside single quotes of postgresql.conf."""
    return str(path).replace("\\", "\\\\").replace("'", "''")


def _last_lines(text: str, count: int = 5) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-count:]) or "it said nothing"
