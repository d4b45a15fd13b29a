"""The panels' and the counts' queries: their columns, their paging, before and after the migration, at any size."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
from psycopg import pq

from tests.bundle.support import PATCH, Connection, connect, expand, ident, populate, run_script
from tests.support import BUNDLE, MakeDatabase, ask
from tui.core.panel_source import PANEL_QUERIES

pytestmark = pytest.mark.parametrize("route", ["direct"])

MANIFEST = tomllib.loads((BUNDLE / "bundle.toml").read_text(encoding="utf-8"))
PANELS: dict[str, list[dict[str, Any]]] = {panel["id"]: panel["sources"] for panel in MANIFEST["panels"]}

START: dict[str, list[str | None]] = {
    "new": [None, "", "500", "900"],
    "running": ["{}", "900"],
    "window": ["900", "60"],
    "top": ["900", "10"],
    "detail": ["5f000000-1111-4000-8000-0000000000ff"],
    "log": ["5f000000-1111-4000-8000-0000000000ff", "10"],
    "course": ["no such fingerprint", "900", "60"],
    "occurrences": ["no such fingerprint", "900", "10"],
    "scopes": ["900", "10"],
}

Rows = list[dict[str, str | None]]


def given(source: dict[str, Any], query: str, *parameters: str | None, scope: str | None = None) -> list[str | None]:
    """The parameters as the product sends them: those a source with scopes is narrowed by come last."""
    return [*parameters, scope] if "scopes" in source and PANEL_QUERIES[query].scoped else [*parameters]


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
                    answer = send(connection, source[query], given(source, query, *parameters))
                    assert tuple(columns(answer)) == PANEL_QUERIES[query].columns[panel], source[query]


@pytest.mark.parametrize("source", [0, 1])
def test_what_is_new_is_all_that_came_after_the_last_one_seen_even_of_one_instant_and_of_too_much_the_newest(
    make_database: MakeDatabase, source: int
) -> None:
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
        newest = read(connection, files["new"], given(files, "new", None, "", "7", "900"))
        assert len(newest) == 7
        every = read(connection, files["new"], given(files, "new", None, "", "500", "900"))
        assert len(every) == total
        assert every[-7:] == newest
        for at, row in enumerate(every):
            new = read(connection, files["new"], given(files, "new", row["started_at"], row["id"], "7", "900"))
            assert new == every[at + 1 :][-7:]
        assert {row["kind"] for row in every} == ({"workflow"} if source else {"agent", "workflow"})
        assert {row["status"] for row in every} == {"ok", "running"}
        assert {row["name"] for row in every} >= ({"workflow of A", "agent of B"} if not source else set())
        assert {row["scope"] for row in every} == ({None} if source else {"A", "B"})


def test_in_flight_and_what_was_asked_for(make_database: MakeDatabase) -> None:
    dsn = make_database("bare").dsn
    run_script(dsn, PATCH)
    populate(dsn)
    files = PANELS["executions"][0]
    with connect(dsn) as connection:
        running = read(connection, files["running"], ["{}", "900", None])
        assert len(running) == 5
        assert {(row["status"], row["duration_ms"]) for row in running} == {("running", None)}
        connection.execute(
            """update public.agent_executions set status = 'failed', error = 'E: 1',
               completed_at = started_at + interval '1500 milliseconds'"""
        )
        left = read(connection, files["running"], ["{}", "900", None])
        assert {row["kind"] for row in left} == {"workflow"}
        ids = "{" + ",".join(row["id"] or "" for row in running) + "}"
        again = {row["id"]: row for row in read(connection, files["running"], [ids, "0", None])}
        assert again.keys() == {row["id"] for row in running}
        ended = [row for row in again.values() if row["kind"] == "agent"]
        assert {(row["status"], row["duration_ms"], row["message"]) for row in ended} == {("failed", "1500", "E: 1")}


@pytest.mark.parametrize("source", [0, 1])
def test_the_window_adds_up(make_database: MakeDatabase, source: int) -> None:
    dsn = make_database("legacy").dsn
    if source == 0:
        run_script(dsn, PATCH)
    with connect(dsn) as connection:
        files = PANELS["executions"][source]
        rows = read(connection, files["window"], given(files, "window", "7200", "120"))
        *buckets, whole = rows
        assert whole["bucket"] is None
        assert [row["bucket"] for row in buckets] == sorted(str(row["bucket"]) for row in buckets)
        for column in ("total", "ok", "failed", "running"):
            assert sum(int(row[column] or 0) for row in buckets) == int(whole[column] or 0)
        truth = "select count(*) from public.workflow_executions where started_at >= now() - interval '2 hours'"
        assert int(whole["total"] or 0) == ask(dsn, truth)[0][0] > 200
        assert 0 < float(whole["p50_ms"] or 0) < float(whole["p95_ms"] or 0) <= 20_000
        empty = read(connection, files["window"], given(files, "window", "0", "120"))
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
        rows = read(connection, files["new"], given(files, "new", None, "", "500", "900"))
        assert [row["message"] for row in rows] == messages[::-1]
        assert {row["kind"] for row in rows} == {"TimeoutError", "NotFound", "error"}
        assert {row["scope"] for row in rows} == ({"A"} if source == 0 else {None})
        last = rows[2]
        assert read(connection, files["new"], given(files, "new", last["at"], last["id"], "2", "900")) == rows[-2:]
        groups = read(connection, files["top"], given(files, "top", "900", "2"))
        assert [(row["kind"], row["total"], row["message"]) for row in groups] == [
            ("NotFound", "3", messages[2]),
            ("TimeoutError", "2", messages[0]),
        ]
        counted = read(connection, files["window"], given(files, "window", "900", "60"))
        assert counted[-1] == {"bucket": None, "total": "6"}


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
            log = table.replace("executions", "execution_logs")
            column = "event, message" if kind == "agent_id" else "message, step_id"
            connection.execute(
                f"""insert into public.{log} (tenant_id, execution_id, {column})
                    select tenant_id, id, 'a', 'b' from public.{table} where tenant_id is not null""".encode()
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
        later: dict[str, list[str | None]] = {
            **START, "new": [*row, "500", "900"], "running": ["{" + row[1] + "}", "900"], "detail": [row[1]],
        }  # fmt: skip
        big = {
            "agent_executions",
            "workflow_executions",
            "error_logs",
            "agent_execution_logs",
            "workflow_execution_logs",
        }
        keyed = {"running", "detail", "log"}
        for panel, sources in PANELS.items():
            source = sources[0]
            for query, parameters in [*START.items(), *later.items()]:
                for scope in (None, ident("a"), ""):
                    if query not in source:
                        continue
                    nodes = plan(connection, source[query], given(source, query, *parameters, scope=scope))
                    whole = {node["Relation Name"] for node in nodes if node["Node Type"] == "Seq Scan"} & big
                    assert whole == set(), (panel, query, scope)
                    if query not in keyed and scope != "":
                        # Whichever index the planner takes, as statistics are samples: it reads no more than the time.
                        ways = [node for node in nodes if re.match(f"({'|'.join(big)})_", node.get("Index Name", ""))]
                        conditions = [node.get("Index Cond", "") for node in ways]
                        assert len(ways) >= (2 if panel == "executions" else 1), (panel, query, scope)
                        assert all("started_at" in one or "created_at" in one for one in conditions), (
                            query,
                            conditions,
                        )


def test_a_scope_is_one_tenants_rows_and_the_scopes_add_up_to_all(make_database: MakeDatabase) -> None:
    dsn = make_database("bare").dsn
    run_script(dsn, PATCH)
    populate(dsn)
    with connect(dsn) as connection:
        connection.execute(
            """update public.workflow_executions set status = 'failed', error = 'E: 3',
               completed_at = started_at + interval '4 seconds' where tenant_id is not null"""
        )
        for panel, (source, *_) in PANELS.items():
            shares = read(connection, source["scopes"], ["900", "10"])
            assert {row["key"] for row in shares} == {ident("a"), ident("b")} | (
                {""} if panel == "executions" else set()
            )
            assert {row["label"] for row in shares} == {"A", "B"} | ({"none"} if panel == "executions" else set())
            for query in ("new", "window", "running", "top"):
                if query not in source:
                    continue
                every = read(connection, source[query], given(source, query, *START[query]))
                parts: Rows = []
                for share in shares:
                    rows = read(connection, source[query], given(source, query, *START[query], scope=share["key"]))
                    if query == "new":
                        assert len(rows) == int(share["total"] or 0) and {row["scope"] for row in rows} <= {
                            share["label"],
                            None,
                        }
                    parts += rows
                if query in ("new", "running"):
                    assert {row["id"] for row in parts} == {row["id"] for row in every}
                for column in ("total", "ok", "failed", "running"):
                    if column in every[0]:
                        whole = [row for row in every if row.get("bucket") is None]
                        assert sum(int(row[column] or 0) for row in parts if row.get("bucket") is None) == sum(
                            int(row[column] or 0) for row in whole
                        ), (panel, query, column)
        new = PANELS["executions"][0]["new"]
        started = read(connection, new, [None, "", "500", "900", ident("a")])
        assert (
            read(connection, new, [started[0]["started_at"], started[0]["id"], "500", "900", ident("a")]) == started[1:]
        )
        assert read(connection, new, [None, "", "500", "0", None]) == []
        running = PANELS["executions"][0]["running"]
        assert read(connection, running, ["{}", "0", None]) == [], "of a window only"
        assert {row["scope"] for row in read(connection, running, ["{}", "900", ident("b")])} == {"B"}


def test_an_execution_in_full_and_what_it_logged(make_database: MakeDatabase) -> None:
    dsn = make_database("bare").dsn
    run_script(dsn, PATCH)
    populate(dsn)
    source = PANELS["executions"][0]
    with connect(dsn) as connection:
        connection.execute(
            expand(
                """update public.agent_executions
                      set input = jsonb_build_object('prompt', 'p'), error = repeat('x', 100100)
                    where id = {run_a};
                   insert into public.agent_execution_logs
                     (tenant_id, execution_id, event, level, message, metadata, duration_ms, created_at)
                   select {a}, {run_a}, 'tool_call', 'error', 'said ' || n, jsonb_build_object('n', 1), n,
                          now() + n * interval '1 second'
                     from generate_series(1, 5) n"""
            ).encode()
        )
        for run, table in (("run_a", "agent_executions"), ("flow_a", "workflow_executions")):
            values = read(connection, source["detail"], [ident(run)])
            names = connection.execute(
                """select attname from pg_attribute where attrelid = %s::regclass and attnum > 0
                   and not attisdropped order by attnum""",
                [f"public.{table}"],
            ).fetchall()
            assert [row["name"] for row in values] == [name for (name,) in names]
        found = {row["name"]: row for row in read(connection, source["detail"], [ident("run_a")])}
        assert found["id"]["value"] == ident("run_a") and json.loads(found["input"]["value"] or "") == {"prompt": "p"}
        assert (len(found["error"]["value"] or ""), found["error"]["length"]) == (100_000, "100100")
        assert found["output"] == {"name": "output", "value": None, "length": None}
        log = read(connection, source["log"], [ident("run_a"), "3"])
        assert [(row["step"], row["level"], row["message"], row["ms"]) for row in log] == [
            ("tool_call", "error", f'said {n} {{"n": 1}}', str(n)) for n in (3, 4, 5)
        ]
        assert [row["message"] for row in read(connection, source["log"], [ident("flow_a"), "3"])] == ["done"]


@pytest.mark.parametrize("source", [0, 1])
def test_an_error_over_time_with_the_executions_it_belongs_to(make_database: MakeDatabase, source: int) -> None:
    dsn = make_database("bare").dsn
    insert = """insert into public.workflow_executions (id, workflow_id, status, error, completed_at)
                select md5(n::text)::uuid, gen_random_uuid(), 'failed', 'E: number ' || n,
                       now() - n * interval '1 minute'
                  from generate_series(1, 5) n"""
    if source == 0:
        run_script(dsn, PATCH)
        populate(dsn)
        ask(dsn, "delete from public.error_logs")
        insert = """insert into public.error_logs (tenant_id, source, message, context, created_at)
                    select t.id, 'worker', 'E: number ' || n,
                           jsonb_build_object('execution_id', case n when 3 then '; drop'
                             else md5(n::text)::uuid::text end),
                           now() - n * interval '1 minute'
                      from public.tenants t, generate_series(1, 5) n where t.slug = 'a'"""
    files = PANELS["errors"][source]
    with connect(dsn) as connection:
        connection.execute(insert.encode())
        (group,) = read(connection, files["top"], given(files, "top", "900", "10"))
        course = read(connection, files["course"], given(files, "course", group["fingerprint"], "240", "60"))
        assert sum(int(row["total"] or 0) for row in course) == 3
        assert [row["bucket"] for row in course] == sorted(str(row["bucket"]) for row in course)
        found = read(connection, files["occurrences"], given(files, "occurrences", group["fingerprint"], "900", "4"))
        assert [row["message"] for row in found] == [f"E: number {n}" for n in (1, 2, 3, 4)]
        (first, third) = connection.execute("select md5('1')::uuid::text, md5('3')::uuid::text").fetchone() or ("", "")
        assert (found[0]["execution"], found[2]["execution"]) == (first, None if source == 0 else third)
        assert {row["scope"] for row in found} == ({"A"} if source == 0 else {None})
        if source == 0:
            other = given(files, "occurrences", group["fingerprint"], "900", "4", scope=ident("b"))
            assert read(connection, files["occurrences"], other) == []


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
