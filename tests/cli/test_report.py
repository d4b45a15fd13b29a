"""The report of a run: written beside the run, and made again from the ledger, the same each time."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.cli.support import PATCHDECK, Ran, environment, inside, patchdeck
from tests.support import BUNDLE, ROOT, MakeDatabase
from tui.cli import LAYERS

CHANGED = re.compile(r"^## What changed, object by object\n.*", re.MULTILINE | re.DOTALL)


def _written() -> list[Path]:
    return sorted((Path(os.environ["XDG_STATE_HOME"]) / "patchdeck/reports").glob("*"))


@pytest.mark.parametrize("route", ["direct"])
def test_it_is_written_after_a_run_and_made_again_from_the_ledger(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("legacy")
    dsn, name = database.dsn, database.name
    assert patchdeck("report", dsn=dsn).code == 1
    assert patchdeck("rehearse", dsn=dsn).code == 0
    assert _written() == []

    applied = patchdeck("apply", "--confirm", name, "--json", dsn=dsn)
    files = {form: Path(path) for form, path in applied.json["report"].items()}
    assert f"report: {files['markdown']}" in applied.err
    assert set(files.values()) == set(_written())
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o600}
    there = json.loads(files["json"].read_text(encoding="utf-8"))
    assert (there["outcome"], there["checks"]["afterwards"]["failing"]) == ("committed", [])
    assert {layer: found["state"] for layer, found in there["layers"].items()} == dict.fromkeys(LAYERS, "passed")
    assert applied.json["layers"] == there["layers"]
    # What was filled in is told by the statements that did it, and what is left by counting again.
    filled = {row["object"]: row["rows"] for row in there["rows_written"]}
    left = {row["label"]: row["rows"] for row in there["counts_afterwards"]}
    assert filled["public.workflow_executions"] > 0
    assert left["workflow_executions: have a tenant"] >= filled["public.workflow_executions"]
    assert left["workflow_executions: get their tenant"] == 0
    became = {one["name"]: one["became"] for one in there["tables"]}
    assert (became["public.agents"], became["public.tenants"]) == ("created", "altered")

    again = patchdeck("report", "--format", "json", dsn=dsn)
    assert again.code == 0
    for key in ("run_id", "xid", "created", "altered", "dropped", "unchanged", "definitions", "statements", "bundle"):
        assert again.json[key] == there[key], key
    assert again.json["target"]["database"] == name
    assert patchdeck("report", "--format", "json", dsn=dsn).out == again.out

    # The same words for the same changes, in a file of its own.
    file = tmp_path / "report.md"
    assert patchdeck("report", "--output", str(file), dsn=dsn).out == ""
    assert file.stat().st_mode & 0o777 == 0o600
    told = file.read_text(encoding="utf-8")
    assert told == patchdeck("report", there["run_id"][:8], dsn=dsn).out
    changed = CHANGED.search(told)
    assert changed is not None
    assert changed[0] in files["markdown"].read_text(encoding="utf-8")
    assert "## The way back" in told

    rolled_back = patchdeck("rollback", "--confirm", name, "--json", dsn=dsn)
    assert len(_written()) == 4
    # The newest is the rollback now; the apply is still the same.
    assert patchdeck("report", "--format", "json", dsn=dsn).json["dropped"] == rolled_back.json["dropped"]
    assert patchdeck("report", there["run_id"], dsn=dsn).out == told


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
def test_what_is_not_there_or_not_one_run_is_said(make_database: MakeDatabase) -> None:
    database = make_database("legacy")
    dsn = database.dsn
    assert patchdeck("apply", "--confirm", database.name, dsn=dsn).code == 0
    with psycopg.connect(dsn) as connection:
        columns = [
            row[0]
            for row in connection.execute(
                "select attname from pg_attribute where attrelid = 'patchdeck.runs'::regclass and attnum > 0"
            )
        ]
        rest = ", ".join(column for column in columns if column != "run_id")
        for number in (1, 2):
            copied = f"insert into patchdeck.runs (run_id, {rest}) select %s, {rest} from patchdeck.runs limit 1"
            connection.execute(copied.encode(), [f"cccccccc-0000-4000-8000-00000000000{number}"])
    assert patchdeck("report", "nonesuch", dsn=dsn).code == 1
    twice = patchdeck("report", "cccccccc", dsn=dsn)
    assert (twice.code, "more than one run" in twice.err) == (2, True)
    assert patchdeck("report", "cccccccc-0000-4000-8000-000000000001", dsn=dsn).code == 0


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
def test_a_report_that_can_not_be_written_changes_no_outcome(make_database: MakeDatabase) -> None:
    database = make_database("legacy")
    folder = Path(os.environ["XDG_STATE_HOME"]) / "patchdeck"
    folder.mkdir(parents=True)
    (folder / "reports").write_text("in the way", encoding="utf-8")
    ran = patchdeck("apply", "--confirm", database.name, "--json", dsn=database.dsn)
    assert (ran.code, ran.json["outcome"], ran.json["report"]) == (0, "committed", None)
    assert "the report could not be written" in ran.err


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["pooled"])
def test_a_leak_in_what_was_committed_is_exit_1_and_told(make_database: MakeDatabase, tmp_path: Path) -> None:
    """A stranger who signs in with the service role's key reaches everything; no catalog could say so."""
    database, folder = make_database("legacy"), tmp_path / "bundle"
    shutil.copytree(BUNDLE, folder, ignore=shutil.ignore_patterns("demo"))
    file = folder / "isolation.toml"
    text = file.read_text(encoding="utf-8")
    spoiled = text.replace('name = "outsider"\nrole = "authenticated"', 'name = "outsider"\nrole = "service_role"')
    assert spoiled != text
    file.write_text(spoiled, encoding="utf-8")
    ran = patchdeck("apply", "--bundle", str(folder), "--confirm", database.name, dsn=database.dsn)
    assert ran.code == 1, ran
    assert "COMMITTED" in ran.out
    assert "behaviour: FAILED" in ran.out
    (told,) = (path.read_text(encoding="utf-8") for path in _written() if path.suffix == ".md")
    assert "| behaviour | **FAILED** |" in told


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
def test_who_leaves_while_it_is_proven_has_a_report_all_the_same(make_database: MakeDatabase) -> None:
    database = make_database("legacy")
    command = [*PATCHDECK, "apply", "--confirm", database.name, "--json"]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(database.dsn), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        assert any("proving what was committed" in line for line in running.stderr)
        running.send_signal(signal.SIGTERM)
        out, _ = running.communicate(timeout=60)
    ran = Ran(running.returncode, out, "")
    assert (ran.code, ran.json["outcome"]) == (0, "committed")
    assert {layer: found["state"] for layer, found in ran.json["layers"].items()} == {
        "structure": "passed", "safety": "not_proven", "behaviour": "not_proven",
    }  # fmt: skip
    assert len(_written()) == 2


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
def test_a_defect_of_the_proof_does_not_hide_what_was_committed(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise LookupError("unforeseen")

    monkeypatch.setattr("tui.db.session.Session.prove", broken)
    database = make_database("legacy")
    ran = inside("apply", "--confirm", database.name, "--json", dsn=database.dsn)
    assert (ran.code, ran.json["outcome"], ran.json["layers"]["safety"]["state"]) == (0, "committed", "not_proven")
    assert "details in " in ran.err
    assert len(_written()) == 2
