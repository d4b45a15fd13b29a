"""What a screen or a command may ask of a database: the port that `tui.db.session.Session` implements.

Screens know this protocol only, so the driver never reaches them, and a scripted stand-in can fail on command in tests.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from functools import partial
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

if TYPE_CHECKING:
    # A port needs the types' names only: who knows a place or a problem need not load all the rest.
    from tui.core.bundle import Bundle
    from tui.core.check import Layer
    from tui.core.drift import Drift
    from tui.core.locks import Ended, Ending, LockPicture
    from tui.core.look import Look, Server
    from tui.core.opened import OpenedError, OpenedExecution
    from tui.core.panels import Panels, Scope, ScopeShare
    from tui.core.plan import Preview
    from tui.core.preflight import PreflightCheck
    from tui.core.proof import Proof
    from tui.core.report_ledger import LedgerRow
    from tui.core.run import Event, Plan

Environment = Literal["production", "staging", "local"]
"""What a database is for; production is marked on every screen and in every command's output."""

ProblemKind = Literal["auth", "unreachable", "lost", "refused", "timeout", "query"]


class Problem(Exception):  # noqa: N818 - "problem" is the word of the screens: a failed command, a lost line, a refusal
    """A database could not be asked. `str()` is one clean line; `hint` is what to do next ("" when nothing is known).

    `retry` says whether trying again by itself is harmless and may help: never for a wrong password
    (Supavisor blocks a tenant after ten in 150 s, facts: migrations A3).
    """

    def __init__(self, kind: ProblemKind, message: str, hint: str = "", *, retry: bool = True) -> None:
        super().__init__(message)
        self.kind, self.message, self.hint, self.retry = kind, message, hint, retry

    def __reduce__(self) -> tuple[partial[Problem], tuple[ProblemKind, str, str]]:
        """How it goes from one process to another."""
        return partial(Problem, retry=self.retry), (self.kind, self.message, self.hint)


class Destination(msgspec.Struct, frozen=True):
    """Where we are going, known before any connection: shown while connecting and in every confirmation.

    `local` is True for a Unix socket or a loopback address; `name` is the target's name or the host. `stated` is the
    environment its configuration states, None where it is not configured.
    """

    name: str
    host: str
    port: int
    database: str
    user: str
    local: bool
    read_only: bool
    stated: Environment | None = None

    @property
    def environment(self) -> Environment:
        """As stated; else what is not on this machine counts as production: the mistake to make is the careful one."""
        return self.stated or ("local" if self.local else "production")


class Control:
    """The operator's hand on a run: `cancel()` asks it to stop and roll back; it is never undone."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    @property
    def cancelled(self) -> bool:
        """Whether the run was asked to stop."""
        return self._asked.is_set()

    def cancel(self) -> None:
        """Ask the run to stop. Before COMMIT is sent everything is rolled back; afterwards it has no effect."""
        self._asked.set()

    async def wait(self) -> None:
        """Return once the run is asked to stop."""
        await self._asked.wait()


class Aim(Protocol):
    """What is known of a deck before anything was asked: a bundle, and where its database is."""

    @property
    def bundle(self) -> Bundle:
        """The bundle in use."""
        ...

    @property
    def destination(self) -> Destination:
        """Where the database is."""
        ...


class Deck(Aim, Protocol):
    """One database, one bundle."""

    @property
    def server(self) -> Server | None:
        """The server as last reached, None before the first connection."""
        ...

    async def connect(self) -> Server:
        """Connect, or connect again after a loss. Raises Problem."""
        ...

    async def look(self) -> Look:
        """One complete look in one round trip. Raises Problem."""
        ...

    async def tick(self, window: int, scope: Scope | None = None) -> Panels:
        """The live panels over the last `window` seconds of `scope` (None: all), in one round trip. Raises Problem."""
        ...

    async def scopes(self, window: int) -> tuple[ScopeShare, ...]:
        """The scopes that the last `window` seconds hold rows of, the busiest first. Raises Problem."""
        ...

    async def open_execution(self, key: str) -> OpenedExecution:
        """The execution with the id `key` in full, as it is now, in one round trip. Raises Problem."""
        ...

    async def open_error(self, fingerprint: str, window: int, scope: Scope | None) -> OpenedError:
        """The errors of one fingerprint over the last `window` seconds, in one round trip. Raises Problem."""
        ...

    async def preflight(self, plan: Plan) -> tuple[PreflightCheck, ...]:
        """The preflight checks for a plan, in one round trip. Raises Problem."""
        ...

    async def preview(self, plan: Plan) -> Preview:
        """What the plan would do here, nothing executed. Raises Problem."""
        ...

    async def prove(self, layers: Collection[Layer]) -> Proof:
        """Run the safety lint and the isolation matrix, those of them that `layers` asks for. Raises Problem."""
        ...

    async def drift(self) -> Drift | None:
        """What changed since the last recorded run; None where nothing is recorded. Raises Problem."""
        ...

    async def find_runs(self, run: str) -> tuple[LedgerRow, ...]:
        """The newest committed runs of the bundle whose id begins with `run` ("": any), at most two. Raises Problem."""
        ...

    async def locks(self) -> LockPicture:
        """Who holds and who waits for locks on the migration's tables, in one round trip. Raises Problem."""
        ...

    async def end_session(self, pid: int, token: str, how: Ending) -> Ended:
        """Cancel or terminate the session whose transaction `token` names. Raises Problem, also when it may not."""
        ...

    def run(self, plan: Plan, control: Control) -> AsyncIterator[Event]:
        """Run the plan on a connection of its own. Never raises Problem: the end is always a Finished event."""
        ...

    async def hung_up(self) -> Problem:
        """Wait until the other end closes a connection that nobody is asking on; returns what it said."""
        ...

    async def close(self) -> None:
        """Close every connection; safe to call twice."""
        ...
