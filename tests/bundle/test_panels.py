"""The panels' and the counts' queries: their columns, their paging, before and after the migration, at any size."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from psycopg import pq

from tests.bundle.support import PATCH, Connection, connect, populate, run_script
from tests.support import BUNDLE, MakeDatabase, ask

pytestmark = pytest.mark.parametrize("route", ["direct"])

MANIFEST = tomllib.loads((BUNDLE / "bundle.toml").read_text(encoding="utf-8"))
PANELS: dict[str, list[dict[str, Any]]] = {panel["id"]: panel["sources"] for panel in MANIFEST["panels"]}

COLUMNS = {
    ("executions", "new"): "id kind name tenant status started_at duration_ms message",
    ("executions", "running"): "id kind name tenant status started_at duration_ms message",
    ("executions", "window"): "bucket total ok failed running p50_ms p95_ms",
    ("errors", "new"): "id at source kind message tenant",
    ("errors", "window"): "bucket total",
    ("errors", "top"): "fingerprint kind message total last_at",
}
START: dict[str, list[str | None]] = {
    "new": [None, "", "500"],
    "running": ["{}"],
    "window": ["900", "60"],
    "top": ["900", "10"],
}

Rows = list[dict[str, str | None]]


def send(connection: Connection, file: str, parameters: list[str | None], prefix: str = "") -> pq.abc.PGresult:
    """The answer to a bundle's query with parameters as text, as the product sends them."""
    text = prefix + (BUNDLE / file).read_text(encoding="utf-8")
    values = [None if value is None else value.encode() for value in parameters]
    answer = connection.pgconn.exec_params(text.encode(), values)
    assert answer.status == pq.ExecStatus.TUPLES_OK, answer.error_message.decode()
    return answer


def columns(answer: pq.abc.PGresult) -> list[str]:
    return [(answer.fname(column) or b"").decode() for column in range(answer.nfields)]


def read(connection: Connection, file: str, parameters: list[str | None], prefix: str = "") -> Rows:
    """The rows of a bundle's query."""
    answer = send(connection, file, parameters, prefix)
    names = columns(answer)
    cells = [[answer.get_value(row, column) for column in range(answer.nfields)] for row in range(answer.ntuples)]
    return [
        {name: None if cell is None else cell.decode() for name, cell in zip(names, row, strict=True)} for row in cells
    ]


def plan(connection: Connection, file: str, parameters: list[str | None]) -> list[dict[str, Any]]:
    """Every node of the query's plan."""
    (row,) = read(connection, file, parameters, "explain (format json) ")
    found: list[dict[str, Any]] = []
    left = [json.loads(row["QUERY PLAN"] or "")[0]["Plan"]]
    while left:
        node = left.pop()
        found.append(node)
        left += node.get("Plans", [])
    return found


@pytest.mark.parametrize("state", ["legacy", "applied"])
@pytest.mark.parametrize("panel", list(PANELS))
def test_columns_are_those_agreed_and_reading_needs_no_right_to_write(
    make_database: MakeDatabase, panel: str, state: str
) -> None:
    dsn = make_database("legacy").dsn
    if state == "applied":
        run_script(dsn, PATCH)
    with connect(dsn) as connection:
        connection.execute("begin read only")
        for source in PANELS[panel][1:] if state == "legacy" else PANELS[panel]:
            for query, parameters in START.items():
                if query in source:
                    answer = send(connection, source[query], parameters)
                    assert " ".join(columns(answer)) == COLUMNS[panel, query], source[query]


@pytest.mark.parametrize("source", [0, 1])
def test_paging_meets_every_execution_once_even_of_one_instant(make_database: MakeDatabase, source: int) -> None:
    dsn = make_database("bare").dsn
    run_script(dsn, PATCH)
    populate(dsn)
    files = PANELS["executions"][source]
    with connect(dsn) as connection:
        connection.execute("delete from public.workflow_executions where tenant_id is null")
        connection.execute(
            """insert into public.workflow_executions (tenant_id, workflow_id, status, started_at)
               select w.tenant_id, w.id, 'completed', now() - n / 5 * interval '1 second'
                 from public.workflows w, generate_series(1, 20) n"""
        )
        total = 42 if source else 44
        newest = read(connection, files["new"], [None, "", "7"])
        assert len(newest) == 7
        every = read(connection, files["new"], [None, "", "500"])
        assert len(every) == total
        assert every[-7:] == newest
        seen = every[:1]
        while page := read(connection, files["new"], [seen[-1]["started_at"], seen[-1]["id"], "7"]):
            assert len(page) <= 7
            seen += page
        assert seen == every
        assert {row["kind"] for row in every} == ({"workflow"} if source else {"agent", "workflow"})
        assert {row["status"] for row in every} == {"ok", "running"}
        assert {row["name"] for row in every} >= ({"workflow of A", "agent of B"} if not source else set())
        assert {row["tenant"] for row in every} == ({None} if source else {"A", "B"})


def test_in_flight_and_what_was_asked_for(make_database: MakeDatabase) -> None:
    dsn = make_database("bare").dsn
    run_script(dsn, PATCH)
    populate(dsn)
    files = PANELS["executions"][0]
    with connect(dsn) as connection:
        running = read(connection, files["running"], ["{}"])
        assert len(running) == 5
        assert {(row["status"], row["duration_ms"]) for row in running} == {("running", None)}
        connection.execute(
            """update public.agent_executions set status = 'failed', error = 'E: 1',
               completed_at = started_at + interval '1500 milliseconds'"""
        )
        left = read(connection, files["running"], ["{}"])
        assert {row["kind"] for row in left} == {"workflow"}
        ids = "{" + ",".join(row["id"] or "" for row in running) + "}"
        again = {row["id"]: row for row in read(connection, files["running"], [ids])}
        assert again.keys() == {row["id"] for row in running}
        ended = [row for row in again.values() if row["kind"] == "agent"]
        assert {(row["status"], row["duration_ms"], row["message"]) for row in ended} == {("failed", "1500", "E: 1")}


@pytest.mark.parametrize("source", [0, 1])
def test_the_window_adds_up(make_database: MakeDatabase, source: int) -> None:
    dsn = make_database("legacy").dsn
    if source == 0:
        run_script(dsn, PATCH)
    with connect(dsn) as connection:
        rows = read(connection, PANELS["executions"][source]["window"], ["7200", "120"])
        *buckets, whole = rows
        assert whole["bucket"] is None
        assert [row["bucket"] for row in buckets] == sorted(str(row["bucket"]) for row in buckets)
        for column in ("total", "ok", "failed", "running"):
            assert sum(int(row[column] or 0) for row in buckets) == int(whole[column] or 0)
        truth = "select count(*) from public.workflow_executions where started_at >= now() - interval '2 hours'"
        assert int(whole["total"] or 0) == ask(dsn, truth)[0][0] > 200
        assert 0 < float(whole["p50_ms"] or 0) < float(whole["p95_ms"] or 0) <= 20_000
        empty = read(connection, PANELS["executions"][source]["window"], ["0", "120"])
        assert [(row["bucket"], row["total"], row["p50_ms"]) for row in empty] == [(None, "0", None)]


@pytest.mark.parametrize("source", [0, 1])
def test_errors_are_grouped_by_what_they_are(make_database: MakeDatabase, source: int) -> None:
    dsn = make_database("bare").dsn
    messages = [
        "TimeoutError: step \"fetch\" over 30 s",
        "TimeoutError: step \"store\" over 45 s",
        "NotFound: 0b1c2d3e-0000-4000-8000-000000000001 is gone",
        "NotFound: 5f000000-1111-4000-8000-0000000000ff is gone",
        "NotFound: 5f000000-2222-4000-8000-0000000000ff is gone",
        "no colon in it",
    ]  # fmt: skip
    if source == 0:
        run_script(dsn, PATCH)
        populate(dsn)
        ask(dsn, "delete from public.error_logs")
        insert = """insert into public.error_logs (tenant_id, source, message, created_at)
                    select t.id, 'worker', m, now() - n * interval '1 second'
                      from public.tenants t, unnest(%s::text[]) with ordinality u (m, n) where t.slug = 'a'"""
    else:
        insert = """insert into public.workflow_executions (workflow_id, status, error, completed_at)
                    select gen_random_uuid(), 'failed', m, now() - n * interval '1 second'
                      from unnest(%s::text[]) with ordinality u (m, n)"""
    files = PANELS["errors"][source]
    with connect(dsn) as connection:
        connection.execute(insert.encode(), [messages])
        rows = read(connection, files["new"], [None, "", "500"])
        assert [row["message"] for row in rows] == messages[::-1]
        assert {row["kind"] for row in rows} == {"TimeoutError", "NotFound", "error"}
        assert {row["tenant"] for row in rows} == ({"A"} if source == 0 else {None})
        last = rows[2]
        assert read(connection, files["new"], [last["at"], last["id"], "2"]) == rows[3:5]
        groups = read(connection, files["top"], ["900", "2"])
        assert [(row["kind"], row["total"], row["message"]) for row in groups] == [
            ("NotFound", "3", messages[2]),
            ("TimeoutError", "2", messages[0]),
        ]
        assert read(connection, files["window"], ["900", "60"])[-1] == {"bucket": None, "total": "6"}


def test_after_the_migration_no_tick_reads_a_whole_table(make_database: MakeDatabase) -> None:
    """On a table of any size: the newest rows and the windows come through the indexes on the time, the rest by key."""
    dsn = make_database("bare").dsn
    run_script(dsn, PATCH)
    populate(dsn)
    with connect(dsn) as connection:
        for table, parent, kind in (
            ("agent_executions", "agents", "agent_id"),
            ("workflow_executions", "workflows", "workflow_id"),
        ):
            connection.execute(
                f"""insert into public.{table} (tenant_id, {kind}, status, started_at)
                    select p.tenant_id, p.id, 'completed', now() - n * interval '1 minute'
                      from public.{parent} p, generate_series(1, 20000) n""".encode()
            )
        connection.execute(
            """insert into public.error_logs (tenant_id, source, message, created_at)
               select t.id, 'w', 'E: ' || n, now() - n * interval '1 minute'
                 from public.tenants t, generate_series(1, 20000) n"""
        )
        connection.execute("analyze")
        row = connection.execute(
            """select to_char(started_at, 'YYYY-MM-DD"T"HH24:MI:SS.USOF'), id::text
                 from public.agent_executions order by started_at desc limit 1 offset 20"""
        ).fetchone()
        assert row is not None
        later: dict[str, list[str | None]] = {**START, "new": [*row, "500"], "running": ["{" + row[1] + "}"]}
        big = {"agent_executions", "workflow_executions", "error_logs"}
        for panel, sources in PANELS.items():
            for query in START:
                for parameters in (START, later):
                    if query not in sources[0]:
                        continue
                    nodes = plan(connection, sources[0][query], parameters[query])
                    whole = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"} & big
                    assert whole == set(), (panel, query)
                    if query != "running":
                        used = {node["Index Name"] for node in nodes if "Index Name" in node}
                        timed = {name for name in used if name.endswith(("_started_at_idx", "_created_at_idx"))}
                        assert len(timed) == (2 if panel == "executions" else 1), (panel, query, used)


def test_the_counts_are_the_same_facts_before_and_after(make_database: MakeDatabase) -> None:
    dsn = make_database("legacy").dsn
    files = [count["file"] for count in MANIFEST["counts"]]

    def facts() -> dict[str | None, int]:
        with connect(dsn) as connection:
            connection.execute("begin read only")
            rows = [row for file in files for row in read(connection, file, [])]
        assert all(list(row) == ["label", "rows", "note"] and row["note"] for row in rows)
        return {row["label"]: int(row["rows"] or 0) for row in rows}

    before = facts()
    run_script(dsn, PATCH)
    after = facts()
    assert len(before) == 12
    for table in ("workflow_executions", "telemetry_events"):
        certain = before[f"{table}: get their tenant"]
        assert (before[f"{table}: have a tenant"], after[f"{table}: get their tenant"]) == (0, 0)
        assert after[f"{table}: have a tenant"] == certain > 0
        stay = [label for label in before if label and label.startswith(f"{table}: stay without")]
        assert len(stay) == 3
        assert all(before[label] == after[label] > 0 for label in stay)
        assert ask(dsn, f"select count(*) from public.{table} where tenant_id is not null") == [(certain,)]
        assert ask(dsn, f"select count(*) from public.{table}") == [(certain + sum(before[label] for label in stay),)]
