"""Every exit code of the contract, produced by the real command on real servers, directly and through the pooler."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.cli.support import PATCHDECK, Ran, environment, patchdeck
from tests.support import ROOT, Database, MakeDatabase, ask
from tui.exits import Exit
from tui.manual import PAGES, exits

one_server = pytest.mark.parametrize("cluster", ["pg18"], indirect=True)

LIBRARY = ROOT / "tests/bundles/library"
OBJECTS = """
select (select count(*) from pg_class), (select count(*) from pg_policy), (select count(*) from pg_trigger),
       (select count(*) from pg_proc), (select sum(relrowsecurity::int) from pg_class)
"""


@contextmanager
def _somebody_reads(database: Database) -> Iterator[None]:
    with psycopg.connect(database.direct_dsn, application_name="nightly report") as reader:
        reader.execute("lock table public.tenants in access share mode")
        yield


def _unreadable(folder: Path) -> None:
    (folder / "bundle.toml").write_text("name = ", encoding="utf-8")


def _failing(folder: Path) -> None:
    """The statement after all the others fails."""
    with (folder / "PATCH.sql").open("a", encoding="utf-8") as patch:
        patch.write("\nselect 1 / 0;\n")


def _half_green(folder: Path) -> None:
    """Each statement goes through, and what the bundle promises does not hold."""
    with (folder / "PATCH.sql").open("a", encoding="utf-8") as patch:
        patch.write("\nalter table public.books disable row level security;\n")


@dataclass(frozen=True)
class Case:
    """A command that ends with `code` and `says` why. `{name}` stands for the database.

    `bundle` spoils a copy of the library bundle, None takes the one that ships; `dsn` is the address to use.
    """

    code: Exit
    command: str
    says: str
    state: str = "legacy"
    bundle: Callable[[Path], None] | None = None
    dsn: Callable[[Database], str] = lambda database: database.dsn
    meanwhile: Callable[[Database], AbstractContextManager[None]] = lambda _: nullcontext()


def _as_is(_: Path) -> None:
    """The library bundle itself."""


def _password(database: Database) -> str:
    """An address that brings the wrong password."""
    return database.dsn.partition("?")[0].replace("postgres@", "postgres:wrong@") + "?sslmode=disable"


CASES = (
    Case(Exit.HEALTHY, "status", "APPLIED", "applied"),
    Case(Exit.HEALTHY, "apply --confirm {name} --json", '"outcome": "committed"', "bare", _as_is),
    Case(Exit.FAILED, "status", "NOT APPLIED", "bare", _as_is),
    Case(Exit.FAILED, "drift", "No run is recorded", "bare", _as_is),
    Case(Exit.FAILED, "report", "no run is recorded", "bare", _as_is),
    Case(Exit.USAGE, "plan", "the bundle can not be used", "bare", _unreadable),
    Case(Exit.USAGE, "verify --layers structure --output /nowhere/at/all", "can not be written", "bare", _as_is),
    Case(
        Exit.UNREACHABLE,
        "history",
        "does not exist",
        "bare",
        dsn=lambda one: one.dsn.replace(one.name, "no_such_place"),
    ),
    Case(Exit.UNREACHABLE, "rehearse --json", '"outcome": "refused"', "bare", dsn=_password),
    Case(Exit.REFUSED, "apply --confirm another --json", "does not match", "bare"),
    Case(Exit.REFUSED, "apply --confirm {name} --json", '"outcome": "refused"', "bare", dsn=lambda one: one.api_dsn),
    Case(Exit.REFUSED, "apply --confirm {name} --patience 0.5", "nightly report", meanwhile=_somebody_reads),
    Case(Exit.REFUSED, "plan --rollback restore", "is not known", "bare", _as_is),
    Case(Exit.ROLLED_BACK, "apply --confirm {name} --json", "division by zero", "bare", _failing),
    Case(Exit.ROLLED_BACK, "rehearse", "public.books", "bare", _half_green),
)


@one_server
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{int(case.code)}-{case.command.split()[0]}")
def test_the_code_is_the_one_that_help_names(make_database: MakeDatabase, tmp_path: Path, case: Case) -> None:
    database = make_database(case.state)
    bundle: tuple[str, ...] = ()
    if case.bundle is not None:
        folder = tmp_path / "bundle"
        shutil.copytree(LIBRARY, folder)
        case.bundle(folder)
        bundle = ("--bundle", str(folder))
    before = ask(database.dsn, OBJECTS)
    with case.meanwhile(database):
        ran = patchdeck(*bundle, *case.command.format(name=database.name).split(), dsn=case.dsn(database))
    assert (ran.code, case.says in ran.out + ran.err) == (case.code, True), ran
    if "--json" in case.command:
        assert ran.json["outcome"] in ("committed", "refused", "rolled_back")
    assert (ask(database.dsn, OBJECTS) == before) is (case.command.split()[0] != "apply" or case.code != 0)
    assert case.code in exits(case.command.split()[0])


def test_no_code_of_the_contract_is_left_out() -> None:
    elsewhere = {Exit.UNKNOWN, Exit.DEFECT}
    assert {case.code for case in CASES} | elsewhere == set(Exit)
    assert set().union(*(exits(command) for command in PAGES)) == set(Exit)


class _Cut:
    """A line that goes dead, for good, when the client has sent COMMIT: nobody can ask what became of it.

    `delivered`: the server still gets the COMMIT, and only its answer is lost.
    """

    def __init__(self, there: tuple[str, int], *, delivered: bool) -> None:
        self._there, self._delivered = there, delivered
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._cut = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._cut.is_set():
                client.close()
                continue
            server = socket.create_connection(self._there)
            for source, sink, watched in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._carry, args=(source, sink, watched), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, watched: bool) -> None:
        try:
            while data := source.recv(65536):
                if watched and b"commit\0" in data:
                    self._cut.set()
                    if self._delivered:
                        sink.sendall(data)
                        # Its end is the answer's to find: with the line cut now, the server might not come to COMMIT.
                        continue
                if not self._cut.is_set():
                    sink.sendall(data)
                elif not self._delivered or b"COMMIT\0" in data:
                    break
        except OSError:
            pass
        for end in (source, sink):
            end.close()


def _through(dsn: str, port: int) -> str:
    """The same database through another port; libpq takes a later parameter over an earlier one."""
    return f"{dsn}&port={port}&hostaddr=127.0.0.1"


@one_server
@pytest.mark.parametrize("route", ["pooled"])
def test_an_outcome_that_can_not_be_known_is_said_to_be(make_database: MakeDatabase) -> None:
    """COMMIT lost on its way, and its answer lost: the same word, whatever the database did. Both routes at once."""
    runs = []
    for delivered in (False, True):
        for pooled in (False, True):
            database = make_database("bare")
            dsn = database.pooled_dsn if pooled else database.direct_dsn
            with psycopg.connect(dsn) as connection:
                line = _Cut((connection.info.host, connection.info.port), delivered=delivered)
            command = [*PATCHDECK, "apply", "--bundle", str(LIBRARY), "--confirm", database.name, "--json"]
            started = subprocess.Popen(
                command, cwd=ROOT, env=environment(_through(dsn, line.port)), stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            runs.append((delivered, database, line, started))
    for delivered, database, line, started in runs:
        out, said = started.communicate(timeout=120)
        line.close()
        ran = Ran(started.returncode, out, said)
        assert (ran.code, ran.json["outcome"]) == (Exit.UNKNOWN, "unknown"), ran
        assert "patchdeck status" in ran.json["next_step"]
        assert ran.json["report"]["markdown"] in said
        told = patchdeck("status", "--bundle", str(LIBRARY), "--json", dsn=database.dsn)
        assert told.json["verdict"] == ("applied" if delivered else "not_applied")


PLANTED = """
import tui.commands.looking
import tui.commands.progress

def spoiled(*_, **__):
    raise LookupError("planted postgresql://app:Corr3ct-horse@db.example.com/postgres")

tui.commands.looking.history = spoiled
tui.commands.progress.Progress.show = spoiled
"""


@one_server
@pytest.mark.parametrize("route", ["pooled"])
def test_a_defect_is_told_from_a_failed_check(make_database: MakeDatabase, tmp_path: Path) -> None:
    """A defect is 70 and keeps its details in a file; in the middle of a run nobody knows the outcome, which is 6."""
    database = make_database("bare")
    (tmp_path / "sitecustomize.py").write_text(PLANTED, encoding="utf-8")
    planted = {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))}
    before = ask(database.dsn, OBJECTS)
    for arguments, code in ((("history",), Exit.DEFECT), (("apply", "--confirm", database.name), Exit.UNKNOWN)):
        ran = patchdeck("--bundle", str(LIBRARY), *arguments, dsn=database.dsn, env=planted)
        assert (ran.code, ran.out) == (code, ""), ran
        line = ran.err.splitlines()[-1]
        assert "a defect in patchdeck: LookupError: planted" in line
        file = Path(line.partition("details in ")[2])
        assert file.stat().st_mode & 0o777 == 0o600
        details = file.read_text(encoding="utf-8")
        assert "Traceback" in details and "spoiled" in details
        assert "Corr3ct" not in details + ran.err
    assert ask(database.dsn, OBJECTS) == before
