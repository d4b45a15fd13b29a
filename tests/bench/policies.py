"""What the policies cost on a million rows: `python -m tests.bench.policies`.

A million agents, agent executions and workflow executions in 1,000 tenants; a member of 2, of 200 and of all tenants
asks, as role authenticated with their claims, through every form of policy the migration uses. In the same run the
peer: the same rule written with IN (facts: supabase D1). Printed are milliseconds (best of three) and the plan's way to
the rows. That an index is used is judged by the plan, never by time: exit 1 when the member of 2 tenants is given a
whole table.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg

from tests.support import DEMO, server_folder
from tui.demo.kept import Kept

REACHES = (2, 200, 1000)
"""Tenants that each of the three users is a member of."""

MEMBER = "(select tm.tenant_id from public.tenant_members tm where tm.user_id = (select auth.uid()))"


@dataclass(frozen=True, slots=True)
class Question:
    """A query through a form of policy. `relation` is the big table; `selective`: a few of its rows are wanted."""

    form: str
    name: str
    sql: str
    relation: str
    selective: bool = True

    @property
    def ordered(self) -> bool:
        """Whether the rows come off an index in order until there are enough: then no condition on it is needed."""
        return "order by started_at" in self.sql


QUESTIONS = (
    Question("member of the tenant", "count(*)", "select count(*) from public.agents", "agents"),
    Question(
        "member of the tenant",
        "one tenant's page",
        "select * from public.agents where tenant_id = '7e000000-0000-0000-0000-000000001000' order by name limit 50",
        "agents",
    ),
    Question(
        "member of the tenant",
        "by key",
        "select * from public.agents where id = 'a6e00000-0000-0000-0000-000000000999'",
        "agents",
    ),
    Question(
        "member of the tenant",
        "newest 50 executions",
        "select * from public.agent_executions order by started_at desc limit 50",
        "agent_executions",
    ),
    Question(
        "member, or own without a tenant",
        "count(*)",
        "select count(*) from public.workflow_executions",
        "workflow_executions",
    ),
    Question(
        "member, or own without a tenant",
        "newest 50",
        "select * from public.workflow_executions order by started_at desc limit 50",
        "workflow_executions",
    ),
    Question(
        "owner or admin",
        "delete one",
        "delete from public.agents where id = 'a6e00000-0000-0000-0000-000000000999'",
        "agents",
    ),
    Question(
        "own, or co-member by helper", "members", "select count(*) from public.tenant_members", "tenant_members", False
    ),
    Question("id of an own tenant", "tenants", "select count(*) from public.tenants", "tenants", False),
)


def scans(plan: dict[str, Any], relation: str, above: str = "") -> Iterator[str]:
    """How a plan reaches `relation`: each scan of it with its index, and whether a condition narrows that."""
    here = plan.get("Relation Name", "")
    index = plan.get("Index Name", "")
    if "Scan" in plan["Node Type"] and relation == (above if plan["Node Type"] == "Bitmap Index Scan" else here):
        whole = " (no condition)" if index and "Index Cond" not in plan else ""
        if plan["Node Type"] != "Bitmap Heap Scan":
            yield f"{plan['Node Type']} {index}".strip() + whole
    for below in plan.get("Plans", ()):
        yield from scans(below, relation, here if plan["Node Type"] == "Bitmap Heap Scan" else above)


def ask(connection: psycopg.Connection[Any], reach: int, sql: str) -> tuple[float, dict[str, Any]]:
    """Best of three in milliseconds, and the plan; as the user of `reach` tenants, rolled back."""
    claims = json.dumps({"sub": f"5eed0000-0000-0000-0000-{reach:012d}", "role": "authenticated"})
    best = float("inf")
    with connection.transaction(force_rollback=True):
        connection.execute("set local role authenticated")
        connection.execute("select set_config('request.jwt.claims', %s, true)", (claims,))
        plan = connection.execute(f"explain (format json) {sql}".encode()).fetchone()
        for _ in range(3):
            with connection.transaction(force_rollback=True):
                began = perf_counter()
                connection.execute(sql.encode()).fetchall() if sql.startswith("select") else connection.execute(
                    sql.encode()
                )
                best = min(best, perf_counter() - began)
    assert plan is not None
    return best * 1000, plan[0][0]["Plan"]


def load(admin: str, rows: int) -> None:
    """The million rows, in one transaction, analysed."""
    script = (Path(__file__).parent / "policies.sql").read_text(encoding="utf-8").replace(":rows", str(rows))
    with psycopg.connect(admin, autocommit=True) as connection:
        with connection.transaction():
            connection.execute(script.encode())
        connection.execute("vacuum analyze")


def measure(connection: psycopg.Connection[Any], questions: Sequence[Question]) -> list[str]:
    """Print a line per question and user; returns what the plans do wrong."""
    wrong = []
    for question in questions:
        for reach in REACHES:
            milliseconds, plan = ask(connection, reach, question.sql)
            path = ", ".join(dict.fromkeys(scans(plan, question.relation)))
            print(f"{question.form:32} {question.name:22} {reach:>5} tenants {milliseconds:9.2f} ms  {path}")
            whole = "Seq Scan" in path or (not question.ordered and "(no condition)" in path)
            if question.selective and reach == REACHES[0] and whole:
                wrong.append(f"{question.form}, {question.name}: the whole of {question.relation} for {reach} tenants")
    return wrong


def compare(admin: str, connection: psycopg.Connection[Any]) -> None:
    """The peer: the select policy of the agents written with IN, in this database, afterwards."""
    with psycopg.connect(admin, autocommit=True) as owner:
        owner.execute(f"alter policy agents_select on public.agents using (tenant_id in {MEMBER})".encode())
        print("\nthe same rule with IN (the peer)")
        peers = [Question("tenant_id in (select ...)", q.name, q.sql, q.relation, False) for q in QUESTIONS[:3]]
        measure(connection, peers)


def main() -> int:
    """0 when every plan reaches a few tenants' rows through an index, else 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows of each of the three big tables")
    arguments = parser.parse_args()
    with server_folder() as folder, Kept(DEMO, home=folder) as kept:
        kept.create("bench", "applied")
        address = kept.ready.address
        began = perf_counter()
        load(address.admin_dsn("bench"), arguments.rows)
        print(f"{arguments.rows} rows a table loaded in {perf_counter() - began:.0f} s\n")
        with psycopg.connect(address.dsn("postgres", "bench"), autocommit=True) as connection:
            wrong = measure(connection, QUESTIONS)
            compare(address.admin_dsn("bench"), connection)
    for line in wrong:
        print(f"wrong: {line}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
