"""Child processes and leftovers: a fixed environment, a free port, who a pid is, ending it without fail."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path


def forget_pg_settings() -> None:
    """Take the PG* settings out of this process's environment: PGHOSTADDR, PGSERVICE and the like would lead libpq away
    from the address of our own server, and PGPASSWORD goes before the file that has its password.
    """
    for name in [name for name in os.environ if name.startswith("PG")]:
        del os.environ[name]


def child_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """A small, fixed environment for server programs: messages in English, none of the caller's PG* settings."""
    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "LC_ALL": "C", "TZ": "UTC", **(extra or {})}


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def stop_child(process: subprocess.Popen[bytes], gentle: tuple[signal.Signals, ...], patience: float) -> None:
    """Signal our own child until it ends: each gentle signal, then SIGKILL, `patience` seconds apart."""
    for number in gentle:
        process.send_signal(number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            return
    process.kill()
    process.wait(patience)


def command_of(pid: int) -> str:
    """The command line of a live process; empty when there is none or it is a zombie."""
    if sys.platform == "linux":
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return ""
    shown = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], check=False, capture_output=True, text=True)
    return shown.stdout.strip()


def process_exists(pid: int) -> bool:
    """Whether the kernel knows the pid, a zombie included."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def end_process(pid: int, gentle: tuple[signal.Signals, ...], alive: Callable[[], bool], patience: float = 4.0) -> bool:
    """Send a process that is not our child each gentle signal, then SIGKILL, `patience` seconds apart.

    `alive` says whether the process we mean still lives under this pid. Returns whether it is gone.
    """
    for number in (*gentle, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not alive():
                return True
            time.sleep(0.02)
    return False
