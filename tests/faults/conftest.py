"""The fixture of the fault campaign."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.campaign import Campaign
from tests.faults.reporting import CAMPAIGN


@pytest.fixture
def campaign() -> Iterator[Campaign]:
    """The record of every case; a test that leaves a lie in it fails, with every lie told."""
    since = len(CAMPAIGN.cases)
    yield CAMPAIGN
    lies = CAMPAIGN.lies(since)
    if lies:
        pytest.fail("\n".join(f"{case.kind} ({case.where}) at {case.moment}: {case.lie}" for case in lies))
