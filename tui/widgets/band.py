"""The top band: which database, through what, how it answers, and in one word whether it is healthy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from tui.core.bundle import Bundle
from tui.core.deck import Destination
from tui.core.look import Look, RunRecord, Server
from tui.core.text import Glyphs, count, duration, one_line
from tui.store import AuthFailed, Connected, Connecting, Connection, Reconnecting, Stopped
from tui.theme import Role
from tui.widgets.lines import Groups, Line, Lines, Span, Spans, clip, justify, keep_whole, line, width_of

WIDE, TALL = 110, 28
"""Columns from which things stand beside each other, lines from which all of them have frames."""
HOST_MIN = 12
KINDS = (
    ("table", "tables"),
    ("column", "columns"),
    ("constraint", "constraints"),
    ("rls", "RLS"),
    ("policy", "policies"),
    ("index", "indexes"),
    ("trigger", "triggers"),
    ("grant", "grants"),
    ("view", "views"),
    ("function", "functions"),
    ("publication", "realtime"),
)
"""Kinds of checks in the order in which a lack of them hurts, with the word the band uses."""


class Band(msgspec.Struct, frozen=True):
    """All that the band is made of. `age` and `look_age` are seconds, None while nothing is stale; `tally` is
    that of the look's checks, counted once per look; `news` says what is known beyond them, `brief_news` for a narrow
    line; `badge` what this dashboard is, if it is more than one that looks, most important first.
    """

    bundle: Bundle
    destination: Destination
    connection: Connection
    look: Look | None
    age: int | None
    now: float
    look_age: int | None = None
    tally: Groups = ()
    paused: bool = False
    read_only: bool = False
    news: Groups = ()
    brief_news: Groups = ()
    badge: Groups = ()


class Headline(msgspec.Struct, frozen=True):
    """The one word, its mark and its meaning."""

    mark: str
    word: str
    role: Role

    def spans(self) -> Spans:
        """Mark and word as they stand in the band."""
        return ((f"{self.mark} {self.word}", self.role),)

    @property
    def broken(self) -> bool:
        """Whether the band's frame takes the broken colour."""
        return self.role == "bad!"


def headline(band: Band, glyphs: Glyphs) -> Headline:
    """The answer to "is this database healthy, yes or no?"."""
    match band.connection:
        case Connecting():
            return Headline(glyphs.wait, "CONNECTING", "live!")
        case Reconnecting(since=since):
            return Headline(glyphs.bad, f"UNREACHABLE {int(max(0.0, band.now - since))} s", "bad!")
        case AuthFailed():
            return Headline(glyphs.bad, "SIGN-IN REFUSED", "bad!")
        case Stopped():
            return Headline(glyphs.bad, "STOPPED", "bad!")
        case Connected():
            if band.look is None:
                return Headline(glyphs.wait, "LOOKING", "live!")
    verdict = band.look.verdict
    if verdict.state == "applied":
        return (
            Headline(glyphs.ok, verdict.headline, "ok!")
            if not verdict.failed
            else Headline(glyphs.bad, verdict.headline, "bad!")
        )
    if verdict.state in ("not_applied", "rolled_back"):
        return Headline(glyphs.warn, verdict.headline, "warn!")
    return Headline(glyphs.bad, verdict.headline, "bad!")


def link_spans(band: Band, glyphs: Glyphs, *, wide: bool) -> Groups:
    """How the database is reached, most important first, as groups that are shown whole or not at all."""
    destination = band.destination
    host = one_line(destination.host, 60)
    match band.connection:
        case Connecting():
            # Narrow, the band's own line says where to.
            return (((f"{glyphs.wait} connecting{f' to {host}' if wide else ''}", "live"),),)
        case Connected(server, rtt):
            return _connected_spans(server, rtt, glyphs, wide=wide, stale=band.age is not None)
        case Reconnecting(attempt, _, next_at, _, _):
            left = max(0, round(next_at - band.now))
            when = f"next try in {left} s" if left else "trying now"
            return (((f"{glyphs.bad} reconnecting", "bad"),), ((f"try {attempt}, {when}", "text"),), ((host, "dim"),))
        case AuthFailed():
            return (((f"{glyphs.bad} sign-in refused", "bad"),), (("r tries again", "text"),), ((host, "dim"),))
        case Stopped():
            return (((f"{glyphs.bad} not connected", "bad"),), (("r tries again", "text"),), ((host, "dim"),))


def _connected_spans(server: Server, rtt: float, glyphs: Glyphs, *, wide: bool, stale: bool) -> Groups:
    way = f"via pooler ({server.mode})" if server.pooled else "direct"
    dot: Span = (f"{glyphs.dot} ", "warn" if stale else "ok")
    trip = f"rtt {duration(rtt)}" if rtt else ""
    if wide:
        return ((dot, (way, "text")), ((f"PG {server.version}", "dim"),), ((trip, "dim"),))
    major = server.version.partition(".")[0]
    return ((dot, ("pooler" if server.pooled else "direct", "text")), ((f"PG {major}", "dim"),), ((trip, "dim"),))


def title_line(band: Band, cells: int, glyphs: Glyphs, *, wide: bool) -> Line:
    """The first line of the screen, without the clock that stands at its right."""
    name: Spans = ((" patchdeck ", "brand"), (" ", "text"), (one_line(band.destination.name, 32), "strong"))
    right = _right_spans(band, wide=wide)
    gap: Span = ("   " if wide else "  ", "text")
    room = cells - width_of((*name, gap)) - width_of(right) - 1
    link = keep_whole(link_spans(band, glyphs, wide=wide), room, gap=2)
    left = room - width_of(link) - 2
    shown = band.destination.host != band.destination.name
    if wide and shown and left >= HOST_MIN and isinstance(band.connection, Connected):
        link = (*link, ("  ", "text"), *clip(((one_line(band.connection.server.host, 80), "dim"),), left))
    return Line(justify((*name, gap, *link), right, cells))


def _right_spans(band: Band, *, wide: bool) -> Spans:
    spans: list[Span] = [span for group in (band.badge if wide else band.badge[:1]) for span in group]
    if band.paused:
        spans.append(("paused ", "warn!"))
    if band.age is not None:
        spans.append((f"{duration(band.age)} old ", "warn"))
    elif band.look_age is not None:
        spans.append((f"checks {duration(band.look_age)} old ", "warn"))
    if band.read_only:
        spans.append(("read-only ", "live"))
    elif isinstance(band.connection, Connected):
        writable = band.connection.server.writable
        spans.append(
            ("read-write ", "dim" if band.destination.local else "warn") if writable else ("read-only ", "live")
        )
    return tuple(spans)


def migration_lines(band: Band, cells: int, glyphs: Glyphs) -> tuple[Line, Line]:
    """The two lines in the wide band's frame: the verdict with its record, and the counts per kind."""
    head = headline(band, glyphs)
    bundle: Span = (f"{band.bundle.name} {band.bundle.version}", "text")
    if band.look is None or not isinstance(band.connection, Connected):
        return (
            Line(keep_whole((head.spans(), (bundle,), *_trouble(band)), cells)),
            Line(_memory(band, cells, glyphs)),
        )
    return (
        Line(keep_whole((head.spans(), (bundle,), *_record(band.look.last_run)), cells)),
        Line(keep_whole(_bad_news_first(band.news, band.tally), cells)),
    )


def narrow_lines(band: Band, cells: int, glyphs: Glyphs) -> tuple[Line]:
    """The narrow band's verdict line."""
    head = headline(band, glyphs)
    left: list[Sequence[Span]] = [(((" ", "text")), *head.spans())]
    if band.look is None or not isinstance(band.connection, Connected):
        left += _trouble(band)
    else:
        left += [*_bad_news_first(band.brief_news, worst_first(band.tally)), ((band.bundle.name, "dim"),)]
    return (Line(keep_whole(left, cells, gap=2)),)


def tally(look: Look) -> Groups:
    """Checks that hold of all, in total and per kind; what lacks is in the broken colour, once anything is there."""
    calm = look.verdict.state == "not_applied"
    held: dict[str, int] = {}
    total: dict[str, int] = {}
    unproven: dict[str, int] = {}
    for check in look.checks:
        total[check.object] = total.get(check.object, 0) + 1
        held[check.object] = held.get(check.object, 0) + check.ok
        unproven[check.object] = unproven.get(check.object, 0) + (check.outcome == "not_proven")
    groups = [_share("checks", sum(held.values()), sum(total.values()), sum(unproven.values()), calm=calm)]
    groups += [
        _share(word, held[kind], total[kind], unproven[kind], calm=calm) for kind, word in KINDS if kind in total
    ]
    # What lacks something comes first: on a line that is too short the rest may be left out.
    return (groups[0], *sorted(groups[1:], key=lambda group: group[1][1] == "text"))


def worst_first(groups: Sequence[Spans]) -> Groups:
    """A tally for a narrow line: the total, then only kinds that lack something."""
    return (*groups[:1], *(group for group in groups[1:] if group[1][1] != "text"))


def _bad_news_first(news: Groups, tally: Groups) -> Groups:
    """The total, what is bad beyond the checks, the kinds that lack something, the other news, the other kinds."""
    worst = worst_first(tally)
    bad = [group for group in news if group[-1][1].startswith("bad")]
    good = sorted((group for group in news if group not in bad), key=lambda group: group[-1][1] != "warn")
    return (*worst[:1], *bad, *worst[1:], *good, *(group for group in tally if group not in worst))


def _share(word: str, held: int, total: int, unproven: int, *, calm: bool) -> Spans:
    role: Role = "text" if held == total or calm else "warn" if held + unproven == total else "bad"
    return ((f"{word} ", "dim"), (f"{count(held)}/{count(total)}", role))


def _record(run: RunRecord | None) -> Groups:
    if run is None:
        return ((("no recorded run", "dim"),),)
    did = {"apply": "applied", "rollback": "rolled back"}[run.action]
    operator = one_line(f"{run.operator}@{run.client_host}" if run.client_host else run.operator, 40)
    return (
        ((f"{did} {local(run.finished_at):%Y-%m-%d %H:%M} by {operator}", "dim"),),
        ((f"in {duration(run.seconds)}", "dim"),),
        ((f"patch {run.checksum[:8]}", "dim"),),
    )


def _trouble(band: Band) -> Groups:
    match band.connection:
        case Reconnecting(reason=reason, hint=hint) | AuthFailed(reason, hint) | Stopped(reason, hint):
            return (((one_line(cause(reason), 200), "text"),), ((one_line(hint, 200), "dim"),))
        case Connecting():
            host = one_line(band.destination.host, 80)
            return (((f"{host} port {band.destination.port}", "dim"),),)
        case Connected():
            return ((("reading the catalog", "dim"),),)


def cause(reason: str) -> str:
    """Why there is no connection, without where to: libpq says that first and at length, and the screen says it too."""
    return reason.rpartition(" failed: ")[2]


def _memory(band: Band, cells: int, glyphs: Glyphs) -> Spans:
    """What was known before the line was lost."""
    if band.look is None:
        return keep_whole(((("nothing is known of this database yet", "dim"),),), cells)
    before = f"last known: {band.look.verdict.headline}"
    when = f"at {local(band.look.taken_at):%H:%M:%S}"
    return keep_whole((((before, "dim"),), ((when, "dim"),), (("what is below is old", "dim"),)), cells)


def farewell(band: Band, glyphs: Glyphs) -> str:
    """One line for the terminal that the dashboard is leaving: what was seen last, and when."""
    name, word = one_line(band.destination.name, 64), headline(band, glyphs).word
    if band.look is None:
        return f"{name}: {word}"
    known = f"{band.look.verdict.headline}, as of {local(band.look.taken_at):%H:%M:%S}"
    return f"{name}: {known}" if isinstance(band.connection, Connected) else f"{name}: {word}; last known: {known}"


def local(moment: datetime) -> datetime:
    """The moment on the operator's own clock: the one on the wall beside the terminal."""
    return moment.astimezone()


class TitleBar(Lines):
    """The first line of the screen."""

    DEFAULT_CSS = "TitleBar { height: 1; width: 1fr; background: $deck-bar; }"


class Clock(Lines):
    """The time of day, in a widget of its own so that a second costs its changed digits only."""

    DEFAULT_CSS = "Clock { height: 1; width: 9; background: $deck-bar; }"

    def tick(self, now: datetime) -> None:
        """Show the time; the digits that did not change are not sent."""
        text = f"{now:%H:%M:%S}"
        self.show((line((text[:6], "dim"), (text[6:], "dim"), (" ", "dim")),))


class Verdict(Lines):
    """The verdict, as the narrow band's line or within the wide band's frame."""

    DEFAULT_CSS = "Verdict { height: 2; }"
