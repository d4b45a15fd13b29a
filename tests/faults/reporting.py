"""The campaign's record, and its table at the end of the session, however many processes ran the tests."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from tests.faults.campaign import Campaign, Case

CAMPAIGN = Campaign()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands its cases to the process that prints."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["campaign"] = [asdict(case) for case in CAMPAIGN.cases]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a worker hands over."""
    CAMPAIGN.cases += [Case(**case) for case in getattr(node, "workeroutput", {}).get("campaign", ())]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of outcomes."""
    if CAMPAIGN.cases:
        terminalreporter.section("fault campaign")
        for line in CAMPAIGN.table():
            terminalreporter.write_line(line)
