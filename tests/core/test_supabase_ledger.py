"""A bundle as a migration of the Supabase CLI: its statements, its file, and what can not be one."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support import BUNDLE
from tui.core.bundle import Bundle
from tui.core.statements import split
from tui.core.supabase_ledger import NotAMigration, migration, pieces
from tui.files import read_bundle


def cut(text: str) -> tuple[str, ...]:
    return pieces(text, split(text))


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("select 1;\nselect 2;\n", ("select 1", "select 2")),
        ("-- a\nselect 1 ; -- b\n\n/* c; */ select 2", ("-- a\nselect 1", "-- b\n\n/* c; */ select 2")),
        (";;\nselect 1;;\n;select 2;", ("select 1", "select 2")),
        ("select ';' as \";\" -- ;\n;", ("select ';' as \";\" -- ;",)),
        ("do $x$ begin null; end $x$;\r\nselect 1;", ("do $x$ begin null; end $x$", "select 1")),
        ("select 1;\n-- the end\n", ("select 1", "-- the end")),
        ("create rule r as on insert to t do (a; b);", ("create rule r as on insert to t do (a; b)",)),
        ("", ()),
    ],
)  # fmt: skip
def test_statements_are_cut_and_trimmed_as_the_cli_does(text: str, statements: tuple[str, ...]) -> None:
    assert cut(text) == statements


SCRAPS = st.sampled_from(["select 1", " ", "\n", ";", "-- a;b\n", "/* ; */", "'x;'", "$$;$$", '"a;"', "é", "(1;2)"])


@given(st.lists(SCRAPS, max_size=12).map("".join))
def test_nothing_but_final_semicolons_and_blanks_is_lost(text: str) -> None:
    parts = cut(text)
    at = 0
    for part in parts:
        found = text.index(part, at)
        assert text[at:found].strip(" \n;") == ""
        at = found + len(part)
    assert text[at:].strip(" \n;") == ""
    assert len(split(text)) <= len(parts)


def test_the_bundle_that_ships_is_one() -> None:
    bundle = read_bundle(BUNDLE)
    made = migration(bundle)
    assert made.file == f"supabase/migrations/{bundle.version}_multi_tenant.sql"
    assert made.text == (BUNDLE / "PATCH.sql").read_text(encoding="utf-8")
    assert len(made.statements) >= len(bundle.patch.statements)
    assert all(any(one.text in piece for piece in made.statements) for one in bundle.patch.statements)


@pytest.mark.parametrize(
    "changed",
    [
        {"version": "1.2"},
        {"version": "2025112200000"},
        {"name": "../up"},
        {"name": "a/b"},
        {"name": ""},
        {"name": ".x"},
    ],
)
def test_what_the_cli_could_not_read_is_refused(changed: dict[str, str]) -> None:
    bundle: Bundle = read_bundle(BUNDLE)
    with pytest.raises(NotAMigration, match=next(iter(changed))):
        migration(replace(bundle, manifest=msgspec.structs.replace(bundle.manifest, **changed)))
