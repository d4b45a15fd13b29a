"""The form of a recording: JSON lines, first a header, then what changed in the store from moment to moment.

A line says only what differs from the lines before it; of a list of rows only the rows that are new. What is written
went through the cleaning of reports and documents: no secret, no control character.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from tui.core.bundle import Bundle, Manifest, Script
from tui.core.check import Check
from tui.core.cleaning import clean
from tui.core.deck import Destination
from tui.core.drift import Drift
from tui.core.expectation import Expectation
from tui.core.facts import Runner
from tui.core.isolation import Probe
from tui.core.locks import LockPicture
from tui.core.look import Look, RunRecord, Server
from tui.core.panels import Bucket, ErrorGroup, ErrorRow, ErrorsPanel, Execution, ExecutionsPanel
from tui.core.proof import Proof
from tui.core.safety import Finding
from tui.core.splice import Span
from tui.store import Notice

FORMAT: Literal["patchdeck-recording"] = "patchdeck-recording"
VERSION = 1
LONGEST = 366 * 86_400
"""Seconds: beyond a year the offset in a file is a mistake."""
TEXT_LIMIT = 100_000
"""Characters kept of one text: as many as the panels keep."""


class BundleName(msgspec.Struct, frozen=True):
    """Which bundle was loaded; `digest` is that of everything that decides a verdict."""

    name: str
    version: str
    title: str
    checksum: str
    digest: str


class Header(msgspec.Struct, frozen=True):
    """The first line. `began` is the wall's clock at offset 0; `refresh`, `look_every` and `window` are seconds."""

    format: Literal["patchdeck-recording"]
    version: int
    patchdeck: str
    began: datetime
    bundle: BundleName
    target: Destination
    refresh: float
    look_every: float
    window: int


class Contents(msgspec.Struct, frozen=True):
    """The second line: what the screens need of the bundle, so that a replay needs no other file."""

    manifest: Manifest
    expectation: Expectation


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """The connection. `since` and `next_at` are offsets, `rtt` is in seconds."""

    state: Literal["connecting", "connected", "reconnecting", "auth failed", "stopped"]
    server: Server | None = None
    rtt: float = 0.0
    attempt: int = 0
    since: float = 0.0
    next_at: float = 0.0
    reason: str = ""
    hint: str = ""


class Answered(msgspec.Struct, frozen=True):
    """An answer came at offset `at`, `taken_at` by the server's clock; what it held may be what was there before."""

    at: float
    taken_at: datetime


class LookPart(msgspec.Struct, frozen=True):
    """A look that differs. `head` is without its lists, and without the catalog: its definitions are in the checks."""

    head: Look
    checks: tuple[Check | Span, ...]
    runs: tuple[RunRecord | Span, ...]


class ExecutionsPart(msgspec.Struct, frozen=True):
    """The executions; `head` is the panel without its lists."""

    head: ExecutionsPanel
    rows: tuple[Execution | Span, ...]
    buckets: tuple[Bucket | Span, ...]


class ErrorsPart(msgspec.Struct, frozen=True):
    """The errors; `head` is the panel without its lists."""

    head: ErrorsPanel
    rows: tuple[ErrorRow | Span, ...]
    groups: tuple[ErrorGroup | Span, ...]
    buckets: tuple[Bucket | Span, ...]


class ProofPart(msgspec.Struct, frozen=True):
    """A proof; `head` is without its lists."""

    head: Proof
    findings: tuple[Finding | Span, ...]
    checks: tuple[Check | Span, ...]
    probes: tuple[Probe | Span, ...]


class ProvingPart(msgspec.Struct, frozen=True):
    """How proving stands; `proof` is only there when it is another one."""

    at: float
    running: bool
    trouble: Notice | None
    outdated: bool
    proof: ProofPart | UnsetType | None = UNSET


class Frame(msgspec.Struct, frozen=True, omit_defaults=True):
    """A line: what differs at offset `at` (seconds of a monotonic clock), `wall` o'clock. What is absent is unchanged.

    `ended`: the recording was ended in good order; a file whose last line does not say so was cut off.
    """

    at: Annotated[float, msgspec.Meta(ge=0, le=LONGEST)]
    wall: datetime
    connection: Link | UnsetType = UNSET
    looked: Answered | UnsetType = UNSET
    look: LookPart | UnsetType = UNSET
    ticked: Answered | UnsetType = UNSET
    executions: ExecutionsPart | UnsetType = UNSET
    errors: ErrorsPart | UnsetType = UNSET
    runner: Runner | UnsetType | None = UNSET
    paused: bool | UnsetType = UNSET
    notice: Notice | UnsetType | None = UNSET
    proving: ProvingPart | UnsetType = UNSET
    drift: Drift | UnsetType | None = UNSET
    locks: LockPicture | UnsetType = UNSET
    ended: bool = False


def header(bundle: Bundle, target: Destination, *, patchdeck: str, began: datetime, **pace: Any) -> Header:
    """The header of a recording by version `patchdeck`; `pace`: refresh, look_every and window."""
    name = BundleName(bundle.name, bundle.version, bundle.manifest.title, bundle.checksum, bundle.digest)
    return Header(FORMAT, VERSION, patchdeck, began, name, target, **pace)


def bundle_of(head: Header, contents: Contents) -> Bundle:
    """The bundle as far as screens show it: without a statement, so that nothing of it can ever be run."""
    manifest = contents.manifest
    return Bundle(
        manifest=manifest,
        patch=Script(manifest.patch, ()),
        rollback=Script(manifest.rollback, ()),
        expectation=contents.expectation,
        queries={},
        checksum=head.bundle.checksum,
        digest=head.bundle.digest,
    )


def encode(line: Header | Contents | Frame) -> bytes:
    """One line, its end included, cleaned."""
    return msgspec.json.encode(clean(msgspec.to_builtins(line), TEXT_LIMIT)) + b"\n"


decode_header = msgspec.json.Decoder(Header).decode
decode_contents = msgspec.json.Decoder(Contents).decode
decode_frame = msgspec.json.Decoder(Frame).decode
