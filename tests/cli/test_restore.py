"""Rolling back in the modes that restore, through the real command: told before, refused when drifted, exact."""

from __future__ import annotations

import pytest

from tests.cli.support import patchdeck
from tests.support import MakeDatabase, ask

pytestmark = [
    pytest.mark.parametrize("cluster", ["pg18"], indirect=True),
    pytest.mark.parametrize("route", ["direct"]),
]

POLICIES = "select tablename, policyname, roles::text, qual from pg_policies where schemaname = 'public' order by 1, 2"


def test_there_and_back(make_database: MakeDatabase) -> None:
    database = make_database("legacy")
    dsn, name = database.dsn, database.name
    before = ask(dsn, POLICIES)
    nothing = patchdeck("plan", "--rollback", "restore", "--json", dsn=dsn)
    assert (nothing.code, nothing.json["items"]) == (4, [])
    assert "is not known" in nothing.json["obstacle"]
    assert patchdeck("apply", "--confirm", name, dsn=dsn).code == 0

    plan = patchdeck("plan", "--rollback", "restore-closed", "--json", dsn=dsn)
    assert (plan.code, plan.json["action"], plan.json["mode"]) == (0, "rollback", "restore-closed")
    assert plan.json["not_restored"] == []
    assert {"object": "row level security on public.tenants", "reason": "it stays on; it was off before the apply"} in (
        plan.json["kept_back"]
    )
    said = patchdeck("plan", "--rollback", "restore-closed", dsn=dsn).out
    for words in (
        "kept back: grant DELETE, INSERT",
        "to anon on public.tenants",
        "see no rows",
        "--rollback restore-closed",
    ):
        assert words in said

    rehearsal = patchdeck("rehearse", "--rollback", "restore", "--json", dsn=dsn)
    assert (rehearsal.code, rehearsal.json["outcome"], rehearsal.json["mode"]) == (0, "rehearsed", "restore"), rehearsal
    assert ask(dsn, POLICIES) != before

    back = patchdeck("rollback", "--mode", "restore", "--confirm", name, "--json", dsn=dsn)
    assert (back.code, back.json["outcome"], back.json["verdict"]) == (0, "committed", "rolled_back"), back
    assert back.json["statements"] == rehearsal.json["statements"]
    assert ask(dsn, POLICIES) == before
    status = patchdeck("status", dsn=dsn)
    assert status.code == 1
    assert "ROLLED BACK" in status.out
    assert "rollback (restore)" in patchdeck("history", dsn=dsn).out


def test_drift_is_refused_with_the_difference(make_database: MakeDatabase) -> None:
    database = make_database("legacy")
    dsn, name = database.dsn, database.name
    assert patchdeck("apply", "--confirm", name, dsn=dsn).code == 0
    ask(dsn, "alter policy agents_select on public.agents using (true)")
    before = ask(dsn, POLICIES)
    for options in (["rollback", "--mode", "restore", "--confirm", name], ["rehearse", "--rollback", "restore"]):
        refused = patchdeck(*options, dsn=dsn)
        assert refused.code == 4, refused
        assert "policy agents_select on public.agents altered" in refused.out
    assert ask(dsn, POLICIES) == before
    wrong = patchdeck("rollback", "--mode", "restore", "--confirm", "other", dsn=dsn)
    assert (wrong.code, "does not match" in wrong.out) == (4, True)
