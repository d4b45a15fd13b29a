"""The driver without what we do not use of it: the same classes for all, and the whole of it for whoever wants that."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from ctypes.util import find_library
from importlib import import_module
from pathlib import Path

import pytest

from tests.cli.support import environment
from tests.support import ROOT, MakeDatabase
from tui.db.driver import unexecuted

UNUSED = ("psycopg.connection", "psycopg.cursor", "psycopg.types", "psycopg.sql", "psycopg_binary.version")

LEAN = f"""
import sys
from tui.db import driver
for module in {UNUSED}:
    assert module not in sys.modules, module
try:
    driver.pq.Conninfo.parse(b"hots=nowhere")
except driver.OperationalError as error:
    assert isinstance(error, driver.Error), error
"""
WHOLE = """
assert psycopg.OperationalError is driver.OperationalError
assert psycopg.Error is driver.Error is psycopg.errors.Error
assert psycopg.pq is driver.pq and psycopg.pq.PGconn is driver.pq.PGconn
assert psycopg.sql.Identifier("a b").as_string() == '"a b"'
assert psycopg.adapters.types["int4"].oid == 23
try:
    psycopg.connect("host=127.0.0.1 port=1")
except driver.OperationalError as error:
    assert type(error) is psycopg.OperationalError, type(error)
"""


def said(code: str, **given: str) -> None:
    """Run `code` in a process of its own, which must have nothing to say."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(extra=given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    "first",
    [
        "import psycopg",
        "from psycopg import sql",
        "import psycopg.sql",
        "from psycopg.rows import dict_row",
        "from psycopg.types.json import Jsonb",
        "import tui.db.run_locks",
        "import tui.demo.derive",
    ],
)
def test_the_whole_driver_is_there_for_whoever_imports_it_later(first: str) -> None:
    said(f"{LEAN}{first}\nimport psycopg, psycopg.sql\n{WHOLE}")


def test_what_is_loaded_already_is_used_as_it_is() -> None:
    said(f"import psycopg, psycopg.sql\nfrom tui.db import driver\n{WHOLE}")


def test_it_is_the_same_on_the_systems_libpq() -> None:
    """psycopg's other implementation, in Python, takes the library that the system has."""
    if find_library("pq") is None:
        pytest.skip("no libpq on this machine; get it with: apt-get install libpq5 (or: brew install libpq)")
    check = "assert driver.pq.__impl__ == 'python', driver.pq.__impl__\n"
    said(f"{LEAN}{check}import psycopg, psycopg.sql\n{WHOLE}", PSYCOPG_IMPL="python")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package of which one module needs what its `__init__` does, and the other does not."""
    name = f"halves_{os.getpid()}"
    folder = tmp_path / name
    folder.mkdir()
    (folder / "__init__.py").write_text("VALUE = 1\n", encoding="utf-8")
    (folder / "alone.py").write_text("VALUE = 2\n", encoding="utf-8")
    (folder / "leaning.py").write_text(f"from {name} import VALUE\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]


def test_a_part_that_needs_the_rest_fails_and_leaves_an_honest_import(package: str) -> None:
    with pytest.raises(ImportError), unexecuted(package):
        import_module(f"{package}.leaning")
    assert import_module(f"{package}.leaning").VALUE == 1


def test_a_part_that_stands_alone_does_not_execute_the_rest(package: str) -> None:
    with unexecuted(package):
        alone = import_module(f"{package}.alone")
        assert "VALUE" not in vars(sys.modules[package])
    whole = import_module(package)
    assert (whole.VALUE, whole.alone) == (1, alone)


GLANCE = """
import json, pathlib, sys
import tui.commands.forked_link as of_link
close = of_link._close
async def told(channel, link):
    pathlib.Path(sys.argv[1]).write_text(json.dumps(sorted(sys.modules)))
    await close(channel, link)
of_link._close = told
from tui.__main__ import main
sys.exit(main(["status"]))
"""


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
def test_the_process_that_connects_for_a_glance_loads_no_more(make_database: MakeDatabase, tmp_path: Path) -> None:
    """By its end: it has connected, asked and read by then."""
    told = tmp_path / "modules.json"
    done = subprocess.run(
        [sys.executable, "-c", GLANCE, str(told)],
        cwd=ROOT, env=environment(make_database("applied").dsn), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    modules = set(json.loads(told.read_text(encoding="utf-8")))
    assert {"psycopg.pq", "tui.db.pipeline"} <= modules
    assert modules & {*UNUSED, "click", "textual"} == set()
