"""What the tests of the SQL share: running the two scripts, the catalog as text, acting as a user of the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid5

import psycopg

from tests.support import BUNDLE

PATCH = (BUNDLE / "PATCH.sql").read_text(encoding="utf-8")
ROLLBACK = (BUNDLE / "ROLLBACK.sql").read_text(encoding="utf-8")

OLD_TABLES = ("tenants", "tenant_members", "workflow_executions", "telemetry_events")
NEW_TABLES = (
    "agents",
    "agent_executions",
    "workflows",
    "subscriptions",
    "usage_metrics",
    "billing_events",
    "workflow_execution_logs",
    "agent_execution_logs",
    "error_logs",
    "performance_metrics",
    "webhook_endpoints",
    "artifacts",
)
TABLES = OLD_TABLES + NEW_TABLES

Connection = psycopg.Connection[tuple[Any, ...]]


def connect(dsn: str) -> Connection:
    """A connection in autocommit, as a pooler likes it."""
    return psycopg.connect(dsn, autocommit=True, prepare_threshold=None)


def run_script(dsn: str, script: str) -> list[str]:
    """Run a whole script in one transaction; the notices it gave."""
    notices: list[str] = []
    with psycopg.connect(dsn, prepare_threshold=None) as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary or ""))
        connection.execute(script.encode())
    return notices


CATALOG = """
with relation as (
  select oid, oid::regclass::text as name, relkind, relacl, relrowsecurity, relforcerowsecurity, reloptions
  from pg_class
  where relnamespace in ('public'::regnamespace, (select oid from pg_namespace where nspname = 'private'))
    and relkind in ('r', 'v')
)
select line from (
  select format('%s kind %s rls %s %s options %s acl %s', name, relkind, relrowsecurity, relforcerowsecurity,
                reloptions, relacl) from relation
  union all
  select format('%s.%s #%s %s %s %s acl %s', r.name, a.attname, a.attnum, format_type(a.atttypid, a.atttypmod),
                a.attnotnull, pg_get_expr(d.adbin, d.adrelid), a.attacl)
    from relation r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
  union all
  select format('%s constraint %s %s %s', r.name, k.conname, pg_get_constraintdef(k.oid), k.convalidated)
    from relation r join pg_constraint k on k.conrelid = r.oid
  union all
  select pg_get_indexdef(i.indexrelid) || ' ' || i.indisvalid from relation r join pg_index i on i.indrelid = r.oid
  union all
  select format('%s policy %s %s %s %s %s %s', r.name, p.polname, p.polcmd, p.polpermissive, p.polroles::regrole[],
                pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
    from relation r join pg_policy p on p.polrelid = r.oid
  union all
  select pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text from relation r join pg_trigger t on t.tgrelid = r.oid
   where not t.tgisinternal
  union all
  select name || ' view ' || pg_get_viewdef(oid) from relation where relkind = 'v'
  union all
  select format('%s acl %s', pg_get_functiondef(p.oid), p.proacl) from pg_proc p
   where p.pronamespace in ('public'::regnamespace, (select oid from pg_namespace where nspname = 'private'))
  union all
  select format('schema %s acl %s', nspname, nspacl) from pg_namespace where nspname in ('public', 'private')
  union all
  select format('publication %s %s %s', pubname, schemaname, tablename) from pg_publication_tables
) as said (line)
order by line
"""


def catalog(dsn: str) -> list[str]:
    """Every fact about the schema, one a line: shape, rules, rights, functions, publication."""
    with connect(dsn) as connection, connection.transaction():
        connection.execute("set local search_path = ''")
        return [line for (line,) in connection.execute(CATALOG)]


_NAMES = UUID("5eed5eed-0000-4000-8000-000000000000")


def ident(name: str) -> str:
    """The same id for the same name, always."""
    return str(uuid5(_NAMES, name))


def expand(sql: str) -> str:
    """`{name}` becomes the quoted id of that name."""
    parts = sql.split("{")
    head = [parts[0]]
    for part in parts[1:]:
        name, _, rest = part.partition("}")
        head.append(f"'{ident(name)}'{rest}")
    return "".join(head)


@contextmanager
def acting(connection: Connection, role: str, user: str | None = None) -> Iterator[Connection]:
    """A transaction of an API request: its role, and the claims of `user`; rolled back at the end."""
    claims = json.dumps({"sub": ident(user), "role": role}) if user else ""
    with connection.transaction(force_rollback=True):
        connection.execute("select set_config('request.jwt.claims', %s, true)", [claims])
        connection.execute(f"set local role {role}".encode())
        yield connection


def attempt(connection: Connection, sql: str) -> int | str:
    """What one statement does: the rows it returned or touched, or the SQLSTATE it failed with. Undone either way."""
    try:
        with connection.transaction(force_rollback=True):
            return connection.execute(expand(sql).encode()).rowcount
    except psycopg.Error as error:
        return error.sqlstate or str(error)


def outcome(connection: Connection, who: str, sql: str) -> int | str:
    """`attempt` as a named user through the API, or as one of the roles anon and service_role."""
    if who in ("anon", "service_role"):
        with acting(connection, who):
            return attempt(connection, sql)
    with acting(connection, "authenticated", who):
        return attempt(connection, sql)


def unmet(connection: Connection, cases: list[tuple[str, str, int | str]]) -> list[str]:
    """The cases (who, sql, expected outcome) that came out otherwise, in words; empty when all is well."""
    found = [(who, sql, wanted, outcome(connection, who, sql)) for who, sql, wanted in cases]
    return [f"{who}: {sql} -> {got}, expected {wanted}" for who, sql, wanted, got in found if got != wanted]


WORLD = """
insert into auth.users (id, email) values
  ({owner_a}, 'owner_a@example.invalid'), ({admin_a}, 'admin_a@example.invalid'), ({member_a}, 'a@example.invalid'),
  ({owner_b}, 'owner_b@example.invalid'), ({both}, 'both@example.invalid'), ({nobody}, 'nobody@example.invalid');
insert into public.tenants (id, name, slug) values ({a}, 'A', 'a'), ({b}, 'B', 'b');
insert into public.tenant_members (tenant_id, user_id, role) values
  ({a}, {owner_a}, 'owner'), ({a}, {admin_a}, 'admin'), ({a}, {member_a}, 'member'), ({a}, {both}, 'member'),
  ({b}, {owner_b}, 'owner'), ({b}, {both}, 'member');
insert into public.agents (id, tenant_id, created_by, name) values
  ({agent_a}, {a}, {member_a}, 'agent of A'), ({agent_b}, {b}, {owner_b}, 'agent of B');
insert into public.workflows (id, tenant_id, created_by, name) values
  ({workflow_a}, {a}, {member_a}, 'workflow of A'), ({workflow_b}, {b}, {owner_b}, 'workflow of B');
insert into public.agent_executions (id, tenant_id, agent_id, user_id) values
  ({run_a}, {a}, {agent_a}, {member_a}), ({run_b}, {b}, {agent_b}, {owner_b});
insert into public.workflow_executions (id, tenant_id, workflow_id, user_id) values
  ({flow_a}, {a}, {workflow_a}, {member_a}), ({flow_b}, {b}, {workflow_b}, {owner_b}),
  ({flow_left}, null, {workflow_a}, {nobody});
insert into public.subscriptions (tenant_id) values ({a}), ({b});
insert into public.usage_metrics (tenant_id, metric) values ({a}, 'runs'), ({b}, 'runs');
insert into public.billing_events (tenant_id, event_type) values ({a}, 'paid'), ({b}, 'paid');
insert into public.telemetry_events (tenant_id, user_id, event_name) values
  ({a}, {member_a}, 'click'), ({b}, {owner_b}, 'click');
insert into public.workflow_execution_logs (tenant_id, execution_id, workflow_id, message) values
  ({a}, {flow_a}, {workflow_a}, 'done'), ({b}, {flow_b}, {workflow_b}, 'done');
insert into public.agent_execution_logs (tenant_id, execution_id, agent_id, event) values
  ({a}, {run_a}, {agent_a}, 'done'), ({b}, {run_b}, {agent_b}, 'done');
insert into public.error_logs (tenant_id, user_id, source, message) values
  ({a}, {member_a}, 'worker', 'E: 1'), ({b}, {owner_b}, 'worker', 'E: 2');
insert into public.performance_metrics (tenant_id, metric, value) values ({a}, 'ms', 1), ({b}, 'ms', 1);
insert into public.webhook_endpoints (tenant_id, url) values ({a}, 'https://a.invalid'), ({b}, 'https://b.invalid');
insert into public.artifacts (tenant_id, execution_id, name, storage_path) values
  ({a}, {run_a}, 'a.txt', 'a/a.txt'), ({b}, {run_b}, 'b.txt', 'b/b.txt');
"""


def populate(dsn: str) -> None:
    """Two tenants with one row in every table each, and users of every rank; see WORLD."""
    run_script(dsn, expand(WORLD))
