"""`patchdeck bundle derive` on the real embedded server: what it writes holds, and says what a person had written."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.support import PATCHDECK, Ran, environment, patchdeck
from tests.support import BUNDLE, ROOT, Database, MakeDatabase, ask, server_folder
from tui.commands.session import ask as answer
from tui.core.bundle import load
from tui.db.session import Session
from tui.db.target import resolve
from tui.demo.installation import embedded_installation
from tui.demo.processes import process_exists
from tui.files import Folder

BUNDLES = ROOT / "tests" / "bundles"
BASE = {"sql": "legacy", "library": "platform", "annex": "platform"}


class Deriver:
    """Runs the command with a home of the tests' own, where its server stays initialised."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, folder: Path, *options: str) -> Ran:
        return patchdeck("bundle", "derive", str(folder), *options, env={"PATCHDECK_DEMO_HOME": str(self.home)})


@pytest.fixture(scope="module")
def derive() -> Iterator[Deriver]:
    with server_folder() as home:
        yield Deriver(home)


def copied(name: str, tmp_path: Path) -> Path:
    """A bundle of ours in a folder of the test's own."""
    source = BUNDLE if name == "sql" else BUNDLES / name
    return Path(shutil.copytree(source, tmp_path / name))


def ready_for(name: str, make_database: MakeDatabase) -> Database:
    database = make_database(BASE[name])
    before = BUNDLES / name / "BEFORE.sql"
    if before.is_file():
        ask(database.dsn, before.read_text(encoding="utf-8"))
    return database


def names(folder: Path) -> set[tuple[str, ...]]:
    """Everything an expectation speaks of, by kind, place and name; definitions are for the server to compare."""
    expectation = load(Folder(folder)).expectation
    found: set[tuple[str, ...]] = set()
    for table in expectation.tables:
        found.add(("table", table.name, table.origin, str(table.rls)))
        found |= {("column", table.name, column.name, str(column.added)) for column in table.columns}
        for kind in ("constraints", "indexes", "policies", "triggers"):
            found |= {(kind, table.name, item.name) for item in getattr(table, kind)}
        found |= {("grant", table.name, role, *sorted(held)) for role, held in table.grants.items()}
        for role, by_privilege in table.column_grants.items():
            found |= {("grant", table.name, role, right, *sorted(by_privilege[right])) for right in by_privilege}
    for view in expectation.views:
        found |= {("grant", view.name, role, *held) for role, held in view.grants.items()}
        found.add(("view", view.name, str(view.security_invoker), *view.columns))
    for function in expectation.functions:
        said = (function.returns, function.language, function.volatility, str(function.security_definer))
        found.add(("function", function.name, *said, *function.config, "may:", *function.execute, function.body))
    for publication in expectation.publications:
        found |= {("published", publication.name, table) for table in publication.tables}
        found |= {("not published", publication.name, table) for table in publication.absent}
        found.add(("publication", publication.name, str(publication.optional)))
    return found | {("schema", schema.name, *schema.usage) for schema in expectation.schemas}


def tidied(found: set[tuple[str, ...]]) -> set[tuple[str, ...]]:
    return {tuple(" ".join(part.split()) for part in one) for one in found}


# What only one of the two says: the derived file leaves out the old columns that nothing of the patch mentions, and can
# only say of what it saw taken out of a publication that it must stay out.
ONLY_WRITTEN = {
    "sql": {("not published", "supabase_realtime", "public.webhook_endpoints")},
    "library": set[tuple[str, ...]](),
    "annex": set[tuple[str, ...]](),
}
ONLY_DERIVED = {
    "sql": set[tuple[str, ...]](),
    "library": set[tuple[str, ...]](),
    "annex": {("not published", "reading", "public.shelves")},
}


@pytest.fixture(scope="module")
def drafts() -> dict[str, Path]:
    """What was derived once: parametrised fixtures of a wider scope would derive it anew for each server."""
    return {}


@pytest.fixture(params=list(BASE))
def drafted(
    request: pytest.FixtureRequest, derive: Deriver, drafts: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A copy of a bundle whose expected.toml was replaced by the derived one."""
    name = str(request.param)
    if name not in drafts:
        folder = copied(name, tmp_path_factory.mktemp("derived"))
        ran = derive(folder, "--force")
        assert ran.code == 0, ran
        functions = len(load(Folder(folder)).expectation.functions)
        assert f", {functions} function" in ran.out.splitlines()[-2]
        drafts[name] = folder
    return drafts[name]


def original(drafted: Path) -> Path:
    return BUNDLE if drafted.name == "sql" else BUNDLES / drafted.name


def test_what_is_derived_says_the_same(drafted: Path) -> None:
    text, name = (drafted / "expected.toml").read_text(encoding="utf-8"), drafted.name
    assert text.startswith("# Derived from PATCH.sql of ")
    assert "what the patch DOES, not what it SHOULD do" in text
    written, derived = tidied(names(original(drafted))), tidied(names(drafted))
    old = {one for one in written - derived if one[0] == "column" and one[3] == "False"}
    assert all(("table", column[1], "existing", "True") in written for column in old)
    assert written - derived - old == ONLY_WRITTEN[name]
    assert derived - written == ONLY_DERIVED[name]


@pytest.mark.parametrize("route", ["direct"])
def test_what_is_derived_holds(drafted: Path, make_database: MakeDatabase) -> None:
    """Both judge one database, of whatever version, and find nothing: so each definition means the same in both."""
    database = ready_for(drafted.name, make_database)
    ask(database.dsn, (drafted / "PATCH.sql").read_text(encoding="utf-8"))
    for folder in (drafted, original(drafted)):
        look = answer(Session(resolve(database.dsn, environ={}), load(Folder(folder))), Session.look)
        assert [check for check in look.checks if not check.ok] == []
        assert (look.verdict.state, len(look.checks) > 20) == ("applied", True)


def test_a_file_that_is_there_stays_unless_forced(derive: Deriver, tmp_path: Path) -> None:
    folder = copied("library", tmp_path)
    before = (folder / "expected.toml").read_text(encoding="utf-8")
    refused = derive(folder)
    assert (refused.code, refused.out) == (4, "")
    assert "expected.toml exists and was left as it is; --output FILE" in refused.err
    other = tmp_path / "other.toml"
    assert derive(folder, "--output", str(other)).code == 0
    assert (folder / "expected.toml").read_text(encoding="utf-8") == before
    assert derive(folder, "--output", str(other)).code == 4
    # A bundle that promises nothing yet is what this command is for.
    (folder / "expected.toml").unlink()
    assert derive(folder).code == 0
    assert (folder / "expected.toml").read_text(encoding="utf-8") == other.read_text(encoding="utf-8")


def test_what_the_server_refuses_is_placed(derive: Deriver, tmp_path: Path) -> None:
    folder = copied("library", tmp_path)
    patch = folder / "PATCH.sql"
    patch.write_text(patch.read_text().replace("on public.loans (book_id)", "on public.loans (no_such_column)"))
    ran = derive(folder, "--force")
    assert (ran.code, ran.out) == (2, "")
    assert 'PATCH.sql:18:1: column "no_such_column" does not exist (42703)' in ran.err
    (folder / "BEFORE.sql").write_text("\\restrict abc\ncreate table public.old ();\nselect nonsense;\n")
    before = derive(folder, "--force")
    assert before.code == 2
    assert 'BEFORE.sql:3:8: column "nonsense" does not exist' in before.err
    patch.write_text("commit;\n" + patch.read_text())
    assert "PATCH.sql:1:1: COMMIT would end" in derive(folder, "--force").err
    assert derive(tmp_path / "nowhere").code == 2


def test_an_interrupt_ends_the_server_and_writes_nothing(derive: Deriver, tmp_path: Path) -> None:
    folder = copied("library", tmp_path)
    (folder / "expected.toml").unlink()
    patch = folder / "PATCH.sql"
    patch.write_text(patch.read_text() + "select pg_sleep(60);\n")
    command = [*PATCHDECK, "bundle", "derive", str(folder)]
    environ = environment(extra={"PATCHDECK_DEMO_HOME": str(derive.home)})
    with subprocess.Popen(command, env=environ, cwd=ROOT, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        while "Running PATCH.sql" not in running.stderr.readline():
            assert running.poll() is None
        server = int((derive.home / "bundles" / "data" / "postmaster.pid").read_text().split()[0])
        assert process_exists(server)
        running.send_signal(signal.SIGINT)
        assert "interrupted" in running.stderr.read()
    assert running.returncode == 130
    assert not process_exists(server)
    assert not (folder / "expected.toml").exists()


def test_what_can_not_be_said_is_told_and_written_down(derive: Deriver, tmp_path: Path) -> None:
    folder = copied("library", tmp_path)
    patch = folder / "PATCH.sql"
    patch.write_text(
        patch.read_text()
        + "create unique index books_title_key on public.books (title);\n"
        + "create table public.notes (id bigint generated always as identity primary key,\n"
        + "n int generated always as (1) stored);\n"
        + "create trigger notes_seen after insert on public.notes referencing new table as fresh\n"
        + "for each statement execute function public.touch();\n"
    )
    ran = derive(folder, "--force")
    assert ran.code == 1
    assert (
        "PATCH.sql:65: create index books_title_key: a unique index is verified as a UNIQUE constraint only" in ran.out
    )
    assert "trigger notes_seen on public.notes can not be said exactly: code nobody expected" in ran.out
    text = (folder / "expected.toml").read_text(encoding="utf-8")
    assert "#   PATCH.sql:65: create index books_title_key" in text
    assert 'type = "bigint generated always as identity"' in text
    assert 'type = "integer generated always as (1) stored"' in text


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
def test_a_dump_of_the_project_is_a_before(derive: Deriver, make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("bare")
    dump = [embedded_installation().binaries / "pg_dump", "--schema-only", "--schema=public", "--dbname"]
    folder = copied("library", tmp_path)
    done = subprocess.run([*dump, database.direct_dsn], capture_output=True, text=True, check=True)
    (folder / "BEFORE.sql").write_text(done.stdout, encoding="utf-8")
    assert "CREATE SCHEMA public" in done.stdout
    ran = derive(folder, "--force")
    assert ran.code == 0, ran
    assert "Left out: BEFORE.sql" in ran.err
    # What was there before is not the patch's.
    assert "tenants" not in (folder / "expected.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
def test_whatever_a_table_can_have_is_found_words_for(
    derive: Deriver, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """Identity, generated and mixed-case columns, partitions, exclusion, procedures, materialized views, odd quotes.

    Derived from nothing, the file takes the patch through the real engine, and a read-only look finds nothing wrong.
    """
    folder = copied("odd", tmp_path)
    ran = derive(folder)
    assert ran.code == 0, ran
    assert [line.partition(":")[0] for line in ran.out.splitlines() if line.startswith("!")] == [
        "! column public.orgs.slug", "! column public.orgs.plan", *["! PATCH.sql"] * 4,
    ]  # fmt: skip
    database = make_database("platform")
    ask(database.dsn, (folder / "BEFORE.sql").read_text(encoding="utf-8"))
    options = ("--json", "--bundle", str(folder))
    assert patchdeck("status", *options, dsn=database.dsn).json["verdict"] == "not_applied"
    applied = patchdeck("apply", "--confirm", database.name, *options, dsn=database.dsn)
    assert (applied.code, applied.json["verdict"]) == (0, "applied"), applied
    looked = patchdeck("--read-only", "status", *options, dsn=database.dsn).json
    assert (looked["verdict"], looked["checks"]["failed"]) == ("applied", 0)
