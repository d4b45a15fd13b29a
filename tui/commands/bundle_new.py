"""`bundle new`: a commented bundle to begin with, one that works as it stands."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from tui.exits import Exit, Stop
from tui.options import Options
from tui.output import DIM, GOOD, Output, plain

_TEMPLATE = Path(__file__).parent.parent / "templates" / "bundle"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


def new(options: Options, folder: Path, *, name: str | None) -> int:
    """Write a bundle called `name` (None: after the folder) into `folder`, which is made where there is none.

    No file is ever replaced: where one of them is there already nothing is written. Raises Stop.
    """
    chosen = name if name is not None else re.sub(r"\W+", "_", folder.resolve().name.lower(), flags=re.ASCII).strip("_")
    if not _NAME.fullmatch(chosen):
        raise Stop(Exit.USAGE, f"{chosen!r} can not be a bundle's name: a-z, 0-9 and _, a letter first", "use --name")
    texts = _texts(chosen, datetime.now(UTC))
    try:
        there = [file for file in texts if (folder / file).exists() or (folder / file).is_symlink()]
        if there:
            said = f"{folder} has {', '.join(there)} already: nothing was written"
            raise Stop(Exit.REFUSED, said, "choose another folder")
        for file, text in texts.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8") as fresh:
                fresh.write(text)
    except OSError as error:
        raise Stop(Exit.USAGE, f"{error.filename or folder} can not be written: {error.strerror}") from None
    out = Output(ascii_only=options.ascii)
    out.line((f"{out.marks.ok} ", GOOD), plain(f"{folder}: bundle {chosen}, {len(texts)} files", 500))
    for words, what in (
        (f"patchdeck bundle check {folder}", "whenever something was changed"),
        (f"patchdeck bundle derive {folder} --output draft.toml", "what PATCH.sql does, to compare"),
        (f"patchdeck --bundle {folder} plan", "what it would do on your database"),
    ):
        out.line("  ", plain(words, 500), ("  " + what, DIM))
    return Exit.HEALTHY


def _texts(name: str, now: datetime) -> Mapping[str, str]:
    """The files by relative name."""
    filled = {
        "@NAME@": name,
        "@VERSION@": now.strftime("%Y%m%d%H%M%S"),
        "@TITLE@": name.replace("_", " ").capitalize(),
    }
    texts: dict[str, str] = {}
    for path in sorted(_TEMPLATE.rglob("*")):
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            for placeholder, value in filled.items():
                text = text.replace(placeholder, value)
            texts[path.relative_to(_TEMPLATE).as_posix()] = text
    return texts
