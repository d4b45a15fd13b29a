"""Twin statements: quoting, groups, and what is left out."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.world import EXPECTATION
from tui.core.expectation import ExpectedPolicy
from tui.core.twin import quote_ident, twin_key, twin_statements


def test_each_relation_is_a_group_that_begins_with_itself() -> None:
    keys = [statement.key for statement in twin_statements(EXPECTATION)]
    assert keys == [
        "table app.docs",
        "constraint docs_pkey on app.docs",
        "index docs_tenant_id_idx on app.docs",
        "policy docs_select on app.docs",
        "policy docs_insert on app.docs",
        "policy docs_boundary on app.docs",
        "trigger docs_touch on app.docs",
        "table app.tenants",
        "policy tenants_select on app.tenants",
        "view app.my_docs",
    ]


def test_everything_is_made_in_the_temporary_schema() -> None:
    for statement in twin_statements(EXPECTATION):
        assert "pg_temp." in statement.sql or statement.sql.startswith("create temporary view ")


def test_a_policy_says_what_was_expected_and_no_more() -> None:
    by_key = {statement.key: statement.sql for statement in twin_statements(EXPECTATION)}
    assert by_key[twin_key("policy", "app.docs", "docs_insert")] == (
        'create policy "docs_insert" on pg_temp."docs" as permissive for insert to "authenticated"'
        " with check ((state = 'a  b'::text))"
    )
    assert by_key["view app.my_docs"].startswith('create temporary view "my_docs" with (security_invoker = true) as ')


def test_public_is_a_key_word_not_a_role() -> None:
    table = msgspec.structs.replace(
        EXPECTATION.tables[0], policies=(ExpectedPolicy("p", "all", roles=("public", "Public"), using="true"),)
    )
    statements = twin_statements(msgspec.structs.replace(EXPECTATION, tables=(table,), views=()))
    assert any(' to public, "Public" using (true)' in statement.sql for statement in statements)


@given(st.text(st.characters(exclude_characters="\0"), min_size=1))
def test_a_quoted_identifier_can_not_be_left(name: str) -> None:
    quoted = quote_ident(name)
    assert quoted[0] == quoted[-1] == '"'
    assert quoted[1:-1].replace('""', "") == name.replace('"', "")
    assert quoted[1:-1].replace('""', '"') == name


def test_a_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        quote_ident("a\0b")
