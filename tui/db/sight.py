"""A look, judged: one round trip to the database, then the checks and the verdict."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from tui.core.bundle import Bundle
from tui.core.catalog import Catalog
from tui.core.facts import Facts, decode_facts, facts_request
from tui.core.look import Look, PoolerMode, Server
from tui.db.batch import Command, Reply, StatementError, set_local
from tui.db.ledger import Records, find_commands, read_found, read_records, record_commands
from tui.db.link import Line
from tui.db.probe import (
    LOOK_LIMITS,
    Reading,
    ServerFacts,
    Twin,
    look_commands,
    read_look,
    read_recognised,
    recognise_commands,
)
from tui.db.queries import query
from tui.db.target import Target

if TYPE_CHECKING:
    # What judges is loaded while the server answers (tui.commands.session).
    from tui.core.check import Check
    from tui.core.checklist import Judged
    from tui.core.look import RunRecord
    from tui.core.report_ledger import LedgerRow
    from tui.core.verdict import Verdict


class Sight(msgspec.Struct, frozen=True):
    """A look, with the preflight facts when they were asked for, and the server's own process id."""

    look: Look
    facts: Facts | None
    pid: int


BY_TEXT = frozenset({"column", "constraint", "index", "policy", "trigger", "view"})
"""Kinds of objects that are compared as the server deparses them."""


Run = tuple[Literal["apply", "rollback"] | None, str]
"""Action and mode of the last run, as a verdict takes them."""


class _Last(NamedTuple):
    """What was judged last, and what was said of it."""

    live: Catalog
    twin: Twin | None
    run: Run
    said: tuple[tuple[Check, ...], Verdict]

    def is_of(self, live: Catalog, twin: Twin | None, run: Run) -> bool:
        """Whether it would be judged as this was."""
        return self.live is live and self.run == run and _same(self.twin, twin)


class Shared:
    """What looks for one bundle have in common, at however many databases: their statements, and what was judged."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self._judged: dict[str, Judged] = {}
        self._last: _Last | None = None
        self._commands: dict[tuple[bool, bool], tuple[Command, ...]] = {}

    def commands(self, *, twin: bool, by_record: bool) -> list[Command]:
        """As `look_commands`."""
        key = (twin, by_record)
        if key not in self._commands:
            self._commands[key] = tuple(look_commands(self.bundle, twin=twin, by_record=by_record))
        return list(self._commands[key])

    def judge(self, live: Catalog, twin: Twin | None, last: RunRecord | None) -> tuple[tuple[Check, ...], Verdict]:
        """The checks of `live` and the verdict on them, where `last` was the last run. What was decoded from the same
        document is the same object, and is not judged anew.
        """
        from tui.core.checklist import compare
        from tui.core.verdict import judge

        run: Run = (last.action, last.mode) if last else (None, "")
        if self._last is None or not self._last.is_of(live, twin, run):
            made, failures = (twin.catalog, twin.failures) if twin else (None, {})
            checks = compare(self.bundle.expectation, live, made, failures, self._judged)
            self._last = _Last(live, twin, run, (checks, judge(checks, self.bundle.expectation, live, *run)))
        return self._last.said

    @cached_property
    def recognising(self) -> list[Command]:
        """As `recognise_commands`."""
        return recognise_commands(self.bundle)


def _same(one: Twin | None, other: Twin | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.catalog is other.catalog and one.failures == other.failures


class Observer:
    """Looks at one target for one bundle and keeps the twins, which cost the server more than all the rest.

    Twins are made again only when some could not be made and the catalog has changed since: how a server deparses an
    expression depends on nothing else. With `by_record` none are made where an apply of this very bundle was recorded
    on this server version: every check of it had passed, so that what it left is what the twins would say. What is
    defined otherwise than recorded is judged by twins all the same, in one round trip more. The first look does not
    read the catalog either where its fingerprint is the recorded one (queries/fingerprint.sql).
    """

    def __init__(
        self, target: Target, bundle: Bundle, *, by_record: bool = False, shared: Shared | None = None
    ) -> None:
        """`shared` with other databases, of the same bundle. Whether the catalog is what an apply left is then asked by
        itself: of many databases most are as they should be, and the others are worth another round trip.
        """
        self._target, self._bundle, self._by_record = target, bundle, by_record
        self._shared, self._one_of_many = shared or Shared(bundle), shared is not None
        self.twin: Twin | None = None
        """The twins in hand, None before the first look and where none can be made."""
        self._twin_of: Catalog | None = None

    async def look(self, link: Line, *, facts: bool = False) -> Sight:
        """One round trip. Raises Problem."""
        by_record = self.twin is None and self._by_record
        twin = self.twin is None and not self._target.read_only
        reading, found = None, None
        if by_record and self._one_of_many and not facts:
            reading = read_recognised(await self._batch(link, self._shared.recognising))
        if reading is None:
            reading, found = await self._read(link, twin=twin, by_record=by_record, facts=facts)
        if self._stale(reading):
            reading, found = await self._read(link, twin=True, by_record=self._by_record, facts=facts)
        if reading.twin is not None:
            self.keep(reading.twin, reading.catalog)
        if not by_record and (self.twin is None or (self.twin.failures and not self.twin.catalog.tables)):
            # Making twins takes a transaction that may write: else what an apply recorded stands in for them.
            self.twin = await self._recorded(link, reading.server) or self.twin
        look = self._judge(link, reading)
        if self._doubtful(look.checks):
            self.believe_twins_only()
            return await self.look(link, facts=facts)
        return Sight(look, found, reading.server.pid)

    def keep(self, twin: Twin, of: Catalog) -> None:
        """Keep twins that were made beside the catalog `of`, here or inside a run's transaction."""
        self.twin, self._twin_of = twin, of

    def believe_twins_only(self) -> None:
        """From now on make twins also where a record would do."""
        self._by_record = False
        if self.twin is not None and self.twin.recorded:
            self.twin = None

    def _doubtful(self, checks: Iterable[Check]) -> bool:
        """Whether twins of its own would let a look say more than a record does."""
        by_record = self.twin is not None and self.twin.recorded
        return by_record and any(one.outcome in ("differs", "not_proven") and one.object in BY_TEXT for one in checks)

    def _stale(self, reading: Reading) -> bool:
        """Whether the kept twins lack something that could be made by now."""
        kept = self.twin
        if reading.twin is not None or kept is None or not kept.failures or self._twin_of is None:
            return False
        from tui.core.surface import digest

        return digest(reading.catalog) != digest(self._twin_of)

    async def _read(self, link: Line, *, twin: bool, by_record: bool, facts: bool) -> tuple[Reading, Facts | None]:
        commands = self._shared.commands(twin=twin, by_record=by_record)
        if facts:
            # Before the twins, which are made in the same transaction and would be counted among what exists.
            commands.insert(3, Command(query("facts"), (json.dumps(facts_request(self._bundle)),)))
        replies = await self._batch(link, commands)
        found = decode_facts(replies.pop(3).value) if facts else None
        return read_look(replies, twin=twin, by_record=by_record), found

    async def records(self, link: Line) -> Records:
        """What the ledger recorded of this bundle. Raises Problem."""
        commands = [Command("begin read only"), set_local(LOOK_LIMITS), *record_commands(self._bundle)]
        return read_records((await self._batch(link, [*commands, Command("rollback")]))[:-1])

    async def find(self, link: Line, run: str) -> tuple[LedgerRow, ...]:
        """The newest committed runs whose id begins with `run`, at most two. Raises Problem."""
        commands = [Command("begin read only"), set_local(LOOK_LIMITS), *find_commands(self._bundle, run)]
        return read_found((await self._batch(link, [*commands, Command("rollback")]))[:-1])

    async def _recorded(self, link: Line, server: ServerFacts) -> Twin | None:
        """The catalog an apply of this very bundle recorded on this server version: it passed every check then."""
        apply = (await self.records(link)).apply
        if apply is None or apply.digest != self._bundle.digest or apply.server_number != server.version:
            return None
        return Twin(apply.surface_after, {})

    async def _batch(self, link: Line, commands: list[Command]) -> list[Reply]:
        try:
            return await link.batch(commands)
        except StatementError as error:
            # A look that went through needs to know nothing of locks.
            from tui.db.locks import look_refused

            raise await look_refused(link, error, self._bundle) from None

    def _judge(self, link: Line, reading: Reading) -> Look:
        ours = tuple(run for run in reading.runs if run.bundle == self._bundle.name)
        checks, verdict = self._shared.judge(reading.catalog, self.twin, ours[0] if ours else None)
        return Look(
            server=describe_server(self._target, link, reading.server),
            catalog=reading.catalog,
            checks=checks,
            verdict=verdict,
            runs=ours,
            ledger=reading.ledger,
            taken_at=reading.server.now,
        )


def describe_server(target: Target, link: Line, facts: ServerFacts) -> Server:
    """The server as it was reached by `link`.

    A pooler announces a process id of its own at startup (facts: embedded); which of its modes it is in can not be seen
    from one transaction, but Supavisor's and PgBouncer's transaction ports are 6543.
    """
    place = target.destination
    reached = link.reached
    pooled = reached.startup_pid != facts.pid
    mode: PoolerMode = (
        "direct" if not pooled else "session" if place.port == 5432 and not place.local else "transaction"
    )
    return Server(
        host=place.host,
        port=place.port,
        database=facts.database,
        user=facts.user,
        pooled=pooled,
        mode=mode,
        version=facts.version,
        version_num=facts.version_num,
        tls=reached.tls,
        tls_verified=reached.tls_verified,
        rtt=reached.rtt,
        superuser=facts.superuser,
        bypass_rls=facts.bypass_rls,
        writable=facts.writable and not target.read_only,
    )
