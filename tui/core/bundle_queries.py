"""The contract of a bundle's panel and count queries, as far as their text shows it: one SELECT, its parameters, its
columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from tui.core.bundle import MANIFEST, Manifest
from tui.core.bundle_faults import Fault, TomlPlaces, error, warning
from tui.core.panel_source import PANEL_QUERIES, Panel, panel_flaws
from tui.core.sqlscan import folded, scan
from tui.core.statements import split

COUNT_COLUMNS = ("label", "rows", "note")

_READING = frozenset(("select", "with", "values", "table"))
_AFTER_THE_LIST = frozenset(("from", "where", "group", "having", "union", "intersect", "except", "order", "limit"))


def query_faults(manifest: Manifest, text_of: Callable[[str], str | None], at: TomlPlaces) -> Iterator[Fault]:
    """What is wrong with the panels and counts of `manifest`; `text_of` gives a file's text, None for one that can not
    be read (which somebody else says).
    """
    ids: set[str] = set()
    kinds: set[str] = set()
    for number, panel in enumerate(manifest.panels):
        path = f"$.panels[{number}]"
        if panel.id in ids:
            yield error(MANIFEST, f"another panel has the id {panel.id!r} already", at.line(MANIFEST, f"{path}.id"))
        if panel.kind in kinds:
            reason = f"another panel of kind {panel.kind} comes before: one of a kind is shown, the last"
            yield warning(MANIFEST, reason, at.line(MANIFEST, path))
        ids.add(panel.id)
        kinds.add(panel.kind)
        yield from (error(MANIFEST, flaw, at.line(MANIFEST, path)) for flaw in panel_flaws((panel,)))
        yield from _sources(panel, path, text_of, at)
    for count in manifest.counts:
        yield from _query(count.file, text_of(count.file), (), COUNT_COLUMNS, "a count")


def _sources(panel: Panel, path: str, text_of: Callable[[str], str | None], at: TomlPlaces) -> Iterator[Fault]:
    if not panel.sources:
        yield error(MANIFEST, f"panel {panel.id!r} has no source", at.line(MANIFEST, path))
    for number, source in enumerate(panel.sources):
        if not source.requires and number < len(panel.sources) - 1:
            reason = f"panel {panel.id!r}: a source that requires nothing always fits: those after it are never used"
            yield warning(MANIFEST, reason, at.line(MANIFEST, f"{path}.sources[{number}]"))
        for key, contract in PANEL_QUERIES.items():
            file = getattr(source, key)
            if file is not None and panel.kind in contract.columns:
                sent = contract.parameters + (("scope",) if source.scopes and contract.scoped else ())
                what = f"`{key}` of a panel of kind {panel.kind}"
                yield from _query(file, text_of(file), sent, contract.columns[panel.kind], what)


def _query(file: str, text: str | None, sent: Sequence[str], columns: Sequence[str], what: str) -> Iterator[Fault]:
    """What is wrong with one query; `what` names it in messages."""
    if text is None:
        return
    statements = split(text)
    if len(statements) != 1:
        line = statements[1].line if statements else None
        yield error(file, f"{what} is one statement; here are {len(statements) or 'none'}", line)
        return
    (statement,) = statements
    if statement.kind not in _READING:
        reason = f"{what} is a SELECT: it runs in a transaction that may only read"
        yield error(file, reason, statement.line, statement.column)
        return
    used = parameters(statement.text)
    if used != set(range(1, len(sent) + 1)):
        given = ", ".join(f"${number} {name}" for number, name in enumerate(sent, 1)) or "no parameter"
        uses = ", ".join(f"${number}" for number in sorted(used)) or "none"
        reason = f"{what} is sent {given}, and uses {uses}: the server refuses it unless it uses just those"
        yield error(file, reason, statement.line)
    found = result_columns(statement.text)
    if found is not None and found != len(columns):
        reason = f"{what} answers with {len(columns)} columns ({', '.join(columns)}); here are {found}"
        yield error(file, reason, statement.line)


def parameters(sql: str) -> set[int]:
    """The numbers of the parameters (`$1`) that a statement uses."""
    return {
        int(sql[token.start + 1 : token.end])
        for token in scan(sql)
        if token.kind == "number" and sql[token.start] == "$"
    }


def result_columns(sql: str) -> int | None:
    """How many columns a SELECT answers with, counted in its first list; None where the text does not say (`*`, a list
    in parentheses, VALUES).
    """
    depth, found, counting, before = 0, 1, False, ""
    for token in scan(sql):
        word = folded(sql, token)
        if token.kind == "word" and depth == 0:
            if not counting:
                counting = word == "select"
            elif word in _AFTER_THE_LIST and before not in ("distinct", "within"):
                return found
        for mark in word if token.kind == "mark" else ():
            if counting and depth == 0 and mark == "*" and before in ("select", "distinct", "all", ",", "."):
                return None
            depth += (mark in "([") - (mark in ")]")
            found += counting and depth == 0 and mark == ","
            before = mark
        if token.kind != "mark":
            before = word
    return found if counting else None
