"""Every value of a TOML text has its line, and every mistake in its shape is told at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli

from tests.support import BUNDLE, ROOT
from tui.core.bundle import Manifest
from tui.core.expectation import Expectation
from tui.core.toml_places import line_of, places
from tui.core.toml_shape import read

LIBRARY = ROOT / "tests" / "bundles" / "library"


def _leaves(tree: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, f"{path}.{key}")
    elif isinstance(tree, list):
        for number, value in enumerate(tree):
            yield from _leaves(value, f"{path}[{number}]")
    else:
        yield path, tree


@pytest.mark.parametrize(
    "file",
    [BUNDLE / "expected.toml", BUNDLE / "isolation.toml", BUNDLE / "demo" / "demo.toml", ROOT / "pyproject.toml"],
)
def test_each_value_stands_on_its_line(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    found, lines = places(text), text.splitlines()
    for path, value in _leaves(tomli.loads(text)):
        line = lines[found[path] - 1]
        # A text of several lines, or with escapes, is not on its line as it is.
        said = value if isinstance(value, str) and value.isprintable() and '"' not in value else ""
        assert said in line or '"""' in line or "\\" in line, (path, line)


def test_odd_toml() -> None:
    text = """\
a."b.c".d = 1
'q' = { x = [ 1, # a ] in a comment
  "]" ], y = '''
}''', z = 2026-01-01 }
[[t]]
n = \"\"\"
[t]
k = 1 \\\"\"\"\"
m = [[1], [2,
3]]
[t.sub]
k = 2
[[t.list]]
[[t]]
[[t.list]]
[[t.list]]
k = 3
"""
    assert tomli.loads(text)["t"][1]["list"][1] == {"k": 3}
    found = places(text)
    wanted = {
        "$.a.b.c.d": 1, "$.q.x[1]": 3, "$.q.y": 3, "$.q.z": 4, "$.t[0].n": 6, "$.t[0].m[1][1]": 10,
        "$.t[0].sub.k": 12, "$.t[0].list[0]": 13, "$.t[1].list[1].k": 17,
    }  # fmt: skip
    assert {path: found[path] for path in wanted} == wanted
    assert line_of(found, "$.t[1].list[1].unknown[4].deeper") == 16
    assert line_of(found, "$.nothing") is None
    assert "$.t[0].k" not in found  # it is inside a text


def test_every_mistake_is_told_with_its_line() -> None:
    text = (LIBRARY / "expected.toml").read_text(encoding="utf-8")
    text = text.replace('origin = "created"', 'origin = "made"', 1).replace('command = "insert"', 'comand = "insert"')
    text = text.replace("not_null = true }", 'not_null = "yes" }', 1).replace('returns = "trigger"\n', "")
    flaws = read(text, Expectation)
    assert isinstance(flaws, tuple)
    lines = text.splitlines()
    said = [(flaw.reason, lines[(flaw.line or 0) - 1].strip()[:24]) for flaw in flaws]
    assert said == [
        ("Invalid enum value 'made' at tables[0].origin", 'origin = "made"'),
        ("Expected `bool`, got `str` at tables[0].columns[1].not_null", '{ name = "title", type ='),
        (
            "unknown field `comand`: it has check, command, kind, name, roles, using, why at "
            "tables[1].policies[1].comand",
            '{ name = "loans_take", c',
        ),
        ("missing required field `command` at tables[1].policies[1]", '{ name = "loans_take", c'),
        ("missing required field `returns` at functions[0]", "[[functions]]"),
    ]


def test_a_file_of_the_right_shape_is_the_value() -> None:
    manifest = read((LIBRARY / "bundle.toml").read_text(encoding="utf-8"), Manifest)
    assert isinstance(manifest, Manifest)
    assert manifest.panels[0].sources[0].requires == ("public.loans",)


def test_what_is_not_toml_is_said_with_its_line() -> None:
    (flaw,) = read("a = 1\nb = [\n", Manifest)  # type: ignore[misc]
    assert (flaw.line, flaw.reason.startswith("not valid TOML")) == (None, True)
    (flaw,) = read("a = 1\nb = = 2\n", Manifest)  # type: ignore[misc]
    assert flaw.line == 2
