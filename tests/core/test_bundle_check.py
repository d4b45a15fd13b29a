"""`bundle check` without a database: each kind of fault is found, in its place, and all of them at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import BUNDLE, ROOT
from tui.core.bundle import BundleError, load
from tui.core.bundle_check import Checkup, check
from tui.core.bundle_queries import parameters, result_columns
from tui.files import Folder

BUNDLES = ROOT / "tests" / "bundles"
LIBRARY = dict(Folder(BUNDLES / "library"))
PATCH, ROLLBACK, MANIFEST, EXPECTED = "PATCH.sql", "ROLLBACK.sql", "bundle.toml", "expected.toml"
NEW, WINDOW = "panels/loans_new.sql", "panels/loans_window.sql"


def changed(file: str, old: str, new: str) -> dict[str, str]:
    assert old in LIBRARY[file], f"{file} has changed; this case no longer makes its fault"
    return {**LIBRARY, file: LIBRARY[file].replace(old, new, 1)}


@pytest.mark.parametrize("folder", [BUNDLE, BUNDLES / "library", BUNDLES / "annex"])
def test_a_good_bundle_has_no_fault(folder: Path) -> None:
    found = check(Folder(folder))
    assert found.faults == ()
    assert found.bundle == load(Folder(folder))


ERRORS = {
    "a control statement": (PATCH, "drop trigger if", "commit;\ndrop trigger if", PATCH, "commit;", "COMMIT would end"),
    "a quote that stays open": (PATCH, "'cellar'", "'cellar", PATCH, "and exists (select", "never closed"),
    "an empty rollback": (ROLLBACK, LIBRARY[ROLLBACK], "-- nothing\n", ROLLBACK, "", "holds no statement"),
    "not TOML": (EXPECTED, "[[views]]", "[[views]", EXPECTED, "[[views]", "not valid TOML"),
    "a wrong word": (EXPECTED, '"insert"', '"insrt"', EXPECTED, "loans_take", "Invalid enum value 'insrt'"),
    "an unknown key": (MANIFEST, "title =", "tittle =", MANIFEST, "tittle", "unknown field `tittle`"),
    "a name without schema": (EXPECTED, '"public.loans"', '"loans"', EXPECTED, '"loans"', "write schema.name"),
    "a table twice": (EXPECTED, '"public.loans"', '"public.books"', EXPECTED, "[[tables]]", "twice"),
    "a policy twice": (EXPECTED, '"loans_take"', '"loans_read"', EXPECTED, "insert", "has loans_read twice"),
    "using for insert": (EXPECTED, '"insert", check', '"insert", using', EXPECTED, "loans_take", "no `using`"),
    "check for select": (
        EXPECTED, '"select", using = "shelf', '"select", check = "shelf', EXPECTED, "books_read", "no `check`",
    ),
    "a trigger that never fires": (EXPECTED, "before update", "on update", EXPECTED, "books_touch", "`fires` is such"),
    "a function without arguments": (
        EXPECTED, 'name = "public.touch()"', 'name = "public.touch"', EXPECTED, '"public.touch"', "lacks its arguments",
    ),
    "an unknown right": (EXPECTED, '["SELECT", "INSERT"]', '["SELECT", "WRITE"]', EXPECTED, '"WRITE"', "'WRITE' is no"),
    "a right on no column": (EXPECTED, '"brought_at"]', '"bought_at"]', EXPECTED, "[tables.column", "no column of it"),
    "a panel file that is not there": (MANIFEST, "loans_new", "loan_new", "panels/loan_new.sql", "", "not found"),
    "a file outside": (MANIFEST, "panels/loans_new", "../loans_new", "../loans_new.sql", "", "not found"),
    "a panel without a source it needs": (MANIFEST, "running =", "note =", MANIFEST, "[[panels]]", "needs `running`"),
    "a column too few": (NEW, "select l.id::text,", "select", NEW, "select", "here are 7"),
    "a parameter that is not sent": (NEW, "limit $3", "limit $9", NEW, "select", "uses just those"),
    "two statements": (WINDOW, "-- Buckets", "select 1;\n-- Buckets", WINDOW, "select to_", "statement; here are 2"),
    "a query that writes": (
        WINDOW, LIBRARY[WINDOW], "update public.loans set taken_at = now()", WINDOW, "update", "may only read",
    ),
    "an odd name": (MANIFEST, 'name = "library"', 'name = "my library"', MANIFEST, "my library", "letters, digits"),
}  # fmt: skip


@pytest.mark.parametrize("what", ERRORS)
def test_an_error_is_found_in_its_place(what: str) -> None:
    file, old, new, blamed, line, says = ERRORS[what]
    files = changed(file, old, new)
    _found(check(files), files, "error", blamed, line, says)


WARNINGS = {
    "a policy that is never made": (PATCH, "create policy loans_take", "create policy loans_take_out",
                                    EXPECTED, "loans_take", "policy loans_take on public.loans is expected, and"),
    "one that nobody expects": (PATCH, "create policy loans_take", "create policy loans_take_out",
                                PATCH, "create policy loans_take_out", "verified, it is a failure"),
    "an index that is never made": (PATCH, "loans_book_idx", "loans_book", EXPECTED, "loans_book_idx",
                                    "never makes it"),
    "a table that is never made": (EXPECTED, '"public.loans"', '"public.lendings"', EXPECTED, "[[tables]]",
                                   "table public.lendings is expected"),
    "a column that is never made": (PATCH, "brought_at timestamptz", "returned_at timestamptz", EXPECTED,
                                    "brought_at", "column brought_at of public.loans"),
    "a view that is never made": (EXPECTED, "public.open_loans", "public.open", EXPECTED, "[[views]]",
                                  "view public.open is expected"),
    "a view nobody looks at": (EXPECTED, "public.open_loans", "public.open", PATCH, "create or replace view",
                               "nothing verifies it"),
    "a function that is never made": (PATCH, "public.touch() returns", "public.touched() returns", EXPECTED,
                                      "[[functions]]", "function public.touch() is expected"),
    "a table altered unseen": (PATCH, "drop trigger", "alter table public.shelves drop x;\ndrop trigger", PATCH,
                               "public.shelves drop", 'lock = "ACCESS EXCLUSIVE"'),
    "a policy on a table of nobody": (PATCH, "create policy books_read on public.books",
                                      "create policy books_read on public.boks", PATCH, "on public.boks",
                                      "public.boks is neither created here nor named"),
    "a lock too weak": (MANIFEST, "SHARE ROW EXCLUSIVE", "ACCESS SHARE", PATCH,
                        "create table if not exists public.loans", 'for which the prerequisites have only'),
    "a lock for nothing": (PATCH, "references auth.users (id) on delete cascade", "", MANIFEST, "SHARE ROW EXCLUSIVE",
                           "no statement of PATCH.sql needs it"),
    "a policy that does nothing": (PATCH, "alter table public.books enable row level security;", "", PATCH,
                                   "create policy books_read", "policy books_read does nothing"),
    "a policy that stays": (ROLLBACK, "drop policy if exists loans_take on public.loans;", "", PATCH,
                            "create policy loans_take", "stays after a rollback"),
    "a drop of what is not ours": (ROLLBACK, "loans_take on", "loans_taken on", ROLLBACK, "loans_taken",
                                   "which PATCH.sql does not make"),
    "a rollback that can not commit": (ROLLBACK, "drop view", "drop table public.loans;\ndrop view", ROLLBACK,
                                       "drop table", "one that does more does not commit"),
    "policies behind an open door": (EXPECTED, 'origin = "created"', 'origin = "created"\nrls = false', EXPECTED,
                                     "rls =", "they do nothing"),
    "a role nobody looks at": (EXPECTED, 'authenticated = ["SELECT"]', 'reporting = ["SELECT"]', EXPECTED,
                               "reporting", "rights of reporting are not looked at"),
    "a constraint that is never made": (EXPECTED, '"loans_reader_fkey"', '"reader_known"', EXPECTED, "reader_known",
                                        "constraint reader_known of public.loans is expected"),
    "a role with a slip": (EXPECTED, 'command = "insert"', 'command = "insert", roles = ["authentcated"]', EXPECTED,
                           "authentcated", "is for authentcated, a role that the prerequisites do not name"),
    "a version that is no time": (MANIFEST, "20260101000000", "1.0", MANIFEST, "version", "YYYYMMDDhhmmss"),
    "a server nobody tested": (MANIFEST, "version = 15", "version = 12", MANIFEST, "min_server", "PostgreSQL 15 to 18"),
}  # fmt: skip


@pytest.mark.parametrize("what", WARNINGS)
def test_a_warning_is_given_in_its_place(what: str) -> None:
    file, old, new, blamed, line, says = WARNINGS[what]
    files = changed(file, old, new)
    found = check(files)
    _found(found, files, "warning", blamed, line, says)
    assert found.errors == 0
    assert found.bundle is not None


def _found(found: Checkup, files: dict[str, str], level: str, file: str, line: str, says: str) -> None:
    told = [fault for fault in found.faults if (fault.level, fault.file) == (level, file) and says in fault.reason]
    assert told, found.faults
    if line:
        assert line in files[file].splitlines()[(told[0].line or 0) - 1], told[0]


def test_what_a_block_of_code_makes_is_not_doubted() -> None:
    files = changed(PATCH, "create policy loans_take", "create policy loans_take_out")
    files[PATCH] += "do $$ begin execute 'create policy loans_take on public.loans'; end $$;\n"
    assert not [fault for fault in check(files).faults if fault.file == EXPECTED]


def test_all_faults_are_told_in_the_order_of_the_files() -> None:
    files = changed(EXPECTED, '"insert", check', '"insert", using')
    files[PATCH] = "commit;\n" + files[PATCH] + "vacuum;\n"
    files[MANIFEST] = files[MANIFEST].replace("loans_running.sql", "nowhere.sql")
    files[WINDOW] = "select 1, 2"
    found = check(files)
    assert found.bundle is None
    assert [(fault.file, fault.line, fault.column) for fault in found.faults if fault.level == "error"] == [
        (PATCH, 1, 1), (PATCH, 66, 1), (EXPECTED, 42, None),
        (WINDOW, 1, None), (WINDOW, 1, None), ("panels/nowhere.sql", None, None),
    ]  # fmt: skip


def test_an_isolation_file_is_checked_whole() -> None:
    files = dict(Folder(BUNDLE))
    text = files["isolation.toml"].replace('resident = "stranger"', 'resident = "strange"', 1)
    files["isolation.toml"] = text.replace('own = "A"\nforeign = "B"', 'own = "Z"\nforeign = "B"', 1)
    faults = check(files).faults
    said = {fault.reason.partition(" at ")[0] for fault in faults}
    assert said >= {"'strange' is no user of this file", "'Z' is no tenant of this file"}
    assert all(fault.line for fault in faults)


@pytest.mark.parametrize("file", [MANIFEST, EXPECTED, PATCH, ROLLBACK, NEW])
def test_whatever_is_refused_by_a_run_is_an_error_here(file: str) -> None:
    """Each line cut in half: nothing raises, and what `load` refuses is not called usable."""
    lines = LIBRARY[file].splitlines(keepends=True)
    refused = 0
    for number, line in enumerate(lines):
        files = {**LIBRARY, file: "".join([*lines[:number], line[: len(line) // 2] + "\n", *lines[number + 1 :]])}
        found = check(files)
        try:
            load(files)
        except BundleError:
            refused += 1
            assert found.errors, line
        assert (found.bundle is None) == bool(found.errors)
    assert refused or file not in (MANIFEST, EXPECTED, PATCH)


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("select a, b, (select c, d) from t", 3),
        ("select 1", 1),
        ("select distinct on (a, b) a, b, c from t", 3),
        ("with x as (select 1, 2 from y), z (a, b) as (select 3, 4) select a, b, array[1, 2], f(1, 2) from x", 4),
        ("select a is distinct from b, c from t", 2),
        ("select percentile_cont(0.5) within group (order by x), extract(epoch from y), 'from', \"a,b\" from t", 4),
        ("select a * b, -1,-2 from t", 3),
        ("select a, b union all select c, d", 2),
        ("select * from t", None),
        ("select a,t.*,b from t", None),
        ("select t.* from t", None),
        ("(select a, b from t) union all (select c, d from t)", None),
        ("values (1, 2)", None),
    ],
)
def test_columns_are_counted_where_the_text_says_them(sql: str, columns: int | None) -> None:
    assert result_columns(sql) == columns


def test_parameters_are_those_outside_strings() -> None:
    assert parameters("select $1, '$2', $$ $3 $$, $12 -- $4\n, \"$5\"") == {1, 12}
