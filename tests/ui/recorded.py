"""Recordings made without waiting: moments written at stated offsets, by the recorder that the product uses."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from tests.ui.support import BUNDLE, HERE, NOON, SERVER, checks, errors, executions, look, missing
from tui.core.bundle import Bundle
from tui.core.panels import ErrorGroup
from tui.moment import Moment
from tui.recording.form import Contents, header
from tui.recording.recorder import Recorder
from tui.store import Connected, Reconnecting

BEGAN = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
UP = Connected(SERVER, 0.081)


def well(at: float) -> Moment:
    """Everything answered at offset `at`, and all is well."""
    taken = NOON + timedelta(seconds=at)
    return Moment(
        UP, look=look(at=taken), look_at=at, executions=executions(first=int(at)), errors=errors(),
        panels_at=at, taken_at=taken, drift_known=True,
    )  # fmt: skip


def story() -> list[tuple[float, Moment]]:
    """Ten minutes: well, a policy dropped after 2 min, mended after 4, the line lost from 6 to 7, a new error at 9."""
    broken = look(checks(outcome=missing("flows_delete")), state="drifted")
    fault = ErrorGroup("f9", "KeyError", "missing key", 1, NOON)
    moments: list[tuple[float, Moment]] = [(1.0, Moment())]
    for at in range(2, 601, 2):
        moment = well(float(at))
        if 120 <= at < 240:
            moment = replace(moment, look=broken)
        if 360 <= at < 420:
            silent = moments[-1][1]
            moment = replace(silent, connection=Reconnecting(at - 359, 360.0, at + 1.0, "connection refused", ""))
        if at >= 540:
            moment = replace(moment, errors=replace(errors(), groups=(*errors().groups, fault)))
        moments.append((float(at), moment))
    return moments


def record(path: Path, moments: Sequence[tuple[float, Moment]], *, bundle: Bundle = BUNDLE, whole: bool = True) -> Path:
    """Write a recording of `moments`, each at its offset; `whole`: ended in good order."""
    now = [0.0]
    recorder = Recorder(path, lambda: now[0], lambda: BEGAN + timedelta(seconds=now[0]))
    head = header(bundle, HERE, patchdeck="0.1.0", began=recorder.began, refresh=2.0, look_every=10.0, window=900)
    recorder.begin(head, Contents(bundle.manifest, bundle.expectation))
    for at, moment in moments:
        now[0] = at
        recorder.keep(moment)
    if whole:
        recorder.close()
    return path
