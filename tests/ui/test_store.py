"""The store: what counts as a change, and the connection's states."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.ui.support import NOON, SERVER, WAITING, checks, look, missing, panels
from tui.core.deck import Problem
from tui.store import (
    NOBODY_CAP,
    RETRY_CAP,
    AuthFailed,
    Changed,
    Connected,
    Connecting,
    Notice,
    Reconnecting,
    Stopped,
    Store,
    after_problem,
    backoff,
    lost_line,
)

DOWN = Problem("unreachable", "connection refused", "is it up?")


def test_the_same_again_is_no_change() -> None:
    said: list[Changed] = []
    store = Store(said.append)
    store.connected(SERVER)
    store.put_look(look(), 1.0)
    store.put_panels(panels(), 1.0)
    before = len(said)
    store.connected(SERVER)
    store.put_look(look(at=NOON + timedelta(seconds=9)), 2.0)
    store.put_panels(replace(panels(), taken_at=NOON + timedelta(seconds=9), rtt=0.2), 2.0)
    store.pause(False)
    store.tell(None)
    assert len(said) == before
    assert (store.look_at, store.panels_at) == (2.0, 2.0)


def test_a_change_names_its_part_and_the_newest_message_names_all_not_yet_taken() -> None:
    said: list[Changed] = []
    store = Store(said.append)
    store.put_look(look(), 1.0)
    store.put_panels(panels(), 1.0)
    assert said[-1].parts == {"look", "executions", "errors"}
    assert said[-1].can_replace(said[0])
    assert store.take() == {"look", "executions", "errors"}
    store.put_look(look(checks(outcome=missing("flows_delete"))), 2.0)
    assert said[-1].parts == {"look"}
    store.tell(Notice("slow"))
    store.pause(True)
    assert store.take() == {"look", "notice", "paused"}


def test_another_source_of_a_panel_is_told() -> None:
    store = Store(lambda _: None)
    assert not store.put_panels(WAITING, 1.0)
    assert store.put_panels(panels(), 2.0)
    assert not store.put_panels(panels(), 3.0)


def test_a_trembling_round_trip_does_not_move_the_shown_one() -> None:
    store = Store(lambda _: None)
    shown = []
    for rtt in (0.080, 0.085, 0.072, 0.099, 0.140, 0.120):
        store.connected(SERVER, rtt)
        assert isinstance(store.connection, Connected)
        shown.append(store.connection.rtt)
    assert shown == [0.080, 0.080, 0.080, 0.080, 0.140, 0.140]


def test_first_retries_are_fast_and_later_ones_capped() -> None:
    assert sum(backoff(attempt, 0.5, NOBODY_CAP) for attempt in (1, 2, 3)) < 2
    assert backoff(1, 0, RETRY_CAP) < 0.5
    assert backoff(50, 0, RETRY_CAP) == RETRY_CAP
    assert backoff(50, 0, NOBODY_CAP) == NOBODY_CAP


@given(st.integers(1, 10_000), st.floats(0, 1), st.sampled_from([NOBODY_CAP, RETRY_CAP]))
def test_no_wait_is_longer_than_the_cap_or_shorter_than_three_quarters(attempt: int, jitter: float, cap: float) -> None:
    assert 0 < backoff(attempt, jitter, cap) <= cap
    assert backoff(attempt, jitter, cap) >= 0.75 * backoff(attempt, 0, cap) - 1e-9


@pytest.mark.parametrize(
    ("kind", "cap"),
    [("lost", NOBODY_CAP), ("unreachable", NOBODY_CAP), ("timeout", NOBODY_CAP), ("refused", RETRY_CAP)],
)
def test_who_declines_is_asked_less_often_than_who_is_away(kind: str, cap: float) -> None:
    state = after_problem(Connecting(), Problem(kind, "x"), 0.0, 0.0)  # type: ignore[arg-type]
    for _ in range(20):
        state = after_problem(state, Problem(kind, "x"), 0.0, 0.0)  # type: ignore[arg-type]
    assert isinstance(state, Reconnecting) and state.next_at == cap


def test_attempts_are_counted_and_the_beginning_kept() -> None:
    first = after_problem(Connecting(), DOWN, 100.0, 0.0)
    second = after_problem(first, DOWN, 101.0, 0.0)
    assert isinstance(first, Reconnecting) and isinstance(second, Reconnecting)
    assert (first.attempt, second.attempt) == (1, 2)
    assert (first.since, second.since) == (100.0, 100.0)
    assert second.next_at > 101.0
    again = after_problem(Connected(SERVER, 0.1), DOWN, 200.0, 0.0)
    assert isinstance(again, Reconnecting) and again.attempt == 1 and again.since == 200.0


@pytest.mark.parametrize(
    ("problem", "state"),
    [
        (Problem("auth", "password authentication failed"), AuthFailed),
        (Problem("auth", "password authentication failed", retry=False), AuthFailed),
        (Problem("refused", "no such database", retry=False), Stopped),
        (Problem("refused", "the pooler is full"), Reconnecting),
        (Problem("timeout", "no answer in time"), Reconnecting),
        (Problem("lost", "server closed the connection"), Reconnecting),
    ],
)
def test_what_is_tried_again_by_itself(problem: Problem, state: type) -> None:
    assert isinstance(after_problem(Connecting(), problem, 0.0, 0.0), state)


@pytest.mark.parametrize(
    ("kind", "lost"), [("lost", True), ("unreachable", True), ("query", False), ("timeout", False)]
)
def test_a_failed_question_is_not_a_lost_line(kind: str, lost: bool) -> None:
    assert lost_line(Problem(kind, "x")) is lost  # type: ignore[arg-type]
