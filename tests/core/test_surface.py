"""The surface: every object has a label of its own, equal catalogs are equal, any difference is seen."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.test_checklist import FAULTS, added, altered, first
from tests.core.world import change_table, mirror
from tui.core.catalog import Catalog, Constraint, Grant, Policy
from tui.core.surface import diff, digest, surface

replace = msgspec.structs.replace


def test_every_object_has_a_label_and_one_line() -> None:
    objects = surface(mirror())
    assert {
        "table app.docs",
        "column app.docs.state",
        "constraint docs_pkey on app.docs",
        "index docs_tenant_id_idx on app.docs",
        "policy docs_select on app.docs",
        "trigger docs_touch on app.docs",
        "grant authenticated on app.docs",
        "grant authenticated on app.docs.state",
        "view app.my_docs",
        "grant anon on app.my_docs",
        "function app.touch()",
        "publication live",
        "publication live on app.docs",
        "schema private",
    } <= set(objects)
    assert all(definition and "\n" not in definition for definition in objects.values())


def test_equal_catalogs_differ_in_nothing() -> None:
    assert {change.kind for change in diff(mirror(), mirror())} == {"unchanged"}
    assert digest(mirror()) == digest(mirror())


def test_order_is_no_part_of_it() -> None:
    live = mirror()
    assert digest(replace(live, tables=live.tables[::-1])) == digest(live)


# A column's place is no part of the surface: dropping one would seem to change all behind it.
SEEN = sorted(set(FAULTS) - {"columns in another order"})


@pytest.mark.parametrize("name", SEEN)
def test_each_fault_is_a_change_of_its_own(name: str) -> None:
    live, damaged = mirror(), FAULTS[name].damage(mirror())
    assert digest(live) != digest(damaged)
    forth = [change for change in diff(live, damaged) if change.kind != "unchanged"]
    back = [change for change in diff(damaged, live) if change.kind != "unchanged"]
    opposite = {"created": "dropped", "dropped": "created", "altered": "altered"}
    assert forth
    assert sorted((c.object, opposite[c.kind], c.after, c.before) for c in forth) == sorted(
        (c.object, c.kind, c.before, c.after) for c in back
    )


OTHER = {
    "owner": lambda live: change_table(live, "app.docs", owner="somebody"),
    "forced row level security": lambda live: change_table(live, "app.docs", force_rls=True),
    "default acl": lambda live: change_table(live, "app.docs", acl_default=True),
    "table comment": lambda live: change_table(live, "app.docs", comment=""),
    "policy comment": altered("policies", "docs_select", comment="why"),
    "unvalidated constraint": altered("constraints", "docs_pkey", validated=False),
    "view owner": first("views", owner="somebody"),
    "view option": first("views", options=("security_invoker=on", "security_barrier=true")),
    "function comment": first("functions", comment="x"),
    "blank in a function body": first("functions", body="begin new.updated_at := now();  return new; end"),
    "schema owner": first("schemas", owner="somebody"),
    "right of a role nobody watches": added("grants", Grant("dashboard_user", "SELECT")),
}


@pytest.mark.parametrize("name", OTHER)
def test_what_the_checklist_does_not_judge_is_seen_too(name: str) -> None:
    assert digest(OTHER[name](mirror())) != digest(mirror())


def test_diff_names_what_was_created_altered_and_dropped() -> None:
    before = FAULTS["index dropped"].damage(mirror())
    after = FAULTS["policy dropped"].damage(FAULTS["trigger disabled"].damage(mirror()))
    kinds = {change.object: change.kind for change in diff(before, after) if change.kind != "unchanged"}
    assert kinds == {
        "index docs_tenant_id_idx on app.docs": "created",
        "policy docs_select on app.docs": "dropped",
        "trigger docs_touch on app.docs": "altered",
    }
    altered_trigger = next(change for change in diff(before, after) if change.kind == "altered")
    assert altered_trigger.before in altered_trigger.after and "disabled" in altered_trigger.after


names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@given(st.lists(st.tuples(names, names), min_size=1, max_size=6, unique_by=lambda pair: pair[0]))
def test_digest_tells_apart_whatever_the_texts(pairs: list[tuple[str, str]]) -> None:
    """No text can make two different catalogs equal, as joined strings could."""

    def catalog(items: list[tuple[str, str]]) -> Catalog:
        return change_table(
            mirror(), "app.docs", constraints=tuple(Constraint(name, "check", text) for name, text in items)
        )

    (name, text), *rest = pairs
    assert digest(catalog(pairs)) == digest(catalog(pairs[::-1]))
    assert digest(catalog(pairs)) != digest(catalog([(name, text + "x"), *rest]))
    assert digest(catalog(pairs)) != digest(catalog(rest))


def test_white_space_counts_in_literals_only() -> None:
    def using(expression: str) -> Catalog:
        return change_table(mirror(), "app.docs", policies=(Policy("p", "all", True, ("public",), expression),))

    assert digest(using("(a = 'x  y')")) != digest(using("(a = 'x y')"))
    assert digest(using("(a =\n   'x  y')")) == digest(using("(a = 'x  y')"))
    assert digest(using("(a = 'x\ny')")) != digest(using("(a = 'x y')"))
