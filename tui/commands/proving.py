"""The commands that prove: verify, isolation, drift."""

from __future__ import annotations

import time
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from tui.commands import formats, proof_documents, proof_text, sarif
from tui.commands.session import ask, open_session
from tui.commands.verification import Verification, judge_layers
from tui.core.check import Layer
from tui.core.drift import Drift, drift_state
from tui.core.isolation import Matrix
from tui.exits import Exit, Stop
from tui.options import Options
from tui.output import Output, plain

if TYPE_CHECKING:
    from tui.db.session import Session

BEHAVIOUR: tuple[Layer, ...] = ("behaviour",)


def verify(options: Options, *, form: str, output: Path | None, layers: Sequence[Layer]) -> int:
    """Every check of the layers asked for, in one of the forms, to standard output or a file."""
    results = None if output is None else StringIO()
    out = Output(ascii_only=options.ascii, results=results)
    session = open_session(options, out)

    async def question(session: Session) -> Verification:
        began = time.monotonic()
        look = await session.look()
        beyond = [layer for layer in layers if layer != "structure"]
        proof = await session.prove(beyond) if beyond else None
        return judge_layers(session.bundle, look, proof, layers, time.monotonic() - began)

    found = ask(session, question)
    match form:
        case "json":
            out.json(proof_documents.verification(session, found))
        case "junit":
            out.text(formats.junit(found))
        case "markdown":
            out.text(formats.markdown(found))
        case "sarif":
            out.text(sarif.sarif(found))
        case _:
            proof_text.verification(out, session, found)
    if output is not None and results is not None:
        _write(output, results.getvalue(), out)
    return Exit.HEALTHY if found.holds else Exit.FAILED


def isolation(options: Options, *, as_json: bool) -> int:
    """The matrix alone; 0 only when every cell was probed and is as it must be."""
    out = Output(ascii_only=options.ascii)
    session = open_session(options, out)

    async def question(session: Session) -> Matrix:
        proof = await session.prove(BEHAVIOUR)
        if proof.matrix is None:
            raise AssertionError("a proof of the behaviour brings its matrix")
        return proof.matrix

    matrix = ask(session, question)
    if as_json:
        out.json(proof_documents.isolation(session, matrix))
    else:
        proof_text.isolation(out, session, matrix)
    return Exit.HEALTHY if matrix.state == "passed" else Exit.FAILED


def drift(options: Options, *, as_json: bool) -> int:
    """The live surface against the recorded one; 0 only when a run is recorded and nothing has changed since."""
    out = Output(ascii_only=options.ascii)
    session = open_session(options, out)

    async def question(session: Session) -> Drift | None:
        return await session.drift()

    found = ask(session, question)
    if as_json:
        out.json(proof_documents.drift(session, found))
    else:
        proof_text.drift(out, session, found)
    return Exit.HEALTHY if drift_state(found) == "none" else Exit.FAILED


def _write(path: Path, text: str, out: Output) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(Exit.USAGE, f"{path} can not be written: {error.strerror}") from None
    out.notice(f"written to {plain(str(path))}")
