"""The whole loop through the real command: look, rehearse, apply, apply again, roll back, and every way it can fail."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from tests.cli.support import PATCHDECK, environment, patchdeck, schema_of
from tests.support import BUNDLE, ROOT, MakeDatabase

RUN_KEYS = {
    "outcome", "statements", "failed_statement", "created", "altered", "unchanged", "dropped",
    "seconds", "lock_hold_seconds", "round_trips", "attempts", "verdict",
}  # fmt: skip
STATUS_KEYS = {"target", "verdict", "healthy", "checks", "last_run"}
TARGET_KEYS = {"host", "port", "database", "user", "pooled", "mode", "server_version", "tls"}
CHECK_KEYS = ["layer", "object", "table", "name", "outcome", "expected", "actual", "why"]


def test_the_whole_loop(make_database: MakeDatabase, route: str) -> None:
    database = make_database("legacy")
    dsn, name = database.dsn, database.name

    before = patchdeck("status", "--json", dsn=dsn)
    assert (before.code, before.json["verdict"], before.json["healthy"]) == (1, "not_applied", False)
    assert before.json.keys() >= STATUS_KEYS
    assert before.json["target"].keys() >= TARGET_KEYS
    assert before.json["target"]["database"] == name
    assert before.json["target"]["pooled"] is (route == "pooled")
    assert before.json["checks"].keys() == {"total", "passed", "failed", "not_proven"}
    assert before.json["last_run"] is None
    untouched = schema_of(database.admin_dsn)

    plan = patchdeck("plan", "--json", dsn=dsn)
    assert plan.code == 0
    assert plan.json["summary"]["create"] > 0
    assert any(item["verb"] == "drop" and item["definition"] for item in plan.json["items"])

    rehearsal = patchdeck("rehearse", "--json", dsn=dsn)
    assert (rehearsal.code, rehearsal.json["outcome"]) == (0, "rehearsed"), rehearsal
    assert rehearsal.json.keys() >= RUN_KEYS
    assert schema_of(database.admin_dsn) == untouched

    applied = patchdeck("apply", "--confirm", name, "--json", dsn=dsn)
    assert (applied.code, applied.json["outcome"]) == (0, "committed"), applied
    assert applied.json["verdict"] == "applied"
    assert applied.json["failed_statement"] is None
    assert applied.json["statements"] == {**rehearsal.json["statements"], "failed": 0}
    assert applied.json["statements"]["done"] == applied.json["statements"]["total"] > 100
    assert set(applied.json["created"]) == set(rehearsal.json["created"]) != set()
    assert 0 < applied.json["lock_hold_seconds"] < applied.json["seconds"]
    assert 0 < applied.json["round_trips"] < 10

    healthy = patchdeck("status", "--json", dsn=dsn)
    assert (healthy.code, healthy.json["verdict"], healthy.json["healthy"]) == (0, "applied", True)
    assert healthy.json["last_run"]["action"] == "apply"
    assert healthy.json["checks"]["passed"] == healthy.json["checks"]["total"] > 100

    schema = schema_of(database.admin_dsn)
    once_more = patchdeck("apply", "--confirm", name, "--json", dsn=dsn)
    assert (once_more.code, once_more.json["outcome"]) == (0, "committed")
    assert once_more.json["statements"]["done"] == 0
    assert "nothing was run" in once_more.json["message"]
    again = patchdeck("apply", "--confirm", name, "--again", "--json", dsn=dsn)
    assert (again.code, again.json["outcome"]) == (0, "committed")
    assert again.json["statements"]["done"] == applied.json["statements"]["total"]
    assert (again.json["created"], again.json["altered"], again.json["dropped"]) == ([], [], [])
    assert schema_of(database.admin_dsn) == schema

    back = patchdeck("rollback", "--confirm", name, "--mode", "lock", "--json", dsn=dsn)
    assert (back.code, back.json["outcome"]) == (0, "committed"), back
    assert back.json["dropped"]
    closed = patchdeck("status", "--json", dsn=dsn)
    assert (closed.code, closed.json["verdict"]) == (1, "rolled_back")

    history = patchdeck("history", "--json", dsn=dsn)
    assert [run["action"] for run in history.json["runs"]] == ["rollback", "apply", "apply"]


@pytest.mark.parametrize("route", ["pooled"])
def test_a_person_is_told_the_same(make_database: MakeDatabase) -> None:
    database = make_database("legacy")
    dsn, name = database.dsn, database.name
    status = patchdeck("status", dsn=dsn)
    assert status.code == 1
    assert "NOT APPLIED" in status.out.splitlines()[0]
    assert "patchdeck verify" in status.out.splitlines()[-1]
    assert "drop" in patchdeck("plan", dsn=dsn).out
    applied = patchdeck("apply", "--confirm", name, dsn=dsn)
    assert applied.code == 0
    assert "COMMITTED" in applied.out.splitlines()[0]
    assert "verifying the result inside the transaction" in applied.err
    assert "APPLIED" in patchdeck("status", dsn=dsn).out.splitlines()[0]
    verified = patchdeck("verify", dsn=dsn)
    assert verified.code == 0
    assert "structure: passed" in verified.out
    assert "safety: passed" in verified.out
    assert "behaviour: passed" in verified.out
    assert "apply" in patchdeck("history", dsn=dsn).out
    for ran in (status, applied, verified):
        assert "\x1b" not in ran.out + ran.err


@pytest.mark.parametrize("route", ["pooled"])
def test_damage_is_found_and_named(make_database: MakeDatabase) -> None:
    dsn = make_database("broken").dsn
    status = patchdeck("status", "--json", dsn=dsn)
    assert (status.code, status.json["verdict"]) == (1, "partial")  # applied by psql: no run is recorded
    verified = patchdeck("verify", "--format", "json", "--layers", "structure", dsn=dsn)
    assert verified.code == 1
    assert list(verified.json["layers"]) == ["structure"]
    structure = verified.json["layers"]["structure"]
    assert structure["state"] == "failed"
    assert all(list(check) == CHECK_KEYS for check in structure["checks"])
    outcomes = {check["outcome"] for check in structure["checks"]}
    assert {"missing", "differs", "unexpected"} <= outcomes


@pytest.mark.parametrize("route", ["direct"])
def test_one_form_says_what_another_does(make_database: MakeDatabase, tmp_path: Path) -> None:
    from xml.etree import ElementTree

    dsn = make_database("broken").dsn
    layers = ("--layers", "structure")
    checks = patchdeck("verify", "--format", "json", *layers, dsn=dsn).json["layers"]["structure"]["checks"]
    failing = [check for check in checks if check["outcome"] not in ("ok", "not_proven")]
    assert failing

    file = tmp_path / "junit.xml"
    junit = patchdeck("verify", "--format", "junit", "--output", str(file), *layers, dsn=dsn)
    assert (junit.code, junit.out) == (1, "")
    suites = {suite.get("name"): suite for suite in ElementTree.parse(file).getroot()}  # noqa: S314 - our own file
    assert suites["structure"].get("failures") == str(len(failing))
    assert len(suites["structure"].findall("testcase/failure")) == len(failing)

    markdown = patchdeck("verify", "--format", "markdown", *layers, dsn=dsn).out
    assert sum(line.startswith("| ") for line in markdown.splitlines()) >= len(failing)
    results = patchdeck("verify", "--format", "sarif", *layers, dsn=dsn).json["runs"][0]["results"]
    assert sum(result["level"] == "error" for result in results) == len(failing)


def _bundle_with(tmp_path: Path, **texts: str) -> Path:
    folder = tmp_path / "bundle"
    shutil.copytree(BUNDLE, folder, ignore=shutil.ignore_patterns("demo"))
    for name, text in texts.items():
        (folder / f"{name}.sql").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize("route", ["pooled"])
def test_an_error_in_line_57_is_placed_and_undone(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("legacy")
    before = schema_of(database.admin_dsn)
    lines = ["create table public.made_before_it (id integer);", *[""] * 55, "  select no_such_column from pg_class;"]
    assert len(lines) == 57
    folder = _bundle_with(tmp_path, PATCH="\n".join(lines) + "\n" + (BUNDLE / "PATCH.sql").read_text(encoding="utf-8"))
    ran = patchdeck("apply", "--bundle", str(folder), "--confirm", database.name, "--json", dsn=database.dsn)
    assert (ran.code, ran.json["outcome"]) == (5, "rolled_back")
    failed = ran.json["failed_statement"]
    assert (failed["file"], failed["line"], failed["column"], failed["sqlstate"]) == ("PATCH.sql", 57, 10, "42703")
    assert "no_such_column" in failed["message"]
    assert (failed["index"], ran.json["statements"]["done"], ran.json["statements"]["failed"]) == (1, 1, 1)
    assert ran.json["created"] == []
    assert schema_of(database.admin_dsn) == before
    told = patchdeck("rehearse", "--bundle", str(folder), dsn=database.dsn)
    assert told.code == 5
    assert "PATCH.sql:57:10" in told.out
    assert "as it was" in told.out


@pytest.mark.parametrize("route", ["pooled"])
def test_nothing_half_green_commits(make_database: MakeDatabase, tmp_path: Path) -> None:
    """Every statement succeeds, and the result is not what the bundle promises: the checks stop the COMMIT."""
    database = make_database("legacy")
    before = schema_of(database.admin_dsn)
    undoing = "\nalter table public.agents disable row level security;\n"
    folder = _bundle_with(tmp_path, PATCH=(BUNDLE / "PATCH.sql").read_text(encoding="utf-8") + undoing)
    ran = patchdeck("apply", "--bundle", str(folder), "--confirm", database.name, "--json", dsn=database.dsn)
    assert (ran.code, ran.json["outcome"]) == (5, "rolled_back")
    assert ran.json["failed_statement"] is None
    assert [(check["object"], check["table"]) for check in ran.json["failed_checks"]] == [("rls", "public.agents")]
    assert schema_of(database.admin_dsn) == before


def test_a_lock_that_is_not_had_in_time_is_a_refusal(make_database: MakeDatabase) -> None:
    database = make_database("legacy")
    before = schema_of(database.admin_dsn)
    with psycopg.connect(database.direct_dsn, application_name="nightly report") as holder:
        holder.execute("lock table public.tenants in access share mode")
        began = time.monotonic()
        ran = patchdeck("apply", "--confirm", database.name, "--patience", "1", "--json", dsn=database.dsn)
        assert time.monotonic() - began < 10
    assert (ran.code, ran.json["outcome"]) == (4, "refused")
    assert ran.json["attempts"] > 1
    assert "nightly report" in ran.json["message"]
    assert "nightly report" in ran.err
    assert schema_of(database.admin_dsn) == before


def test_read_only_looks_and_refuses_to_run(make_database: MakeDatabase) -> None:
    database = make_database("legacy")
    looked = patchdeck("--read-only", "status", "--json", dsn=database.dsn)
    assert (looked.code, looked.json["verdict"]) == (1, "not_applied")
    assert looked.json["target"]["read_only"] is True
    ran = patchdeck("apply", "--read-only", "--confirm", database.name, "--json", dsn=database.dsn)
    assert (ran.code, ran.json["outcome"], ran.json["attempts"]) == (4, "refused", 0)


def test_the_doctor_measures_and_checks(make_database: MakeDatabase, route: str) -> None:
    database = make_database("legacy")
    found = patchdeck("doctor", "--json", dsn=database.dsn)
    assert found.code == 0, found
    assert found.json["target"]["mode"] == ("transaction" if route == "pooled" else "direct")
    assert 0 < found.json["round_trip"]["best_seconds"] <= found.json["round_trip"]["median_seconds"] < 1
    assert {check["level"] for check in found.json["checks"]} <= {"pass", "warn"}
    assert "round trip" in patchdeck("doctor", dsn=database.dsn).out


@pytest.mark.parametrize("route", ["direct"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
def test_a_signal_rolls_back_and_says_so(make_database: MakeDatabase, number: signal.Signals) -> None:
    database = make_database("legacy")
    before = schema_of(database.admin_dsn)
    with psycopg.connect(database.direct_dsn) as holder:
        holder.execute("lock table public.tenants in access share mode")
        command = [*PATCHDECK, "apply", "--confirm", database.name, "--json"]
        run = subprocess.Popen(
            command, cwd=ROOT, env=environment(database.dsn), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert run.stderr is not None
        while "waiting" not in run.stderr.readline():
            assert run.poll() is None
        run.send_signal(number)
        out, said = run.communicate(timeout=20)
    assert run.returncode == 5, said
    assert json.loads(out)["outcome"] == "rolled_back"
    assert schema_of(database.admin_dsn) == before
