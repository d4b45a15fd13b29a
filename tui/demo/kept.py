"""The demo as its user holds it: start a keeper, talk to it, and leave knowing that nothing runs any more."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import msgspec

from tui.demo.home import DemoBusyError, DemoError, Home, default_folder
from tui.demo.keeper import Answer, Applied, Create, Drop, Ready, Request, StartTraffic
from tui.demo.manifest import Manifest, load_manifest
from tui.demo.processes import child_environment

# The keeper itself allows each of its three children about ten seconds before it uses force.
_LEAVING_PATIENCE = 30.0

Progress = Callable[[str], None]


def _silent(_: str) -> None:
    """Progress that nobody wants to see."""


class Kept:
    """A server, its pooler and its databases, kept by a child process; a context manager that ends them all.

    `demo` is the folder of demo.toml, `home` where it lives (None: `default_folder()`), `binaries` a server's folder of
    programs (None: the embedded one). Entering raises DemoError, DemoBusyError when another demo holds the folder.
    """

    def __init__(
        self,
        demo: Path,
        *,
        home: Path | None = None,
        binaries: Path | None = None,
        pooler: bool = True,
        progress: Progress = _silent,
    ) -> None:
        self._home = (home or default_folder()).absolute()
        self._progress = progress
        self._command = [sys.executable, "-P", "-m", "tui.demo.keeper", "--home", str(self._home), "--demo", str(demo)]
        self._command += [] if binaries is None else ["--binaries", str(binaries)]
        self._command += [] if pooler else ["--no-pooler"]
        self._process: subprocess.Popen[bytes] | None = None
        self._requests: IO[bytes]
        self._answers: IO[bytes]
        self.ready: Ready

    def __enter__(self) -> Self:
        # -P and our own path: a folder named `tui` where the operator stands must not be imported instead of this one.
        environment = child_environment({"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)})
        self._said = tempfile.TemporaryFile()
        their_requests, requests = os.pipe()
        answers, their_answers = os.pipe()
        self._requests, self._answers = os.fdopen(requests, "wb"), os.fdopen(answers, "rb")
        self._process = subprocess.Popen(
            self._command, stdin=their_requests, stdout=their_answers, stderr=self._said, cwd="/",
            env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(their_requests)
        os.close(their_answers)
        try:
            answer = self._hear()
            if answer.ready is None:
                raise DemoError("the demo's keeper speaks out of turn")
            self.ready = answer.ready
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def create(
        self, database: str, state: str, *, template: str = "", apply: Callable[[str], None] | None = None
    ) -> None:
        """Make `database` in `state` (see `Databases.create`). Raises DemoError.

        Where the state says so the migration is applied: by `apply`, given a direct DSN for the owner, or else plainly.
        """
        self._send(Create(database, state, template, ask=apply is not None))
        while apply and not (answer := self._hear()).done:
            try:
                apply(answer.apply)
            except BaseException as error:
                self._send(Applied(error=f"the migration could not be applied: {error}"))
                with suppress(DemoError):
                    self._hear()
                raise
            self._send(Applied())
        if apply is None:
            self._hear()

    def drop(self, database: str) -> None:
        """Drop `database`, ending whoever is connected to it. Raises DemoError."""
        self._send(Drop(database))
        self._hear()

    def start_traffic(self, database: str) -> None:
        """Let users work on `database` until the demo ends. Raises DemoError when it can not be started."""
        self._send(StartTraffic(database))
        self._hear()

    def close(self) -> None:
        """End everything and wait until it is gone, by our own hand if the keeper can not. Raises DemoError."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(BrokenPipeError):
            self._requests.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_LEAVING_PATIENCE)
        self._answers.close()
        self._said.close()
        if process.returncode in (0, 1):
            return
        process.kill()
        process.wait()
        home = Home(self._home)
        home.hold(os.getpid())
        home.end_leftovers()
        home.release()

    def _send(self, request: Request) -> None:
        try:
            self._requests.write(msgspec.json.encode(request) + b"\n")
            self._requests.flush()
        except BrokenPipeError:
            raise DemoError(f"the demo's keeper ended by itself: {self._last_words()}") from None

    def _hear(self) -> Answer:
        """The next answer that is not progress. Raises DemoError for an error, or when the keeper ends."""
        while line := self._answers.readline():
            answer = msgspec.json.decode(line, type=Answer)
            if answer.busy is not None:
                raise DemoBusyError(self._home, answer.busy)
            if answer.error:
                raise DemoError(answer.error)
            if not answer.progress:
                return answer
            self._progress(answer.progress)
        raise DemoError(f"the demo's keeper ended by itself: {self._last_words()}")

    def _last_words(self) -> str:
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").split("\n")
        return " | ".join(line for line in lines[-4:] if line) or "it said nothing"


class Demo(msgspec.Struct, frozen=True):
    """A running demo. `dsn` is what an operator would be given: the owner's, through the pooler when there is one."""

    dsn: str
    direct_dsn: str
    admin_dsn: str
    pooled: bool
    server_version: str
    folder: Path
    notes: tuple[str, ...]

    @classmethod
    def on(cls, kept: Kept, manifest: Manifest) -> Demo:
        """The demo whose server and database `kept` holds."""
        address, pooled = kept.ready.address, bool(kept.ready.address.pooler_port)
        return cls(
            dsn=address.dsn(manifest.owner, manifest.database, pooled=pooled),
            direct_dsn=address.dsn(manifest.owner, manifest.database),
            admin_dsn=address.admin_dsn(manifest.database),
            pooled=pooled,
            server_version=kept.ready.server_version,
            folder=Path(kept.ready.folder),
            notes=kept.ready.notes,
        )

    def describe(self) -> str:
        """One line: which server, and whether a pooler stands before it."""
        route = "through PgBouncer in transaction mode" if self.pooled else "directly (no pgbouncer runs here)"
        return f"PostgreSQL {self.server_version}, {route}, in {self.folder}"


@contextmanager
def demo_database(
    bundle: Path,
    state: str = "legacy",
    *,
    traffic: bool = True,
    apply: Callable[[str], None] | None = None,
    progress: Progress = _silent,
) -> Iterator[Demo]:
    """The demo of the bundle in folder `bundle`, its database made anew in `state`, for as long as the context lasts.

    `apply` brings the migration in for the states that have it (given a direct DSN of the owner; None: the patch in one
    transaction); `progress` is told in words what takes a while. Everything ends with the context, and also when this
    process dies in any way. Raises DemoError; DemoBusyError when another demo of this user runs.
    """
    manifest = load_manifest(bundle / "demo")
    manifest.chain(state)
    with Kept(bundle / "demo", progress=progress) as kept:
        progress(f"Making the database: {manifest.chain(state)[-1].summary}")
        kept.create(manifest.database, state, apply=apply)
        if traffic and manifest.traffic:
            kept.start_traffic(manifest.database)
        yield Demo.on(kept, manifest)
