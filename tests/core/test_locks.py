"""The tree of who waits for whom, and who may be ended."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.core.locks import LockSession, tree, why_not


@dataclass(frozen=True)
class One:
    pid: int
    waits_for: tuple[int, ...] = ()


def drawn(*sessions: One) -> list[str]:
    return [f"{'  ' * node.depth}{node.session.pid} <{node.behind}" for node in tree(sessions)]


def test_who_others_are_behind_comes_first_and_they_hang_below() -> None:
    assert drawn(One(9), One(3, (2,)), One(2, (1,)), One(4, (2,)), One(1)) == [
        "1 <3",
        "  2 <2",
        "    3 <0",
        "    4 <0",
        "9 <0",
    ]


def test_who_waits_for_two_is_there_once_and_says_the_other() -> None:
    nodes = tree((One(1), One(2), One(3, (1, 2))))
    assert [(node.session.pid, node.depth, node.also) for node in nodes] == [(1, 0, ()), (3, 1, (2,)), (2, 0, ())]


def test_a_blocker_that_is_not_known_is_said() -> None:
    assert [(node.depth, node.also) for node in tree((One(3, (77,)),))] == [(0, (77,))]


def test_a_deadlock_has_an_end() -> None:
    assert drawn(One(1, (2,)), One(2, (1,))) == ["1 <1", "  2 <1"]


@given(st.lists(st.lists(st.integers(0, 12), max_size=4).map(tuple), max_size=12))
def test_everybody_is_there_once(waits: list[tuple[int, ...]]) -> None:
    sessions = [One(pid, waited) for pid, waited in enumerate(waits)]
    nodes = tree(sessions)
    assert sorted(node.session.pid for node in nodes) == list(range(len(sessions)))
    for at, node in enumerate(nodes):
        if node.depth:
            above = next(other for other in reversed(nodes[:at]) if other.depth == node.depth - 1)
            assert above.session.pid in node.session.waits_for


def test_a_long_chain_is_drawn() -> None:
    nodes = tree([One(pid, (pid - 1,)) for pid in range(1, 3000)])
    assert nodes[-1].depth == 2998


@pytest.mark.parametrize(
    ("changed", "how", "read_only", "said"),
    [
        ({}, "terminate", False, ""),
        ({}, "cancel", False, ""),
        ({}, "terminate", True, "read-only"),
        ({"state": "idle in transaction"}, "terminate", False, ""),
        ({"state": "idle in transaction"}, "cancel", False, "idle in transaction"),
        ({"may_end": False}, "terminate", False, "pg_signal_backend or in role bob"),
        ({"may_end": False, "superuser": True}, "terminate", False, "superuser"),
        ({"may_end": True, "superuser": True}, "terminate", False, ""),
        ({"pid": 0}, "terminate", False, "prepared transaction"),
    ],
)
def test_why_a_session_can_not_be_ended(changed: dict[str, object], how: str, read_only: bool, said: str) -> None:
    given_: dict[str, object] = {
        "pid": 7, "token": "1/2", "user": "bob", "application": "", "state": "active", "age": 1.0, "query": "",
        "locks": (), "waits_for": (), "superuser": False, "may_end": True,
    }  # fmt: skip
    session = LockSession(**{**given_, **changed})  # type: ignore[arg-type]
    found = why_not(session, how, read_only=read_only)  # type: ignore[arg-type]
    assert (said in found) if said else (found == "")
