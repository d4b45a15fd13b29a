"""The form of a recording: what is taken apart comes together again, and nothing is written twice or uncleaned."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.ui.support import (
    APPLIED_RUN,
    BUNDLE,
    HERE,
    NOON,
    SERVER,
    checks,
    differing,
    errors,
    executions,
    look,
    missing,
    nothing_there,
)
from tui.core.check import Check
from tui.core.drift import Drift
from tui.core.facts import Runner
from tui.core.isolation import Control, Matrix, Probe
from tui.core.isolation_cases import Case
from tui.core.locks import LockHeld, LockPicture, LockSession
from tui.core.panels import ErrorRow
from tui.core.proof import Proof
from tui.core.safety import Finding
from tui.core.safety_rules import RULES
from tui.core.splice import splice, spliced
from tui.core.surface import Change
from tui.moment import Moment
from tui.recording.form import Contents as BundleContents
from tui.recording.form import Frame, Header, bundle_of, decode_contents, decode_frame, decode_header, encode, header
from tui.recording.frames import comparable, difference, fold, shifted
from tui.store import AuthFailed, Connected, Connecting, Notice, Proving, Reconnecting, Stopped

SESSION = LockSession(
    11, "t", "app", "report", "active", 3.5, "select 1", (LockHeld("public.a", "ACCESS SHARE", True),), (), False, True
)
CASE = Case("public.a", "select", "member", "own", "authenticated", "{}", "select 1", "allowed")
PROBES = tuple(Probe(replace(CASE, persona=f"p{number}"), "ok", "allowed") for number in range(40))
PROOF = Proof(
    findings=tuple(Finding(rule, "table", "public.a", "a", "said") for rule in RULES[:3]),
    matrix=Matrix(PROBES, Control("red", ("public.a",), 3, 3), {"public.b": "23505"}, ("x",), (("a", "b"),), 0.4, 2),
    checks=tuple(Check("behaviour", "access", "public.a", f"c{number}", "ok") for number in range(20)),
    taken_at=NOON,
)
DRIFT = Drift("r1", "apply", "", "dana", NOON.isoformat(), True, (Change("altered", "policy p on a", "old", "new"),))

moments = st.builds(
    Moment,
    connection=st.sampled_from(
        (
            Connecting(),
            Connected(SERVER, 0.081),
            Reconnecting(3, 4.0, 9.5, "connection refused", "is it up?"),
            AuthFailed("password authentication failed", "which one?"),
            Stopped("a defect", "r starts again"),
        )
    ),
    look=st.sampled_from(
        (
            None,
            look(),
            look(checks(outcome=missing("flows_delete"))),
            look(checks(outcome=differing("plans_team", "btree (id)"))),
            look(checks(outcome=nothing_there)),
            look(run=replace(APPLIED_RUN, run_id="r2"), at=NOON + timedelta(seconds=9)),
        )
    ),
    look_at=st.sampled_from((1.0, 11.0)),
    executions=st.sampled_from((None, executions(), executions(30), executions(12, first=5), executions(0))),
    errors=st.sampled_from((None, errors(), errors(at=NOON + timedelta(seconds=3)), replace(errors(), groups=()))),
    panels_at=st.sampled_from((2.0, 4.0)),
    taken_at=st.sampled_from((None, NOON, NOON + timedelta(seconds=2))),
    runner=st.sampled_from((None, Runner(7, "postgres", "patchdeck dana@bastion", "2026-11-20 14:00:00"))),
    paused=st.booleans(),
    notice=st.sampled_from((None, Notice("canceling statement due to statement timeout", "slow"))),
    proving=st.sampled_from(
        (
            Proving(),
            Proving(running=True),
            Proving(PROOF, 3.0),
            Proving(replace(PROOF, matrix=None, taken_at=NOON + timedelta(seconds=50)), 53.0, outdated=True),
            Proving(PROOF, 3.0, trouble=Notice("read-only", "")),
        )
    ),
    drift=st.sampled_from((None, DRIFT)),
    drift_known=st.just(True),
    locks=st.sampled_from((LockPicture(()), LockPicture((SESSION,)))),
)


def test_a_list_that_gained_a_row_in_front_is_that_row_and_one_span() -> None:
    rows = executions(40).rows
    assert splice(rows, (*executions(1, first=99).rows, *rows[:-1])) == (*executions(1, first=99).rows, (0, 39))
    assert splice(rows, rows) == ((0, 40),)
    assert splice((), rows) == rows
    assert splice(rows, ()) == ()


@given(st.lists(st.sampled_from("abcdef"), max_size=12), st.lists(st.sampled_from("abcdefgh"), max_size=12))
def test_what_was_spliced_is_the_sequence_again(before: Sequence[str], after: Sequence[str]) -> None:
    assert spliced(before, splice(before, after)) == tuple(after)


@pytest.mark.parametrize("span", [(-1, 1), (0, 0), (2, 2), (0, 4)])
def test_a_span_of_what_is_not_there_is_refused(span: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="of 3"):
        spliced("abc", [span])


@given(st.lists(moments, min_size=1, max_size=5))
def test_what_frames_tell_apart_they_put_together_again(walk: list[Moment]) -> None:
    kept = told = Moment()
    for number, moment in enumerate(walk):
        frame = difference(told, moment, float(number), NOON)
        told = moment
        if frame is not None:
            kept = fold(kept, decode_frame(encode(frame)))
        assert _as_recorded(kept) == _as_recorded(moment, known=kept)


def _as_recorded(moment: Moment, known: Moment | None = None) -> Moment:
    """What never goes back to None stays as it was known; a look is compared without its catalog."""
    if known is not None:
        for name in ("look", "executions", "errors", "taken_at"):
            if getattr(moment, name) is None:
                moment = replace(moment, **{name: getattr(known, name)})
        if moment.look == known.look or moment.look is None:
            moment = replace(moment, look_at=known.look_at)
        moment = replace(moment, panels_at=known.panels_at) if moment.taken_at == known.taken_at else moment
    return replace(moment, look=moment.look and comparable(moment.look))


@given(moments)
def test_the_same_moment_again_is_no_frame(moment: Moment) -> None:
    assert difference(moment, moment, 1.0, NOON) is None


def test_an_answer_that_changed_nothing_is_a_line_of_its_time_only() -> None:
    moment = Moment(look=look(), look_at=1.0, executions=executions(200), errors=errors(), panels_at=1.0, taken_at=NOON)
    again = replace(moment, panels_at=3.0, taken_at=NOON + timedelta(seconds=2), look=look(), look_at=3.0)
    frame = difference(moment, again, 3.0, NOON)
    assert frame is not None
    assert len(encode(frame)) < 250


def test_a_tick_costs_its_new_rows_however_many_are_kept() -> None:
    sizes = []
    for kept in (20, 200):
        before = executions(kept)
        after = replace(before, rows=(*executions(1, first=990).rows, *before.rows[:-1]))
        frame = difference(Moment(executions=before), Moment(executions=after), 1.0, NOON)
        assert frame is not None
        sizes.append(len(encode(frame)))
    assert abs(sizes[0] - sizes[1]) < 20
    assert max(sizes) < 1000


def test_a_clock_that_began_elsewhere_is_shifted_and_what_never_was_stays_never() -> None:
    moment = Moment(Reconnecting(1, 100.0, 101.0, "", ""), look=look(), look_at=99.0, proving=Proving(PROOF, 98.0))
    back = shifted(moment, -90.0)
    assert back.connection == Reconnecting(1, 10.0, 11.0, "", "")
    assert (back.look_at, back.panels_at, back.proving.at) == (9.0, 0.0, 8.0)
    assert shifted(Moment(), -90.0) == Moment()


SECRETS = (
    "postgresql://app:hunter2secret@db.example.com/x",
    "password=hunter2secret",
    '{"api_key": "hunter2secret"}',
    "Bearer hunter2secret.hunter2secret",
    "\x1b]52;c;aGk=\x07",
)


def test_no_secret_and_no_control_character_is_written() -> None:
    rows = tuple(ErrorRow(f"x{n}", NOON, text, text, text, text) for n, text in enumerate(SECRETS))
    told = Moment(
        errors=replace(errors(), rows=rows, title=SECRETS[0], problem=SECRETS[1]),
        look=look(tuple(msgspec.structs.replace(one, actual=SECRETS[1], why=SECRETS[0]) for one in checks())),
        connection=Reconnecting(1, 0.0, 0.0, SECRETS[0], SECRETS[1]),
        notice=Notice(SECRETS[2], SECRETS[3]),
        runner=Runner(1, SECRETS[1], SECRETS[4], SECRETS[3]),
        locks=LockPicture(
            (msgspec.structs.replace(SESSION, query=f"alter role a password 'hunter2secret' {SECRETS[0]}"),)
        ),
        proving=Proving(replace(PROOF, matrix=Matrix(reasons=SECRETS, unseeded={SECRETS[1]: SECRETS[1]})), 1.0),
        drift=replace(DRIFT, operator=SECRETS[0], changes=(Change("altered", SECRETS[1], *SECRETS[:2]),)),
        drift_known=True,
    )
    frame = difference(Moment(), told, 0.0, NOON)
    assert frame is not None
    target = replace(HERE, host=SECRETS[0], user=SECRETS[1])
    lines = encode(frame) + encode(_header(target=target)) + encode(BundleContents(BUNDLE.manifest, BUNDLE.expectation))
    assert b"hunter2secret" not in lines
    assert not any(byte < 32 and byte != 10 for byte in lines)
    assert b"\\u001b" not in lines
    assert lines.count(b"***") > 20
    fold(Moment(), decode_frame(encode(frame)))


def _header(target: object = HERE) -> Header:
    return header(
        BUNDLE, target, patchdeck="1", began=datetime(2026, 1, 1, tzinfo=UTC),  # type: ignore[arg-type]
        refresh=2.0, look_every=10.0, window=900,
    )  # fmt: skip


def test_the_first_two_lines_hold_what_the_screens_need_of_the_bundle() -> None:
    head = decode_header(encode(_header()))
    assert (head.format, head.version, head.target) == ("patchdeck-recording", 1, HERE)
    bundle = bundle_of(head, decode_contents(encode(BundleContents(BUNDLE.manifest, BUNDLE.expectation))))
    assert bundle == replace(BUNDLE, patch=replace(BUNDLE.patch, parts=(), text=""), rollback=bundle.rollback)
    assert bundle.rollback.statements == ()


def test_frames_that_do_not_fit_are_refused() -> None:
    frames = []
    for before, after in pairwise((Moment(), Moment(executions=executions()), Moment(executions=executions(30)))):
        frame = difference(before, after, 1.0, NOON)
        assert isinstance(frame, Frame)
        frames.append(frame)
    with pytest.raises(ValueError, match="items"):
        fold(Moment(), frames[1])
    with pytest.raises(ValueError, match="look"):
        fold(
            Moment(),
            decode_frame(b'{"at":1,"wall":"2026-01-01T00:00:00Z","looked":{"at":1,"taken_at":"2026-01-01T00:00:00Z"}}'),
        )
    with pytest.raises(ValueError, match="server"):
        fold(Moment(), decode_frame(b'{"at":1,"wall":"2026-01-01T00:00:00Z","connection":{"state":"connected"}}'))
