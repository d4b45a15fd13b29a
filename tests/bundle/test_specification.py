"""Every line of the migration's specification, name by name, against the live catalog."""

from __future__ import annotations

import re

import pytest

from tests.bundle.support import NEW_TABLES, PATCH, TABLES, Connection, connect, run_script
from tests.support import MakeDatabase

COLUMNS = {
    "agents": 15,
    "agent_executions": 11,
    "workflows": 16,
    "subscriptions": 13,
    "usage_metrics": 6,
    "billing_events": 5,
    "workflow_execution_logs": 12,
    "agent_execution_logs": 10,
    "error_logs": 7,
    "performance_metrics": 5,
    "webhook_endpoints": 8,
    "artifacts": 8,
}
POLICIES = {
    "agents": 4,
    "workflows": 4,
    "agent_executions": 2,
    "workflow_executions": 4,
    "subscriptions": 3,
    "usage_metrics": 2,
    "billing_events": 1,
    "telemetry_events": 2,
    "workflow_execution_logs": 2,
    "agent_execution_logs": 2,
    "error_logs": 2,
    "performance_metrics": 1,
    "webhook_endpoints": 4,
    "artifacts": 2,
    "tenants": 2,
    "tenant_members": 4,
}
INDEXES = {
    "agents": {"tenant_id", "enabled", "category"},
    "agent_executions": {"agent_id", "user_id", "tenant_id", "status", "started_at"},
    "workflows": {"tenant_id", "enabled", "category"},
    "workflow_executions": {
        "workflow_id", "user_id", "tenant_id", "status", "started_at", "created_at", "tenant_status", "unassigned",
    },
}  # fmt: skip
TRIGGERS = {
    f"update_{table}_updated_at": table
    for table in ("agents", "workflows", "subscriptions", "webhook_endpoints", "tenant_members")
}
IN_PUBLIC = "from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'"


def pairs(connection: Connection, query: str) -> dict[str, int]:
    return {str(name): int(count) for name, count in connection.execute(query.encode())}


def names(connection: Connection, query: str) -> set[str]:
    return {str(name) for (name,) in connection.execute(query.encode())}


@pytest.mark.parametrize("state", ["legacy", "bare", "bare2026", "no policies"])
def test_all_that_the_specification_lists(make_database: MakeDatabase, state: str) -> None:
    database = make_database("bare" if state == "no policies" else state)
    if state == "no policies":
        with connect(database.dsn) as connection:
            connection.execute('drop policy "Users can view own executions" on public.workflow_executions')
            connection.execute('drop policy "Users can insert own executions" on public.workflow_executions')
    run_script(database.dsn, PATCH)
    with connect(database.dsn) as connection:
        assert names(connection, f"select relname {IN_PUBLIC}") == set(TABLES)
        check_columns(connection)
        check_indexes(connection)
        check_rules(connection)
        check_functions_and_view(connection)
        check_grants(connection)
        check_realtime(connection)


def check_columns(connection: Connection) -> None:
    counted = pairs(
        connection,
        f"""select relname, (select count(*) from pg_attribute a where a.attrelid = c.oid and a.attnum > 0
                              and not a.attisdropped) {IN_PUBLIC}""",
    )
    assert {table: counted[table] for table in COLUMNS} == COLUMNS
    assert set(COLUMNS) == set(NEW_TABLES)
    tenanted = names(
        connection,
        f"""select relname {IN_PUBLIC} and exists (select from pg_attribute a where a.attrelid = c.oid
              and a.attname = 'tenant_id' and a.atttypid = 'uuid'::regtype)""",
    )
    assert tenanted == set(TABLES) - {"tenants"}
    nullable = names(
        connection,
        f"""select relname {IN_PUBLIC} and exists (select from pg_attribute a where a.attrelid = c.oid
              and a.attname = 'tenant_id' and not a.attnotnull)""",
    )
    assert nullable == {"workflow_executions", "telemetry_events"}


def check_indexes(connection: Connection) -> None:
    found: dict[str, dict[str, str]] = {}
    for table, name, definition in connection.execute(
        """select indrelid::regclass::text, indexrelid::regclass::text, pg_get_indexdef(indexrelid)
             from pg_index join pg_class c on c.oid = indrelid
            where c.relnamespace = 'public'::regnamespace and not indisprimary and not indisunique
              and indisvalid and indisready"""
    ):
        found.setdefault(table, {})[name] = definition
    for table, columns in INDEXES.items():
        assert set(found[table]) == {f"{table}_{column}_idx" for column in columns}
    assert set(TABLES) - set(found) == {"tenants"}
    # An index named after a column has it among its keys or in its condition.
    for table in ("agents", "agent_executions", "workflows", "workflow_executions"):
        for name, definition in found[table].items():
            column = name.removeprefix(f"{table}_").removesuffix("_idx")
            if column not in ("tenant_status", "unassigned"):
                assert re.search(rf"[( ]{column}\b", definition.partition(" USING ")[2]), definition
    # Every foreign key's columns lead an index, in their order.
    bare = names(
        connection,
        """select k.conname from pg_constraint k join pg_class c on c.oid = k.conrelid
            where k.contype = 'f' and c.relnamespace = 'public'::regnamespace
              and not exists (select from pg_index i where i.indrelid = k.conrelid and i.indisvalid
                               and i.indpred is null
                               and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] = k.conkey)""",
    )
    assert bare == set()
    # Policies look up the tenant: every table has an index led by it.
    led = names(
        connection,
        """select c.relname from pg_index i join pg_class c on c.oid = i.indrelid
             join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]
            where c.relnamespace = 'public'::regnamespace and a.attname = 'tenant_id' and i.indpred is null""",
    )
    assert set(TABLES) - led == {"tenants"}


def check_rules(connection: Connection) -> None:
    assert names(connection, f"select relname {IN_PUBLIC} and not c.relrowsecurity") == set()
    counted = pairs(connection, "select polrelid::regclass::text, count(*) from pg_policy group by 1")
    assert counted == POLICIES
    assert sum(count for table, count in counted.items() if table not in ("tenants", "tenant_members")) == 35
    commands = {
        (table, command)
        for table, command in connection.execute("select polrelid::regclass::text, polcmd::text from pg_policy")
    }
    for table in ("agents", "workflows", "webhook_endpoints"):
        assert {(table, command) for command in "rawd"} <= commands
    for table in ("agent_executions", "workflow_executions"):
        assert {(table, "r"), (table, "a")} <= commands
    # One permissive policy at most for a command and a role, none for PUBLIC.
    assert not connection.execute(
        """select polrelid, polcmd, polroles from pg_policy where polpermissive
            group by 1, 2, 3 having count(*) > 1"""
    ).fetchall()
    assert not connection.execute("select from pg_policy where 0 = any (polroles)").fetchall()
    triggers = connection.execute(
        """select tgname::text, tgrelid::regclass::text from pg_trigger
            where not tgisinternal and tgenabled = 'O'
              and tgfoid = 'public.update_updated_at_column()'::regprocedure"""
    ).fetchall()
    assert sorted(triggers) == sorted(TRIGGERS.items())


def check_functions_and_view(connection: Connection) -> None:
    functions = "select proname from pg_proc where pronamespace = '{}'::regnamespace"
    assert names(connection, functions.format("public")) == {"update_updated_at_column", "generate_webhook_secret"}
    assert names(connection, functions.format("private")) == {"current_tenant_ids"}
    pinned = "select proname from pg_proc where proconfig = array['search_path=\"\"']"
    assert names(connection, pinned) == {"update_updated_at_column", "generate_webhook_secret", "current_tenant_ids"}
    row = connection.execute("select public.generate_webhook_secret(), public.generate_webhook_secret()").fetchone()
    assert row is not None
    assert all(re.fullmatch("whsec_[0-9a-f]{64}", secret) for secret in row)
    assert row[0] != row[1]
    view = "select array_to_string(reloptions, ',') from pg_class where oid = 'public.user_tenants'::regclass"
    assert names(connection, view) == {"security_invoker=true"}


def check_grants(connection: Connection) -> None:
    # TRUNCATE, REFERENCES and TRIGGER: no policy covers them.
    rights = connection.execute(
        """select g.grantee::regrole::text, g.privilege_type, count(*)
             from pg_class c, aclexplode(c.relacl) g
            where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and g.grantee <> c.relowner
              and g.privilege_type <> 'MAINTAIN'
            group by 1, 2"""
    ).fetchall()
    kinds = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
    assert set(rights) == {
        *(("authenticated", right, 16) for right in ("SELECT", "INSERT", "DELETE")),
        *(("service_role", right, 16) for right in kinds),
    }
    view = connection.execute(
        """select g.grantee::regrole::text, g.privilege_type from aclexplode(
             (select relacl from pg_class where oid = 'public.user_tenants'::regclass)) g"""
    ).fetchall()
    assert {right for role, right in view if role == "anon"} == {"SELECT"}
    assert {right for role, right in view if role == "authenticated"} == {"SELECT"}
    assert "-" not in {role for role, _ in view}
    updatable: dict[str, set[str]] = {}
    for table, column, role, right in connection.execute(
        """select a.attrelid::regclass::text, a.attname::text, g.grantee::regrole::text, g.privilege_type
             from pg_attribute a, aclexplode(a.attacl) g
            where a.attrelid in (select oid from pg_class where relnamespace = 'public'::regnamespace)"""
    ):
        assert (role, right) == ("authenticated", "UPDATE")
        updatable.setdefault(table, set()).add(column)
    frozen = {"id", "tenant_id", "user_id", "created_at", "created_by", "secret", "workflow_id"}
    assert not {column for columns in updatable.values() for column in columns} & frozen
    assert updatable["subscriptions"] == {"cancel_at_period_end"}
    assert updatable["tenant_members"] == {"role"}
    may = "select has_function_privilege(%s, %s, 'execute')"
    for function, roles in {
        "public.generate_webhook_secret()": {"authenticated", "service_role"},
        "public.update_updated_at_column()": {"service_role"},
        "private.current_tenant_ids(text[])": {"authenticated", "service_role"},
    }.items():
        able = {
            role
            for role in ("anon", "authenticated", "service_role")
            if connection.execute(may, [role, function]).fetchone() == (True,)
        }
        assert able == roles, function
    for role in ("anon", "authenticated", "service_role"):
        found = connection.execute("select has_schema_privilege(%s, 'private', 'usage')", [role]).fetchone()
        assert found == (False,), role


def check_realtime(connection: Connection) -> None:
    published = "select tablename from pg_publication_tables where pubname = 'supabase_realtime'"
    assert names(connection, published) == {"agent_executions", "workflow_executions"}
