"""The commands that only look: status, verify, plan, history."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from tui.commands import documents, formats, words
from tui.commands.session import ask, open_session
from tui.commands.verification import judge_layers
from tui.core.check import Layer
from tui.core.look import Look
from tui.core.plan import Preview
from tui.core.run import Plan
from tui.exits import Exit, Stop
from tui.options import Options
from tui.output import Output, plain

if TYPE_CHECKING:
    from tui.db.session import Session


def status(options: Options, *, as_json: bool) -> int:
    """The glance: one look, judged."""
    out = Output(ascii_only=options.ascii)
    session = open_session(options, out)
    look = ask(session, _look)
    if as_json:
        out.json(documents.status(session, look))
    else:
        words.status(out, session, look)
    return Exit.HEALTHY if look.verdict.healthy else Exit.FAILED


def verify(options: Options, *, form: str, output: Path | None, layers: Sequence[Layer]) -> int:
    """Every check of the layers asked for, in one of the forms, to standard output or a file."""
    results = None if output is None else StringIO()
    out = Output(ascii_only=options.ascii, results=results)
    session = open_session(options, out)
    look = ask(session, _look)
    found = judge_layers(session.bundle, look, layers)
    match form:
        case "json":
            out.json(documents.verification(session, look, found.layers))
        case "junit":
            out.text(formats.junit(found))
        case "markdown":
            out.text(formats.markdown(found))
        case "sarif":
            out.text(formats.sarif(found))
        case _:
            words.verification(out, session, found)
    if output is not None and results is not None:
        _write(output, results.getvalue(), out)
    return Exit.HEALTHY if found.holds else Exit.FAILED


def _write(path: Path, text: str, out: Output) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Stop(Exit.USAGE, f"{path} can not be written: {error.strerror}") from None
    out.notice(f"written to {plain(str(path))}")


def plan(options: Options, *, as_json: bool) -> int:
    """What apply would do here; always 0 when it could be worked out."""
    out = Output(ascii_only=options.ascii)
    session = open_session(options, out)
    wanted = Plan(session.bundle)

    async def question(session: Session) -> tuple[Look, Preview]:
        return await session.look(), await session.preview(wanted)

    look, preview = ask(session, question)
    if as_json:
        out.json(documents.plan(session, look, wanted, preview))
    else:
        words.plan(out, session, look, wanted, preview)
    return Exit.HEALTHY


def history(options: Options, *, as_json: bool) -> int:
    """The ledger's runs, newest first."""
    out = Output(ascii_only=options.ascii)
    session = open_session(options, out)
    look = ask(session, _look)
    if as_json:
        out.json(documents.history(session, look))
    else:
        words.history(out, look)
    return Exit.HEALTHY


async def _look(session: Session) -> Look:
    return await session.look()
