"""The demo's own folder: where it lies, which account runs the server in it, who holds it, what a crash left behind.

Rule: when started by root, root writes only into folders that root owns (`etc`, `log`); the server's account owns
`data` and the socket folder and nothing else. No folder that this module did not make ever has its rights changed.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import secrets
import signal
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import IO

import msgspec
import platformdirs

from tui.demo.processes import child_environment, command_of, end_process, process_exists

HOME_VARIABLE = "PATCHDECK_DEMO_HOME"

# A Unix socket's path is limited to 104 bytes on macOS and 108 on Linux, its final NUL included.
_SOCKET_PATH_BYTES = 103
_SOCKET_NAME = ".s.PGSQL.65535.lock"
_SHORT = Path("/tmp")  # noqa: S108 - owner and rights of what we make there are checked


class DemoError(Exception):
    """The demo can not run; `str()` says what happened and what to do next, in plain words."""


class DemoBusyError(DemoError):
    """Somebody else's demo holds the folder; `pid` is the process that does, 0 if it is not known."""

    def __init__(self, folder: Path, pid: int) -> None:
        self.pid = pid
        who = f"process {pid}" if pid else "another process"
        super().__init__(
            f"a demo is already running ({who}, in {folder}). Nothing was changed. "
            f"Leave that one first, or set {HOME_VARIABLE} to another folder for a second demo."
        )


class Account(msgspec.Struct, frozen=True):
    """An operating-system account that a child process runs as."""

    name: str
    uid: int
    gid: int


def server_account() -> Account | None:
    """The account the server runs as: None when it is our own; as root an existing unprivileged one.

    PostgreSQL refuses to run as root. Raises DemoError when root finds neither `postgres` nor `nobody`.
    """
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise DemoError(
        "PostgreSQL refuses to run as root and this system has neither an account `postgres` nor `nobody`. "
        "Start the demo as an ordinary user."
    )


def default_folder() -> Path:
    """Where the demo lives: $PATCHDECK_DEMO_HOME, else the user's data folder (as root: the system's state folder)."""
    if chosen := os.environ.get(HOME_VARIABLE):
        return Path(chosen).expanduser().absolute()
    if os.geteuid() != 0:
        return platformdirs.user_data_path("patchdeck") / "demo"
    # Root's own data folder lies under /root, which the server's account can not enter, and must not be opened for it.
    state = Path("/var/lib")
    return (state if state.is_dir() else Path(tempfile.gettempdir())) / "patchdeck-demo"


class Home:
    """The demo's folder. Making one prepares it on disk; raises DemoError when it can not be had safely."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = (folder or default_folder()).absolute()
        self.account = server_account()
        # What makes subprocess run a child as the account; None leaves it ours.
        self._user = self.account.uid if self.account else None
        self._group = self.account.gid if self.account else None
        self._extra_groups: list[int] | None = [] if self.account else None
        self._lock: IO[str] | None = None
        self._make()

    @property
    def data(self) -> Path:
        """The server's data folder."""
        return self.folder / "data"

    @property
    def etc(self) -> Path:
        """Configuration and secrets, written by us, read by the server."""
        return self.folder / "etc"

    @property
    def log(self) -> Path:
        """Log files of everything that runs in the demo."""
        return self.folder / "log"

    @property
    def sockets(self) -> Path:
        """The 0700 folder of the server's Unix socket: in ours, unless that path is too long for a socket."""
        inside = self.folder / "s"
        if len(os.fsencode(inside / _SOCKET_NAME)) <= _SOCKET_PATH_BYTES:
            return inside
        owner = self.account.uid if self.account else os.geteuid()
        # The inode names this folder for as long as it exists and is short.
        return _SHORT / f"patchdeck-{owner}-{self.folder.stat().st_ino:x}"

    def _make(self) -> None:
        mode = 0o700 if self.account is None else 0o711
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            self._own_folder(self.folder, mode)
            self._own_folder(self.etc, mode)
            self._own_folder(self.log, 0o700)
        except OSError as error:
            raise DemoError(
                f"the demo's folder {self.folder} can not be used: {error.strerror or error}. "
                f"Set {HOME_VARIABLE} to a folder of yours."
            ) from None
        if self.account and not self.account_can("-x", self.folder):
            raise DemoError(
                f"the server runs as account {self.account.name}, because PostgreSQL refuses to run as root, "
                f"and that account can not enter {self.folder}. "
                f"Set {HOME_VARIABLE} to a folder whose parents it can enter."
            )

    def _own_folder(self, path: Path, mode: int, account: Account | None = None) -> None:
        """Make `path`, or accept it when it is a real folder of the right owner that nobody else can write to."""
        owner = account.uid if account else os.geteuid()
        try:
            path.mkdir(mode=mode)
        except FileExistsError:
            found = path.lstat()
            if path.is_symlink() or not path.is_dir() or found.st_uid != owner or found.st_mode & 0o022:
                raise DemoError(
                    f"{path} exists and is not a folder that only its owner (uid {owner}) can write to. "
                    f"Remove it, or set {HOME_VARIABLE} to another folder."
                ) from None
            return
        path.chmod(mode)  # mkdir's mode is narrowed by the umask
        if account:
            os.chown(path, account.uid, account.gid)

    def make_server_folder(self, path: Path) -> None:
        """Make the 0700 folder `path` for the server's account, or accept it. Raises DemoError when it is not ours."""
        self._own_folder(path, 0o700, self.account)

    def account_can(self, test: str, path: Path) -> bool:
        """Whether the server's account passes `test` (a flag of test(1), such as -x or -r) on `path`."""
        return self.run(["test", test, str(path)]).returncode == 0

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """Run a short command as the server's account; its result, text captured. Raises DemoError if it hangs."""
        try:
            return subprocess.run(
                command, check=False, capture_output=True, text=True, errors="replace", stdin=subprocess.DEVNULL,
                timeout=120, cwd="/", env=child_environment(),
                user=self._user, group=self._group, extra_groups=self._extra_groups,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise DemoError(f"{command[0]} did not end within two minutes; its folder is {self.folder}") from None

    def spawn(self, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        """Start `command` as the server's account, its output to the file `log` (emptied first). Raises DemoError."""
        with log.open("wb") as output:
            try:
                return subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/",
                    env=child_environment(), start_new_session=True,
                    user=self._user, group=self._group, extra_groups=self._extra_groups,
                )  # fmt: skip
            except OSError as error:
                who = f"account {self.account.name}" if self.account else "this account"
                raise DemoError(
                    f"{Path(command[0]).name} did not start: {who} can not run {command[0]}: {error.strerror}"
                ) from None

    def write(self, name: str, text: str, *, secret: bool = False, for_account: bool = False) -> Path:
        """Write `etc/NAME` whole or not at all; a secret is 0600 from its first byte, the account's if it reads it."""
        path = self.etc / name
        fresh = self.etc / f".{name}.{secrets.token_hex(4)}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            if for_account and self.account:
                os.fchown(descriptor, self.account.uid, self.account.gid)
            if not secret:
                os.fchmod(descriptor, 0o644)
            file.write(text)
        fresh.replace(path)
        return path

    def hold(self, holder: int) -> None:
        """Take the folder until this process ends; `holder` is the pid named to others. Raises DemoBusyError."""
        path = self.folder / "lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        file = os.fdopen(descriptor, "r+", encoding="ascii")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = file.read().strip()
            file.close()
            raise DemoBusyError(self.folder, int(text) if text.isdigit() else 0) from None
        file.truncate(0)
        file.write(f"{holder}\n")
        file.flush()
        self._lock = file

    def release(self) -> None:
        """Let the folder go."""
        if self._lock:
            self._lock.close()
            self._lock = None

    def end_leftovers(self) -> list[str]:
        """End what a crash left running in this folder, and its stale lock files; returns one line per thing done.

        Call it while holding the folder. Only a process whose command line names this folder is ever signalled: a pid
        in a stale file may belong to somebody else by now. Raises DemoError when one does not end.
        """
        done = []
        for what, file, gentle in (
            ("connection pooler", self.etc / "pooler.pid", (signal.SIGTERM,)),
            ("server", self.data / "postmaster.pid", (signal.SIGINT, signal.SIGQUIT)),
        ):
            pid = first_number(file)
            if pid is None:
                continue
            if self._runs_in_here(pid):
                ours = partial(self._runs_in_here, pid)
                if not end_process(pid, gentle, ours):
                    raise DemoError(f"a {what} of an earlier demo does not end; look at it with: ps -fp {pid}")
                done.append(f"a {what} that an earlier demo left running (pid {pid}) was stopped")
            elif process_exists(pid):
                # PostgreSQL takes any process of this pid, a zombie too, for the server and would refuse to start.
                # Where there is none we leave the file: its own check also looks for orphaned backends.
                file.unlink(missing_ok=True)
        return done

    def _runs_in_here(self, pid: int) -> bool:
        """Whether a live process of this pid names our folder in its command line."""
        return str(self.folder) in command_of(pid)


def first_number(file: Path) -> int | None:
    """The number in the first line of `file`, or None when there is no such file or no number in it."""
    try:
        first = file.read_text(encoding="ascii", errors="replace").split("\n", 1)[0].strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return int(first) if first.isdigit() and int(first) > 1 else None
