"""Planted faults for the lint's rules, each beside a near-miss that is sound. Plain data; test_safety.py runs them.

Statements run with an empty search_path on a migrated database and are rolled back.
"""

from __future__ import annotations

from dataclasses import dataclass

from tui.core.safety import LintRequest

DEFAULT = LintRequest()

UID = "(select auth.uid())"
MINE = f"array(select tm.tenant_id from public.tenant_members tm where tm.user_id = {UID})"
MEMBER = f"tenant_id = any ({MINE})"
LOOKED_UP = f"tenant_id in (select tm.tenant_id from public.tenant_members tm where tm.user_id = {UID})"
EXISTS = f"exists (select from public.tenant_members tm where {{}} and tm.user_id = {UID})"
OWN = f"owner = {UID}"

# A table of the test's own, open to nobody yet; then what makes it a sound one.
BARE = (
    "create table public.things (id uuid primary key, tenant_id uuid not null, owner uuid, note text, api_key text)",
    "revoke all on public.things from public, anon, authenticated",
)
GRANT = "grant select, insert, update (owner, note), delete on public.things to authenticated"
SHUT = (*BARE, GRANT, "alter table public.things enable row level security")
SOUND = (*SHUT, f"create policy kept on public.things for select to authenticated using ({MEMBER})")
NULLABLE = "alter table public.things alter tenant_id drop not null"
UNTENANTED = (*SHUT, "alter table public.things drop column tenant_id")
FENCE = f"create policy fence on public.things as restrictive to anon, authenticated using ({MEMBER})"


def reads(condition: str, name: str = "p", to: str = "authenticated") -> str:
    return f"create policy {name} on public.things for select to {to} using ({condition})"


def inserts(condition: str, name: str = "p") -> str:
    return f"create policy {name} on public.things for insert to authenticated with check ({condition})"


def deletes(condition: str) -> str:
    return f"create policy p on public.things for delete to authenticated using ({condition})"


def updates(using: str, check: str) -> str:
    return f"create policy p on public.things for update to authenticated using ({using}) with check ({check})"


def function(schema: str, rest: str, returns: str = "boolean", arguments: str = "") -> str:
    body = "begin return new; end" if returns == "trigger" else "begin return true; end"
    return f"create function {schema}.f({arguments}) returns {returns} language plpgsql {rest} as $$ {body} $$"


CLOSE_F = "revoke all on function public.f() from public, anon, authenticated"
VIEW = "create view public.v {} as select id from public.agents"
OPEN_V = "grant select on public.v to authenticated"
SHUT_V = "revoke all on public.v from anon, authenticated"
USERS = "as select id, email from auth.users"
GRAPHQL = (
    "insert into pg_catalog.pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)"
    " select 987654, 'pg_graphql', 10, oid, false, '1' from pg_catalog.pg_namespace where nspname = 'extensions'"
)
KEYED = "alter table public.things add foreign key (owner) references auth.users"
INDEX_A = "create index a on public.things (note)"
INVALID_A = "update pg_catalog.pg_index set indisvalid = false where indexrelid = 'public.a'::regclass"
PUBLISHED = "alter publication supabase_realtime add table public.things"
FULL = "alter table public.things replica identity full"
MATVIEW = "create materialized view public.v as select id from public.agents"
FOREIGN = (
    "create foreign data wrapper w",
    "create server s foreign data wrapper w",
    "create foreign table public.v (id int) server s",
)
QUEUE = ("create schema pgmq", "create table pgmq.q_jobs (id int primary key)", "grant usage on schema pgmq to anon")
DEFAULTS = "alter default privileges in schema"


@dataclass(frozen=True)
class Case:
    """`planted` must give a finding of `code` on `key`; `near` must not."""

    code: str
    key: str
    planted: tuple[str, ...]
    near: tuple[str, ...]
    superuser: bool = False
    request: LintRequest = DEFAULT


P, T = "public.things.p", "public.things"
CASES = [
    Case("R001", T, (*BARE, GRANT), BARE),
    Case("R001", T, (*BARE, "grant update (note) on public.things to anon"), SHUT),
    Case("R001", T, (*BARE, GRANT), (*BARE, GRANT, "alter table public.things set schema private")),
    Case("R002", T, (*SOUND, "alter table public.things disable row level security"), SOUND),
    Case("R003", T, SHUT, SOUND),
    Case("R003", T, (*SHUT, FENCE), (*SHUT, "alter table public.things set schema private")),
    Case("R004", T, (*BARE, GRANT), (*BARE, GRANT, "alter table public.things rename column api_key to api_keys_used")),
    Case("R004", T, (*BARE, GRANT, "alter table public.things rename column note to passport_number"), SHUT),
    Case(
        "R005",
        "pgmq.q_jobs",
        (*QUEUE, "grant select on pgmq.q_jobs to anon"),
        (*QUEUE, "grant select on pgmq.q_jobs to anon", "alter table pgmq.q_jobs enable row level security"),
        request=LintRequest(schemas=("public", "pgmq_public")),
    ),
    Case("R006", T, (*SOUND, "alter table public.things drop constraint things_pkey"), SOUND),
    Case("R007", f"{T}.tenant_id", (*SOUND, "alter table public.things alter tenant_id drop not null"), SOUND),
    # Policies: tautologies in their disguises, each beside what only looks like one.
    Case("R101", P, (*SHUT, reads("true")), SOUND),
    Case("R101", P, (*SHUT, reads("1 = 1")), (*SHUT, reads(f"1 = 1 and {MEMBER}"))),
    Case("R101", P, (*SHUT, reads("id is not null")), (*SHUT, reads(f"owner is not null and {MEMBER}"))),
    Case("R101", P, (*SHUT, reads(f"{MEMBER} or tenant_id = tenant_id")), (*SHUT, reads(f"{MEMBER} and id = id"))),
    Case("R101", P, (*SHUT, reads("note is null or note is not null")), (*SHUT, reads(MEMBER))),
    Case("R101", P, (*SOUND, updates(MEMBER, "true")), (*SOUND, updates(MEMBER, MEMBER))),
    Case("R101", P, (*UNTENANTED, deletes("true")), (*UNTENANTED, deletes(OWN))),
    Case("R102", P, (*SHUT, reads(f"{UID} is not null")), (*SHUT, reads(f"{UID} is not null and {MEMBER}"))),
    Case("R102", P, (*SOUND, inserts("auth.role() = 'authenticated'")), (*SOUND, inserts(MEMBER))),
    Case(
        "R102",
        P,
        (*SHUT, reads(EXISTS.format("true"))),
        (*SHUT, reads(EXISTS.format("tm.tenant_id = things.tenant_id"))),
    ),
    Case("R102", P, (*SHUT, reads(f"{UID} is not null")), (*SHUT, FENCE, reads(f"{UID} is not null"))),
    Case("R103", P, (*UNTENANTED, reads("true")), (*UNTENANTED, reads(OWN))),
    Case("R104", P, (*SOUND, inserts(OWN)), (*SOUND, inserts(f"{OWN} and {MEMBER}"))),
    Case("R104", P, (*SOUND, inserts(f"{OWN} or {MEMBER}")), (*SOUND, FENCE, inserts(OWN))),
    Case(
        "R104",
        P,
        (*SOUND, updates(MEMBER, OWN)),
        (*SOUND, updates(MEMBER, EXISTS.format("tm.tenant_id = things.tenant_id"))),
    ),
    Case("R104", P, (*SOUND, inserts(f"tenant_id <> all ({MINE})")), (*SOUND, inserts(MEMBER))),
    Case("R104", P, (*SOUND, inserts(f"tenant_id is not null and {OWN}")), (*SOUND, inserts(f"{MEMBER} and {OWN}"))),
    Case(
        "R104",
        P,
        (*SOUND, f"create policy p on public.things for update to authenticated using ({OWN})"),
        (*SOUND, f"create policy p on public.things for update to authenticated using ({MEMBER})"),
    ),
    Case("R105", P, (*SHUT, inserts(MEMBER, "i"), reads(OWN)), (*SHUT, inserts(MEMBER, "i"), FENCE, reads(OWN))),
    Case("R106", P, (*SHUT, reads(f"{OWN} or {MEMBER}")), (*SHUT, reads(f"{OWN} and {MEMBER}"))),
    Case(
        "R107",
        P,
        (*SHUT, reads(f"tenant_id = '00000000-0000-0000-0000-000000000001' and {OWN}")),
        (*SHUT, reads(f"note = '00000000-0000-0000-0000-000000000001' and {MEMBER}")),
    ),
    Case(
        "R108",
        P,
        (*SHUT, NULLABLE, reads(f"{MEMBER} or tenant_id is null")),
        (*SHUT, NULLABLE, reads(f"{MEMBER} or (tenant_id is null and {OWN})")),
    ),
    Case(
        "R108",
        P,
        (*SHUT, NULLABLE, reads(f"{MEMBER} or tenant_id is null")),
        (*SHUT, reads(f"{MEMBER} or tenant_id is null")),
    ),
    Case("R108", P, (*SHUT, reads("tenant_id = any (array(select id from public.tenants))")), (*SHUT, reads(MEMBER))),
    Case("R109", P, (*SHUT, reads(f"owner = auth.uid() and {MEMBER}")), (*SHUT, reads(f"{OWN} and {MEMBER}"))),
    Case(
        "R109",
        P,
        (*SHUT, reads(f"note = current_setting('app.x', true) and {MEMBER}")),
        (*SHUT, reads(f"note = (select auth.jwt() ->> 'x') and {MEMBER}")),
    ),
    Case("R110", P, (*SHUT, reads(LOOKED_UP)), (*SHUT, reads(MEMBER))),
    Case(
        "R110",
        P,
        (*SHUT, deletes("tenant_id in (select private.current_tenant_ids())")),
        (*SOUND, inserts("tenant_id in (select private.current_tenant_ids())")),
    ),
    Case(
        "R111",
        P,
        (*SHUT, function("private", "", arguments="uuid"), reads("private.f(tenant_id)")),
        (*SHUT, reads("tenant_id = any (array(select private.current_tenant_ids()))")),
    ),
    Case(
        "R112",
        P,
        (*SHUT, reads(EXISTS.format("tm.tenant_id = tenant_id"))),
        (*SHUT, reads(EXISTS.format("tm.tenant_id = things.tenant_id"))),
    ),
    Case(
        "R113",
        P,
        (*SHUT, reads("tenant_id::text = (select auth.jwt() -> 'user_metadata' ->> 'tenant')")),
        (*SHUT, reads("tenant_id::text = (select auth.jwt() -> 'app_metadata' ->> 'tenant')")),
    ),
    Case("R114", P, (*SHUT, reads(MEMBER, to="public")), (*SHUT, reads(MEMBER))),
    Case(
        "R115",
        P,
        (*SHUT, "grant select (note) on public.things to anon", reads(MEMBER, to="anon")),
        (*SHUT, "grant insert on public.things to anon", reads(MEMBER, to="anon")),
    ),
    Case("R116", f"{T}.SELECT for authenticated", (*SOUND, reads(MEMBER)), (*SOUND, inserts(MEMBER), FENCE)),
    Case("R117", T, (*SHUT, reads(OWN), inserts(OWN, "i")), (*SHUT, reads(OWN), inserts(MEMBER, "i"))),
    # Grants, owners, roles.
    Case("R201", f"{T}.TRUNCATE", (*SOUND, "grant truncate on public.things to anon"), SOUND),
    Case(
        "R201",
        f"{T}.TRUNCATE",
        (*SOUND, "grant truncate on public.things to public"),
        (*SOUND, "grant truncate on public.things to service_role"),
    ),
    Case("R202", f"{T}.REFERENCES, TRIGGER", (*SOUND, "grant trigger on public.things to authenticated"), SOUND),
    Case(
        "R203",
        f"{T}.tenant_id",
        (*SOUND, "grant update on public.things to authenticated", updates(MEMBER, MEMBER)),
        (*SOUND, "grant update (note) on public.things to authenticated", updates(MEMBER, MEMBER)),
    ),
    Case(
        "R203",
        f"{T}.tenant_id",
        (*SOUND, "grant update (tenant_id) on public.things to authenticated", updates(MEMBER, MEMBER)),
        (*SOUND, "grant update (tenant_id) on public.things to authenticated"),
    ),
    Case(
        "R204",
        f"{T}.api_key",
        SOUND,
        (
            *SHUT,
            "revoke select on public.things from authenticated",
            "grant select (id) on public.things to authenticated",
        ),
    ),
    Case("R205", T, (*SOUND, "alter table public.things owner to authenticated"), SOUND, superuser=True),
    Case(
        "R205",
        "public.f()",
        (function("public", ""), "alter function public.f() owner to anon"),
        (function("public", ""),),
        superuser=True,
    ),
    Case(
        "R206",
        f"{T}.authenticated",
        (*SOUND, "grant select on public.things to authenticated with grant option"),
        SOUND,
    ),
    Case(
        "R207",
        "private",
        ("grant create on schema private to authenticated",),
        ("grant usage on schema private to authenticated",),
    ),
    Case(
        "R208",
        "authenticated",
        ("grant pg_read_all_data to authenticated",),
        ("create role harmless", "grant harmless to authenticated"),
        superuser=True,
    ),
    Case(
        "R208",
        "anon",
        ("create role between", "grant service_role to between", "grant between to anon"),
        ("grant anon to service_role",),
        superuser=True,
    ),
    Case("R209", "anon", ("alter role anon bypassrls",), ("alter role service_role bypassrls",), superuser=True),
    Case(
        "R210",
        T,
        (*SOUND, "grant select on public.things to anon"),
        (*UNTENANTED, "grant select on public.things to anon"),
    ),
    # Functions.
    Case("R301", "private.f()", (function("private", ""),), (function("private", "set search_path = ''"),)),
    Case("R302", "public.f()", (function("public", "set search_path = ''"),), (function("public", ""), CLOSE_F)),
    Case("R302", "public.f()", (function("public", ""),), (function("public", "", "trigger"),)),
    Case(
        "R303",
        "public.f()",
        (function("public", "security definer"), CLOSE_F, "grant execute on function public.f() to anon"),
        (function("public", "security definer"), CLOSE_F, "grant execute on function public.f() to authenticated"),
    ),
    Case(
        "R304",
        "public.f()",
        (function("public", "security definer"), CLOSE_F, "grant execute on function public.f() to authenticated"),
        (function("private", "security definer"), "grant execute on function private.f() to authenticated"),
    ),
    Case(
        "R305",
        "private.f()",
        (function("private", "security definer set search_path = public"), "grant create on schema public to anon"),
        (function("private", "security definer set search_path = public"),),
    ),
    # Views and their like.
    Case("R401", "public.v", (VIEW.format(""), OPEN_V), (VIEW.format("with (security_invoker = on)"), OPEN_V)),
    Case("R401", "public.v", (VIEW.format("with (security_barrier = true)"), OPEN_V), (VIEW.format(""), SHUT_V)),
    Case("R402", "public.v", (f"create view public.v {USERS}", OPEN_V), (f"create view public.v {USERS}", SHUT_V)),
    Case(
        "R402",
        "public.v",
        (
            f"create view private.w {USERS}",
            "create view public.v with (security_invoker) as select * from private.w",
            OPEN_V,
        ),
        (f"create view public.v with (security_invoker = true) {USERS}", OPEN_V),
    ),
    Case("R403", "public.v", (MATVIEW, OPEN_V), (MATVIEW, SHUT_V)),
    Case(
        "R404",
        "public.v",
        (*FOREIGN, OPEN_V),
        (*FOREIGN, SHUT_V),
        superuser=True,
    ),
    Case(
        "R405", f"{T}.r", (*SOUND, "create rule r as on delete to public.things do instead nothing"), (VIEW.format(""),)
    ),
    Case("R406", "public.user_tenants", (GRAPHQL,), ("select",), superuser=True),
    Case(
        "R407",
        "public.agents",
        (GRAPHQL,),
        (GRAPHQL, "revoke select on public.agents from authenticated"),
        superuser=True,
    ),
    # Indexes, constraints, triggers, types.
    Case(
        "R501",
        f"{T}.things_owner_fkey",
        (*SOUND, KEYED, "create index on public.things (note, owner)"),
        (*SOUND, KEYED, "create index on public.things (owner) where owner is not null"),
    ),
    Case(
        "R502",
        f"{T}.a",
        (*SOUND, INDEX_A, "create index b on public.things (note)"),
        (*SOUND, INDEX_A, "create index b on public.things (note desc)"),
    ),
    Case(
        "R503",
        f"{T}.a",
        (*SOUND, INDEX_A, "create index b on public.things (note, owner)"),
        (*SOUND, INDEX_A, "create index b on public.things (owner, note)"),
    ),
    Case(
        "R503",
        f"{T}.a",
        (*SOUND, "create index a on public.things (id)"),
        (*SOUND, "create unique index a on public.things (note)", "create index b on public.things (note, owner)"),
    ),
    Case(
        "R504",
        f"{T}.a",
        (*SOUND, INDEX_A, INVALID_A),
        (*SOUND, INDEX_A),
        superuser=True,
    ),
    Case(
        "R505",
        f"{T}.c",
        (*SOUND, "alter table public.things add constraint c check (note <> '') not valid"),
        (*SOUND, "alter table public.things add constraint c check (note <> '')"),
    ),
    Case(
        "R506",
        f"{T}.c",
        (*SOUND, "alter table public.things add constraint c foreign key (note) references auth.users (phone)"),
        (*SOUND, "alter table public.things add constraint c foreign key (owner) references auth.users"),
    ),
    Case(
        "R507",
        f"{T}.c",
        (*SOUND, "alter table public.things add constraint c unique (note)"),
        (*SOUND, "alter table public.things add constraint c unique (tenant_id, note)"),
    ),
    Case(
        "R508",
        "public.agents.update_agents_updated_at",
        ("alter table public.agents disable trigger update_agents_updated_at",),
        ("alter table public.agents enable always trigger update_agents_updated_at",),
    ),
    Case(
        "R508",
        "public.agents.agents_tenant_id_fkey",
        ("alter table public.agents disable trigger all",),
        ("alter table public.agents disable trigger user",),
        superuser=True,
    ),
    Case(
        "R509",
        f"{T}.proc",
        (*SOUND, "alter table public.things add column proc regproc"),
        (*SOUND, "alter table public.things add column proc regclass"),
    ),
    Case(
        "R510",
        f"{T}.a",
        (*SOUND, INDEX_A),
        (*SOUND, "create unique index a on public.things (note)"),
        request=LintRequest(unused_indexes=True),
    ),
    # Publications.
    Case(
        "R601",
        f"{T}.supabase_realtime",
        (*SOUND, PUBLISHED),
        (*SOUND, "alter publication supabase_realtime add table public.things (id, note)"),
    ),
    Case("R602", f"{T}.supabase_realtime", (*BARE, PUBLISHED), (*SHUT, PUBLISHED)),
    Case(
        "R603",
        "everything",
        ("create publication everything for all tables",),
        ("create publication everything for table public.agents",),
        superuser=True,
    ),
    Case(
        "R603",
        "everything",
        ("create publication everything for tables in schema public",),
        ("create publication everything",),
        superuser=True,
    ),
    Case("R604", f"{T}.supabase_realtime", (*SOUND, FULL, PUBLISHED), (*SOUND, FULL)),
    # What the next object will be.
    Case(
        "R701",
        "tables of postgres in private",
        (f"{DEFAULTS} private grant select on tables to anon",),
        (f"{DEFAULTS} private grant select on tables to service_role",),
    ),
    Case(
        "R702",
        "functions of postgres",
        ("select",),
        ("alter default privileges revoke execute on functions from public",),
    ),
    Case(
        "R703",
        "tables of postgres in private",
        (f"{DEFAULTS} private grant select on tables to public",),
        (f"{DEFAULTS} private grant select on tables to authenticated",),
    ),
    Case(
        "R704", "pg_trgm", ("create extension pg_trgm schema public",), ("create extension pg_trgm schema extensions",)
    ),
]
