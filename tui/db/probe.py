"""One look at a database: server, ledger, live catalog and, where it can, the twins of the expected objects, in one
round trip.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

import msgspec

from tui.core.bundle import Bundle
from tui.core.catalog import Catalog, decode
from tui.core.expectation import WATCHED_ROLES
from tui.core.look import LedgerState, RunRecord
from tui.core.twin import twin_statements
from tui.db.batch import Command, Reply, Row, set_local
from tui.db.ledger import RUNS, ask_ledger, ledger_state, questions, read_runs
from tui.db.queries import query

LOOK_LIMITS = {
    "search_path": "",
    "statement_timeout": "10s",
    "lock_timeout": "1s",
    "idle_in_transaction_session_timeout": "10s",
    "jit": "off",
    "datestyle": "ISO",
    "timezone": "UTC",
}
"""Limits of every look, SET LOCAL: looking must never be in anybody's way. The empty search_path makes every deparsed
name qualified, compiling a query (jit) takes longer than any of these, and the rest keeps times readable whatever the
role's or database's own settings are."""

CATALOG_FUNCTION, TWIN_FUNCTION = "pg_temp.patchdeck_catalog", "pg_temp.patchdeck_twin"

READ_TWIN = Command("select current_setting('patchdeck.twin_failed'), current_setting('patchdeck.twin_catalog')")

READ_RECORD = Command(
    "select current_setting('patchdeck.catalog'), current_setting('patchdeck.answered'),"
    " current_setting('patchdeck.answer')"
)

NO_TWINS = Command("select set_config('patchdeck.twin', '[]', true) where current_setting('patchdeck.answered') <> '0'")
"""Where the ledger has answered with a record that stands in for them."""

RECOGNISED, RECORDED = "1", "2"
"""The questions of a look by the record, as ledger_ask.sql numbers them: is the catalog the one that an apply left, and
what did it leave."""


class Twin(msgspec.Struct, frozen=True):
    """The expected objects as this server deparses them, and what could not be made, by key with the server's
    message. `recorded`: not made but taken from what an apply left, every check of which passed.
    """

    catalog: Catalog
    failures: Mapping[str, str]
    recorded: bool = False


class ServerFacts(msgspec.Struct, frozen=True):
    """The row of `server.sql`, typed."""

    version: str
    version_num: int
    database: str
    user: str
    pid: int
    superuser: bool
    bypass_rls: bool
    writable: bool
    now: datetime


class Reading(msgspec.Struct, frozen=True):
    """What one look brought back, before any judgement. `twin` is None when it was not asked for."""

    server: ServerFacts
    runs: tuple[RunRecord, ...]
    ledger: LedgerState
    catalog: Catalog
    twin: Twin | None


def look_commands(bundle: Bundle, *, twin: bool, by_record: bool = False) -> list[Command]:
    """The batch of one look. Making the twins needs a transaction that may write; it is always rolled back.

    `by_record`: where an apply of this very bundle was recorded on this server version no twins are made, and where the
    fingerprint says that the catalog is still the one it left, that is not read but taken from the record.
    """
    commands = _begun(writing=twin)
    if by_record:
        settings = _reading(bundle) | questions(bundle, _recognised(), query("recorded_twin"))
        commands += [set_local(settings), Command(query("ledger_ask")), Command(query("catalog_read")), READ_RECORD]
    else:
        commands.append(catalog_command(bundle))
    if twin:
        made = twin_commands(bundle, query_is_set=by_record)
        # After the setting that says what would make them, and before it is run.
        commands += [made[0], NO_TWINS, *made[1:]] if by_record else made
    return [*commands, Command("rollback")]


def recognise_commands(bundle: Bundle) -> list[Command]:
    """The batch that asks only whether the catalog is the one that an apply of this very bundle left, in a fraction of
    a look's bytes. The replies are for `read_recognised`.
    """
    asked = ask_ledger(_recognised(), bundle, {"patchdeck.wanted": _asked(bundle)})
    return [*_begun(), *asked, Command("rollback")]


def read_recognised(replies: Sequence[Reply]) -> Reading | None:
    """The replies of `recognise_commands`, typed; None where the catalog has to be read."""
    answer = replies[7].value
    return _read(replies, catalog := decode(answer), Twin(catalog, {}, recorded=True)) if answer else None


def read_look(replies: Sequence[Reply], *, twin: bool, by_record: bool = False) -> Reading:
    """The replies of `look_commands`, typed."""
    if not by_record:
        return _read(replies, decode(replies[5].value), read_twin(replies[8]) if twin else None)
    catalog, answered, answer = (value or "" for value in replies[8].rows[0])
    if answered in (RECOGNISED, RECORDED):
        made = decode(answer)
        return _read(replies, made if answered == RECOGNISED else decode(catalog), Twin(made, {}, recorded=True))
    return _read(replies, decode(catalog), read_twin(replies[12]) if twin else None)


def _begun(*, writing: bool = False) -> list[Command]:
    """What every look begins with."""
    begin = Command("begin" if writing else "begin read only")
    return [begin, set_local(LOOK_LIMITS), Command(query("server")), *RUNS]


def _read(replies: Sequence[Reply], catalog: Catalog, twin: Twin | None) -> Reading:
    return Reading(
        server=_server(replies[2].rows[0]),
        runs=read_runs(replies[4].value),
        ledger=ledger_state(str(replies[4].rows[0][1])),
        catalog=catalog,
        twin=twin,
    )


def fingerprint_commands(bundle: Bundle, run_id: str) -> list[Command]:
    """Gives the committed run its fingerprint, in a transaction of its own, where the catalog is what it recorded."""
    settings = {"patchdeck.run": run_id, "patchdeck.fingerprint_query": query("fingerprint")}
    return [
        Command("begin"),
        set_local(LOOK_LIMITS | _reading(bundle) | settings),
        Command(query("ledger_fingerprint")),
        Command("commit"),
    ]


def catalog_command(bundle: Bundle) -> Command:
    """The one statement that reads the catalog of everything the bundle names."""
    return Command(query("catalog"), (json.dumps(_wanted(bundle) | {"twin": False}),))


def kept_catalog_command(bundle: Bundle, keep: str) -> Command:
    """The same with the function of `function_command`; the server keeps the answer in the setting `keep` until the
    transaction ends.
    """
    sql = f"select set_config('{keep}', {CATALOG_FUNCTION}($1), true)"
    return Command(sql, (json.dumps(_wanted(bundle) | {"twin": False}),))


def function_command() -> Command:
    """Makes the catalog read a function of the session until `end_command`: its plan is then made once."""
    return Command(query("catalog_function").replace("{catalog}", query("catalog"), 1))


def end_command(*, twins: bool) -> Command:
    """Drops the function of `function_command`, and with `twins` that of `twin_commands`."""
    return Command(f"drop function {CATALOG_FUNCTION}(text){f', {TWIN_FUNCTION}()' if twins else ''}")


def twin_commands(
    bundle: Bundle, only: Collection[str] | None = None, *, by_function: bool = False, query_is_set: bool = False
) -> list[Command]:
    """Make the twins (or only those of the given keys), read them and undo them; `read_twin` takes the last reply.

    `by_function`: with the function of `function_command`, and by one of its own, for `again_commands`.
    `query_is_set`: the transaction has the catalog's query in its setting already, and it need not be sent twice.
    """
    wanted = twin_statements(bundle.expectation, only)
    settings = {
        "patchdeck.twin": json.dumps([{"key": statement.key, "sql": statement.sql} for statement in wanted]),
        "patchdeck.twin_wanted": json.dumps(_wanted(bundle) | {"twin": True}),
        "patchdeck.twin_again": "off",
    }
    if not query_is_set:
        settings["patchdeck.catalog_query"] = f"select {CATALOG_FUNCTION}($1)" if by_function else query("catalog")
    if not by_function:
        return [set_local(settings), Command(query("twin")), READ_TWIN]
    made = query("twin").replace("do $$", f"create function {TWIN_FUNCTION}() returns void language plpgsql as $$", 1)
    return [set_local(settings), Command(made), Command(f"select {TWIN_FUNCTION}()"), READ_TWIN]


def again_commands() -> list[Command]:
    """Make the twins that could not be made last time in this transaction; the last reply is `read_twin`'s."""
    return [set_local({"patchdeck.twin_again": "on"}), Command(f"select {TWIN_FUNCTION}()"), READ_TWIN]


def read_twin(reply: Reply) -> Twin:
    """The last reply of `twin_commands` or `again_commands`, typed."""
    failed, catalog = reply.rows[0]
    return Twin(decode(catalog or "{}"), msgspec.json.decode(failed or "{}", type=dict[str, str]))


def _recognised() -> str:
    return query("recognised").replace("{fingerprint}", query("fingerprint"), 1)


def _reading(bundle: Bundle) -> dict[str, str]:
    """The settings of whoever reads the catalog from within the server."""
    return {"patchdeck.catalog_query": query("catalog"), "patchdeck.wanted": _asked(bundle)}


def _asked(bundle: Bundle) -> str:
    """What is wanted of a live catalog. What another release would read of it is another thing to recognise."""
    reader = hashlib.sha256(query("catalog").encode()).hexdigest()
    return json.dumps(_wanted(bundle) | {"twin": False, "reader": reader})


def _wanted(bundle: Bundle) -> dict[str, object]:
    """What the catalog read is to cover: the expectation, the prerequisites and what the panels ask for."""
    expectation, manifest = bundle.expectation, bundle.manifest
    tables = [table.name for table in expectation.tables]
    tables += [table.name for table in manifest.prerequisites.tables]
    for panel in manifest.panels:
        for source in panel.sources:
            tables += [".".join(requirement.split(".")[:2]) for requirement in source.requires]
    for count in manifest.counts:
        tables += [".".join(requirement.split(".")[:2]) for requirement in count.requires]
    return {
        "tables": sorted(set(tables)),
        "views": [view.name for view in expectation.views],
        "functions": [function.name for function in expectation.functions],
        "publications": [publication.name for publication in expectation.publications],
        "schemas": [schema.name for schema in expectation.schemas],
        "roles": list(WATCHED_ROLES),
    }


def _server(row: Row) -> ServerFacts:
    version, number, database, user, pid, superuser, bypass, writable, now = (value or "" for value in row)
    return ServerFacts(
        version=version.split(" ")[0],
        version_num=int(number),
        database=database,
        user=user,
        pid=int(pid),
        superuser=superuser == "true",
        bypass_rls=bypass == "true",
        writable=writable == "true",
        now=datetime.fromisoformat(now),
    )
