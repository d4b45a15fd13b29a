"""Rules of the screens that no linter knows: no markup from data, no driver, every key leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from textual.binding import Binding

from tui.app import PatchdeckApp
from tui.screens.base import DeckScreen
from tui.screens.dashboard import Dashboard
from tui.screens.detail import DetailScreen
from tui.screens.drift import DriftScreen
from tui.screens.error_detail import ErrorDetail
from tui.screens.execution_detail import ExecutionDetail
from tui.screens.help import HelpScreen
from tui.screens.history import HistoryScreen
from tui.screens.isolation import ProofScreen
from tui.screens.report import ReportScreen
from tui.widgets.matrix import MatrixTable
from tui.widgets.reader import Reader
from tui.widgets.table import LineTable

PACKAGE = Path(__file__).parents[2] / "tui"
DRAWN = [*sorted((PACKAGE / "widgets").glob("*.py")), *sorted((PACKAGE / "screens").rglob("*.py")), PACKAGE / "app.py"]
FORBIDDEN = {
    "markup parsed from a text": r"from_markup|markup=True|Text\.from_ansi",
    "a notification whose text is parsed": r"notify\((?![^)]*markup=False)",
    "an update with a formatted string": r"\.update\(f[\"']",
    "a widget that repaints itself wholly": r"\b(DataTable|RichLog|Sparkline|LoadingIndicator|ProgressBar)\(",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_screen_has(what: str) -> None:
    found = [
        f"{path.name}:{number}: {line.strip()}"
        for path in DRAWN
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(FORBIDDEN[what], line)
    ]
    assert found == []


def test_the_screens_load_no_driver() -> None:
    code = "import sys, tui.app, tui.screens.walkthrough; print('psycopg' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


@pytest.mark.parametrize(
    "owner",
    [
        PatchdeckApp,
        DeckScreen,
        Dashboard,
        DetailScreen,
        ErrorDetail,
        ExecutionDetail,
        HelpScreen,
        LineTable,
        Reader,
        ProofScreen,
        DriftScreen,
        HistoryScreen,
        ReportScreen,
        MatrixTable,
    ],
)
def test_every_key_leads_to_an_action_and_says_what_it_does(owner: type) -> None:
    for binding in owner.BINDINGS:  # type: ignore[attr-defined]
        assert isinstance(binding, Binding)
        place, _, name = binding.action.partition("(")[0].rpartition(".")
        target = {"app": PatchdeckApp, "screen": Dashboard}.get(place, owner)
        assert hasattr(target, f"action_{name}"), binding.action
        assert binding.tooltip or not binding.show, binding


def test_no_two_keys_of_a_screen_collide() -> None:
    for owner in (Dashboard, DetailScreen, ErrorDetail, ProofScreen, DriftScreen, HistoryScreen, ReportScreen):
        keys = [key for binding in owner.BINDINGS for key in binding.key.split(",")]  # type: ignore[union-attr]
        assert len(keys) == len(set(keys))
        rows = {key for binding in LineTable.BINDINGS for key in binding.key.split(",")}  # type: ignore[union-attr]
        assert not rows & set(keys) - {"enter"}
