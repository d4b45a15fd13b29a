"""Both walkthroughs over a scripted deck: what each step says, what opens the next, what is sent, how runs end."""

from __future__ import annotations

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace
from textual.pilot import Pilot
from textual.widgets import Input

from tests.ui.support import BUNDLE, HERE, ScriptedDeck, checks, look, missing, nothing_there, screen_text
from tui import report_files
from tui.app import PatchdeckApp
from tui.core.bundle import Bundle, Script
from tui.core.catalog import Catalog, Policy, Table
from tui.core.deck import Control, Deck, Destination, Problem
from tui.core.look import Look
from tui.core.plan import Count, PlanItem, Preview
from tui.core.preflight import BUILDABLE, PreflightCheck
from tui.core.run import (
    Action,
    Attempt,
    Blocker,
    Committing,
    Compared,
    Connected,
    Connecting,
    Event,
    Failure,
    Finished,
    Notice,
    Outcome,
    Plan,
    Preflighted,
    StatementDone,
    StatementFailed,
    Verified,
    Verifying,
    WaitingForLock,
)
from tui.core.statements import split
from tui.core.surface import Change
from tui.core.text import glyphs
from tui.screens.dashboard import Dashboard
from tui.screens.steps.confirm import ConfirmStep
from tui.screens.steps.rehearsal import RehearsalStep
from tui.screens.walkthrough import WalkthroughScreen

SIZES = [(60, 20), (80, 24), (120, 40)]
PATCH = """\
create table public.a (id int);
create table public.b (id int);

create policy a_read on public.a
  for select to authenticated
  using (nonsense = 1);
create index a_idx on public.a (id);
"""
ROLLBACK = "drop policy a_read on public.a;\ndrop policy b_read on public.b;"
TEAMS: Bundle = replace(
    BUNDLE, patch=Script("PATCH.sql", split(PATCH)), rollback=Script("ROLLBACK.sql", split(ROLLBACK))
)
OLD_POLICY = "CREATE POLICY old ON public.agents FOR ALL TO authenticated USING ((user_id = auth.uid()))"
PREVIEW = Preview(
    (
        PlanItem("create", "table public.a", "public.a", 0),
        PlanItem("drop", "policy old on public.agents", "public.agents", None, OLD_POLICY),
    ),
    (Count("Rows that get a team", "agents", 1412, "the others stay with their own user"),),
)
BLOCKER = Blocker(
    4711, "app", "nightly-job", "idle in transaction", 34.0, "update agents set x = 1", "ShareLock", "public.agents"
)

BEHIND = replace(BLOCKER, pid=4712, application="other-tool", waits_for=(4711,))
ROOT_ONLY = replace(BLOCKER, mode="", blocks="")

RunScript = Callable[[Plan, Control], AsyncIterator[Event]]


class WalkDeck(ScriptedDeck):
    """A scripted deck whose runs are async generators, one per run, the last one repeated."""

    def __init__(self, *scripts: RunScript, destination: Destination = HERE, bundle: Bundle = TEAMS) -> None:
        super().__init__(destination=destination, bundle=bundle)
        self.scripts = list(scripts)
        self.look_now = look(checks(outcome=nothing_there))
        self.preview_now = PREVIEW

    async def run(self, plan: Plan, control: Control) -> AsyncIterator[Event]:
        self.plans.append(plan)
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        async for event in script(plan, control):
            yield event


def finished(plan: Plan, outcome: Outcome, **other: Any) -> Finished:
    """A plausible end."""
    words = {
        Outcome.REHEARSED: ("The rehearsal worked.", "It was rolled back: the database is as it was.", "Apply it."),
        Outcome.COMMITTED: ("Committed: every check passed.", "The change is in force.", "Watch the panels."),
        Outcome.ROLLED_BACK: ("It failed.", "Everything was rolled back: the database is as it was.", "Mend it."),
        Outcome.REFUSED: ("No lock.", "Nothing was changed: the database is as it was.", "Try a quieter moment."),
        Outcome.UNKNOWN: ("The line was lost at COMMIT.", "Not known yet: transaction 77.", "Run `patchdeck status`."),
    }
    reason, state, onward = words[outcome]
    end = Finished(outcome, reason, state, onward, 1.9, 0.6, 12, None, locks=("public.agents", "public.flows"))
    return replace(end, **other)


async def works(plan: Plan, control: Control) -> AsyncIterator[Event]:
    """Runs every statement and ends as asked."""
    yield Connecting()
    yield Connected(look().verdict, 99)
    yield Preflighted(())
    yield Attempt(1)
    for index, _ in enumerate(plan.statements):
        await asyncio.sleep(0)
        yield StatementDone(index, 0.01, "OK", (Notice("NOTICE", "exists, skipping"),) if index == 1 else ())
    yield Verifying()
    yield Verified(checks())
    if not plan.rehearse:
        yield Committing("77")
    yield Compared((Change("created", "table public.a"), Change("dropped", "policy old", "FOR ALL", "")))
    yield finished(plan, Outcome.REHEARSED if plan.rehearse else Outcome.COMMITTED)


async def fails(plan: Plan, control: Control) -> AsyncIterator[Event]:
    """The third statement fails in its third line."""
    yield Attempt(1)
    yield StatementDone(0, 0.01, "OK")
    yield StatementDone(1, 0.01, "OK")
    failure = Failure('column "nonsense" does not exist', 2, "PATCH.sql", 6, 10, "42703", None, "Perhaps you meant b.")
    yield StatementFailed(failure)
    reason = f"{failure.place}: {failure.message} (SQLSTATE 42703)"
    yield finished(plan, Outcome.ROLLED_BACK, reason=reason)


@dataclass
class Walker:
    """A pilot in a walkthrough."""

    app: PatchdeckApp
    pilot: Pilot[None]
    screen: WalkthroughScreen

    @property
    def text(self) -> str:
        return screen_text(self.app)

    async def until(self, condition: Callable[[], object], what: str = "") -> None:
        """Wait until the condition holds; fails with the screen after five seconds."""
        for _ in range(250):
            await self.pilot.pause(0.02)
            if condition():
                return
        pytest.fail(f"waited in vain for {what or 'a condition'}; the screen shows\n{self.text}")

    async def sees(self, *words: str) -> None:
        """Wait until the screen shows all of these, line breaks and frames aside."""
        for word in words:
            await self.until(lambda word=word: word in self.flat, repr(word))  # type: ignore[misc]

    async def reads(self, *words: str) -> None:
        """Wait until the step's text holds all of these, also below what a small screen shows of it."""
        for word in words:
            await self.until(lambda word=word: word in self.whole, repr(word))  # type: ignore[misc]

    @property
    def whole(self) -> str:
        """The whole text of the step as one line."""
        lines = self.screen.step.write(self.screen.query_one("#step-text").content_size.width)
        return " ".join(" ".join("".join(text for text, _ in line.spans) for line in lines).split())

    @property
    def flat(self) -> str:
        """What is shown as one line: texts wrap elsewhere at other widths."""
        return " ".join(self.text.replace("│", " ").split())

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def to(self, name: str) -> None:
        """Press n until the step of that name is shown."""
        while self.screen.step.name != name:
            before = self.screen.step.name
            await self.until(lambda: not self.screen.step.against_next(), f"{before} to be done")
            await self.press("n")
            assert self.screen.step.name != before
        await self.pilot.pause()

    async def rehearse(self) -> None:
        await self.to("Rehearsal")
        await self.press("enter")
        await self.sees("IT WILL WORK")

    async def type(self, text: str) -> None:
        """Type into the confirmation and submit."""
        await self.press(*text, "enter")


@asynccontextmanager
async def walking(
    deck: Deck,
    action: Action = "apply",
    size: tuple[int, int] = (80, 24),
    before: Look | None = None,
    ascii_only: bool = False,
) -> AsyncIterator[Walker]:
    app = PatchdeckApp(deck)
    async with app.run_test(size=size, notifications=True) as pilot:
        screen = WalkthroughScreen(deck, action, before, glyphs(ascii_only))
        await app.push_screen(screen)
        yield Walker(app, pilot, screen)


def applied_look() -> Look:
    """Everything holds, with two tables that have policies."""
    policy = Policy("a_read", "select", True, ("authenticated",), "true")
    tables = tuple(
        Table(f"public.{name}", "postgres", True, True, False, policies=(replace_name(policy, f"{name}_read"),))
        for name in "ab"
    )
    return replace(look(), catalog=Catalog(tables=tables))


def replace_name(policy: Policy, name: str) -> Policy:
    return Policy(name, policy.command, policy.permissive, policy.roles, policy.using)


def rolled_back_look() -> Look:
    """The same without policies."""
    tables = tuple(Table(f"public.{name}", "postgres", True, True, False) for name in "ab")
    return replace(look(checks(outcome=missing("agents_select")), state="rolled_back"), catalog=Catalog(tables=tables))


# The whole way


@pytest.mark.parametrize("size", SIZES)
async def test_apply_from_the_target_to_the_report(size: tuple[int, int]) -> None:
    deck = WalkDeck(works)
    async with walking(deck, size=size) as walker:
        await walker.sees("PRODUCTION", "acme-prod", "NOT APPLIED")
        await walker.reads("aws-1-us-east-1.pooler.example.com:6543")
        await walker.press("n")
        await walker.sees("server version", "17.4 is supported")
        await walker.press("n")
        await walker.sees("create 1", "drop 1", "1 412", "What is dropped")
        assert deck.plans == []
        await walker.rehearse()
        await walker.sees("4 statements", "1.9 s", "locks on 2 existing tables held 600 ms")
        assert [(plan.rehearse, plan.confirmed) for plan in deck.plans] == [(True, None)]
        await walker.press("enter")
        await walker.sees("Type the database's name")
        deck.look_now = look()
        await walker.type("postgres")
        await walker.sees("COMMITTED", "The change is in force.")
        assert [(plan.rehearse, plan.confirmed) for plan in deck.plans[1:]] == [(False, "postgres")]
        await walker.press("n")
        await walker.sees("APPLIED", "175 of 175 checks pass")
        await walker.press("n")
        await walker.sees("apply-teams.md", "y copies")
        await walker.press("y")
        assert walker.app.clipboard.endswith("-apply-teams.md")
        await walker.press("enter")
        assert isinstance(walker.app.screen, Dashboard)


@pytest.mark.parametrize("size", SIZES)
async def test_roll_back_says_first_what_it_means(size: tuple[int, int]) -> None:
    deck = WalkDeck(works)
    deck.look_now = applied_look()
    async with walking(deck, "rollback", size) as walker:
        await walker.reads(
            "What rolling back means",
            "ROLLBACK.sql drops 2 policies.",
            "It keeps tables, columns, data and row level security.",
            "2 tables then have row level security on and no policy: the app's users see no rows there.",
            "until the patch is applied again",
        )
        await walker.rehearse()
        await walker.press("n")
        await walker.reads("the app's users see no rows there")
        await walker.sees("Roll back for real")
        await walker.type("postgres")
        await walker.sees("COMMITTED: the patch is rolled back")
        deck.look_now = rolled_back_look()
        await walker.press("n")
        await walker.sees("ROLLED BACK", "2 of 2 objects are as the rollback says")
        await walker.press("n")
        await walker.sees("rollback-teams.md")
        assert [(plan.action, plan.mode, plan.rehearse) for plan in deck.plans] == [
            ("rollback", "lock", True),
            ("rollback", "lock", False),
        ]


async def test_the_keys_of_the_dashboard_open_it_and_the_database_is_looked_at_again_after_it() -> None:
    deck = WalkDeck(works)
    app = PatchdeckApp(deck)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        for _ in range(100):
            await pilot.pause(0.02)
            if "NOT APPLIED" in screen_text(app):
                break
        await pilot.press("a")
        await pilot.pause()
        assert isinstance(app.screen, WalkthroughScreen)
        await pilot.pause()
        asked = deck.asked["look"]
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, Dashboard)
        for _ in range(100):
            await pilot.pause(0.02)
            if deck.asked["look"] > asked:
                return
        pytest.fail("the dashboard did not look again")


async def test_the_report_is_the_owners_alone_and_says_what_happened() -> None:
    deck = WalkDeck(works)
    async with walking(deck) as walker:
        await walker.rehearse()
        await walker.press("n")
        deck.look_now = look()
        await walker.type("postgres")
        await walker.to("Report")
        await walker.sees("written")
    (written,) = report_files.folder().glob("*.json")
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    found = json.loads(written.read_text(encoding="utf-8"))
    assert (found["outcome"], found["rehearsal"], found["statements"]) == (
        "committed",
        "worked",
        {"total": 4, "done": 4, "failed": 0},
    )
    assert found["created"] == ["table public.a"]
    assert written.with_suffix(".md").read_text(encoding="utf-8").startswith("# Committed: apply teams")


# What is in the way


async def test_a_stop_in_the_preflight_closes_the_way_until_it_is_mended() -> None:
    deck = WalkDeck(works)
    stop = PreflightCheck("role", "stop", "postgres does not own public.agents", "sign in as its owner")
    deck.preflight_now = (PreflightCheck("server version", "pass", "17.4 is supported"), stop)
    async with walking(deck) as walker:
        await walker.to("Preflight")
        await walker.sees("1 stop", "STOP", "postgres does not own public.agents", "mend: sign in as its owner")
        assert walker.text.index("does not own") < walker.text.index("17.4 is supported"), "the bad news comes first"
        await walker.press("n")
        await walker.press("enter")
        assert walker.screen.step.name == "Preflight"
        await walker.sees("in the way")
        deck.preflight_now = deck.preflight_now[:1]
        await walker.press("r")
        await walker.sees("passed")
        await walker.press("n")
        assert walker.screen.step.name == "Plan"


@pytest.mark.parametrize(("question", "step"), [("look", "Target"), ("preflight", "Preflight"), ("preview", "Plan")])
async def test_a_database_that_does_not_answer_is_said_and_asked_again(question: str, step: str) -> None:
    deck = WalkDeck(works)
    deck.fail[question] = Problem("lost", "the server closed the connection", "check the network")
    async with walking(deck) as walker:
        await walker.to(step)
        await walker.sees("the server closed the connection", "Nothing was changed", "check the network")
        await walker.press("n")
        assert walker.screen.step.name == step
        del deck.fail[question]
        await walker.press("r")
        await walker.until(lambda: not walker.screen.step.against_next(), "the second answer")
        assert "closed the connection" not in walker.text


@pytest.mark.parametrize("size", SIZES)
async def test_a_failing_statement_is_named_with_its_place(size: tuple[int, int]) -> None:
    deck = WalkDeck(fails)
    async with walking(deck, size=size) as walker:
        await walker.to("Rehearsal")
        await walker.press("enter")
        await walker.sees(
            "IT WILL NOT WORK", "PATCH.sql:6:10", "Everything was rolled back: the database is as it was."
        )
        await walker.press("G")
        await walker.sees("42703", "Perhaps you meant b.", "6 using (nonsense = 1)")
        await walker.press("n")
        await walker.sees("enter rehearses; x goes on without a rehearsal")
        assert walker.screen.step.name == "Rehearsal"
        deck.scripts = [works]
        await walker.press("enter")
        await walker.sees("IT WILL WORK")


async def test_the_mark_stands_below_the_failing_column() -> None:
    async with walking(WalkDeck(fails), size=(120, 40)) as walker:
        await walker.to("Rehearsal")
        await walker.press("enter")
        await walker.sees("^")
        lines = walker.text.splitlines()
        at = next(index for index, line in enumerate(lines) if "using (nonsense" in line)
        # Column 10 of the file's line 6 is the n of nonsense.
        assert lines[at + 1].index("^") == lines[at].index("nonsense")


async def test_a_run_that_fails_changed_nothing_and_may_be_tried_again() -> None:
    deck = WalkDeck(works, fails, works)
    async with walking(deck) as walker:
        await walker.rehearse()
        await walker.press("n")
        await walker.type("postgres")
        await walker.sees("ROLLED BACK: nothing has changed", "PATCH.sql:6:10")
        await walker.press("n")
        await walker.sees("The catalog is the same as before")
        await walker.press("n")
        await walker.sees("apply-teams.md", "Mend it.")
        await walker.press("p", "p", "p")
        assert isinstance(walker.screen.step, ConfirmStep)
        assert "postgres" not in walker.screen.query_one("#confirm-name").value, "the name is typed anew"  # type: ignore[attr-defined]
        deck.look_now = look()
        await walker.type("postgres")
        await walker.sees("COMMITTED")
        await walker.press("n")
        await walker.sees("175 of 175 checks pass")


async def test_what_somebody_else_changed_meanwhile_is_said() -> None:
    deck = WalkDeck(works, fails)
    async with walking(deck) as walker:
        await walker.rehearse()
        await walker.press("n")
        await walker.type("postgres")
        await walker.sees("ROLLED BACK")
        deck.look_now = replace(deck.look_now, catalog=Catalog())
        await walker.press("n")
        await walker.sees("somebody else changed", "dropped table public.agents")


@pytest.mark.parametrize("size", SIZES)
async def test_a_lock_that_is_not_free_names_who_holds_it(size: tuple[int, int]) -> None:
    freed = asyncio.Event()

    async def waits(plan: Plan, control: Control) -> AsyncIterator[Event]:
        yield Attempt(1)
        yield WaitingForLock((BLOCKER,), 12.0, 0.3)
        await freed.wait()
        yield Attempt(2)
        async for event in works(plan, control):
            if not isinstance(event, Attempt):
                yield event

    async with walking(WalkDeck(waits), size=size) as walker:
        await walker.to("Rehearsal")
        await walker.press("enter")
        await walker.sees("a lock is not free", "waited 12 s of 30 s, next try in 0.3 s", "nobody waits for us", "4711")
        if size[1] < 24:
            await walker.press("G")
        await walker.sees("nightly-job", "ShareLock on public.agents", "idle in transaction", "update agents set x = 1")
        freed.set()
        await walker.sees("IT WILL WORK", "2 attempts")


async def test_blockers_are_a_tree_and_the_locks_are_a_key_away_while_it_waits() -> None:
    freed = asyncio.Event()

    async def waits(plan: Plan, control: Control) -> AsyncIterator[Event]:
        yield Attempt(1)
        yield WaitingForLock((BEHIND, ROOT_ONLY), 12.0, 0.3)
        await freed.wait()
        yield Attempt(2)
        async for event in works(plan, control):
            if not isinstance(event, Attempt):
                yield event

    async with walking(WalkDeck(waits), size=(120, 40)) as walker:
        await walker.to("Rehearsal")
        await walker.press("enter")
        await walker.sees("waits for process 4711", "keeps 1 other of these waiting", "l Locks")
        lines = screen_text(walker.app).splitlines()
        top, above = (next(one.index(f"{pid}  ") for one in lines if f"process {pid}  " in one) for pid in (4711, 4712))
        assert above - top == 2
        await walker.press("l")
        await walker.sees("nobody waits for a lock here")
        await walker.press("escape")
        await walker.sees("waits for process 4711")
        freed.set()
        await walker.sees("IT WILL WORK")


async def test_indexes_of_big_tables_can_be_chosen_to_be_built_first() -> None:
    deck = WalkDeck(works)
    deck.preflight_now = (PreflightCheck(BUILDABLE, "warn", "public.agents is big: agents_idx.", "Build it first: o."),)
    async with walking(deck) as walker:
        await walker.to("Preflight")
        await walker.sees("agents_idx", "o Build first")
        await walker.press("o")
        await walker.sees("chosen: they are built")
        await walker.press("o")
        await walker.until(lambda: not walker.screen.walk.plan.online)
        await walker.press("o")
        await walker.until(lambda: walker.screen.walk.plan.online)


async def test_cancelling_asks_the_run_to_stop_and_says_so() -> None:
    async def until_cancelled(plan: Plan, control: Control) -> AsyncIterator[Event]:
        yield Attempt(1)
        yield StatementDone(0, 0.01, "OK")
        await control.wait()
        await release.wait()
        yield finished(plan, Outcome.ROLLED_BACK, reason="Cancelled by the operator.")

    release = asyncio.Event()
    async with walking(WalkDeck(works, until_cancelled)) as walker:
        await walker.rehearse()
        await walker.press("n")
        await walker.type("postgres")
        await walker.sees("1 of 4", "c Cancel")
        await walker.press("c")
        await walker.sees("cancelling: everything is being rolled back")
        release.set()
        await walker.sees("ROLLED BACK: nothing has changed", "Cancelled by the operator.")


async def test_a_cancelled_rehearsal_is_not_a_failed_one() -> None:
    async def until_cancelled(plan: Plan, control: Control) -> AsyncIterator[Event]:
        yield Attempt(1)
        await control.wait()
        yield finished(plan, Outcome.ROLLED_BACK, reason="Cancelled by the operator.")

    async with walking(WalkDeck(until_cancelled)) as walker:
        await walker.to("Rehearsal")
        await walker.press("enter")
        await walker.sees("0 of 4")
        await walker.press("c")
        await walker.sees("NOT REHEARSED TO THE END", "Cancelled by the operator.")


async def test_leaving_a_run_is_asked_about_and_staying_is_the_default() -> None:
    async def until_cancelled(plan: Plan, control: Control) -> AsyncIterator[Event]:
        yield Attempt(1)
        await control.wait()
        yield finished(plan, Outcome.ROLLED_BACK, reason="Cancelled by the operator.")

    async with walking(WalkDeck(until_cancelled)) as walker:
        await walker.to("Rehearsal")
        await walker.press("enter")
        await walker.sees("0 of 4")
        for key in ("enter", "escape"):
            await walker.press("escape")
            await walker.sees("A run is going on", "cancel it: everything is rolled back")
            await walker.press(key)
            assert walker.app.screen is walker.screen
            assert walker.screen.walk.live is not None, f"{key} stays"
        await walker.press("escape")
        await walker.press("c")
        await walker.sees("Cancelled by the operator.")
        await walker.press("escape")
        assert isinstance(walker.app.screen, Dashboard)


async def test_ctrl_q_asks_before_it_ends_a_run() -> None:
    async def until_cancelled(plan: Plan, control: Control) -> AsyncIterator[Event]:
        yield Attempt(1)
        await control.wait()
        yield finished(plan, Outcome.ROLLED_BACK, reason="Cancelled by the operator.")

    async with walking(WalkDeck(until_cancelled)) as walker:
        await walker.to("Rehearsal")
        await walker.press("enter")
        await walker.sees("0 of 4")
        for _ in range(2):
            await walker.press("ctrl+q")
            await walker.sees("A run is going on")
        await walker.press("escape")
        assert walker.app.screen is walker.screen, "asked once, however often it is pressed"
        assert walker.screen.walk.live is not None
        await walker.press("ctrl+q", "c")
        await walker.sees("Cancelled by the operator.")
        await walker.press("ctrl+q")
        assert walker.app.return_code == 0


# The confirmation


@pytest.mark.parametrize("typed", ["", "postgre", "Postgres", "postgres ", "acme-prod"])
async def test_a_wrong_name_sends_nothing(typed: str) -> None:
    deck = WalkDeck(works)
    async with walking(deck) as walker:
        await walker.rehearse()
        await walker.press("n")
        sent, asked = len(deck.plans), {**deck.asked, "tick": 0}
        await walker.press(*("space" if key == " " else key for key in typed))
        assert walker.screen.query_one("#confirm-go").disabled, "the button stays off"
        await walker.press("enter")
        await walker.sees("nothing was sent")
        assert len(deck.plans) == sent
        assert {**deck.asked, "tick": 0} == asked
        assert isinstance(walker.screen.step, ConfirmStep)


async def test_the_right_name_puts_the_button_on_and_leaves_the_keys_where_they_are() -> None:
    deck = WalkDeck(works)
    async with walking(deck) as walker:
        await walker.rehearse()
        await walker.press("n")
        focused = walker.app.focused
        assert focused is not None
        assert focused.id == "confirm-name", "a dangerous button never has the keys by default"
        await walker.press(*"postgres")
        assert not walker.screen.query_one("#confirm-go").disabled
        await walker.sees("enter runs it for real")
        assert walker.app.focused is focused
        deck.look_now = look()
        await walker.pilot.click("#confirm-go")
        await walker.sees("COMMITTED")


async def test_letters_typed_into_the_name_are_no_keys() -> None:
    deck = WalkDeck(works)
    async with walking(deck) as walker:
        await walker.rehearse()
        await walker.press("n")
        await walker.press("n", "p", "r", "s", "x", "c", "q")
        assert isinstance(walker.screen.step, ConfirmStep)
        assert "p Back" not in walker.text.splitlines()[-1]
        await walker.press("up")
        assert isinstance(walker.screen.step, RehearsalStep)


async def test_skipping_the_rehearsal_says_what_is_not_known() -> None:
    deck = WalkDeck(works)
    async with walking(deck) as walker:
        await walker.to("Rehearsal")
        await walker.press("n")
        assert isinstance(walker.screen.step, RehearsalStep), "it is not skipped by going on"
        await walker.press("x")
        await walker.sees("whether every statement runs on this database", "skipped")
        await walker.press("n")
        await walker.sees("The rehearsal is skipped")
        assert deck.plans == []


async def test_a_read_only_session_ends_before_anything_runs() -> None:
    deck = WalkDeck(works, destination=replace(HERE, read_only=True))
    async with walking(deck) as walker:
        await walker.sees("read-only session")
        await walker.to("Plan")
        await walker.sees("create 1")
        await walker.press("n", "enter")
        await walker.sees("this session is read-only")
        assert walker.screen.step.name == "Plan"
        assert deck.plans == []


# Other endings


async def test_an_unknown_outcome_says_what_to_run_and_offers_nothing_else() -> None:
    async def lost(plan: Plan, control: Control) -> AsyncIterator[Event]:
        yield Attempt(1)
        yield Committing("77")
        yield finished(plan, Outcome.UNKNOWN)

    deck = WalkDeck(works, lost)
    async with walking(deck) as walker:
        await walker.rehearse()
        await walker.press("n")
        await walker.type("postgres")
        await walker.sees("OUTCOME NOT KNOWN YET", "transaction 77", "Until that is known nothing is offered here")
        await walker.press("p")
        await walker.sees("This run is over")
        await walker.press(*"postgres", "enter")
        assert len(deck.plans) == 2
        assert walker.screen.walk.go("postgres") is None
        assert walker.screen.walk.rehearse() is None


async def test_what_is_already_so_is_said_and_nothing_ran() -> None:
    async def already(plan: Plan, control: Control) -> AsyncIterator[Event]:
        reason = "Already applied, and every check holds: nothing was run."
        yield finished(plan, Outcome.COMMITTED, ran=False, reason=reason, state="Nothing was changed.")

    deck = WalkDeck(works, already)
    deck.look_now = look()
    async with walking(deck) as walker:
        await walker.sees("applying would run nothing")
        await walker.rehearse()
        await walker.press("n")
        await walker.type("postgres")
        await walker.sees("ALREADY APPLIED", "nothing was run")


async def test_failed_checks_are_listed_with_what_they_mean() -> None:
    async def unproven(plan: Plan, control: Control) -> AsyncIterator[Event]:
        yield Attempt(1)
        yield Verified(checks(outcome=missing("agents_select")))
        yield finished(plan, Outcome.ROLLED_BACK, reason="1 checks failed on the result.")

    async with walking(WalkDeck(unproven), size=(120, 40)) as walker:
        await walker.to("Rehearsal")
        await walker.press("enter")
        await walker.sees(
            "IT WILL NOT WORK",
            "1 check does not hold",
            "policy agents_select on public.agents: missing",
            "members can not do this until the policy is there",
        )


async def test_a_defect_in_the_engine_is_an_ending_like_any_other() -> None:
    async def breaks(plan: Plan, control: Control) -> AsyncIterator[Event]:
        yield Attempt(1)
        raise KeyError("surprise")

    async with walking(WalkDeck(breaks)) as walker:
        await walker.to("Rehearsal")
        await walker.press("enter")
        await walker.sees("NOT REHEARSED TO THE END", "A defect in patchdeck", "COMMIT was not sent")
        await walker.press("escape")
        assert isinstance(walker.app.screen, Dashboard)


async def test_a_defect_while_committing_leaves_the_outcome_unknown() -> None:
    async def breaks(plan: Plan, control: Control) -> AsyncIterator[Event]:
        yield Attempt(1)
        yield Committing("77")
        raise KeyError("surprise")

    async with walking(WalkDeck(works, breaks)) as walker:
        await walker.rehearse()
        await walker.press("n")
        await walker.type("postgres")
        await walker.sees("OUTCOME NOT KNOWN YET", "patchdeck status")


UGLY = "\x1b]52;c;UFdORUQ=\x07[/] [red]x[/red] [@click=app.exit]z[/] \u202eevil\u2066 \x9b31m" + "long " * 50


async def test_text_of_the_server_is_shown_literally() -> None:
    async def ugly(plan: Plan, control: Control) -> AsyncIterator[Event]:
        yield Attempt(1)
        yield WaitingForLock((replace(BLOCKER, application=UGLY, query=UGLY),), 1.0, 0.2)
        await seen.wait()
        yield Attempt(2)
        yield StatementDone(0, 0.1, "OK", (Notice("WARNING", UGLY),))
        yield StatementFailed(Failure(UGLY, 1, "PATCH.sql", 2, 1, "42703", UGLY, UGLY))
        yield finished(plan, Outcome.ROLLED_BACK, reason=UGLY)

    seen = asyncio.Event()
    deck = WalkDeck(ugly, bundle=replace(TEAMS, manifest=replace_title(UGLY)))
    deck.preflight_now = (PreflightCheck(UGLY, "warn", UGLY, UGLY),)
    deck.preview_now = Preview((PlanItem("drop", UGLY, UGLY, None, UGLY),), (Count(UGLY, UGLY, 3, UGLY),))

    def clean(text: str) -> None:
        assert not {"\x1b", "\x07", "\x9b", "\u202e", "\u2066"} & set(text)

    async with walking(deck, size=(120, 40)) as walker:
        for step in ("Preflight", "Plan", "Rehearsal"):
            clean(walker.text)
            await walker.to(step)
            await walker.pilot.pause(0.15)
        await walker.press("enter")
        await walker.sees("[@click=app.exit]z[/]")
        clean(walker.text)
        seen.set()
        await walker.sees("IT WILL NOT WORK")
        clean(walker.text)
        assert walker.app.is_running


def replace_title(title: str) -> Any:
    from msgspec.structs import replace as changed

    return changed(TEAMS.manifest, title=title)


# How it looks and what it costs


async def test_statements_are_listed_with_their_line_and_text() -> None:
    async with walking(WalkDeck(works)) as walker:
        await walker.to("Plan")
        await walker.press("s")
        await walker.sees("PATCH.sql · 4 statements", "1 of 4 · PATCH.sql:1")
        await walker.press("j", "j")
        await walker.sees("3 of 4 · PATCH.sql:4", "5 for select to authenticated", "6 using (nonsense = 1)")
        await walker.press("y")
        assert walker.app.clipboard.startswith("create policy a_read")
        await walker.press("escape")
        assert walker.app.screen is walker.screen


async def test_a_line_of_the_file_that_is_longer_than_the_screen_goes_on_below_itself() -> None:
    long = "create table public.a (id int, note text default 'the longest of all lines that stand in this file');\n"
    bundle = replace(TEAMS, patch=Script("PATCH.sql", split(long)))
    async with walking(WalkDeck(works, bundle=bundle), size=(60, 20)) as walker:
        await walker.to("Plan")
        await walker.press("s", "enter")
        await walker.sees("1 create table public.a (id int, note text default", "in this file')")


@pytest.mark.parametrize("size", SIZES)
async def test_the_database_s_name_is_whole_in_the_band(size: tuple[int, int]) -> None:
    far = replace(HERE, name="acme-production", host="aws-1-eu-central-1.pooler.supabase.com", database="customers_eu")
    async with walking(WalkDeck(works, destination=far), size=size) as walker:
        await walker.sees("database")
        where = "aws-1-eu-central-1" if size[0] > 110 else "acme-production"
        assert f"customers_eu on {where}" in walker.text.splitlines()[0]


async def test_without_unicode_every_screen_is_ascii() -> None:
    async with walking(WalkDeck(works), ascii_only=True) as walker:
        for step in ("Target", "Preflight", "Plan", "Rehearsal"):
            await walker.to(step)
            # The ellipsis of a cut text is the app's to replace.
            assert walker.text.replace("…", "").isascii(), walker.text
        await walker.press("enter")
        await walker.sees("IT WILL WORK")
        assert walker.text.replace("…", "").isascii()


@pytest.mark.parametrize("size", SIZES)
async def test_no_line_is_wider_than_the_screen_and_the_way_on_is_always_in_the_footer(size: tuple[int, int]) -> None:
    async with walking(WalkDeck(works), size=size) as walker:
        for step in ("Target", "Preflight", "Plan", "Rehearsal"):
            await walker.to(step)
            lines = walker.text.splitlines()
            assert len(lines) <= size[1]
            footer = lines[-1]
            assert ("enter Next" in footer) or ("enter Rehearse" in footer)
            assert "esc Leave" in footer
            await walker.sees("does not", "way back")
            if size[0] < 110:
                await walker.sees(f"of 8 {step}")


@pytest.mark.parametrize("size", SIZES)
async def test_how_long_it_took_in_the_rehearsal_is_said_from_there_to_the_end(size: tuple[int, int]) -> None:
    said = "rehearsed 1.9 s, locks held 600 ms of it"
    going_on = asyncio.Event()

    async def stays(plan: Plan, control: Control) -> AsyncIterator[Event]:
        yield Attempt(1)
        await going_on.wait()
        yield finished(plan, Outcome.COMMITTED)

    async with walking(WalkDeck(works, stays), size=size) as walker:
        await walker.to("Rehearsal")
        assert "rehearsed" not in walker.flat
        await walker.rehearse()
        await walker.sees(said)
        await walker.press("n")
        await walker.sees("step 5" if size[0] < 110 else "5 Confirm", said)
        await walker.type("postgres")
        await walker.sees("0 of 4", said, "c cancels")
        going_on.set()


async def test_a_skipped_rehearsal_is_said_to_have_told_nothing() -> None:
    async with walking(WalkDeck(works)) as walker:
        await walker.to("Rehearsal")
        await walker.press("x", "n")
        await walker.sees("rehearsed not: how long it takes here is not known")


async def test_the_confirmation_is_read_to_its_end_while_the_name_is_typed() -> None:
    async with walking(WalkDeck(works), size=(60, 20)) as walker:
        await walker.rehearse()
        await walker.press("n")
        await walker.sees("more lines", "PgDn Read on")
        assert "Locks are tried for 30 s" not in walker.flat
        await walker.press("p", "pagedown", "pagedown")
        await walker.sees("Locks are tried for 30 s")
        assert walker.screen.query_one("#confirm-name", Input).value == "p"


async def test_a_burst_of_events_is_drawn_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    many = Script("PATCH.sql", split("".join(f"create table public.t{n} (id int);\n" for n in range(400))))
    deck = WalkDeck(works, bundle=replace(TEAMS, patch=many))
    drawn = 0
    draw = WalkthroughScreen._draw

    def counted(screen: WalkthroughScreen, **how: Any) -> None:
        nonlocal drawn
        drawn += 1
        draw(screen, **how)

    async with walking(deck) as walker:
        await walker.to("Rehearsal")
        monkeypatch.setattr(WalkthroughScreen, "_draw", counted)
        await walker.press("enter")
        await walker.sees("IT WILL WORK")
        assert 1 <= drawn <= 30, "ten a second, however many statements a second"


async def test_every_key_leads_to_something() -> None:
    async with walking(WalkDeck(works)) as walker:
        for binding in WalkthroughScreen.BINDINGS:
            action = binding.action  # type: ignore[union-attr]
            assert hasattr(walker.screen, f"action_{action}"), action
        await walker.press("question_mark")
        await walker.sees("Keys", "Back to the dashboard")


@pytest.mark.parametrize("again", [lambda walk: walk.rehearse(), lambda walk: walk.go("postgres")])
async def test_a_second_start_is_refused_while_a_run_goes_on(again: Callable[[Any], Awaitable[None] | None]) -> None:
    async def until_cancelled(plan: Plan, control: Control) -> AsyncIterator[Event]:
        yield Attempt(1)
        await control.wait()
        yield finished(plan, Outcome.ROLLED_BACK)

    deck = WalkDeck(until_cancelled)
    async with walking(deck) as walker:
        await walker.to("Rehearsal")
        await walker.press("enter")
        await walker.sees("0 of 4")
        assert again(walker.screen.walk) is None
        await walker.press("r", "x", "n", "p")
        assert len(deck.plans) == 1
        assert isinstance(walker.screen.step, RehearsalStep)
        await walker.press("c")
        await walker.sees("NOT REHEARSED")
