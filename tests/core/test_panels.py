"""How new rows merge into a panel's, who has how much of a window, and what a bundle may say of a panel."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tui.core.panel_source import Panel, PanelSource, panel_flaws
from tui.core.panels import ROWS_KEPT, Execution, Scope, ScopeShare, merge_rows, share_out

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def execution(number: int, status: str = "ok") -> Execution:
    """One that started `number` seconds ago."""
    return Execution(f"e{number:04}", "job", "j", "", status, NOW - timedelta(seconds=number), None)


def test_rows_leave_with_their_window() -> None:
    kept = tuple(execution(number) for number in (10, 200, 299, 300, 301))
    merged = merge_rows(kept, [execution(5), execution(400)], NOW - timedelta(seconds=300))
    assert [row.id for row in merged] == ["e0005", "e0010", "e0200", "e0299", "e0300"]
    assert merge_rows(merged, [], NOW - timedelta(seconds=60)) == merged[:2]


def test_a_row_read_again_takes_the_place_of_the_one_before_and_the_newest_stay() -> None:
    merged = merge_rows([execution(1, "running")], [execution(1, "failed")], NOW - timedelta(60))
    assert [row.status for row in merged] == ["failed"]
    many = merge_rows([], (execution(number) for number in range(ROWS_KEPT + 50)), NOW - timedelta(60))
    assert len(many) == ROWS_KEPT and many[0].id == "e0000"


def test_the_busiest_scope_is_first_and_each_is_there_once() -> None:
    a, b, c, none = Scope("a", "Acme"), Scope("b", "Blue"), Scope("c", "Cedar"), Scope("", "none")
    shares = share_out([(a, 3), (none, 3), (b, 7)], [(c, 9), (a, 1)])
    assert shares == (ScopeShare(b, 7), ScopeShare(a, 3, 1), ScopeShare(none, 3), ScopeShare(c, 0, 9))


@pytest.mark.parametrize(
    ("kind", "source", "reasons"),
    [
        ("executions", PanelSource("n", "w", running="r", detail="d", log="l", scope="team", scopes="s"), []),
        ("errors", PanelSource("n", "w", top="t", course="c", occurrences="o"), []),
        ("executions", PanelSource("n", "w"), ["a source of kind executions needs `running`"]),
        ("errors", PanelSource("n", "w"), ["a source of kind errors needs `top`"]),
        (
            "errors",
            PanelSource("n", "w", top="t", log="l", scope="team"),
            ["a source of kind errors has no `log`", "`scope` and `scopes` go together"],
        ),
    ],
)
def test_what_a_source_lacks_or_has_too_much_is_said(kind: str, source: PanelSource, reasons: list[str]) -> None:
    panel = Panel("p", "errors" if kind == "errors" else "executions", "P", (source,))
    assert list(panel_flaws([panel])) == [f"panel 'p': {reason}" for reason in reasons]
