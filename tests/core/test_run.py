"""The state of a run: what its events make of it, and that a long run costs no more per statement than a short one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.core.run import KEPT, Attempt, Notice, RunState, StatementDone, advance, rows_written

SEVERITIES = ("NOTICE", "WARNING", "INFO", "LOG", "DEBUG")


@given(st.lists(st.lists(st.sampled_from(SEVERITIES), max_size=3), max_size=150))
def test_warnings_are_kept_and_notices_counted(said: list[list[str]]) -> None:
    state = advance(RunState(total=len(said)), Attempt(1))
    for index, severities in enumerate(said):
        notices = tuple(Notice(severity, f"{index}") for severity in severities)
        state = advance(state, StatementDone(index, 0.1, "SELECT 1", notices))
    warned = [index for index, severities in enumerate(said) for one in severities if one == "WARNING"]
    quiet = [index for index, severities in enumerate(said) for one in severities if one != "WARNING"]
    assert state.done == len(said)
    assert (state.warned, state.noticed) == (len(warned), len(quiet))
    assert [index for index, _ in state.warnings] == warned[-KEPT:]
    assert (state.newest[0] if state.newest else None) == (quiet[-1] if quiet else None)
    assert advance(state, Attempt(2)) == RunState(total=len(said), phase=advance(state, Attempt(2)).phase, attempts=2)


def test_what_is_kept_does_not_grow_with_the_run() -> None:
    state = RunState(total=50_000)
    for index in range(3 * KEPT):
        state = advance(state, StatementDone(index, 0.1, "INSERT 0 2", (Notice("WARNING", "w"), Notice("NOTICE", "n"))))
    assert (len(state.warnings), state.rows) == (KEPT, 6 * KEPT)


def test_rows_are_read_off_the_command_tag() -> None:
    tags = {"UPDATE 12": 12, "INSERT 0 3": 3, "DELETE 0": 0, "CREATE TABLE": 0, "SELECT 5": 0, "MERGE 4": 4, "": 0}
    assert {tag: rows_written(tag) for tag in tags} == tags
