"""An expectation as the text of an `expected.toml`, in the form that a person writes one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from tui.core.expectation import Expectation, ExpectedTable

_SAID_WHEN_EMPTY = frozenset(("usage", "execute"))
"""That nobody has a right is worth a line."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LINES = re.compile(r"[^\x00-\x08\x0b-\x1f\x7f]*\n[^\x00-\x08\x0b-\x1f\x7f]*")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\b": "\\b", "\f": "\\f"}


def expected_toml(expectation: Expectation, heading: Iterable[str] = ()) -> str:
    """The file's text; `heading` are the lines of its first comment. It reads back as the same expectation."""
    blocks = ["".join(f"# {line}".rstrip() + "\n" for line in heading)]
    blocks += ["\n".join(_table(table)) + "\n" for table in expectation.tables]
    for kind, entries in (
        ("functions", expectation.functions),
        ("views", expectation.views),
        ("publications", expectation.publications),
        ("schemas", expectation.schemas),
    ):
        blocks += ["\n".join([f"[[{kind}]]", *_keys(entry)]) + "\n" for entry in entries]
    if not expectation.tables:
        blocks.insert(1, "tables = []\n")
    return "\n".join(block for block in blocks if block)


def toml_string(text: str) -> str:
    """`text` as a TOML string on one line. A lone surrogate, which TOML has no form for, becomes `?`."""
    clean = text.encode(errors="replace").decode()
    return '"' + "".join(_ESCAPES.get(c) or (c if c.isprintable() else _unicode(c)) for c in clean) + '"'


def _table(table: ExpectedTable) -> Iterator[str]:
    yield "[[tables]]"
    yield f"name = {toml_string(table.name)}"
    yield f"origin = {toml_string(table.origin)}"
    yield f"why = {toml_string(table.why)}"
    if not table.rls:
        yield "rls = false"
    for key, items in (
        ("columns", table.columns),
        ("constraints", table.constraints),
        ("indexes", table.indexes),
        ("triggers", table.triggers),
    ):
        if not items and key == "columns":
            yield "columns = []"
        elif items:
            yield f"{key} = ["
            yield from (f"  {{ {', '.join(_keys(item))} }}," for item in items)
            yield "]"
    for policy in table.policies:
        yield "[[tables.policies]]"
        yield from _keys(policy)
    if table.grants:
        yield "[tables.grants]"
        yield from (f"{_key(role)} = {_value(privileges)}" for role, privileges in table.grants.items())
    for role, by_privilege in table.column_grants.items():
        yield f"[tables.column_grants.{_key(role)}]"
        yield from (f"{_key(privilege)} = {_value(columns)}" for privilege, columns in by_privilege.items())


def _keys(entry: msgspec.Struct) -> Iterator[str]:
    """`key = value` of every field that does not have its default; a body comes last."""
    for field in sorted(msgspec.structs.fields(entry), key=lambda field: field.name == "body"):
        value = getattr(entry, field.name)
        default = field.default_factory() if callable(field.default_factory) else field.default
        if value is None or (value == default and field.name not in _SAID_WHEN_EMPTY):
            continue
        if field.name == "body" and _LINES.fullmatch(value) and "'''" not in value and not value.endswith("'"):
            yield f"{field.name} = '''\n{value}'''"
        else:
            yield f"{field.name} = {_value(value)}"


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(held)}" for key, held in value.items()) + " }"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_value(item) for item in value) + "]"
    return toml_string(str(value))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml_string(name)


def _unicode(character: str) -> str:
    code = ord(character)
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"
