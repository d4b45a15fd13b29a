"""Working out a restore: what must stand in the end, what is lost and said, and the order of the statements."""

from __future__ import annotations

import msgspec
import pytest

from tests.core.world import change_table, mirror
from tui.core.catalog import Catalog, Column, Constraint, Grant, Policy, PublishedTable, Table, View
from tui.core.restore import RECORD, Restorable, Restore, Role, plan_restore, restore_checks
from tui.core.restore_words import meaning, restore_preflight
from tui.core.statements import split
from tui.core.surface import diff

replace = msgspec.structs.replace

ROLLBACK = split("drop policy if exists docs_select on app.docs; drop view if exists app.my_docs;")
ROLES = (
    *(Role(name, False) for name in ("anon", "authenticated", "service_role")),
    Role("owner", True, ("app",)),
    Role("landless", True, ("public",)),
)

LEGACY = Catalog(
    tables=(
        Table(
            "app.tenants",
            "owner",
            True,
            False,
            False,
            (Column("id", "uuid", False), Column("name", "text", True)),
            policies=(Policy("old", "all", True, ("public",), "(true)", comment="why"),),
            grants=(Grant("anon", "SELECT"), Grant("authenticated", "ALL")),
        ),
    )
)
"""One table from before the patch, open to everybody."""


def worked_out(
    before: Catalog = LEGACY, live: Catalog | None = None, *, closed: bool = False, **other: object
) -> Restore:
    live = live or mirror()
    recorded = replace(Restorable("run", "2026-02-02T10:00:00+00:00", before, live, ROLES), **other)
    return plan_restore(recorded, live, ROLLBACK, closed=closed, user="owner")


def table(catalog: Catalog, name: str) -> Table:
    found = catalog.table(name)
    assert found is not None
    return found


def test_what_was_before_is_in_the_result_and_the_rest_is_closed() -> None:
    restore = worked_out()
    old, new = table(restore.result, "app.tenants"), table(restore.result, "app.docs")
    was = table(LEGACY, "app.tenants")
    assert (old.policies, old.grants, old.rls) == (was.policies, was.grants, False)
    assert {column.name for column in old.columns} >= {"id", "name", "plan"}
    assert (new.policies, new.grants, new.rls) == ((), (), True)
    assert new.columns == table(mirror(), "app.docs").columns
    assert restore.result.views == ()
    assert restore.result.functions == mirror().functions
    assert restore.result.publications[0].tables == ()
    assert restore.losses == restore.withheld == ()


def test_a_closed_one_keeps_the_door_shut_and_says_so() -> None:
    restore = worked_out(closed=True)
    old = table(restore.result, "app.tenants")
    assert old.rls
    assert {grant.grantee for grant in old.grants} == {"authenticated"}
    assert {loss.object for loss in restore.withheld} == {
        "row level security on app.tenants",
        "grant SELECT to anon on app.tenants",
    }
    assert restore.hidden == ()
    without = change_table(LEGACY, "app.tenants", policies=())
    assert worked_out(without, closed=True).hidden == ("app.tenants",)
    assert "see no rows" in meaning(worked_out(without, closed=True))[-1]
    assert "open again: row level security goes off on app.tenants" in meaning(worked_out(without))[-1]


@pytest.mark.parametrize(
    ("grants", "rls", "says"),
    [
        ((Grant("anon", "SELECT"),), False, "goes off on app.tenants, and every right of before is back, anon's incl"),
        ((Grant("public", "SELECT"), Grant("anon", "INSERT")), True, "open again: every right of before is back, anon's"
         " and PUBLIC's included."),
        ((Grant("authenticated", "ALL"),), False, "goes off on app.tenants, and every right of before is back; neither "
         "anon nor PUBLIC gains one."),
        ((Grant("authenticated", "ALL"),), True, "let in gets in again: every right of before is back; neither anon "
         "nor PUBLIC gains one, and no row level security goes off."),
    ],
)  # fmt: skip
def test_an_open_one_says_what_it_opens_and_no_more(grants: tuple[Grant, ...], rls: bool, says: str) -> None:
    told = meaning(worked_out(change_table(LEGACY, "app.tenants", grants=grants, rls=rls)))[-1]
    assert says in told
    assert ("The holes" in told) is ("anon's" in says or not rls)


def test_a_right_that_anon_has_now_is_not_called_regained() -> None:
    grants = (Grant("anon", "SELECT"),)
    live = change_table(mirror(), "app.tenants", grants=grants)
    told = meaning(worked_out(change_table(LEGACY, "app.tenants", grants=grants, rls=True), live))[-1]
    assert "neither anon nor PUBLIC gains one" in told


@pytest.mark.parametrize(
    ("options", "grants", "told"),
    [
        ((), (Grant("authenticated", "SELECT"),), True),
        (("security_invoker=off",), (Grant("authenticated", "SELECT"),), True),
        (("security_invoker=true",), (Grant("authenticated", "SELECT"),), False),
        ((), (Grant("anon", "SELECT"),), False),  # what is kept from anon is kept from everybody here
    ],
)
def test_a_view_past_the_policies_is_told(options: tuple[str, ...], grants: tuple[Grant, ...], told: bool) -> None:
    view = View("app.all_docs", "owner", ("id",), "SELECT docs.id FROM app.docs", options, grants)
    restore = worked_out(replace(LEGACY, views=(view,)), closed=True)
    assert any("app.all_docs" in said for said in meaning(restore)) is told


def test_nothing_to_do_is_no_statement() -> None:
    done = worked_out().result
    again = plan_restore(Restorable("run", "2026", LEGACY, done, ROLES), done, ROLLBACK, closed=False, user="owner")
    assert again.statements == ()
    assert {change.kind for change in again.changes} == {"unchanged"}


def test_statements_have_places_of_their_own() -> None:
    statements = worked_out().statements
    lines = [statement.line for statement in statements]
    assert lines == sorted(set(lines))
    assert statements[0].text.startswith("select set_config('search_path', ''")
    assert any(s.kind == "create policy" and s.object == "old" and s.on == "app.tenants" for s in statements)
    assert RECORD.startswith("(")


def lost(restore: Restore) -> dict[str, str]:
    return {loss.object: loss.reason for loss in restore.losses}


LOSSES = {
    "a role that is gone, in a policy": (
        change_table(LEGACY, "app.tenants", policies=(Policy("p", "all", True, ("anon", "gone"), "(true)"),)),
        "policy p on app.tenants",
        "gone does not exist",
    ),
    "a role that is gone, with a right": (
        change_table(LEGACY, "app.tenants", grants=(Grant("gone", "SELECT"),)),
        "grant SELECT to gone on app.tenants",
        "gone does not exist",
    ),
    "a right that somebody else had given": (
        change_table(LEGACY, "app.tenants", grants=(Grant("anon", "SELECT", grantor="authenticated"),)),
        "grant SELECT to anon on app.tenants",
        "authenticated had given it",
    ),
    "a right on a column that is gone": (
        change_table(LEGACY, "app.tenants", grants=(Grant("anon", "SELECT", column="slug"),)),
        "grant SELECT to anon on app.tenants.slug",
        "the column is gone",
    ),
    "an owner that is gone": (
        change_table(LEGACY, "app.tenants", owner="gone"),
        "owner of table app.tenants",
        "gone does not exist",
    ),
    "an owner that nothing may be given to": (
        change_table(LEGACY, "app.tenants", owner="anon"),
        "owner of table app.tenants",
        "can not be given anything",
    ),
    "an owner that may create nothing there": (
        change_table(LEGACY, "app.tenants", owner="landless"),
        "owner of table app.tenants",
        "may not create anything in schema app",
    ),
    "a column of another type": (
        change_table(LEGACY, "app.tenants", columns=(Column("id", "bigint", False), Column("name", "text", True))),
        "column app.tenants.id",
        "it was bigint",
    ),
    "a constraint that is gone": (
        change_table(LEGACY, "app.tenants", constraints=(Constraint("named", "check", "CHECK (true)"),)),
        "constraint named on app.tenants",
        "it is gone",
    ),
    "rights that were never written down": (
        change_table(LEGACY, "app.tenants", acl_default=True),
        "rights on app.tenants",
        "never written down",
    ),
    "a table that is gone": (
        replace(LEGACY, tables=(*LEGACY.tables, Table("app.gone", "owner", True, False, False))),
        "table app.gone",
        "it is gone",
    ),
    "a materialized view": (
        replace(LEGACY, views=(View("app.my_docs", "owner", ("id",), "select 1", materialized=True),)),
        "view app.my_docs",
        "not filled again",
    ),
}


@pytest.mark.parametrize("name", LOSSES)
def test_what_can_not_be_put_back_is_said(name: str) -> None:
    before, label, reason = LOSSES[name]
    restore = worked_out(before)
    assert list(lost(restore)) == [label]
    assert reason in lost(restore)[label]
    # What is lost is not expected either: else no restore could ever be committed.
    assert not any("gone" in statement.text for statement in restore.statements)
    (_, warning) = restore_preflight(Restorable("run", "2026", before, mirror(), ROLES), restore, mirror())
    assert (warning.level, label in warning.meaning) == ("warn", True)


def test_somebody_elses_table_stays_as_it_is() -> None:
    live = change_table(mirror(), "app.tenants", usable=False, owner="somebody")
    restore = worked_out(change_table(LEGACY, "app.tenants", owner="somebody"), live)
    assert lost(restore) == {"table app.tenants": "it belongs to somebody: what changed on it stays"}
    assert diff(Catalog(tables=(table(live, "app.tenants"),)), Catalog(tables=(table(restore.result, "app.tenants"),)))
    assert not any('"tenants"' in statement.text for statement in restore.statements)


def test_an_entry_of_a_whole_schema_is_left_alone() -> None:
    (live_publication,) = mirror().publications
    everything = (PublishedTable("app.docs", whole_schema=True), PublishedTable("app.tenants", whole_schema=True))
    live = replace(mirror(), publications=(replace(live_publication, tables=everything),))
    restore = worked_out(replace(LEGACY, publications=live.publications), live)
    assert restore.result.publications[0].tables == everything
    assert not any("publication" in statement.text for statement in restore.statements)


def test_views_come_back_in_the_order_in_which_they_read_each_other() -> None:
    views = (
        View("app.a", "owner", ("x",), "SELECT b.x FROM app.b"),
        View("app.b", "owner", ("x",), 'SELECT c.x FROM app."C c" c'),
        View("app.C c", "owner", ("x",), "SELECT 1 AS x;"),
    )
    made = [s.text for s in worked_out(replace(LEGACY, views=views)).statements if s.text.startswith("create view")]
    assert [text.split(" (")[0] for text in made] == [
        'create view "app"."C c"', 'create view "app"."b"', 'create view "app"."a"'
    ]  # fmt: skip


def test_checks_name_every_difference_and_what_moved_meanwhile() -> None:
    restore = worked_out()
    good = restore_checks(restore, mirror(), restore.result)
    assert good
    assert all(check.ok for check in good)
    spoilt = change_table(restore.result, "app.tenants", rls=True)
    (bad,) = [check for check in restore_checks(restore, mirror(), spoilt) if not check.ok]
    assert (bad.object, bad.name, bad.outcome) == ("table", "app.tenants", "differs")
    moved = change_table(mirror(), "app.docs", policies=())
    assert {check.name for check in restore_checks(restore, moved, restore.result) if not check.ok} == {
        policy.name for policy in table(mirror(), "app.docs").policies
    }


def test_drift_and_no_record_stop_it() -> None:
    live = change_table(mirror(), "app.docs", rls=False)
    recorded = Restorable("run", "2026", LEGACY, mirror(), ROLES)
    restore = plan_restore(recorded, live, ROLLBACK, closed=False, user="owner")
    (stop,) = restore_preflight(recorded, restore, live)
    assert (stop.level, "table app.docs altered" in stop.meaning) == ("stop", True)
    (stop,) = restore_preflight(None, None, live)
    assert (stop.level, "not known" in stop.meaning) == ("stop", True)
