"""Isolation, findings and drift over a scripted database, read as a person reads them: the text on the screen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from rich.cells import cell_len

from tests.ui.support import (
    NOON,
    ScriptedDeck,
    Time,
    checks,
    dashboard,
    look,
    missing,
    screen_lines,
    screen_text,
    shows,
    until,
)
from tui.core.check import Check
from tui.core.deck import Problem
from tui.core.drift import Drift
from tui.core.isolation import Control, Matrix, Probe, to_checks, unproven
from tui.core.isolation_cases import Case
from tui.core.proof import Proof
from tui.core.safety import Finding
from tui.core.safety_rules import BY_CODE
from tui.core.surface import Change
from tui.screens.isolation import ProofScreen
from tui.widgets.matrix import MatrixTable
from tui.widgets.table import LineTable

SIZES = [(60, 20), (80, 24), (120, 40)]
PERSONAS = ("anon", "member", "owner", "outsider", "service_role")
HOSTILE = ["[/]", "[bold red]x", "[@click=app.exit]z[/]", "\x1b]52;c;aGk=\x07", "x\u202ey\u200b", "家" * 60]
SEEN = Control("red", ("public.agents",), 20, 20)
CLAIMS = '{"role":"authenticated","sub":"5eed"}'


def probe(table: str, command: str, persona: str, *, leak: bool = False, reason: str = "") -> Probe:
    """One case of the made-up matrix: refused as it must be, unless it leaks or was not tried."""
    role = persona if persona in ("anon", "service_role") else "authenticated"
    claims = CLAIMS if role == "authenticated" else f'{{"role":"{role}"}}'
    case = Case(table, command, persona, "foreign", role, claims, f"{command} on {table}", "no_rows")
    if reason:
        return Probe(case, "not_probed", "not probed", reason)
    return Probe(case, "leak", "allowed") if leak else Probe(case, "ok", "no rows")


def matrix(
    tables: Sequence[str] = ("public.agents", "public.flows", "public.plans"),
    *,
    leaks: Sequence[tuple[str, str, str]] = (),
    control: Control = SEEN,
    reason: str = "",
) -> Matrix:
    """Every command of every persona on these tables, refused but for `leaks`."""
    probes = [
        probe(table, command, who, leak=(table, command, who) in leaks, reason=reason)
        for who in PERSONAS
        for table in tables
        for command in ("select", "insert", "update", "delete")
    ]
    locks = tuple((table, "RowExclusiveLock") for table in tables)
    return Matrix(tuple(probes), control, locks=locks, seconds=0.4, round_trips=1)


FOUND = (
    Finding(BY_CODE["R001"], "table", "public.plans", "plans", "anon may SELECT", new=True),
    Finding(BY_CODE["R106"], "policy", "public.agents", "agents_select", "USING true", new=False),
    Finding(
        BY_CODE["R101"], "policy", "public.flows", "open", "USING true", muted_by="the catalogue is public", new=False
    ),
)


def proven(shown: Matrix | None = None, findings: tuple[Finding, ...] = ()) -> Proof:
    """A proof of this matrix (by default one that holds) with these findings."""
    tried = matrix() if shown is None else shown
    return Proof(findings, tried, (Check("safety", "rule", "", "R001", "ok"), *to_checks(tried)), NOON)


@pytest.mark.parametrize("size", SIZES)
async def test_isolation_is_proven_when_it_is_opened_and_says_so_in_words(size: tuple[int, int]) -> None:
    deck = ScriptedDeck()
    deck.proof_now = proven()
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "✓ APPLIED")
        assert deck.asked.get("prove", 0) == 0
        await pilot.press("i")
        await shows(pilot, "✓ PROVEN")
        text = screen_text(app)
        assert "just now" in text
        assert "0 leaks" in text
        assert "negative control seen: 20 of 20 cells turned red" in text
        assert ("– denied" if size[0] == 120 else "– no") in text
        assert "anon · select · public.agents" in text
        assert "LEAK" not in text
        assert deck.asked["prove"] == 1
        await pilot.press("escape")
        if size[0] >= 80:
            await shows(
                pilot, "isolation just now, 0 leaks" if size[0] < 110 else "isolation proven just now, 0 leaks in 60"
            )


@pytest.mark.parametrize("size", SIZES)
async def test_a_leak_is_marked_found_explained_and_copied(size: tuple[int, int]) -> None:
    deck = ScriptedDeck()
    deck.proof_now = proven(matrix(leaks=[("public.plans", "update", "outsider")]))
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "✓ APPLIED")
        await pilot.press("i")
        await shows(pilot, "✗ NOT ISOLATED")
        await pilot.press("n")
        await shows(pilot, "outsider · update · public.plans")
        row = next(line for line in screen_lines(app) if "▸✗ LEAK" in line)
        assert "plans" in row and "update" in row and "✗  " in row
        assert app.screen.query_one("#proof-detail").has_class("-broken")
        await pilot.press("y")
        assert app.clipboard == (
            f"begin; select set_config('request.jwt.claims', '{CLAIMS}', true); set local role authenticated; "
            "update on public.plans; rollback;"
        )
        await pilot.press("f")
        assert [row.key for row in app.screen.query_one(MatrixTable).listed] == ["update public.plans"]
        await pilot.press("f", "tab")
        await shows(pilot, "update foreign: allowed, expected no rows")
        await pilot.press("escape")
        await shows(pilot, "isolation 1 leak, just now")


async def test_every_persona_can_be_reached_where_not_all_have_room() -> None:
    deck = ScriptedDeck()
    deck.proof_now = proven()
    async with dashboard(deck, (60, 20)) as (app, pilot):
        await shows(pilot, "✓ APPLIED")
        await pilot.press("i")
        await shows(pilot, "more personas")
        for who in PERSONAS[1:]:
            await pilot.press("right")
            await shows(pilot, f"{who} · select")
            assert who[:8] in next(line for line in screen_lines(app) if "command" in line)
        await pilot.press("right")
        assert app.screen.query_one(MatrixTable).persona == "service_role"
        for who in reversed(PERSONAS[:-1]):
            await pilot.press("left")
            await shows(pilot, f"{who} · select")


async def test_while_a_proof_runs_keys_answer_and_the_old_one_stays_greyed() -> None:
    deck, time = ScriptedDeck(), Time()
    deck.proof_now = proven()
    async with dashboard(deck, time=time) as (app, pilot):
        await shows(pilot, "✓ APPLIED")
        await pilot.press("i")
        await shows(pilot, "✓ PROVEN")
        deck.hold = asyncio.Event()
        await pilot.press("v", "v")
        await shows(pilot, "proving again")
        await pilot.press("down", "right")
        await shows(pilot, "member · insert")
        assert any(line.ground == "stale" for line in app.screen.query_one(MatrixTable).shown)
        assert "0 leaks" in screen_text(app)
        deck.hold.set()
        await until(pilot, lambda: not app.store.proving.running)
        assert deck.asked["prove"] == 2
        assert "member · insert" in screen_text(app)


async def test_it_never_runs_by_itself_and_its_age_is_told_by_the_minute() -> None:
    deck, time = ScriptedDeck(), Time()
    deck.proof_now = proven()
    async with dashboard(deck, time=time) as (app, pilot):
        await shows(pilot, "✓ APPLIED")
        await pilot.press("v")
        await shows(pilot, "isolation proven just now")
        time.turn_on(200)
        app._tick()
        await shows(pilot, "isolation proven 3 min ago, 0 leaks in 60")
        assert deck.asked["prove"] == 1
        deck.look_now = look(checks(outcome=missing("flows_delete")))
        await shows(pilot, "isolation proven before the last change")
        assert deck.asked["prove"] == 1


@pytest.mark.parametrize("size", SIZES)
async def test_what_could_not_be_proven_says_why(size: tuple[int, int]) -> None:
    deck = ScriptedDeck()
    deck.proof_now = proven(unproven("this session is read-only"))
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "✓ APPLIED")
        await pilot.press("i")
        await shows(pilot, "! NOT PROVEN")
        assert "this session is read-only" in screen_text(app)
        deck.proof_now = proven(matrix(control=Control("green", ("public.agents",), 20, 19, "a policy was not seen")))
        await pilot.press("r")
        await shows(pilot, "✗ NOT ISOLATED")
        assert "negative control: the proof does not work here, a" in screen_text(app)
        deck.proof_now = proven(matrix(control=Control("not_run", reason="no twin"), reason="no row could be made"))
        await pilot.press("r")
        await shows(pilot, "! NOT PROVEN")
        assert "no row could be made" in screen_text(app)
        deck.fail = {"prove": Problem("query", "out of shared memory (53200)", "fewer locks")}
        await pilot.press("r")
        await shows(pilot, "! NOT PROVEN AGAIN")
        assert "out of shared memory (53200)" in screen_text(app)
        await pilot.press("escape")
        await shows(pilot, "isolation not proven")


@pytest.mark.parametrize("size", SIZES)
async def test_findings_say_what_why_how_to_mend_and_since_when(size: tuple[int, int]) -> None:
    deck = ScriptedDeck()
    deck.proof_now = proven(findings=FOUND)
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "✓ APPLIED")
        await pilot.press("i")
        await shows(pilot, "✓ PROVEN")
        await pilot.press("2")
        await shows(pilot, "✗ FINDINGS")
        rows = [
            line for line in screen_lines(app) if "R001  error" in line or "R101  error" in line or "R106  info" in line
        ]
        assert [row.split()[-1] for row in (line.rstrip("│ █") for line in rows)] == ["new", "known", "muted"]
        assert "1 of them new since the patch" in screen_text(app)
        assert "R001 · public.plans" in screen_text(app)
        await pilot.press("enter", "end")
        await shows(pilot, "rls_disabled_in_public")
        assert "New since the patch." in screen_text(app)
        await pilot.press("y")
        assert app.clipboard.splitlines()[-1] == BY_CODE["R001"].mend
        await pilot.press("tab", "end", "enter", "end")
        await shows(pilot, "the catalogue is public")


@pytest.mark.parametrize("size", SIZES)
async def test_drift_shows_old_and_new_with_the_difference(size: tuple[int, int]) -> None:
    deck = ScriptedDeck()
    before, after = "permissive select using (team_id = 1)", "permissive select using (true)"
    changes = (
        Change("altered", "policy plans_select on public.plans", before, after),
        Change("dropped", "index plans_team on public.plans", "btree (team_id)"),
    )
    deck.drift_now = Drift("r1", "apply", "", "dana", "2026-11-20T09:12:00+00:00", True, changes)
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "drift 2")
        await pilot.press("d")
        await shows(pilot, "✗ DRIFTED 2")
        text = screen_text(app)
        assert "altered  policy plans_select on public.plans" in text
        assert "dropped  index plans_team on public.plans" in text
        assert "recorded by apply of dana, 2026-11-20 09:12 UTC" in text
        await pilot.press("y")
        assert app.clipboard.endswith(f"-- recorded\n{before}\n-- live\n{after}")
        await pilot.press("enter", "end")
        await shows(pilot, "using (true)")
        changed = [span for line in app.screen.query_one("#drift-pair").shown for span in line.spans]  # type: ignore[attr-defined]
        assert ("true", "changed") in changed
        deck.drift_now = Drift("r1", "apply", "", "dana", "2026-11-20T09:12:00+00:00", True, ())
        await pilot.press("v")
        await shows(pilot, "✓ NO DRIFT")
        await pilot.press("escape")
        await shows(pilot, "drift none")


async def test_drift_without_a_record_or_on_another_server_version_is_not_proven() -> None:
    deck = ScriptedDeck()
    deck.look_now = look(run=None)
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "✓ APPLIED")
        assert "drift" not in screen_text(app).splitlines()[3]
        await pilot.press("d")
        await shows(pilot, "No run is recorded in this database")
        assert "drift" not in deck.asked
        changes = (Change("altered", "view public.v", "select 1", "select (1)"),)
        deck.drift_now = Drift("r1", "apply", "", "dana", "2026-11-20T09:12:00+00:00", False, changes)
        deck.look_now = look()
        await shows(pilot, "the server was upgraded since")
        assert "! NOT PROVEN" in screen_text(app)
        await pilot.press("escape")
        await shows(pilot, "drift not proven")


@pytest.mark.parametrize("size", SIZES)
async def test_a_drift_that_can_not_be_told_offers_nothing_to_copy(size: tuple[int, int]) -> None:
    deck = ScriptedDeck()
    deck.look_now = look(run=None)
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "✓ APPLIED")
        await pilot.press("d")
        await shows(pilot, "there is nothing to compare it with" if size[0] > 60 else "there is nothing to")
        assert screen_text(app).count("No run is recorded") == 1, "said once, and whole"
        await pilot.press("y")
        await shows(pilot, "nothing to copy: no change is marked")


async def test_while_nothing_is_proven_yet_nothing_is_said_to_be_well() -> None:
    deck = ScriptedDeck()
    async with dashboard(deck) as (_, pilot):
        await shows(pilot, "✓ APPLIED")
        deck.hold = asyncio.Event()
        await pilot.press("i", "n")
        await shows(pilot, "nothing is proven here yet")
        deck.hold.set()


async def test_a_drift_that_can_not_be_asked_for_is_told_and_the_rest_goes_on() -> None:
    deck = ScriptedDeck()
    deck.fail = {"drift": Problem("query", "permission denied for schema patchdeck (42501)")}
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "permission denied for schema patchdeck")
        assert "✓ APPLIED" in screen_text(app)
        deck.fail = {}
        await shows(pilot, "drift none")
        assert "permission denied" not in screen_text(app)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("tab", ["1", "2"])
async def test_hostile_names_are_shown_not_obeyed(size: tuple[int, int], tab: str) -> None:
    deck = ScriptedDeck()
    tables = [f"public.{name}" for name in HOSTILE]
    found = tuple(Finding(BY_CODE["R001"], "table", name, name, f"anon {name}", new=True) for name in tables)
    deck.proof_now = proven(matrix(tables, leaks=[(tables[3], "select", "anon")]), found)
    deck.drift_now = Drift(
        "r1", "apply", HOSTILE[3], HOSTILE[4], HOSTILE[1], True,
        tuple(Change("altered", f"policy {name} on public.x", name, name + "!") for name in HOSTILE),
    )  # fmt: skip
    async with dashboard(deck, size) as (app, pilot):
        await shows(pilot, "APPLIED")
        await pilot.press("i")
        await until(pilot, lambda: app.store.proving.proof is not None)
        await pilot.press(tab)
        for _ in range(30):
            await pilot.press("down")
            _harmless(screen_lines(app), size[0])
        await pilot.press("y", "escape", "d")
        await shows(pilot, "DRIFTED 6")
        for _ in HOSTILE:
            await pilot.press("down", "y")
            _harmless(screen_lines(app), size[0])
            assert not {"\x1b", "\x07", "\u202e", "\u200b"} & set(app.clipboard)
        assert app.is_running


def _harmless(lines: Sequence[str], width: int) -> None:
    for line in lines:
        assert not {"\x1b", "\x07", "\u202e", "\u200b"} & set(line)
        assert cell_len(line) <= width


async def test_leaving_while_it_runs_lets_it_end_and_the_band_tell() -> None:
    deck = ScriptedDeck()
    deck.proof_now = proven()
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "✓ APPLIED")
        deck.hold = asyncio.Event()
        await pilot.press("i")
        await until(pilot, lambda: isinstance(app.screen, ProofScreen))
        await shows(pilot, "proving")
        await pilot.press("escape")
        await shows(pilot, "isolation proving")
        deck.hold.set()
        await shows(pilot, "isolation proven just now")


async def test_a_defect_in_the_proof_is_told_and_the_dashboard_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    deck = ScriptedDeck()

    async def broken(_: object) -> Proof:
        raise ValueError("a defect")

    monkeypatch.setattr(deck, "prove", broken)
    async with dashboard(deck) as (app, pilot):
        await shows(pilot, "✓ APPLIED")
        await pilot.press("v")
        await shows(pilot, "isolation not proven")
        assert app.store.proving.trouble is not None
        assert "a defect" in app.store.proving.trouble.text
        assert app.query_one("#checklist-table", LineTable).rows
