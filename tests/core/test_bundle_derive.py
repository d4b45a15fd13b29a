"""An expectation derived from two catalogs, and written as the file it reads back from."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import BUNDLE, ROOT
from tui.core.bundle_derive import derive
from tui.core.bundle_gaps import gaps
from tui.core.bundle_toml import expected_toml, toml_string
from tui.core.catalog import (
    Catalog,
    Column,
    Constraint,
    Function,
    Grant,
    Index,
    Policy,
    Publication,
    PublishedTable,
    Schema,
    Table,
    Trigger,
    View,
)
from tui.core.checklist import compare
from tui.core.expectation import (
    Expectation,
    ExpectedColumn,
    ExpectedFunction,
    ExpectedIndex,
    ExpectedPolicy,
    ExpectedSchema,
    ExpectedTable,
    ExpectedTrigger,
)
from tui.core.grantchecks import ALL_PRIVILEGES
from tui.core.statements import split
from tui.core.toml_shape import read
from tui.core.twin import trigger_tail

ID = Column("id", "bigint", True, identity="a")


def table(name: str, *columns: Column, rls: bool = False, **parts: object) -> Table:
    return Table(name, "postgres", True, rls, False, columns, **parts)  # type: ignore[arg-type]


def test_what_a_patch_creates_is_said_whole() -> None:
    made = table(
        "app.docs",
        ID,
        Column("title", "text", True, "'x'::text", comment="what it is called"),
        Column("size", "integer", False, "length(title)", generated="s"),
        rls=True,
        constraints=(Constraint("docs_pkey", "primary key", "PRIMARY KEY (id)"),),
        indexes=(Index("docs_title_idx", "btree (title)\n  WHERE (title <> 'a\n  b'::text)"),),
        policies=(Policy("docs_read", "select", False, ("anon", "authenticated"), "(title <> ''::text)"),),
        triggers=(
            Trigger(
                "stamp",
                'BEFORE INSERT OR UPDATE OF title, "Odd" ON app.docs FOR EACH ROW WHEN ((new.title IS NOT NULL))'
                " EXECUTE FUNCTION app.stamp('x')",
            ),
            Trigger("late", "AFTER INSERT ON app.docs DEFERRABLE FOR EACH ROW EXECUTE FUNCTION app.stamp()"),
            Trigger(
                "many",
                "AFTER INSERT ON app.docs REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION app.s()",
            ),
        ),
        grants=(
            Grant("authenticated", "SELECT"),
            Grant("authenticated", "UPDATE", column="title"),
            Grant("reporting", "SELECT"),
            *(Grant("service_role", privilege) for privilege in (*sorted(ALL_PRIVILEGES), "MAINTAIN")),
        ),
    )
    found = derive(Catalog(), Catalog(tables=(made,)), ())
    (said,) = found.tables
    assert said.origin == "created"
    assert said.columns == (
        ExpectedColumn("id", "bigint generated always as identity", True),
        ExpectedColumn("title", "text", True, "'x'::text"),
        ExpectedColumn("size", "integer generated always as (length(title)) stored"),
    )
    assert said.indexes == (ExpectedIndex("docs_title_idx", "btree (title) WHERE (title <> 'a\n  b'::text)"),)
    assert said.policies == (
        ExpectedPolicy("docs_read", "select", "restrictive", ("anon", "authenticated"), "(title <> ''::text)"),
    )
    assert said.triggers == (
        ExpectedTrigger(
            "stamp", 'before insert or update of title, "Odd"', "app.stamp('x')", "row", "(new.title IS NOT NULL)"
        ),
    )
    assert said.grants == {"authenticated": ("SELECT",), "service_role": ("ALL",)}
    assert said.column_grants == {"authenticated": {"UPDATE": ("title",)}}


def test_of_a_table_from_before_only_what_is_the_patch_s_is_said() -> None:
    old = table(
        "app.docs", ID, Column("title", "text", False), Column("owner", "uuid", False), Column("notes", "text", False),
        constraints=(Constraint("docs_pkey", "primary key", "PRIMARY KEY (id)"),),
        indexes=(Index("docs_notes_idx", "btree (notes)"),),
        policies=(Policy("kept", "select", True, ("public",), "true"),),
        triggers=(Trigger("theirs", "BEFORE UPDATE ON app.docs FOR EACH ROW EXECUTE FUNCTION app.t()"),),
    )  # fmt: skip
    new = msgspec.structs.replace(
        old,
        rls=True,
        columns=(*old.columns[:1], Column("title", "text", True), *old.columns[2:], Column("tag", "text", False)),
        policies=(*old.policies, Policy("own", "select", True, ("authenticated",), "(owner = auth.uid())")),
    )
    other = table("app.other", ID)
    (said,) = derive(Catalog(tables=(old, other)), Catalog(tables=(new, other)), ()).tables
    assert (said.name, said.origin, said.rls) == ("app.docs", "existing", True)
    assert [(column.name, column.added) for column in said.columns] == [
        ("title", False),  # it takes no NULL any more
        ("owner", False),  # a policy reads it
        ("tag", True),
    ]
    assert (said.constraints, said.indexes, said.triggers) == ((), (), ())
    assert [policy.name for policy in said.policies] == ["kept", "own"]
    # Were it said to be added, a database from before the patch would seem to have a part of it.
    (gap,) = gaps(Catalog(tables=(old, other)), Catalog(tables=(new, other)), ())
    assert gap.what.startswith("column app.docs.title: of a column from before only its type is verified")


def test_what_was_so_before_is_said_when_the_patch_names_it() -> None:
    same = Catalog(
        tables=(table("public.b", ID, rls=True), table("public.a", ID, rls=True), table("public.c", ID)),
        views=(View("public.v", "postgres", ("x",), "SELECT 1 AS x;"),),
        functions=(Function("public.f(integer)", "postgres", "integer", "sql", "stable", False, "\n select 1\n"),),
        schemas=(Schema("app", "postgres"),),
    )
    patch = split(
        "create table if not exists a (); alter table public.b enable row level security;"
        "create or replace view v as select 1; create or replace function public.f(x int) returns int as $$ $$;"
    )
    found = derive(same, same, patch)
    assert [one.name for one in found.tables] == ["public.a", "public.b"], "in the order of the script"
    assert [one.definition for one in found.views] == ["SELECT 1 AS x"]
    assert [(one.name, one.body) for one in found.functions] == [("public.f(integer)", " select 1\n")]
    assert found.schemas == ()


def test_publications_say_what_came_and_what_went() -> None:
    def published(*names: str) -> tuple[Publication, ...]:
        return (Publication("live", False, tuple(PublishedTable(name) for name in names)),)

    before, after = Catalog(publications=published("a.x", "a.y")), Catalog(publications=published("a.x", "a.z"))
    (plain,) = derive(before, after, split("alter publication live set table a.x, a.z")).publications
    assert (plain.tables, plain.absent, plain.optional) == (("a.z",), ("a.y",), False)
    (asked,) = derive(before, after, split("do $$ begin alter publication live add table a.z; end $$")).publications
    assert asked.optional
    assert derive(before, before, ()).publications == ()


def test_what_the_file_has_no_words_for_is_told() -> None:
    patch = split(
        "create table t ();\ncreate type mood as enum ();\ncreate unique index u on t (x);\ninsert into t values (1);\n"
        "alter table t force row level security;\nalter table t no force row level security;\nset local x = 1;\n"
        "create extension pgcrypto;\ncomment on table t is 'x';\nalter default privileges grant all on tables to anon;"
    )
    assert [(gap.line, gap.what.partition(":")[0]) for gap in gaps(Catalog(), Catalog(), patch)] == [
        (2, "create type mood"), (3, "create index u"), (4, "insert t"), (5, "alter table t"),
        (8, "create extension pgcrypto"), (10, "alter default privileges"),
    ]  # fmt: skip


def test_the_bundles_here_read_back_as_they_are_written() -> None:
    for folder in (BUNDLE, ROOT / "tests/bundles/library", ROOT / "tests/bundles/annex"):
        expectation = read((folder / "expected.toml").read_text(encoding="utf-8"), Expectation)
        assert isinstance(expectation, Expectation)
        text = expected_toml(expectation, ["a heading", "", "of three lines"])
        assert text.startswith("# a heading\n#\n# of three lines\n\n[[tables]]\n")
        assert read(text, Expectation) == expectation
    assert read(expected_toml(Expectation(())), Expectation) == Expectation(())


_texts = st.text(alphabet=st.characters(exclude_categories=("Cs",)), max_size=12) | st.text(
    "'\"\\\n\r\t{}[],#=\x7f$", max_size=8
)
_many = st.lists(_texts, max_size=3).map(tuple)
_rights = st.dictionaries(_texts, _many, max_size=2)
_column = st.builds(ExpectedColumn, name=_texts, type=_texts, not_null=st.booleans(), default=st.none() | _texts)
_policy = st.builds(ExpectedPolicy, name=_texts, command=st.just("select"), roles=_many, using=st.none() | _texts)
_table = st.builds(
    ExpectedTable,
    name=_texts,
    origin=st.sampled_from(("created", "existing")),
    why=_texts,
    rls=st.booleans(),
    columns=st.lists(_column, max_size=2).map(tuple),
    policies=st.lists(_policy, max_size=2).map(tuple),
    grants=_rights,
    column_grants=st.dictionaries(_texts, _rights, max_size=2),
)
_function = st.builds(ExpectedFunction, name=_texts, returns=_texts, language=_texts, body=_texts, execute=_many)
_schema = st.builds(ExpectedSchema, name=_texts, usage=_many)


@settings(max_examples=40)
@given(
    st.builds(
        Expectation,
        tables=st.lists(_table, max_size=2).map(tuple),
        functions=st.lists(_function, max_size=2).map(tuple),
        schemas=st.lists(_schema, max_size=2).map(tuple),
    )
)
def test_whatever_is_in_it_is_read_back(expectation: Expectation) -> None:
    assert read(expected_toml(expectation), Expectation) == expectation


def test_half_a_character_is_written_as_a_question_mark() -> None:
    assert toml_string("a\udc80b") == '"a?b"'


def test_without_a_server_an_identity_is_not_proven_and_never_called_wrong() -> None:
    live = Catalog(tables=(table("app.docs", ID, Column("n", "integer", False, "1", generated="s")),))
    derived = derive(Catalog(), live, ())
    outcomes = {check.name: check.outcome for check in compare(derived, live, None, {}) if check.object == "column"}
    assert outcomes == {"id": "not_proven", "n": "not_proven"}
    plain = ExpectedTable("app.docs", "created", "", (ExpectedColumn("id", "bigint", True),), rls=False)
    (other,) = [
        check
        for check in compare(Expectation((plain,)), live, None, {})
        if (check.object, check.name) == ("column", "id")
    ]
    assert (other.outcome, "generated otherwise" in other.why) == ("differs", True)


def test_a_trigger_keeps_the_case_of_its_columns() -> None:
    trigger = ExpectedTrigger("t", 'before insert or update of "Mixed ""Case""", price', "app.f()")
    assert trigger_tail(trigger, "app.docs") == (
        'BEFORE INSERT OR UPDATE OF "Mixed ""Case""", PRICE ON app.docs FOR EACH ROW EXECUTE FUNCTION app.f()'
    )
