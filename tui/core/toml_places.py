"""Where in a TOML text each value stands: the line behind a path such as `$.tables[3].columns[2]`.

`tomli` gives values without places. The text is one that it has read: what is not TOML is not found out here.
"""

from __future__ import annotations

import re
from bisect import bisect_right

_BLANK = re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+"{3,5}'
    r"|'''(?:[^']|'(?!''))*+'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|'[^'\n]*+'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SCALAR = re.compile(r"[^,\]}#\r\n]*+")
_STEP = re.compile(r"\.[^.\[]+$|\[[^\[\]]*\]$")
_ESCAPE = re.compile(r'\\(["\\])')


def places(text: str) -> dict[str, int]:
    """The line, from 1, of every table, key and array element of `text` (valid TOML) by its path."""
    return _Reader(text).run()


def line_of(found: dict[str, int], path: str) -> int | None:
    """The line of `path` in what `places` found, or else of the nearest thing that holds it; None for the whole."""
    while path and path not in found:
        path, before = _STEP.sub("", path), path
        if path == before:
            return None
    return found.get(path)


class _Reader:
    """One pass over a text."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._starts = [0, *(found.end() for found in re.finditer("\n", text))]
        self._found: dict[str, int] = {}
        self._last: dict[str, int] = {}
        """Of each array of tables, the index of its newest element."""

    def run(self) -> dict[str, int]:
        table = "$"
        self._skip()
        while self._at < len(self._text):
            if self._text.startswith("[", self._at):
                table = self._header()
            else:
                self._pair(table)
            self._skip()
        return self._found

    def _header(self) -> str:
        """Past `[a.b]` or `[[a.b]]`; the path of the table it opens."""
        many, start = self._text.startswith("[[", self._at), self._at
        self._at += 2 if many else 1
        *parents, name = self._keys()
        self._at += 2 if many else 1
        path = "$"
        for parent in parents:
            path = self._newest(f"{path}.{parent}")
        path = f"{path}.{name}"
        if many:
            self._last[path] = self._last.get(path, -1) + 1
            path = self._newest(path)
        self._note(path, start)
        return path

    def _newest(self, path: str) -> str:
        return f"{path}[{self._last[path]}]" if path in self._last else path

    def _pair(self, table: str) -> None:
        """Past `key = value`."""
        start = self._at
        path = table
        for key in self._keys():
            path = f"{path}.{key}"
            self._note(path, start)
        self._at += 1  # the equals sign
        self._skip()
        self._value(path)

    def _keys(self) -> list[str]:
        """Past a dotted key and the blanks around it; its parts."""
        parts: list[str] = []
        while True:
            self._skip()
            if quoted := _STRING.match(self._text, self._at):
                self._at = quoted.end()
                parts.append(_ESCAPE.sub(r"\1", quoted[0][1:-1]) if quoted[0].startswith('"') else quoted[0][1:-1])
            elif bare := _BARE_KEY.match(self._text, self._at):
                self._at = bare.end()
                parts.append(bare[0])
            self._skip()
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _value(self, path: str) -> None:
        if string := _STRING.match(self._text, self._at):
            self._at = string.end()
        elif self._text.startswith("[", self._at):
            self._inside("]", path)
        elif self._text.startswith("{", self._at):
            self._inside("}", path)
        elif scalar := _SCALAR.match(self._text, self._at):
            self._at = scalar.end()

    def _inside(self, closing: str, path: str) -> None:
        """Past an array or an inline table, noting what is in it."""
        self._at += 1
        number = 0
        while True:
            self._skip()
            while self._text.startswith(",", self._at):
                self._at += 1
                self._skip()
            if self._at >= len(self._text) or self._text.startswith(closing, self._at):
                self._at += 1
                return
            if closing == "}":
                self._pair(path)
            else:
                element = f"{path}[{number}]"
                self._note(element, self._at)
                self._value(element)
                number += 1

    def _skip(self) -> None:
        found = _BLANK.match(self._text, self._at)
        self._at = found.end() if found else self._at

    def _note(self, path: str, at: int) -> None:
        self._found.setdefault(path, bisect_right(self._starts, at))
