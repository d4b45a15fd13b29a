"""The deck of a replay: knows its bundle and where the database was, and asks nobody anything."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection

from msgspec.structs import replace

from tui.core.bundle import Bundle
from tui.core.check import Layer
from tui.core.deck import Control, Destination, Problem
from tui.core.drift import Drift
from tui.core.locks import Ended, Ending, LockPicture
from tui.core.look import Look, Server
from tui.core.opened import OpenedError, OpenedExecution
from tui.core.panels import Panels, Scope, ScopeShare
from tui.core.plan import Preview
from tui.core.preflight import PreflightCheck
from tui.core.proof import Proof
from tui.core.report_ledger import LedgerRow
from tui.core.run import Event, Finished, Outcome, Plan
from tui.moment import Moment
from tui.recording.form import Header
from tui.store import Connected

REPLAYED = "this is a replay: no database is asked, nothing can be changed"
NOT_KEPT = "this was not kept in the recording"


class ReplayDeck:
    """Answers from the moment that is shown, as far as that was recorded; everything else is a Problem that says so."""

    def __init__(self, header: Header, bundle: Bundle, moment: Callable[[], Moment]) -> None:
        self._bundle, self._moment = bundle, moment
        self._destination = replace(header.target, read_only=True)

    @property
    def bundle(self) -> Bundle:
        """The bundle as it was recorded, without its statements."""
        return self._bundle

    @property
    def destination(self) -> Destination:
        """Where the database was; nothing can be written."""
        return self._destination

    @property
    def server(self) -> Server | None:
        """The server as it was reached then."""
        connection = self._moment().connection
        return connection.server if isinstance(connection, Connected) else None

    async def connect(self) -> Server:
        """Refused."""
        raise _refused()

    async def look(self) -> Look:
        """Refused: what is shown comes from the recording by itself."""
        raise _refused()

    async def tick(self, window: int, scope: Scope | None = None) -> Panels:
        """Refused, as a look is."""
        raise _refused()

    async def scopes(self, window: int) -> tuple[ScopeShare, ...]:
        """Refused: whose rows are shown was chosen then."""
        raise _refused()

    async def open_execution(self, key: str) -> OpenedExecution:
        """The execution as far as its row says."""
        panel = self._moment().executions
        found = next((row for row in panel.rows if row.id == key), None) if panel else None
        if found is None:
            raise _refused()
        return OpenedExecution(execution=found)

    async def open_error(self, fingerprint: str, window: int, scope: Scope | None) -> OpenedError:
        """Refused: only the groups are recorded."""
        raise _refused()

    async def preflight(self, plan: Plan) -> tuple[PreflightCheck, ...]:
        """Refused."""
        raise _refused()

    async def preview(self, plan: Plan) -> Preview:
        """Refused."""
        raise _refused()

    async def prove(self, layers: Collection[Layer]) -> Proof:
        """Refused."""
        raise _refused()

    async def drift(self) -> Drift | None:
        """Refused: what was known of it is in the moment."""
        raise _refused()

    async def find_runs(self, run: str) -> tuple[LedgerRow, ...]:
        """Refused: only the rows of the ledger are recorded, not what each run did."""
        raise _refused()

    async def locks(self) -> LockPicture:
        """The locks as they were last looked at then. Raises Problem where nobody had looked."""
        locks = self._moment().locks
        if locks is None:
            raise _refused()
        return locks

    async def end_session(self, pid: int, token: str, how: Ending) -> Ended:
        """Refused."""
        raise _refused()

    async def run(self, plan: Plan, control: Control) -> AsyncIterator[Event]:
        """Refused: its only event is the end."""
        yield Finished(Outcome.REFUSED, REPLAYED, "The database was not asked.", "", 0.0, 0.0, 0, None, ran=False)

    async def hung_up(self) -> Problem:
        """Never: there is no line."""
        never: asyncio.Future[Problem] = asyncio.get_running_loop().create_future()
        return await never

    async def close(self) -> None:
        """Nothing is open."""


def _refused() -> Problem:
    return Problem("query", NOT_KEPT, REPLAYED, retry=False)
