"""The commands that prove, on real databases: three layers, the matrix alone, drift, in every form and every state."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import psycopg
import pytest

from tests.cli.support import patchdeck
from tests.support import Database, MakeDatabase, ask
from tui.core.proof_words import SHORT, UNTRIED

LAYERS = ["structure", "safety", "behaviour"]
FINDING_KEYS = {
    "code", "level", "title", "object", "table", "name", "key", "detail", "why", "mend", "advisor", "standing", "new",
    "muted_by", "fails",
}  # fmt: skip
MATRIX_KEYS = {
    "state", "cases", "cells", "outcomes", "control", "reasons", "not_probed", "unseeded", "unsaid", "locks", "seconds",
    "round_trips", "personas", "matrix", "failures",
}  # fmt: skip
WRITES = {"AccessShareLock", "RowShareLock", "RowExclusiveLock"}

one_server = pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
pooled = pytest.mark.parametrize("route", ["pooled"])


def test_an_applied_database_is_proven_in_all_three_layers(make_database: MakeDatabase) -> None:
    database = make_database("applied")
    before = _traces(database)
    done = patchdeck("verify", "--format", "json", dsn=database.dsn)
    assert done.code == 0, done
    layers = done.json["layers"]
    assert {name: layer["state"] for name, layer in layers.items()} == dict.fromkeys(LAYERS, "passed")
    assert all(check["outcome"] == "ok" for layer in layers.values() for check in layer["checks"])
    assert all(finding.keys() == FINDING_KEYS and not finding["fails"] for finding in layers["safety"]["findings"])
    matrix = layers["behaviour"]["isolation"]
    assert matrix.keys() == MATRIX_KEYS
    assert matrix["cases"] == matrix["outcomes"]["ok"] > 1000
    assert (matrix["control"]["state"], matrix["control"]["turned"]) == ("red", matrix["control"]["cells"])
    assert matrix["control"]["cells"] > 0
    assert {lock["mode"] for lock in matrix["locks"]} <= WRITES
    assert _traces(database) == before


@one_server
@pooled
def test_a_person_reads_the_same(make_database: MakeDatabase) -> None:
    done = patchdeck("verify", dsn=make_database("applied").dsn)
    assert done.code == 0, done
    lines = done.out.splitlines()
    for layer in LAYERS:
        assert any(f"{layer}: passed" in line for line in lines)
    assert any("negative control" in line and "turned red" in line for line in lines)
    assert re.fullmatch(r" +proved in [\d.]+ m?s, locks until the rollback: ROW .*; nothing stronger", lines[-1])


@one_server
@pooled
def test_faults_are_findings_and_leaks_with_what_reproduces_them(make_database: MakeDatabase) -> None:
    database = make_database("broken")
    done = patchdeck("verify", "--format", "json", dsn=database.dsn)
    assert done.code == 1
    layers = done.json["layers"]
    assert {layer["state"] for layer in layers.values()} == {"failed"}
    failing = [finding for finding in layers["safety"]["findings"] if finding["fails"]]
    assert {"R001", "R101", "R508"} <= {finding["code"] for finding in failing}
    assert all(finding["why"] and finding["mend"] and finding["detail"] for finding in failing)
    named = {finding["advisor"] for finding in failing}
    assert {"rls_disabled_in_public", "rls_policy_always_true"} <= named
    reported = {
        (check["table"], check["name"]) for check in layers["safety"]["checks"] if check["outcome"] == "finding"
    }
    assert reported == {(finding["table"], finding["name"]) for finding in failing}

    leaks = [probe for probe in layers["behaviour"]["isolation"]["failures"] if probe["mark"] == "leak"]
    assert leaks
    leaky = {check["table"] for check in layers["behaviour"]["checks"] if check["outcome"] == "leak"}
    assert leaky == {leak["table"] for leak in leaks}
    for leak in leaks:
        assert leak["statement"] in leak["reproduction"]
        assert leak["claims"] in leak["reproduction"]
        assert f"set local role {leak['role']};" in leak["reproduction"]


@one_server
@pooled
def test_what_is_said_to_reproduce_a_leak_can_be_run_as_it_stands(make_database: MakeDatabase) -> None:
    database = make_database("broken")
    leaks = patchdeck("isolation", "--json", dsn=database.dsn).json["failures"]
    open_to_all = next(leak for leak in leaks if leak["command"] == "delete" and leak["detail"] == "without WHERE")
    rows = ask(database.admin_dsn, f"select count(*) from {open_to_all['table']}")[0][0]
    with psycopg.connect(database.dsn, autocommit=True, prepare_threshold=None) as connection:
        done = connection.execute(open_to_all["reproduction"].encode())
        counts = [done.rowcount]
        while done.nextset():
            counts.append(done.rowcount)
    assert rows in counts
    assert ask(database.admin_dsn, f"select count(*) from {open_to_all['table']}")[0][0] == rows


@one_server
@pooled
def test_every_form_carries_findings_leaks_and_the_control(make_database: MakeDatabase) -> None:
    dsn = make_database("broken").dsn
    layers = patchdeck("verify", "--format", "json", dsn=dsn).json["layers"]
    findings = layers["safety"]["findings"]
    leak = layers["behaviour"]["isolation"]["failures"][0]

    junit = patchdeck("verify", "--format", "junit", dsn=dsn)
    assert junit.code == 1
    suites = {suite.get("name"): suite for suite in ElementTree.fromstring(junit.out)}  # noqa: S314 - our own output
    assert list(suites) == LAYERS
    for name, suite in suites.items():
        failed = [check for check in layers[name]["checks"] if check["outcome"] not in ("ok", "not_proven")]
        assert suite.get("failures") == str(len(failed)) == str(len(suite.findall("testcase/failure")))
    properties = {one.get("name"): one.get("value") for one in suites["behaviour"].findall("properties/property")}
    assert "turned red" in (properties["negative control"] or "")
    assert any(leak["statement"] in (failure.text or "") for failure in suites["behaviour"].findall("testcase/failure"))

    markdown = patchdeck("verify", "--format", "markdown", dsn=dsn).out
    assert leak["reproduction"] in markdown
    assert "negative control" in markdown
    assert all(f"| {finding['code']} | {finding['level']} |" in markdown for finding in findings)

    run = patchdeck("verify", "--format", "sarif", dsn=dsn).json["runs"][0]
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    for finding in findings:
        assert rules[finding["code"]]["help"]["text"] == finding["mend"]
    given = [result for result in run["results"] if result["ruleId"] in {finding["code"] for finding in findings}]
    assert len(given) == len(findings)
    assert any(leak["statement"] in result["message"]["text"] for result in run["results"])

    text = patchdeck("verify", dsn=dsn).out
    for finding in findings:
        if finding["fails"]:
            assert f"{finding['code']} {finding['level']} {finding['title']}: {finding['key']}" in text
            assert f"mend: {finding['mend']}" in text
    assert leak["reproduction"] in text


@one_server
@pooled
def test_new_findings_and_known_ones_are_told_apart(make_database: MakeDatabase) -> None:
    database = make_database("legacy")
    assert patchdeck("apply", "--confirm", database.name, dsn=database.dsn).code == 0
    ask(database.admin_dsn, "grant select on public.error_logs to anon")
    findings = patchdeck("verify", "--format", "json", dsn=database.dsn).json["layers"]["safety"]["findings"]
    granted = next(finding for finding in findings if finding["key"] == "public.error_logs" and finding["fails"])
    assert (granted["new"], granted["standing"]) == (True, "new")
    assert any(finding["new"] is False for finding in findings)
    sarif = patchdeck("verify", "--format", "sarif", dsn=database.dsn).json["runs"][0]["results"]
    states = {result["ruleId"]: result["baselineState"] for result in sarif if "baselineState" in result}
    assert states[granted["code"]] == "new"
    assert "unchanged" in states.values()
    assert "New since the patch." in patchdeck("verify", dsn=database.dsn).out


@one_server
@pooled
def test_the_matrix_reads_in_80_columns(make_database: MakeDatabase) -> None:
    dsn = make_database("applied").dsn
    done = patchdeck("isolation", dsn=dsn)
    document = patchdeck("isolation", "--json", dsn=dsn).json
    assert (done.code, document["state"]) == (0, "passed")
    lines = done.out.splitlines()
    table = lines[1 : next(at for at, line in enumerate(lines) if line.startswith("all: "))]
    assert max(map(len, table)) <= 80
    assert table[0].split() == document["personas"]
    words = {*SHORT.values(), UNTRIED}
    rows = [line.split() for line in table[1:] if line.startswith(" ")]
    assert len(rows) == len(document["matrix"])
    for row, (command, *cells) in zip(document["matrix"], rows, strict=True):
        assert command == row["command"]
        assert set(cells) <= words
        assert cells == [SHORT[row["cells"][who]] if who in row["cells"] else UNTRIED for who in document["personas"]]


@one_server
@pooled
def test_a_leak_is_seen_in_the_matrix(make_database: MakeDatabase) -> None:
    done = patchdeck("isolation", dsn=make_database("broken").dsn)
    assert done.code == 1
    assert "ISOLATION FAILED" in done.out.splitlines()[0]
    assert re.search(r"^  select .*\bLEAK\b", done.out, re.MULTILINE)


@one_server
@pooled
def test_before_the_migration_nothing_is_proven_and_every_cell_says_why(make_database: MakeDatabase) -> None:
    done = patchdeck("isolation", "--json", dsn=make_database("legacy").dsn)
    assert done.code == 1
    document = done.json
    assert document["control"]["state"] == "not_run"
    assert document["outcomes"]["not_probed"] == sum(one["cases"] for one in document["not_probed"]) > 0
    assert document["unseeded"]
    assert all("does not exist" in one["reason"] for one in document["not_probed"])


@one_server
@pooled
def test_read_only_proves_what_it_can_and_says_what_it_can_not(make_database: MakeDatabase) -> None:
    dsn = make_database("applied").dsn
    alone = patchdeck("--read-only", "isolation", dsn=dsn)
    assert (alone.code, "read-only" in alone.out) == (1, True)
    document = patchdeck("--read-only", "isolation", "--json", dsn=dsn).json
    assert (document["state"], document["cases"], document["locks"]) == ("not_proven", 0, [])
    assert "read-only" in document["reasons"][0]
    verified = patchdeck("--read-only", "verify", "--format", "json", dsn=dsn)
    assert verified.code == 1
    states = {name: layer["state"] for name, layer in verified.json["layers"].items()}
    assert (states["safety"], states["behaviour"]) == ("passed", "not_proven")
    assert patchdeck("--read-only", "verify", "--layers", "safety", dsn=dsn).code == 0


@one_server
@pooled
def test_drift_is_none_then_named_then_gone(make_database: MakeDatabase) -> None:
    database = make_database("legacy")
    dsn = database.dsn
    unknown = patchdeck("drift", "--json", dsn=dsn)
    assert (unknown.code, unknown.json["state"], unknown.json["recorded"]) == (1, "not_proven", None)
    assert "No run is recorded" in patchdeck("drift", dsn=dsn).out

    assert patchdeck("apply", "--confirm", database.name, dsn=dsn).code == 0
    none = patchdeck("drift", "--json", dsn=dsn)
    assert (none.code, none.json["state"], none.json["changes"]) == (0, "none", [])
    assert none.json["recorded"]["action"] == "apply"
    assert "NO DRIFT" in patchdeck("--read-only", "drift", dsn=dsn).out

    widened = "alter policy agents_select on public.agents using (true)"
    ask(database.admin_dsn, widened)
    ask(database.admin_dsn, "drop index public.agents_category_idx")
    drifted = patchdeck("drift", "--json", dsn=dsn)
    assert (drifted.code, drifted.json["state"]) == (1, "drifted")
    changes = {change["object"]: change for change in drifted.json["changes"]}
    policy = changes.pop("policy agents_select on public.agents")
    assert policy["kind"] == "altered"
    assert "tenant_members" in policy["before"]
    assert "(true)" in policy["after"]
    assert [(name, change["kind"]) for name, change in changes.items()] == [
        ("index agents_category_idx on public.agents", "dropped")
    ]
    said = patchdeck("drift", dsn=dsn).out
    assert "DRIFTED 2" in said.splitlines()[0]
    assert "was  " in said


def _traces(database: Database) -> list[tuple[object, ...]]:
    """What a proof must leave as it was: rows of every table, sequences, settings of the pooled connection, locks."""
    tables = ask(
        database.admin_dsn,
        "select oid::regclass::text from pg_class where relkind in ('r', 'p') and relnamespace::regnamespace::text in "
        "('public', 'auth', 'private', 'patchdeck') order by 1",
    )
    counted = [ask(database.admin_dsn, f"select '{name}', count(*) from {name}")[0] for (name,) in tables]
    sequences = ask(database.admin_dsn, "select schemaname, sequencename, last_value from pg_sequences order by 1, 2")
    settings = ask(
        database.dsn, "select current_user, current_setting('role'), current_setting('request.jwt.claims', true) = ''"
    )
    held = ask(
        database.admin_dsn,
        # Autovacuum comes when it likes, most of all to a database that was just made.
        "select count(*) from pg_locks as l join pg_stat_activity as a using (pid) where a.backend_type = 'client "
        "backend' and a.datname = current_database() and pid <> pg_backend_pid() and l.locktype = 'relation'",
    )
    return [*counted, *sequences, *((user, role) for user, role, _ in settings), *held]
