"""The dashboard as it is used: through a real ssh to a real sshd, 80 ms away, which loses its link during an apply."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support import ROOT, Database, MakeDatabase, ask, wait_for
from tests.terminal.pty_session import PtySession
from tests.terminal.test_twenty import LIBRARY, POLICIES, RUNNERS, back, run_for_real
from tests.terminal.wire import Wire

pytestmark = pytest.mark.parametrize(("cluster", "route"), [("pg18", "direct")], indirect=["cluster"])

RTT = 0.08
SIZE = (120, 40)
SEPARATION = Path("/run/sshd")
"""A folder that sshd wants to exist when it runs as root, and that its service makes."""
HOW = "the real ssh needs sshd, ssh and ssh-keygen; get them with: apt-get install openssh-server openssh-client"
ASLEEP = f"{RUNNERS} and wait_event = 'PgSleep'"
RUNS = "select action, outcome from patchdeck.runs"


def missing(how: str) -> None:
    """As for the pooler: in CI it has to be there."""
    if os.environ.get("CI") == "true":
        pytest.fail(how)
    pytest.skip(how)


class Remote:
    """A machine to sign in to at `port`, with a key of the test's own."""

    def __init__(self, folder: Path, sshd: str) -> None:
        self._folder = folder
        for name in ("host", "key"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)]
            subprocess.run(command, check=True, timeout=30)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        settings = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": folder / "host",
            "AuthorizedKeysFile": folder / "key.pub",
            "PidFile": "none",
            # The folders above belong to whoever runs the tests, who need not be the user.
            "StrictModes": "no",
            "PasswordAuthentication": "no",
            "KbdInteractiveAuthentication": "no",
            "PermitRootLogin": "prohibit-password",
        }
        config = folder / "sshd_config"
        config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()), encoding="utf-8")
        self._said = (folder / "said").open("w+b")
        self._daemon = subprocess.Popen([sshd, "-D", "-e", "-f", str(config)], stderr=self._said)

    def close(self) -> None:
        """End the daemon; the sessions of the tests have ended by themselves."""
        self._daemon.terminate()
        self._daemon.wait(10)
        self._said.close()

    def last_words(self) -> str:
        """What the daemon said."""
        return (self._folder / "said").read_text(encoding="utf-8", errors="replace")[-400:]

    def listens(self) -> bool:
        """Whether somebody can sign in. Fails with its words when it has ended."""
        assert self._daemon.poll() is None, self.last_words()
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as there:
            return there.recv(4) == b"SSH-"
        return False

    def command(self, port: int, *words: str) -> list[str]:
        """An ssh to this machine through `port` of this one, with a terminal, that runs `words` there."""
        options = {
            "StrictHostKeyChecking": "no", "UserKnownHostsFile": "/dev/null", "IdentitiesOnly": "yes",
            "LogLevel": "ERROR", "BatchMode": "yes",
        }  # fmt: skip
        chosen = [f"-o{name}={value}" for name, value in options.items()]
        return [
            "ssh", "-F", "none", "-tt", "-i", str(self._folder / "key"), "-p", str(port), *chosen,
            f"{getpass.getuser()}@127.0.0.1", shlex.join(words),
        ]  # fmt: skip


@pytest.fixture(scope="module")
def remote(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    """A local sshd of the tests' own."""
    sshd = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if sshd is None or not shutil.which("ssh") or not shutil.which("ssh-keygen"):
        missing(HOW)
        return
    made = os.geteuid() == 0 and not SEPARATION.exists()
    if made:
        SEPARATION.mkdir(mode=0o755)
    machine = Remote(tmp_path_factory.mktemp("sshd"), sshd)
    try:
        wait_for(machine.listens)
        found = subprocess.run(machine.command(machine.port, "true"), capture_output=True, timeout=30, check=False)
        if found.returncode:
            missing(f"sshd lets nobody in here: {machine.last_words()}")
        yield machine
    finally:
        machine.close()
        if made:
            SEPARATION.rmdir()


@pytest.fixture
def link(remote: Remote) -> Iterator[Wire]:
    """80 ms between the operator and the machine that patchdeck runs on."""
    with Wire("127.0.0.1", remote.port, rtt=RTT) as wire:
        yield wire


def sleeping(folder: Path, seconds: float) -> Path:
    """The library bundle in `folder`, with a last statement that takes `seconds`."""
    shutil.copytree(LIBRARY, folder)
    with (folder / "PATCH.sql").open("a", encoding="utf-8") as patch:
        patch.write(f"\ndo $$ begin perform pg_catalog.pg_sleep({seconds:g}); end $$;\n")
    return folder


@contextmanager
def signed_in(remote: Remote, link: Wire, database: Database, bundle: Path) -> Iterator[PtySession]:
    """The dashboard on that machine, seen through ssh."""
    home = [f"{name}={os.environ[name]}" for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")]
    there = ["env", "-C", str(ROOT), *home, "LANG=C.UTF-8", sys.executable, "-m", "tui"]
    command = remote.command(link.port, *there, "--dsn", database.dsn, "--bundle", str(bundle))
    with PtySession(command, columns=SIZE[0], rows=SIZE[1]) as running:
        running.wait_for("? Help")
        yield running


def asleep(database: Database) -> bool:
    """Whether the patch is in its last statement."""
    return ask(database.admin_dsn, ASLEEP) == [(1,)]


def see_history(running: PtySession, *said: str) -> None:
    """What the screen says of the runs there have been, and then that it is left as it ought to be."""
    running.send("h")
    running.wait_for("─ History")
    for words in said:
        running.wait_for(words)
    back(running, "─ History")
    running.send("q")
    assert running.wait_exit()[0] == 0


def test_a_dropped_link_rolls_the_run_back_and_the_next_screen_says_so(
    remote: Remote, link: Wire, make_database: MakeDatabase, tmp_path: Path
) -> None:
    database, bundle = make_database("bare"), sleeping(tmp_path / "slow", 60)
    with signed_in(remote, link, database, bundle) as running:
        running.wait_for("NOT APPLIED")
        run_for_real(running, database.name)
        wait_for(lambda: asleep(database))
        link.cut()
        assert running.wait_exit()[0] == 255
    wait_for(lambda: ask(database.admin_dsn, RUNNERS) == [(0,)], 5.0)
    assert ask(database.admin_dsn, POLICIES) == [(0,)]
    link.mend()
    with signed_in(remote, link, database, bundle) as running:
        running.wait_for("! NOT APPLIED")
        see_history(running, "no run is recorded in this database")


def test_a_run_that_ended_while_nobody_could_see_it_is_told_by_the_next_screen(
    remote: Remote, link: Wire, make_database: MakeDatabase, tmp_path: Path
) -> None:
    database, bundle = make_database("bare"), sleeping(tmp_path / "slow", 1)
    with signed_in(remote, link, database, bundle) as running:
        running.wait_for("NOT APPLIED")
        run_for_real(running, database.name)
        wait_for(lambda: asleep(database))
        link.silence()
        wait_for(lambda: ask(database.admin_dsn, RUNNERS) == [(0,)])
        assert ask(database.admin_dsn, RUNS) == [("apply", "committed")]
        assert "COMMITTED" not in running.screen()
        link.cut()
        link.mend()
        assert running.wait_exit()[0] == 255
    with signed_in(remote, link, database, bundle) as running:
        running.wait_for("✓ APPLIED")
        see_history(running, "committed")
