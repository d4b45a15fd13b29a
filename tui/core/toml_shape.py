"""A TOML text as a typed value, or everything in which it is not of that shape, each with its line.

`msgspec` stops at the first mistake; somebody who writes a bundle wants all of them at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

import msgspec
import tomli

from tui.core.toml_places import line_of, places

T = TypeVar("T")


class Flaw(NamedTuple):
    """What is wrong in one place; `line` is None where it is about the whole file."""

    reason: str
    line: int | None


def read(text: str, shape: type[T]) -> T | tuple[Flaw, ...]:
    """`text` as a `shape` (a msgspec struct); else its flaws, in order of their lines, at least one."""
    try:
        tree = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        found = re.search(r"at line (\d+)", str(error))
        return (Flaw(f"not valid TOML: {error}", int(found[1]) if found else None),)
    try:
        return msgspec.convert(tree, shape)
    except msgspec.ValidationError:
        return located(text, _misfits(tree, shape, "$"))


def located(text: str, misfits: Iterable[tuple[str, str]]) -> tuple[Flaw, ...]:
    """(path, reason) pairs about `text`, valid TOML, as flaws with their lines and in their order."""
    found = [*misfits]
    known = places(text) if found else {}
    flaws = [
        Flaw(f"{reason} at {where}" if (where := path.removeprefix("$").lstrip(".")) else reason, line_of(known, path))
        for path, reason in found
    ]
    return tuple(sorted(flaws, key=lambda flaw: flaw.line or 0))


def _misfits(tree: Any, shape: Any, path: str) -> Iterator[tuple[str, str]]:
    """(path, reason) of everything in `tree` that keeps it from being a `shape`; nothing when it is one."""
    try:
        msgspec.convert(tree, shape)
    except msgspec.ValidationError as error:
        reason, _, inner = str(error).partition(" - at ")
        deeper = [*_own(tree, shape, path)]
        for value, part, place in _parts(tree, shape, path):
            deeper += _misfits(value, part, place)
        yield from deeper or [(path + inner.strip("`").removeprefix("$"), reason)]


def _own(tree: Any, shape: Any, path: str) -> Iterator[tuple[str, str]]:
    """Keys that a struct does not know, and those that it misses."""
    if not (isinstance(tree, dict) and isinstance(shape, type) and issubclass(shape, msgspec.Struct)):
        return
    fields = msgspec.structs.fields(shape)
    known = {field.name for field in fields}
    for key in tree:
        if key not in known:
            yield f"{path}.{key}", f"unknown field `{key}`: it has {', '.join(sorted(known))}"
    for field in fields:
        if field.required and field.name not in tree:
            yield path, f"missing required field `{field.name}`"


def _parts(tree: Any, shape: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    """(value, shape, path) of what `tree` is made of, as far as `shape` says what that has to be."""
    if isinstance(tree, dict) and isinstance(shape, type) and issubclass(shape, msgspec.Struct):
        hints = get_type_hints(shape)
        yield from ((value, hints[key], f"{path}.{key}") for key, value in tree.items() if key in hints)
    elif isinstance(tree, list) and get_origin(shape) is tuple:
        part = get_args(shape)[0]
        yield from ((value, part, f"{path}[{number}]") for number, value in enumerate(tree))
    elif isinstance(tree, dict) and get_origin(shape) is dict:
        part = get_args(shape)[1]
        yield from ((value, part, f"{path}.{key}") for key, value in tree.items())
