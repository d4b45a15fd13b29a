"""`apply --record-supabase`: the row, the file to commit, and what is refused before anything is sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.support import patchdeck, schema_of
from tests.support import BUNDLE, Database, MakeDatabase, ask
from tui.core.supabase_ledger import migration
from tui.files import read_bundle

FILE = "supabase/migrations/20251122000000_multi_tenant.sql"
ROWS = "select version, name, statements from supabase_migrations.schema_migrations"


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    return make_database("legacy")


@pytest.mark.parametrize("route", ["pooled"])
def test_row_and_file_belong_together(database: Database, tmp_path: Path) -> None:
    project, inside = tmp_path / "app", tmp_path / "app" / "web"
    inside.mkdir(parents=True)
    (project / "supabase").mkdir()
    (project / "supabase" / "config.toml").write_text("")
    options = ("--confirm", database.name, "--record-supabase")

    ran = patchdeck("apply", *options, "--json", dsn=database.dsn, cwd=inside)
    assert (ran.code, ran.json["outcome"]) == (0, "committed"), ran
    assert ran.json["migration_file"] == str(project / FILE)
    assert (project / FILE).read_bytes() == (BUNDLE / "PATCH.sql").read_bytes()
    wanted = migration(read_bundle(BUNDLE))
    assert ask(database.admin_dsn, ROWS) == [(wanted.version, wanted.name, list(wanted.statements))]

    applied = patchdeck("apply", *options, dsn=database.dsn, cwd=inside)
    assert (applied.code, "--again runs and records it" in applied.err) == (0, True), applied
    again = patchdeck("apply", *options, "--again", dsn=database.dsn, cwd=inside)
    assert (again.code, "(already there)" in again.err) == (0, True), again

    back = patchdeck("rollback", "--confirm", database.name, dsn=database.dsn)
    assert (back.code, "taken back" in back.out) == (0, True), back
    assert ask(database.admin_dsn, ROWS) == []
    assert (project / FILE).exists()


@pytest.mark.parametrize("route", ["direct"])
@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
def test_another_file_of_that_name_stops_it(database: Database, tmp_path: Path) -> None:
    (tmp_path / FILE).parent.mkdir(parents=True)
    (tmp_path / FILE).write_text("select 1;")
    before = schema_of(database.admin_dsn)
    ran = patchdeck("apply", "--confirm", database.name, "--record-supabase", dsn=database.dsn, cwd=tmp_path)
    assert ran.code == 4
    assert "20251122000000_multi_tenant.sql is there already" in ran.err
    assert (tmp_path / FILE).read_text() == "select 1;"
    assert schema_of(database.admin_dsn) == before


@pytest.mark.parametrize("route", ["direct"])
@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
def test_a_file_that_can_not_be_written_is_said_and_the_commit_stands(database: Database, tmp_path: Path) -> None:
    (tmp_path / "supabase").mkdir()
    (tmp_path / "supabase" / "migrations").symlink_to(tmp_path / "not mounted")
    ran = patchdeck("apply", "--confirm", database.name, "--record-supabase", "--json", dsn=database.dsn, cwd=tmp_path)
    assert (ran.code, ran.json["outcome"], ran.json["migration_file"]) == (0, "committed", None)
    assert "could not be written" in ran.err


@pytest.mark.parametrize("route", ["direct"])
@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
def test_a_place_that_can_not_hold_it_stops_it(database: Database, tmp_path: Path) -> None:
    (tmp_path / "supabase").write_text("in the way of the folder")
    ran = patchdeck("apply", "--confirm", database.name, "--record-supabase", dsn=database.dsn, cwd=tmp_path)
    assert (ran.code, "Not a directory" in ran.err) == (4, True), ran
