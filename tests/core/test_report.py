"""The report of a run, and what it says of the way back: every ending, nothing that a reader would take for markup."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from msgspec.structs import replace as evolved

from tui.core.aftermath import aftermath
from tui.core.bundle import Bundle, Manifest, Script
from tui.core.catalog import (
    Catalog,
    Column,
    Function,
    Grant,
    Index,
    Policy,
    Publication,
    PublishedTable,
    Table,
    Trigger,
)
from tui.core.check import Check
from tui.core.deck import Destination
from tui.core.expectation import Expectation, ExpectedFunction, ExpectedPublication, ExpectedTable
from tui.core.look import Look, RunRecord, Server
from tui.core.markdown import cell
from tui.core.plan import Count
from tui.core.proof import Proof
from tui.core.report import Report
from tui.core.report_json import as_json, document
from tui.core.report_ledger import LedgerRow, from_ledger
from tui.core.report_markdown import markdown
from tui.core.run import Failure, Finished, Outcome, Plan, RunState
from tui.core.statements import split
from tui.core.surface import Change, diff
from tui.core.verdict import Verdict

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LATER = datetime(2026, 11, 20, 12, 1, tzinfo=UTC)


def bundle(rollback: str = "drop policy r on public.a; drop policy r on public.b; drop view public.v;") -> Bundle:
    return Bundle(
        manifest=Manifest(name="teams", version="2026", title="Teams", notes=("Regenerate the client's types.",)),
        patch=Script("PATCH.sql", split("create table public.a (id int);\ncreate table public.b (id int);")),
        rollback=Script("ROLLBACK.sql", split(rollback)),
        expectation=Expectation(tables=()),
        queries={},
        checksum="ab" * 32,
        digest="cd" * 32,
    )


PLACE = Destination("acme-prod", "db.example.com", 5432, "shop", "postgres", False, False)
SERVER = Server(
    "db.example.com", 5432, "shop", "postgres", True, "transaction", "17.4", 170004, "TLSv1.3", True, 0.08,
    False, False, True,
)  # fmt: skip
VERDICT = Verdict("applied", True, 2, 2, 0, 0, "APPLIED", "Everything holds.")
RECORD = RunRecord(
    "run-7", "teams", "2026", "ab" * 32, "apply", "", "dana", "bastion", "17.4", NOON, LATER, 1.9, 0.6, 2, "committed"
)


def table(name: str, *policies: str, rls: bool = True) -> Table:
    made = tuple(Policy(policy, "select", True, ("authenticated",), "true") for policy in policies)
    return Table(f"public.{name}", "postgres", True, rls, False, policies=made)


def look(catalog: Catalog | None = None, *runs: RunRecord) -> Look:
    return Look(SERVER, catalog or Catalog(), (), VERDICT, runs, LATER)


CHANGES = (
    Change("created", "table public.a"),
    Change("created", "column public.a.id"),
    Change("created", "policy a_read on public.a"),
    Change("altered", "grant on public.b", "select", "select, insert"),
    Change("dropped", "policy old on public.b", "FOR ALL USING (true)", ""),
    Change("unchanged", "schema public", "x", "x"),
)
CHECKS = (
    Check("structure", "table", "public.a", "public.a", "ok"),
    Check("structure", "policy", "public.b", "r", "missing", "FOR SELECT", "", "members see no rows"),
)


def report(outcome: Outcome = Outcome.COMMITTED, **other: Any) -> Report:
    end = Finished(outcome, "It went so.", "It is so.", "Do this.", 1.9, 0.6, 14, VERDICT, locks=("public.b",))
    made = Report(
        plan=Plan(bundle(), operator="dana", client_host="bastion", confirmed="shop"),
        destination=PLACE,
        run=RunState(total=2, done=2, attempts=1, changes=CHANGES, checks=CHECKS[:1], xid="77"),
        end=end,
        at=LATER,
        before=look(),
        after=look(None, RECORD),
        verified=CHECKS,
        counts=(Count("Rows that get a team", "public.b", 12, "the others wait"),),
        rehearsal="worked",
    )
    return replace(made, **other)


def test_a_committed_run_says_all_that_is_asked_of_a_report() -> None:
    text = markdown(report())
    for expected in (
        "# Committed: apply teams 2026 on acme-prod",
        "**State of the database:** It is so.",
        "| database | `shop` |",
        "| by | dana@bastion |",
        "| began | 2026-11-20 12:00:00 UTC |",
        "| ended | 2026-11-20 12:01:00 UTC |",
        "| run | `run-7` |",
        "| statements | 2 of 2 |",
        "| locks held | 600 ms |",
        "| locked | 1 existing table: `public.b` |",
        "### created: 3\n\n- `public.a`\n  - table\n  - 1 column: `id`\n  - 1 policy: `a_read`",
        "### altered: 1\n\n- `grant on public.b`\n  - was `select`\n  - is `select, insert`",
        "### dropped: 1\n\n- `policy old on public.b`\n  - was `FOR ALL USING (true)`",
        "- created: 1 table, 1 column, 1 policy\n- altered: 1 grant\n- dropped: 1 policy\n- unchanged: 1 objects",
        "1 of 1 checks hold on the result, before COMMIT.",
        "| structure | **FAILED** | 1 of 2 checks hold |",
        "| safety | **NOT PROVEN** | not tried on what was committed; `patchdeck verify` does it |",
        "| policy r on public.b | missing | `FOR SELECT` |  | members see no rows |",
        "| Rows that get a team | public.b | 12 | the others wait |",
        "- Do this.\n- Regenerate the client's types.",
        "## The way back\n\n- ROLLBACK.sql drops 2 policies, 1 view.",
        "    patchdeck rollback --mode lock --confirm shop",
    ):
        assert expected in text


@pytest.mark.parametrize("outcome", [Outcome.ROLLED_BACK, Outcome.REFUSED])
def test_what_was_undone_is_not_reported_as_done(outcome: Outcome) -> None:
    undone = report(outcome, after=look(), verified=())
    text = markdown(undone)
    assert "`public.a`" not in text
    assert "Nothing" in text
    assert "The way back" not in text
    assert "Regenerate" not in text, "what is to be done after it is not to be done"
    found = document(undone)
    assert [found[kind] for kind in ("created", "altered", "dropped")] == [[], [], []]
    assert found["run_id"] is None


def test_an_unknown_outcome_is_never_a_committed_one() -> None:
    text = markdown(report(Outcome.UNKNOWN, after=None, verified=()))
    assert text.startswith("# OUTCOME NOT KNOWN")
    assert "### created (if it was committed): 3" in text
    assert document(report(Outcome.UNKNOWN, after=None))["verdict"] is None


def test_the_statement_that_failed_is_there_in_full() -> None:
    failure = Failure("no such role", 1, "PATCH.sql", 2, 8, "42704", "a detail", "a hint")
    failed = report(Outcome.ROLLED_BACK, run=RunState(total=2, done=1, failure=failure))
    text = markdown(failed)
    assert "no such role (SQLSTATE 42704) at `PATCH.sql:2:8`" in text
    assert "Detail: a detail" in text
    assert "```sql\ncreate table public.b (id int)\n```" in text
    assert document(failed)["failed_statement"]["line"] == 2
    assert document(failed)["statements"] == {"total": 2, "done": 1, "failed": 1}


def test_a_run_of_somebody_else_is_not_taken_for_this_one() -> None:
    other = report(before=look(None, RECORD), after=look(None, RECORD))
    assert other.record is None
    assert report(end=replace(report().end, ran=False)).record is None


@pytest.mark.parametrize(("mode", "restores"), [("", False), ("lock", False), ("restore-closed", True)])
def test_what_the_ledger_did_not_keep_is_said_and_no_zero(mode: str, restores: bool) -> None:
    record = replace(RECORD, action="rollback" if mode else "apply", mode=mode)
    made = from_ledger(bundle(), PLACE, LedgerRow(record, "77", "cd" * 32, Catalog(), Catalog()))
    found = document(made)
    gone = {
        "checks", "layers", "verdict", "locks", "readers_blocked_seconds", "round_trips", "attempts", "rows_written",
        "counts", "counts_afterwards", "rehearsal",
    }  # fmt: skip
    assert set(found["not_recorded"]) == (gone | {"not_restored", "kept_back"} if restores else gone)
    assert {found[key] for key in found["not_recorded"]} == {None}
    assert (found["seconds"], found["lock_hold_seconds"], found["statements"]["done"]) == (1.9, 0.6, 2)
    text = markdown(made)
    assert "**Not recorded in the database:** the checks, what the three layers came to, the verdict, which " in text
    assert ("Every check of the structure held before COMMIT" in text) is not mode
    # Where it is read is not where the run came in.
    assert "| read as | `postgres` |" in text
    assert "on `bastion`" in text
    assert ("kept back on purpose" in text) is restores
    assert not re.search(r"\b0 (of|round|checks)", text)

    whole = report()
    assert document(whole)["not_recorded"] == []
    assert "Not recorded" not in markdown(whole)


def test_a_rehearsal_says_what_would_be() -> None:
    rehearsed = report(Outcome.REHEARSED, plan=Plan(bundle(), rehearse=True), rehearsal="", after=look())
    text = markdown(rehearsed)
    assert "# Rehearsed: rehearse apply teams 2026" in text
    assert "### Would be created: 3" in text
    assert rehearsed.record is None


def test_the_tables_are_told_as_they_stand() -> None:
    def promised(name: str, origin: Literal["created", "existing"]) -> ExpectedTable:
        return ExpectedTable(name=name, origin=origin, why="", columns=())

    rights = [Grant("authenticated", right) for right in ("SELECT", "INSERT")]
    rights += [Grant("authenticated", "UPDATE", column=column) for column in ("title", "note")]
    rights += [Grant("service_role", right) for right in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")]
    rights += [Grant("service_role", right) for right in ("REFERENCES", "TRIGGER", "MAINTAIN")]
    columns = tuple(Column(name, "text", not_null=False) for name in ("id", "title", "note"))
    new = evolved(
        table("a", "read", "change"),
        columns=columns,
        grants=tuple(rights),
        indexes=(Index("a_idx", "btree (id)"),),
        triggers=(Trigger("touch", "BEFORE UPDATE"),),
    )
    narrow = Policy("wall", "all", False, ("authenticated",), "true")
    old = evolved(table("b", "read"), columns=columns, policies=(narrow, *table("b", "read").policies))
    catalog = Catalog(
        tables=(new, old, table("c", rls=False), table("of_others")),
        functions=(Function("public.f()", "postgres", "void", "sql", "stable", True, "", execute=("anon",)),),
        publications=(Publication("supabase_realtime", False, (PublishedTable("public.b"),)),),
    )
    before = Catalog(tables=(evolved(old, columns=columns[:2], policies=()), table("c", rls=False)))
    promise = Expectation(
        tables=(promised("public.a", "created"), promised("public.b", "existing"), promised("public.c", "existing")),
        functions=(ExpectedFunction(name="public.f()", returns="void", language="sql", body=""),),
        publications=tuple(ExpectedPublication(name=name, optional=True) for name in ("supabase_realtime", "audit")),
    )
    held = tuple(Check("structure", "column", "public.a", column.name, "ok") for column in columns)
    made = report(
        plan=Plan(replace(bundle(), expectation=promise)),
        run=replace(report().run, changes=diff(before, catalog), rows=7, written=((1, 7),)),
        after=look(catalog, RECORD),
        verified=held,
        counts_after=(Count("Rows", "without a team", 3, "assign them"),),
    )
    text = markdown(made)
    for line in (
        "- rows written: 7",
        "| `public.a` | created | 3 | 1 | on | 2: SELECT ×2 | `touch` | – | 3 of 3 hold |",
        "| `public.b` | altered | 3, added: `note` | 0 | on | 2: SELECT, ALL (restrictive) | – | `supabase_realtime` |",
        "| `public.c` | already there | 0 | 0 | **off** | – | – | – | – |",
        "| `public.a` | – | – | SELECT, INSERT, UPDATE of 2 columns | everything |",
        "| `public.f()` | created | its owner | anon |",
        "- `supabase_realtime` publishes `public.b`\n- `audit` is not there: nothing is published\n",
        "- 7 written by `create table public.b`, `PATCH.sql:2`",
        "### Counted afterwards\n",
        "| Rows | without a team | 3 | assign them |",
        "  - 2 columns that authenticated may UPDATE: `title`, `note`",
    ):
        assert line in text
    assert "  - 2 grants: `authenticated`, `service_role`" in text
    assert "2 column grants" in text
    assert "of_others" not in text.partition("## What changed")[0]
    found = {one["name"]: one for one in document(made)["tables"]}
    assert found["public.b"]["policies"] == {"SELECT": 1, "ALL (restrictive)": 1}
    assert found["public.a"]["grants"]["authenticated"] == "SELECT, INSERT, UPDATE of 2 columns"
    # What was rolled back, or can not be known, leaves nothing that could be said to stand.
    assert "Tables and views after it" not in markdown(replace(made, end=report(Outcome.UNKNOWN).end))


def test_what_was_proven_afterwards_is_told_layer_by_layer() -> None:
    leak = Check("behaviour", "select", "public.a", "outsider", "leak", "no rows", "1 row", "a stranger reads it")
    good = Check("safety", "rule", "", "R001", "ok")
    proof = Proof((), None, (good, leak), LATER)
    made = report(verified=(*CHECKS[:1], *proof.checks), proof=proof)
    text = markdown(made)
    assert "| structure | proven | 1 of 1 checks hold |" in text
    assert "| safety | proven | 1 of 1 checks hold: 0 errors, 0 warnings, 0 muted, 0 to know of |" in text
    assert "| behaviour | **FAILED** | 0 of 1 checks hold |" in text
    assert "a stranger reads it" in text
    assert document(made)["layers"]["behaviour"] == {"state": "failed", "total": 1, "passed": 0}
    # Nobody could look again: what was found before COMMIT is what was committed, and no more is claimed.
    unseen = report(after=None, verified=())
    assert {layer: state for layer, (state, _) in unseen.layers.items()} == {
        "structure": "passed", "safety": "not_proven", "behaviour": "not_proven",
    }  # fmt: skip
    assert report(Outcome.ROLLED_BACK).layers == {}


def test_a_supabase_address_is_understood() -> None:
    place = replace(PLACE, host="aws-1-us-east-1.pooler.supabase.com", port=6543, user=f"postgres.{'a' * 20}")
    said = f"Supabase shared pooler, transaction mode, region us-east-1, project {'a' * 20}"
    assert f"`aws-1-us-east-1.pooler.supabase.com:6543`, {said} |" in markdown(report(destination=place))
    assert document(report(destination=place))["target"]["address"] == said
    assert document(report())["target"]["address"] is None


UGLY = "a`b|c*d_[e](http://x)<script>\x1b[31m\n# not a heading\n| not | a row |\u202e"


def test_outside_text_is_neither_markup_nor_control() -> None:
    place = replace(PLACE, name=UGLY, host=UGLY, user=UGLY)
    spoiled = report(
        destination=place,
        end=replace(report().end, reason=UGLY, next_step=UGLY),
        run=replace(report().run, changes=(Change("created", UGLY, UGLY, UGLY),)),
        verified=(Check("structure", UGLY, UGLY, UGLY, "missing", UGLY, UGLY, UGLY),),
        counts=(Count(UGLY, UGLY, 1, UGLY),),
    )
    text = markdown(spoiled)
    assert "\x1b" not in text
    assert "\u202e" not in text
    lines = text.splitlines()
    assert not any(line.startswith(("# not", "| not")) for line in lines)
    unescaped = re.compile(r"(?<!\\)<script>|(?<!\\)\[e\]")
    assert not any(unescaped.search(re.sub(r"`[^`]*`", "", line)) for line in lines)
    assert json.loads(as_json(spoiled))["target"]["host"].startswith("a`b|c")


def test_a_sentence_keeps_its_code_and_its_names() -> None:
    assert cell("run `a|b *c*` on tenant_id, _not_ `this") == r"run `a\|b *c*` on tenant_id, \_not\_ \`this"
    assert cell("``") == r"\`\`"


SECRETS = ("hunter2", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl")


def test_no_secret_reaches_a_report() -> None:
    text = f"postgresql://dana:{SECRETS[0]}@db/shop Bearer {SECRETS[1]}"
    leaky = report(
        Outcome.ROLLED_BACK,
        end=replace(report(Outcome.ROLLED_BACK).end, reason=text, state=text, next_step=text),
        run=RunState(total=2, failure=Failure(text, 0, "PATCH.sql", 1, 1, "42704", text, text)),
    )
    for secret in SECRETS:
        assert secret not in markdown(leaky)
        assert secret not in as_json(leaky)


@given(st.text(), st.sampled_from(Outcome), st.booleans())
def test_any_text_makes_a_report(text: str, outcome: Outcome, ran: bool) -> None:
    end = Finished(outcome, text, text, text, 1.0, 0.0, 1, None, ran=ran, locks=(text,))
    made = report(outcome, end=end, run=RunState(changes=(Change("altered", text, text, text),)))
    assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", markdown(made))
    assert json.loads(as_json(made))["outcome"] == outcome.value


def test_times_are_rfc_3339() -> None:
    assert document(report())["at"] == "2026-11-20T12:01:00+00:00"


# What a rollback leaves


def test_tables_that_lose_their_last_policy_are_an_outage() -> None:
    catalog = Catalog(tables=(table("a", "r"), table("b", "r", "other"), table("c"), table("d", "r", rls=False)))
    said = aftermath(bundle(), catalog)
    assert said.removes == (("policy", 2), ("view", 1))
    assert said.closed == ("public.a",), "b keeps a policy, c had none, d has no row level security"
    assert said.keeps == ("tables", "columns", "data", "row level security")
    assert "an outage, fail-closed" in said.sentences()[-1]
    assert "1 table then has" in said.sentences()[-1]


@pytest.mark.parametrize(
    ("statement", "lost"),
    [
        ("drop table public.a", {"tables", "columns", "data"}),
        ("alter table public.a drop column b", {"columns", "data", "row level security"}),
        ("delete from public.a", {"data"}),
        ("truncate public.a", {"data"}),
    ],
)
def test_nothing_is_said_to_stay_that_a_statement_touches(statement: str, lost: set[str]) -> None:
    kept = set(aftermath(bundle(f"{statement};"), None).keeps)
    assert kept == {"tables", "columns", "data", "row level security"} - lost


def test_without_a_catalog_no_outage_is_invented() -> None:
    assert aftermath(bundle(), None).closed == ()
    assert len(aftermath(bundle(), None).sentences()) == 2
