"""The plan: what each statement would do on a given database."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_verdict import LEGACY, rolled_back
from tests.core.world import EXPECTATION, change_table, mirror
from tui.core.catalog import Catalog, Policy
from tui.core.plan import Preview, preview, strangers
from tui.core.statements import split

replace = msgspec.structs.replace

PATCH = """
create schema if not exists private;
create table if not exists app.docs (id uuid primary key);
alter table app.tenants
  add column if not exists plan text not null default '';
create index if not exists docs_tenant_id_idx on app.docs (tenant_id);
create or replace function app.touch() returns trigger language plpgsql as $$ begin return new; end $$;
drop trigger if exists docs_touch on app.docs;
create trigger docs_touch before update on app.docs for each row execute function app.touch();
alter table app.docs enable row level security;
alter table app.tenants enable row level security;
do $$ begin execute 'drop policy old on app.tenants'; end $$;
drop policy if exists docs_select on app.docs;
create policy docs_select on app.docs for select to authenticated using (true);
drop policy if exists gone on app.docs;
revoke all on app.docs from anon;
grant select on app.docs to authenticated;
create or replace view app.my_docs as select id from app.docs;
update app.tenants set plan = 'x';
"""

ROLLBACK = """
drop policy if exists docs_select on app.docs;
drop trigger if exists docs_touch on app.docs;
drop view if exists app.my_docs;
drop table audit.log;
"""


def verbs(live: Catalog, script: str = PATCH, action: str = "apply") -> dict[str, str]:
    assert action in ("apply", "rollback")
    items = preview(split(script), EXPECTATION, live, action)  # type: ignore[arg-type]
    assert len({item.object for item in items}) == len(items), "an object is named once"
    return {item.object: item.verb for item in items}


def test_on_a_database_without_it_everything_is_created() -> None:
    found = verbs(LEGACY)
    created = {
        "schema private",
        "table app.docs",
        "column app.tenants.plan",
        "index docs_tenant_id_idx on app.docs",
        "function app.touch()",
        "trigger docs_touch on app.docs",
        "row level security on app.docs",
        "policy docs_select on app.docs",
        "policy tenants_select on app.tenants",
        "grants on app.docs",
        "view app.my_docs",
        "grants on app.my_docs",
    }
    assert {name for name, verb in found.items() if verb == "create"} == created
    assert {name for name, verb in found.items() if verb == "alter"} == {
        "row level security on app.tenants",
        "rows of app.tenants",
        "grants on app.tenants",
    }
    assert set(found.values()) == {"create", "alter"}


def test_on_itself_nothing_is_created_or_dropped() -> None:
    found = verbs(mirror())
    assert set(found.values()) == {"leave", "replace", "alter"}
    replaced = {name for name, verb in found.items() if verb == "replace"}
    assert replaced == {
        "function app.touch()",
        "trigger docs_touch on app.docs",
        "policy docs_select on app.docs",
        "view app.my_docs",
    }
    assert {name for name, verb in found.items() if verb == "alter"} == {"rows of app.tenants"}


def test_policies_of_strangers_on_old_tables_are_dropped_first_with_their_text() -> None:
    (table,) = LEGACY.tables
    theirs = (Policy("old", "select", True, ("public",), "(auth.uid() = id)"), Policy("Old 2", "all", True, ("anon",)))
    live = replace(LEGACY, tables=(replace(table, policies=theirs),))
    first, second, *_ = preview(split(PATCH), EXPECTATION, live, "apply")
    assert (first.verb, first.object, first.table, first.statement) == (
        "drop",
        "policy old on app.tenants",
        "app.tenants",
        None,
    )
    assert first.definition == "permissive for select to public using (auth.uid() = id)"
    assert (second.verb, second.object) == ("drop", "policy Old 2 on app.tenants")


def test_policies_of_strangers_on_created_tables_are_not_claimed_to_be_dropped() -> None:
    live = change_table(mirror(), "app.docs", policies=(Policy("theirs", "all", True, ("public",)),))
    assert strangers(EXPECTATION, live) == ()


def test_what_is_replaced_or_left_shows_what_is_there() -> None:
    items = {item.object: item for item in preview(split(PATCH), EXPECTATION, mirror(), "apply")}
    assert items["policy docs_select on app.docs"].definition.startswith("permissive for select to authenticated")
    assert items["trigger docs_touch on app.docs"].definition.startswith("BEFORE UPDATE ON app.docs")
    assert "authenticated: UPDATE of state" in items["grants on app.docs"].definition


def test_items_point_at_their_statement() -> None:
    statements = split(PATCH)
    items = {item.object: item for item in preview(statements, EXPECTATION, mirror(), "apply")}
    for name, words in {
        "schema private": "create schema",
        "policy docs_select on app.docs": "create policy docs_select",
        "trigger docs_touch on app.docs": "create trigger docs_touch",
        "rows of app.tenants": "update app.tenants",
        "column app.tenants.plan": "alter table app.tenants",
    }.items():
        at = items[name].statement
        assert at is not None and statements[at].text.startswith(words)


def test_a_wrong_grant_is_altered_a_right_one_left() -> None:
    live = change_table(mirror(), "app.docs", grants=())
    assert verbs(live)["grants on app.docs"] == "alter"
    assert verbs(mirror())["grants on app.docs"] == "leave"


def test_publication_entries_are_told_although_a_block_makes_them() -> None:
    published = mirror().publications
    assert verbs(mirror())["publication live on app.docs"] == "leave"
    emptied = replace(mirror(), publications=(replace(published[0], tables=()),))
    assert verbs(emptied)["publication live on app.docs"] == "create"
    assert "publication live on app.docs" not in verbs(replace(mirror(), publications=()))


def test_a_rollback_drops_what_is_there_and_says_nothing_of_what_is_not() -> None:
    assert verbs(mirror(), ROLLBACK, "rollback") == {
        "policy docs_select on app.docs": "drop",
        "trigger docs_touch on app.docs": "drop",
        "view app.my_docs": "drop",
        # Beyond what the look covers: it may well be there, so it is told.
        "table audit.log": "drop",
    }
    assert verbs(rolled_back(), ROLLBACK, "rollback") == {"table audit.log": "drop"}


@pytest.mark.parametrize("verb", ["create", "alter", "replace", "leave", "drop"])
def test_preview_of_a_verb_keeps_the_order(verb: str) -> None:
    items = preview(split(PATCH), EXPECTATION, mirror(), "apply")
    found = Preview(items).of(verb)  # type: ignore[arg-type]
    assert found == tuple(item for item in items if item.verb == verb)


@given(st.lists(st.sampled_from([line for line in (PATCH + ROLLBACK).split(";\n") if line.strip()]), max_size=12))
def test_any_script_gives_each_object_once_or_in_turn(lines: list[str]) -> None:
    statements = split(";\n".join(lines))
    for live in (Catalog(), LEGACY, mirror()):
        for action in ("apply", "rollback"):
            for item in preview(statements, EXPECTATION, live, action):
                assert item.statement is None or 0 <= item.statement < len(statements)
                assert item.verb != "create" or not item.definition
