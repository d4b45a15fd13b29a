"""The verdict's rules, and what is allowed in each state."""

from __future__ import annotations

import msgspec
import pytest

from tests.core.test_checklist import FAULTS
from tests.core.world import EXPECTATION, change_table, mirror
from tui.core.catalog import Catalog, Column, Function, Table
from tui.core.checklist import compare
from tui.core.verdict import Verdict, allowed_actions, judge

replace = msgspec.structs.replace

LEGACY = Catalog(
    tables=(
        Table("app.tenants", "owner", True, False, False, (Column("id", "uuid", False), Column("name", "text", True))),
    ),
)


def verdict(live: Catalog, last_action: str | None = None, twin: Catalog | None = None) -> Verdict:
    assert last_action in (None, "apply", "rollback")
    checks = compare(EXPECTATION, live, twin or mirror(), {})
    return judge(checks, EXPECTATION, live, last_action)  # type: ignore[arg-type]


def rolled_back() -> Catalog:
    """What ROLLBACK leaves: no policies, triggers, views; row level security, tables, columns stay."""
    live = mirror()
    for table in live.tables:
        live = change_table(live, table.name, policies=(), triggers=())
    return replace(live, views=())


@pytest.mark.parametrize("last_action", [None, "apply", "rollback"])
def test_applied_is_when_every_check_holds_whoever_applied_it(last_action: str | None) -> None:
    found = verdict(mirror(), last_action)
    assert (found.state, found.healthy, found.headline) == ("applied", True, "APPLIED")
    assert found.total == found.passed and not found.failed and not found.not_proven


def test_what_is_not_proven_is_applied_but_not_healthy() -> None:
    live = FAULTS["policy with another USING"].damage(mirror())
    checks = compare(EXPECTATION, live, None, {})
    found = judge(checks, EXPECTATION, live, None)
    assert (found.state, found.healthy, found.not_proven, found.failed) == ("applied", False, 1, 0)
    assert "1 definition could not be proven" in found.sentence


@pytest.mark.parametrize("last_action", [None, "apply", "rollback"])
@pytest.mark.parametrize("live", [Catalog(), LEGACY], ids=["empty", "legacy"])
def test_not_applied_is_when_nothing_of_it_is_there(live: Catalog, last_action: str | None) -> None:
    found = verdict(live, last_action)
    assert (found.state, found.healthy, found.headline) == ("not_applied", False, "NOT APPLIED")


def test_somebody_elses_function_of_the_same_name_is_no_trace() -> None:
    theirs = Function("app.touch()", "owner", "trigger", "plpgsql", "volatile", False, "begin return new; end")
    assert verdict(replace(LEGACY, functions=(theirs,))).state == "not_applied"
    assert verdict(replace(LEGACY, functions=mirror().functions)).state == "partial"


@pytest.mark.parametrize("last_action", [None, "rollback"])
def test_partial_is_what_is_neither(last_action: str | None) -> None:
    found = verdict(FAULTS["policy dropped"].damage(mirror()), last_action)
    assert (found.state, found.failed) == ("partial", 1)
    assert found.headline == f"PARTIAL {found.total - 1}/{found.total}"


def test_an_added_column_alone_is_a_trace() -> None:
    (table,) = LEGACY.tables
    live = replace(LEGACY, tables=(replace(table, columns=(*table.columns, Column("plan", "text", True))),))
    assert verdict(live).state == "partial"


def test_drifted_is_what_fails_after_a_recorded_apply() -> None:
    live = FAULTS["trigger disabled"].damage(FAULTS["row level security off"].damage(mirror()))
    found = verdict(live, "apply")
    assert (found.state, found.headline, found.healthy) == ("drifted", "DRIFTED 2", False)


def test_rolled_back_is_exactly_what_a_recorded_rollback_leaves() -> None:
    found = verdict(rolled_back(), "rollback")
    assert (found.state, found.headline, found.healthy) == ("rolled_back", "ROLLED BACK", False)
    assert "see no rows" in found.sentence
    assert verdict(rolled_back(), None).state == "partial"
    assert verdict(rolled_back(), "apply").state == "drifted"


@pytest.mark.parametrize("fault", ["policy nobody expected", "row level security off", "column dropped"])
def test_after_a_rollback_what_opens_or_lacks_more_is_not_rolled_back(fault: str) -> None:
    assert verdict(FAULTS[fault].damage(rolled_back()), "rollback").state == "partial"


def test_allowed_actions_say_why_not() -> None:
    applied, legacy = verdict(mirror()), verdict(LEGACY)
    assert set(allowed_actions(legacy, False, False).items()) >= {("apply", ""), ("rehearse", ""), ("verify", "")}
    assert "nothing to roll back" in allowed_actions(legacy, False, False)["rollback"]
    assert "every check holds" in allowed_actions(applied, False, False)["apply"]
    assert allowed_actions(applied, False, False)["rollback"] == ""
    # After one mode another is still possible.
    assert allowed_actions(verdict(rolled_back(), "rollback"), False, False)["rollback"] == ""
    read_only = allowed_actions(legacy, True, False)
    assert "--read-only" in read_only["apply"] and "--read-only" in read_only["rehearse"] and not read_only["verify"]
    assert all("under way" in reason for reason in allowed_actions(applied, False, True).values())
    assert "not been looked at" in allowed_actions(None, False, False)["apply"]
    drifted = verdict(FAULTS["policy dropped"].damage(mirror()), "apply")
    assert not any(allowed_actions(drifted, False, False).values())
