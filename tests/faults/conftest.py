"""The campaign's record, and its table at the end of the session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.campaign import Campaign

_CAMPAIGN = Campaign()


@pytest.fixture
def campaign(request: pytest.FixtureRequest) -> Iterator[Campaign]:
    """The record of every case; a test that leaves a lie in it fails, with every lie told."""
    since = len(_CAMPAIGN.cases)
    yield _CAMPAIGN
    lies = _CAMPAIGN.lies(since)
    if lies:
        pytest.fail("\n".join(f"{case.kind} ({case.where}) at {case.moment}: {case.lie}" for case in lies))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of outcomes, however the tests were started."""
    if _CAMPAIGN.cases:
        terminalreporter.section("fault campaign")
        for line in _CAMPAIGN.table():
            terminalreporter.write_line(line)
