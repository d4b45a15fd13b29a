"""The keeper: a child process that owns the demo's server, pooler and traffic and ends them when its parent is gone.

It is started as `python -m tui.demo.keeper` with a pipe as standard input. The end of the pipe, however the parent came
to it (SIGKILL too), is the order to stop; so are SIGTERM, SIGHUP and SIGINT. Requests and answers are JSON, one a line.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec

from tui.demo.baseline import Apply, Databases, apply_in_one_transaction
from tui.demo.home import DemoBusyError, DemoError, Home
from tui.demo.installation import embedded_installation, installation_at
from tui.demo.manifest import Manifest, load_manifest
from tui.demo.pooler import Pooler, pooler_program
from tui.demo.processes import child_environment, stop_child
from tui.demo.server import Address, Cluster, Logins


class Create(msgspec.Struct, frozen=True, tag=True):
    """Make `database` in `state`; with `ask`, the parent applies the migration when it is asked to (`Answer.apply`)."""

    database: str
    state: str
    template: str = ""
    ask: bool = False


class Drop(msgspec.Struct, frozen=True, tag=True):
    """Drop `database`."""

    database: str


class StartTraffic(msgspec.Struct, frozen=True, tag=True):
    """Let users work on `database`, through the pooler when there is one."""

    database: str


class Applied(msgspec.Struct, frozen=True, tag=True):
    """The answer to `Answer.apply`: the migration is in, or why it is not."""

    error: str = ""


Request = Create | Drop | StartTraffic | Applied


class Ready(msgspec.Struct, frozen=True):
    """What the keeper keeps, once all of it runs."""

    address: Address
    server_version: str
    folder: str
    notes: tuple[str, ...]


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line from the keeper: exactly one of these is set."""

    progress: str = ""
    ready: Ready | None = None
    done: bool = False
    apply: str = ""
    error: str = ""
    busy: int | None = None


class _ParentGoneError(Exception):
    """The pipe from the parent ended or a signal said so: stop everything."""


class _Wire:
    """The two pipes to the parent, and the signals, which end a wait as the pipe's end does."""

    def __init__(self) -> None:
        self._buffer = b""
        self._woken, waker = os.pipe()
        os.set_blocking(waker, False)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, lambda *_: None)

    def say(self, answer: Answer) -> None:
        """Send one line. Raises _ParentGoneError."""
        try:
            os.write(1, msgspec.json.encode(answer) + b"\n")
        except BrokenPipeError:
            raise _ParentGoneError from None

    def hear(self, watched: tuple[Cluster | Pooler, ...] = ()) -> Request:
        """Wait for a request. Raises _ParentGoneError at the pipe's end, at a signal, or when a watched child ended."""
        while b"\n" not in self._buffer:
            readable, _, _ = select.select([0, self._woken], [], [])
            if self._woken in readable and set(os.read(self._woken, 512)) - {signal.SIGCHLD}:
                raise _ParentGoneError
            if ended := next((child for child in watched if not child.running()), None):
                said = " | ".join(ended.log.read_text(errors="replace").splitlines()[-3:])
                sys.stderr.write(
                    f"a {type(ended).__name__.lower()} of the demo ended by itself, stopping the rest: {said}\n"
                )
                raise _ParentGoneError
            if 0 in readable:
                piece = os.read(0, 65536)
                if not piece:
                    raise _ParentGoneError
                self._buffer += piece
        line, self._buffer = self._buffer.split(b"\n", 1)
        return _REQUESTS.decode(line)


_REQUESTS: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)


class _Keeper:
    """Everything that is kept, in the order it is started; `stop` undoes what was done so far."""

    def __init__(self, wire: _Wire, home: Path, demo: Path) -> None:
        self._wire, self._demo = wire, demo
        self._manifest: Manifest = load_manifest(demo)
        self._stack = ExitStack()
        self._home = Home(home)
        self._watched: tuple[Cluster | Pooler, ...] = ()
        self._traffic: subprocess.Popen[bytes] | None = None

    def start(self, binaries: Path | None, with_pooler: bool) -> Ready:
        """Start server and pooler. Raises DemoError, after which `stop` must still be called."""
        self._home.hold(os.getppid())
        self._stack.callback(self._home.release)
        notes = self._home.end_leftovers()
        installation = installation_at(binaries) if binaries else embedded_installation()
        if self._home.account:
            account = self._home.account.name
            notes.append(f"PostgreSQL refuses to run as root: it runs as account {account} in {self._home.folder}")
        cluster = Cluster(self._home, installation, Logins(self._manifest.superuser, self._manifest.logins))
        self._stack.callback(cluster.stop)
        cluster.start((self._demo / self._manifest.roles).read_text(encoding="utf-8"), self._progress)
        self._watched = (cluster,)
        program = pooler_program() if with_pooler else None
        pooler = Pooler(cluster, program) if program else None
        if pooler:
            self._stack.callback(pooler.stop)
            try:
                pooler.start()
                self._watched = (cluster, pooler)
            except DemoError as error:
                notes.append(str(error))
        self._address = cluster.address(pooler.port if pooler and pooler.running() else 0)
        return Ready(self._address, cluster.installation.version, str(self._home.folder), (*notes, *cluster.notes))

    def serve(self) -> None:
        """Answer requests until the parent is gone; a request that fails is answered with its error."""
        while True:
            request = self._wire.hear(self._watched)
            try:
                self._do(request)
            except (DemoError, OSError) as error:
                self._wire.say(Answer(error=str(error)))
            else:
                self._wire.say(Answer(done=True))

    def stop(self) -> None:
        """End traffic, pooler and server, in this order, and let the folder go."""
        self._stack.close()

    def _do(self, request: Request) -> None:
        match request:
            case Create():
                apply = self._ask if request.ask else apply_in_one_transaction(self._demo / self._manifest.patch)
                self._databases(apply).create(request.database, request.state, request.template)
            case Drop():
                self._databases(self._ask).drop(request.database)
            case StartTraffic():
                self._start_traffic(request.database)
            case Applied():
                raise DemoError("nobody asked for a migration to be applied")

    def _databases(self, apply: Apply) -> Databases:
        return Databases(self._manifest, self._demo, self._address, apply)

    def _progress(self, text: str) -> None:
        self._wire.say(Answer(progress=text))

    def _ask(self, dsn: str) -> None:
        """Have the parent apply the migration to the database of `dsn`."""
        self._wire.say(Answer(apply=dsn))
        answer = self._wire.hear(self._watched)
        if not isinstance(answer, Applied) or answer.error:
            raise DemoError(answer.error if isinstance(answer, Applied) else "the migration was not applied")

    def _start_traffic(self, database: str) -> None:
        if self._traffic:
            raise DemoError("the traffic runs already")
        if not self._manifest.traffic:
            raise DemoError(f"{self._demo}: the demo has no traffic")
        dsn = self._address.dsn(self._manifest.traffic.login, database, pooled=bool(self._address.pooler_port))
        with (self._home.log / "traffic.log").open("wb") as log:
            self._traffic = subprocess.Popen(
                [sys.executable, "-P", "-m", "tui.demo.traffic", "--home", str(self._home.folder),
                 "--demo", str(self._demo), "--dsn", dsn],
                stdin=subprocess.PIPE, stdout=log, stderr=log, cwd="/", start_new_session=True,
                env=child_environment({"PYTHONPATH": os.environ.get("PYTHONPATH", "")}),
            )  # fmt: skip
        self._stack.callback(self._stop_traffic, self._traffic)

    @staticmethod
    def _stop_traffic(traffic: subprocess.Popen[bytes]) -> None:
        if traffic.stdin:
            traffic.stdin.close()  # the traffic's order to end, as ours is
        with suppress(subprocess.TimeoutExpired):
            traffic.wait(2.0)
            return
        stop_child(traffic, (signal.SIGTERM,), 1.0)


def main() -> int:
    """Run the keeper; returns its exit status: 0 after an orderly stop, 1 when it could not start."""
    parser = argparse.ArgumentParser(prog="tui.demo.keeper")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--demo", type=Path, required=True)
    parser.add_argument("--binaries", type=Path)
    parser.add_argument("--no-pooler", action="store_true")
    arguments = parser.parse_args()
    wire = _Wire()
    with suppress(_ParentGoneError), ExitStack() as stack:
        try:
            keeper = _Keeper(wire, arguments.home, arguments.demo)
            stack.callback(keeper.stop)
            ready = keeper.start(arguments.binaries, not arguments.no_pooler)
        except DemoBusyError as error:
            wire.say(Answer(error=str(error), busy=error.pid))
            return 1
        except (DemoError, OSError) as error:
            wire.say(Answer(error=str(error)))
            return 1
        wire.say(Answer(ready=ready))
        keeper.serve()
    return 0


if __name__ == "__main__":
    sys.exit(main())
