"""Many databases in one glance, and one that is watched."""

from __future__ import annotations

import time
from pathlib import Path

import psycopg
import pytest

from tests.cli.support import PATCHDECK, environment, patchdeck
from tests.cli.test_schema import flaws
from tests.support import MakeDatabase, ask
from tests.terminal.pty_session import PtySession
from tui.commands.shapes import schema

pytestmark = [
    pytest.mark.parametrize("cluster", ["pg18"], indirect=True),
    pytest.mark.parametrize("route", ["direct"]),
]


def _configure(folder: Path, **dsns: str) -> None:
    targets = [
        f'[targets.{name}]\nenvironment = "{"production" if name == "shop" else "staging"}"\ndsn = "{dsn}"\n'
        for name, dsn in dsns.items()
    ]
    (folder / "patchdeck.toml").write_text("\n".join(targets), encoding="utf-8")


def test_every_target_in_one_table_and_one_document(make_database: MakeDatabase, tmp_path: Path) -> None:
    shop, books = make_database("applied"), make_database("legacy")
    assert patchdeck("apply", "--again", "--confirm", shop.name, dsn=shop.dsn).code == 0
    _configure(tmp_path, shop=shop.dsn)
    assert patchdeck("status", "--all", cwd=tmp_path).code == 0
    _configure(tmp_path, shop=shop.dsn, books=books.dsn)
    assert patchdeck("status", "--all", cwd=tmp_path).code == 1
    gone = "postgresql://postgres@127.0.0.1:1/gone"
    _configure(tmp_path, shop=shop.dsn, books=books.dsn, gone=gone, odd="no connection string")
    told = patchdeck("status", "--all", cwd=tmp_path)
    assert told.code == 3
    lines = told.out.splitlines()
    assert [line.split()[1] for line in lines[:4]] == ["gone", "odd", "books", "shop"]
    assert "Connection refused" in lines[0]
    assert "not a connection string" in lines[1]
    assert "NOT APPLIED" in lines[2]
    assert "PRODUCTION" in lines[3]
    assert "1 of 4" in lines[4]
    whole = patchdeck("status", "--all", "--json", cwd=tmp_path)
    assert whole.code == 3
    published = schema("status-all")
    assert flaws(whole.json, published, published) == []
    by_name = {one["name"]: one for one in whole.json["targets"]}
    assert {name: one["exit"] for name, one in by_name.items()} == {"shop": 0, "books": 1, "gone": 3, "odd": 3}
    alone = patchdeck("status", "--json", "--target", "books", cwd=tmp_path).json
    assert {**by_name["books"]["status"], "target": None} == {**alone, "target": None}


def test_they_are_asked_at_once(make_database: MakeDatabase, tmp_path: Path) -> None:
    """Each password takes a second to be had: one after the other that would be twenty."""
    dsn = make_database("legacy").dsn
    with psycopg.connect(dsn) as connection:
        password = connection.info.password
    _configure(tmp_path, **{f"shop{number}": dsn.split("?")[0] + "?sslmode=disable" for number in range(20)})
    file = tmp_path / "patchdeck.toml"
    slow = 'password_command = ["sh", "-c", "sleep 1; printenv WORD"]\n'
    file.write_text(file.read_text().replace("environment =", f"{slow}environment ="), encoding="utf-8")
    began = time.monotonic()
    ran = patchdeck("status", "--all", "--json", cwd=tmp_path, env={"WORD": password})
    assert time.monotonic() - began < 12
    assert [one["exit"] for one in ran.json["targets"]] == [1] * 20


def test_nothing_configured_and_what_does_not_go_together(make_database: MakeDatabase, tmp_path: Path) -> None:
    dsn = make_database("bare").dsn
    nothing = patchdeck("status", "--all", cwd=tmp_path)
    assert (nothing.code, "no target is configured" in nothing.err) == (2, True)
    _configure(tmp_path, shop=dsn)
    assert patchdeck("status", "--all", "--dsn", dsn, cwd=tmp_path).code == 2
    assert patchdeck("status", "--watch", "--json", cwd=tmp_path).code == 2
    pipe = patchdeck("status", "--watch", dsn=dsn)
    assert (pipe.code, "patchdeck status" in pipe.err) == (2, True)


def test_a_watched_database_is_followed(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("legacy")
    _configure(tmp_path, shop=database.dsn)
    file = tmp_path / "patchdeck.toml"
    file.write_text(file.read_text() + "refresh = 0.5\n", encoding="utf-8")
    command = ["env", "-C", str(tmp_path), *PATCHDECK, "status", "--watch", "--target", "shop"]
    with PtySession(command, columns=120, rows=40, environment=environment()) as running:
        running.wait_for("NOT APPLIED", timeout=20)
        assert patchdeck("apply", "--confirm", database.name, dsn=database.dsn).code == 0
        running.wait_for("✓ APPLIED", timeout=20)
        maintenance = database.admin_dsn.replace(f"/{database.name}?", "/postgres?")
        ask(maintenance, f"alter database {database.name} allow_connections false")
        cut = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database.name}'"
        assert ask(maintenance, cut)
        running.wait_for("NOT REACHED", timeout=20)
        ask(maintenance, f"alter database {database.name} allow_connections true")
        running.wait_for("✓ APPLIED", timeout=20)
        running.send("\x03")
        assert running.wait_exit()[0] == 130
