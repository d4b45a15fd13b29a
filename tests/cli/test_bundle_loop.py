"""Bundles of other people through the whole loop, as processes: what works for the one that ships works for them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import Ran, patchdeck, schema_of
from tests.support import ROOT, MakeDatabase, ask

pytestmark = pytest.mark.parametrize("cluster", ["pg18"], indirect=True)


class Loop:
    """The commands on one bundle and one database."""

    def __init__(self, folder: Path, dsn: str, name: str) -> None:
        self._folder, self._dsn, self.name = folder, dsn, name

    def __call__(self, command: str, *options: str, code: int = 0) -> dict[str, Any]:
        form = ("--format", "json") if command == "verify" else ("--json",)
        sure = ("--confirm", self.name) if command in ("apply", "rollback") else ()
        ran: Ran = patchdeck(command, *options, *sure, *form, "--bundle", str(self._folder), dsn=self._dsn)
        assert ran.code == code, ran
        return ran.json


@pytest.fixture(params=["library", "new"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The second bundle of these tests, or one as `bundle new` writes it."""
    if request.param == "library":
        return Path(shutil.copytree(ROOT / "tests" / "bundles" / "library", tmp_path / "library"))
    assert patchdeck("bundle", "new", str(tmp_path / "new")).code == 0
    return tmp_path / "new"


@pytest.mark.parametrize("route", ["pooled"])
def test_the_whole_loop(folder: Path, make_database: MakeDatabase) -> None:
    database = make_database("platform")
    run = Loop(folder, database.dsn, database.name)
    shipped = folder.name == "library"
    table = "books" if shipped else "notes"
    policy = f"policy {table}_{'read' if shipped else 'select'} on public.{table}"
    untouched = schema_of(database.admin_dsn)

    assert run("status", code=1)["verdict"] == "not_applied"
    plan = run("plan")
    assert (plan["summary"]["create"] > 5, plan["obstacle"]) == (True, None)
    assert policy in {item["object"] for item in plan["items"] if item["verb"] == "create"}
    assert run("rehearse")["outcome"] == "rehearsed"
    assert schema_of(database.admin_dsn) == untouched

    applied = run("apply")
    assert (applied["outcome"], applied["verdict"], applied["failed_checks"]) == ("committed", "applied", [])
    assert {f"table public.{table}", policy} <= set(applied["created"])
    status = run("status")
    assert (status["verdict"], status["healthy"], status["checks"]["failed"]) == ("applied", True, 0)

    # Library has no isolation.toml: nothing is proven of its behaviour, and nothing is claimed.
    layers = run("verify", code=1 if shipped else 0)["layers"]
    assert {name: layer["state"] for name, layer in layers.items()} == {
        "structure": "passed", "safety": "passed", "behaviour": "not_proven" if shipped else "passed",
    }  # fmt: skip
    assert run("drift")["state"] == "none"
    ask(database.dsn, f"alter {policy} using (true)")
    drifted = run("drift", code=1)
    assert [(change["kind"], change["object"]) for change in drifted["changes"]] == [("altered", policy)]
    assert run("status", code=1)["verdict"] == "drifted"
    assert run("apply")["verdict"] == "applied"

    back = run("rollback", "--mode", "lock")
    assert (back["outcome"], back["verdict"], policy in back["dropped"]) == ("committed", "rolled_back", True)
    assert run("status", code=1)["verdict"] == "rolled_back"
    assert [one["action"] for one in run("history")["runs"]] == ["rollback", "apply", "apply"]
