"""The catalogue of safety rules: what each is, why it matters, how to mend it.

Codes are stable: mutes and baselines hold them. `advisor` is the name of the same check among Supabase's own advisors
(splinter), "" where they have none, so that both lists can be read side by side. Of theirs these are left out on
purpose: table_bloat (an estimate about disk, not about rights), extension_versions_outdated (the platform's business,
and it reads the server's disk), public_bucket_allows_listing and auth_allow_anonymous_sign_ins (about Storage and Auth,
not about this database's objects).

Levels: an `error` lets somebody read or change what is not theirs, or stops the app; a `warn` does so together with one
more mistake, or costs every query; an `info` is worth knowing and fails nothing.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Level = Literal["error", "warn", "info"]


class Rule(msgspec.Struct, frozen=True):
    """One rule. `why` and `mend` are one sentence each; `mend` has SQL where a pattern fits."""

    code: str
    level: Level
    title: str
    why: str
    mend: str
    advisor: str = ""


RULES: tuple[Rule, ...] = (
    # Tables and row-level security.
    Rule(
        "R001",
        "error",
        "Reachable table without row-level security",
        "Every caller of the API reads or writes every row that its grants name, of every tenant.",
        "alter table T enable row level security, with policies in the same transaction.",
        "rls_disabled_in_public",
    ),
    Rule(
        "R002",
        "error",
        "Policies that are not enforced",
        "The table has policies but row-level security is off, so none of them is asked.",
        "alter table T enable row level security.",
        "policy_exists_rls_disabled",
    ),
    Rule(
        "R003",
        "info",
        "Row-level security without a permissive policy",
        "Nobody but roles that bypass row-level security sees or writes a row: right for internal tables only.",
        "Create a policy, or revoke the API roles' grants to say that it is meant.",
        "rls_enabled_no_policy",
    ),
    Rule(
        "R004",
        "error",
        "Sensitive columns without row-level security",
        "Credentials or personal data can be read by whoever has the table's grants.",
        "alter table T enable row level security, and grant the column to nobody who does not need it.",
        "sensitive_columns_exposed",
    ),
    Rule(
        "R005",
        "error",
        "Queue open to the API",
        "pgmq_public is exposed and the queue's table has no row-level security: callers read and drain it.",
        "alter table pgmq.q_NAME enable row level security.",
        "insecure_queue_exposed_in_api",
    ),
    Rule(
        "R006",
        "info",
        "No primary key",
        "Rows can not be told apart: the API can not update one, and replication sends no key.",
        "alter table T add primary key (...).",
        "no_primary_key",
    ),
    Rule(
        "R007",
        "info",
        "Tenant column may be NULL",
        "A row without a tenant belongs to nobody: tenant policies never show it.",
        "Backfill it, then alter table T alter column TENANT set not null.",
    ),
    # Policies.
    Rule(
        "R101",
        "error",
        "Policy that is always true",
        "Permissive policies are OR-ed, so this one opens every row of the table to its roles.",
        "Replace the condition by membership: TENANT = any (array(select m.TENANT from members m where m.user_id = "
        "(select auth.uid()))).",
        "rls_policy_always_true",
    ),
    Rule(
        "R102",
        "error",
        "Policy that does not look at the row",
        "It asks at most who calls, never which row: whoever passes gets the rows of every tenant.",
        "Compare a column of the row, qualified inside sub-selects, with what belongs to the caller.",
    ),
    Rule(
        "R103",
        "info",
        "Table that all may read",
        "Every caller in the policy's roles reads every row: right for reference data only.",
        "If it is not reference data, compare a column of the row with what belongs to the caller.",
    ),
    Rule(
        "R104",
        "error",
        "Write check that does not bind the tenant",
        "A caller can store a row for, or move a row to, a tenant that is not theirs.",
        "with check (TENANT = any (array(select m.TENANT from members m where m.user_id = (select auth.uid())))) on "
        "every way in.",
    ),
    Rule(
        "R105",
        "warn",
        "Policy that ignores the tenant",
        "The row's tenant is never asked: whoever left a tenant keeps their rows in it.",
        "Add the tenant's condition, or put a restrictive policy on the table that holds for all commands.",
    ),
    Rule(
        "R106",
        "info",
        "One way in ignores the tenant",
        "One side of an OR does not ask for the row's tenant: right for rows of one's own, wrong for shared ones.",
        "Add the tenant's condition to that side where former members must not see the row.",
    ),
    Rule(
        "R107",
        "warn",
        "Tenant written into a policy",
        "The policy compares the tenant with a constant, so it holds for one tenant and says so in the schema.",
        "Look the caller's tenants up instead of naming one.",
    ),
    Rule(
        "R108",
        "warn",
        "Policy that does not ask who calls",
        "On at least one way in every caller in its roles gets the same rows of this tenant table.",
        "Compare with (select auth.uid()) or with the caller's memberships on every side of an OR.",
    ),
    Rule(
        "R109",
        "warn",
        "Claims read once a row",
        "auth.uid() and the like, called bare, run for every row that is looked at.",
        "Write (select auth.uid()): the planner then runs it once.",
        "auth_rls_initplan",
    ),
    Rule(
        "R110",
        "warn",
        "IN (select ...) in a policy",
        "It filters the whole table by a hash instead of using an index: 80 ms instead of 0.3 ms at a million rows.",
        "Write COLUMN = any (array(select ...)).",
    ),
    Rule(
        "R111",
        "warn",
        "Function called once a row",
        "A function in a policy runs for every row that is looked at: seconds at a million rows.",
        "Let it return the caller's keys and write COLUMN = any (array(select F())).",
    ),
    Rule(
        "R112",
        "error",
        "Column compared with itself",
        "Inside a sub-select a bare name is the inner table's, so the condition is always true and ties nothing to the "
        "row.",
        "Qualify the row's column with its table's name: m.TENANT = T.TENANT.",
    ),
    Rule(
        "R113",
        "error",
        "Policy that trusts user_metadata",
        "Users write their own user_metadata, so they decide themselves whether the policy lets them pass.",
        "Use a table of memberships, or app_metadata.",
        "rls_references_user_metadata",
    ),
    Rule(
        "R114",
        "warn",
        "Policy for PUBLIC",
        "It holds for anon, too, and for every role that is ever created.",
        "create policy ... to authenticated.",
    ),
    Rule(
        "R115",
        "error",
        "Callers who have not signed in reach a tenant table",
        "The anonymous role has a permissive policy and the grant to go with it.",
        "revoke all on T from anon, and make the policy one to authenticated.",
    ),
    Rule(
        "R116",
        "warn",
        "Several permissive policies for one command and role",
        "They are OR-ed: each one reopens what the others close, and all of them run for every row.",
        "Keep one, joining the conditions by OR where both are meant; make boundaries restrictive.",
        "multiple_permissive_policies",
    ),
    Rule(
        "R117",
        "error",
        "No policy asks for the tenant",
        "The table has a tenant column, and not one of its policies looks at it.",
        "Bind every policy to the tenant, or add a restrictive one that does for all commands.",
    ),
    # Grants, owners, roles.
    Rule(
        "R201",
        "error",
        "API role may TRUNCATE",
        "Row-level security does not hold for TRUNCATE: the grant alone empties the table of every tenant.",
        "revoke truncate on T from anon, authenticated.",
    ),
    Rule(
        "R202",
        "warn",
        "API role may REFERENCE, TRIGGER or MAINTAIN",
        "A trigger runs with other callers' rights, a foreign key tells which ids exist; no API request needs either.",
        "revoke references, trigger on T from anon, authenticated.",
    ),
    Rule(
        "R203",
        "warn",
        "API role may change the tenant column",
        "A member of two tenants can move rows between them: a write check never sees the old row.",
        "revoke update on T from ROLE, then grant update (columns) without the tenant's.",
    ),
    Rule(
        "R204",
        "info",
        "Secret column readable through the API",
        "Whoever may see the row may read the credential in it.",
        "Grant select by column, without it, or keep it in a table of its own.",
    ),
    Rule(
        "R205",
        "error",
        "Object owned by an API role",
        "An owner passes row-level security and every revoke.",
        "alter ... owner to postgres.",
    ),
    Rule(
        "R206",
        "warn",
        "Right that an API role may hand on",
        "WITH GRANT OPTION lets the role open the object to others.",
        "revoke grant option for all privileges on T from ROLE.",
    ),
    Rule(
        "R207",
        "error",
        "API role may create in a schema",
        "Functions and tables planted there are found by others' search_path and run with their rights.",
        "revoke create on schema S from public, anon, authenticated.",
    ),
    Rule(
        "R208",
        "error",
        "API role belongs to a powerful role",
        "Membership gives it that role's rights, row-level security bypassed where that role bypasses it.",
        "revoke POWERFUL from ROLE.",
    ),
    Rule(
        "R209",
        "error",
        "API role with attributes of an operator",
        "SUPERUSER and BYPASSRLS switch every policy off, CREATEROLE and REPLICATION lead there.",
        "alter role ROLE nosuperuser nobypassrls nocreaterole noreplication.",
    ),
    Rule(
        "R210",
        "warn",
        "Granted to callers who have not signed in",
        "Row-level security still keeps them from the rows, but the next policy for PUBLIC opens this tenant table.",
        "revoke all on T from anon.",
    ),
    # Functions.
    Rule(
        "R301",
        "warn",
        "Function without a fixed search_path",
        "Its names are looked up where the caller says, so a caller can put their own objects in the way.",
        "alter function F set search_path = '', with qualified names in its body.",
        "function_search_path_mutable",
    ),
    Rule(
        "R302",
        "warn",
        "Function that PUBLIC may execute",
        "Functions are born executable by everybody: anon can call it at /rest/v1/rpc.",
        "revoke execute on function F from public, then grant it by name.",
    ),
    Rule(
        "R303",
        "warn",
        "SECURITY DEFINER function that callers who have not signed in may execute",
        "It runs with its owner's rights, past row-level security, for anybody who has the public key.",
        "revoke execute on function F from public, anon, or move it out of the exposed schema.",
        "anon_security_definer_function_executable",
    ),
    Rule(
        "R304",
        "warn",
        "SECURITY DEFINER function that signed-in callers may execute",
        "It runs with its owner's rights, past row-level security, for every user of every tenant.",
        "Make it security invoker, revoke execute, or move it out of the exposed schema.",
        "authenticated_security_definer_function_executable",
    ),
    Rule(
        "R305",
        "error",
        "SECURITY DEFINER function that searches a schema others may write to",
        "An API role can create there what the function then runs with its owner's rights.",
        "alter function F set search_path = ''.",
    ),
    # Views and their like.
    Rule(
        "R401",
        "error",
        "View with its owner's rights",
        "Row-level security is asked of the view's owner, not of the caller: everybody sees every tenant.",
        "alter view V set (security_invoker = true).",
        "security_definer_view",
    ),
    Rule(
        "R402",
        "error",
        "View over auth.users",
        "API roles can read users of every tenant through it.",
        "Drop it or revoke it from the API roles; copy what is public into a table of your own.",
        "auth_users_exposed",
    ),
    Rule(
        "R403",
        "warn",
        "Materialized view in the API",
        "Row-level security does not exist on materialized views: every caller reads every row.",
        "revoke all on V from anon, authenticated, or keep it in a schema that is not exposed.",
        "materialized_view_in_api",
    ),
    Rule(
        "R404",
        "warn",
        "Foreign table in the API",
        "Row-level security does not exist on foreign tables: every caller reads every row.",
        "revoke all on T from anon, authenticated, or keep it in a schema that is not exposed.",
        "foreign_table_in_api",
    ),
    Rule(
        "R405",
        "warn",
        "Rewrite rule on a table",
        "It turns statements into others with the rights of the table's owner, out of sight of policies and triggers.",
        "drop rule R on T; use a trigger.",
    ),
    Rule(
        "R406",
        "warn",
        "Visible in GraphQL without signing in",
        "Name and columns are shown to anybody who has the public key, whatever the policies say.",
        "revoke select on T from anon.",
        "pg_graphql_anon_table_exposed",
    ),
    Rule(
        "R407",
        "info",
        "Visible in GraphQL when signed in",
        "Name and columns are shown to every user: that comes with using the API at all.",
        "revoke select on T from authenticated where the app does not read it.",
        "pg_graphql_authenticated_table_exposed",
    ),
    # Indexes, constraints, triggers, types.
    Rule(
        "R501",
        "info",
        "Foreign key without an index",
        "Deleting or changing a parent row reads the whole table.",
        "create index on T (the key's columns, in its order).",
        "unindexed_foreign_keys",
    ),
    Rule(
        "R502",
        "warn",
        "Identical indexes",
        "Each is written with every row and only one is ever read.",
        "drop index, all but one.",
        "duplicate_index",
    ),
    Rule(
        "R503",
        "info",
        "Index that another one contains",
        "Another index begins with the same columns, so this one is written for nothing but its smaller size.",
        "drop index, unless its size is why it is there.",
    ),
    Rule(
        "R504",
        "warn",
        "Invalid index",
        "A build that failed left it behind: it is written, never read, and a unique one guarantees nothing.",
        "drop index concurrently I, then create it again (or reindex index concurrently I).",
    ),
    Rule(
        "R505",
        "warn",
        "Constraint that was never validated",
        "Old rows may break it: it promises less than it says.",
        "alter table T validate constraint C.",
    ),
    Rule(
        "R506",
        "error",
        "Foreign key to a unique key of schema auth",
        "The platform changes those keys, and the change then fails on this database.",
        "Refer to the primary key, auth.users (id).",
        "fkey_to_auth_unique",
    ),
    Rule(
        "R507",
        "info",
        "Unique across tenants",
        "A refused insert tells one tenant which values another has.",
        "Put the tenant's column into the unique key.",
    ),
    Rule(
        "R508",
        "warn",
        "Disabled trigger",
        "What it did for every write no longer happens; of a foreign key, orphans are let in.",
        "alter table T enable trigger G.",
    ),
    Rule(
        "R509",
        "warn",
        "Column of a type that can not be upgraded",
        "Object numbers differ after pg_upgrade, which therefore refuses the database.",
        "Store the name as text.",
        "unsupported_reg_types",
    ),
    Rule(
        "R510",
        "info",
        "Index that was never read",
        "It may be useless, or the statistics may be young: every index of a new patch begins like this.",
        "Look again after weeks of traffic, then drop index I.",
        "unused_index",
    ),
    # Publications.
    Rule(
        "R601",
        "error",
        "Secret column in a publication",
        "Subscribers receive the credential with every change of the row.",
        "alter publication P drop table T, or publish a list of columns without it.",
    ),
    Rule(
        "R602",
        "error",
        "Published table without row-level security",
        "Realtime asks the table's policies for each subscriber, and here are none: all tenants' changes go to all.",
        "alter table T enable row level security, or alter publication P drop table T.",
    ),
    Rule(
        "R603",
        "warn",
        "Publication of everything",
        "Every table that is ever created is sent to subscribers at once, with all its columns.",
        "Name the tables: alter publication P set table ...",
    ),
    Rule(
        "R604",
        "info",
        "Whole old row sent on delete",
        "Row-level security does not hold for DELETE events, and with replica identity full they carry every column.",
        "alter table T replica identity default.",
    ),
    # What the next object will be.
    Rule(
        "R701",
        "info",
        "Default privileges open new objects to API roles",
        "What this role creates next in the schema is granted before anybody looks: projects made before 2026 have it.",
        "alter default privileges for role R in schema S revoke all on tables from anon, authenticated.",
    ),
    Rule(
        "R702",
        "info",
        "New functions are executable by PUBLIC",
        "It is the server's built-in default, and only the form without a schema takes it back.",
        "alter default privileges for role R revoke execute on functions from public.",
    ),
    Rule(
        "R703",
        "warn",
        "Default privileges open new objects to PUBLIC",
        "What this role creates next is open to every role, anon included.",
        "alter default privileges for role R in schema S revoke all on tables from public.",
    ),
    Rule(
        "R704",
        "warn",
        "Extension in an exposed schema",
        "Its functions become part of the API, and its names get in the way of yours.",
        "alter extension E set schema extensions.",
        "extension_in_public",
    ),
)
"""Every rule, by code."""

BY_CODE = {rule.code: rule for rule in RULES}
