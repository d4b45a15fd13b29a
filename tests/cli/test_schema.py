"""Every JSON document is what its published schema says, to the key, in every state a database can be in."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import psycopg
import pytest

from tests.cli.support import Ran, inside, patchdeck
from tests.support import BUNDLE, Cluster, ask
from tui.cli import DOCUMENTED
from tui.commands.shapes import DOCUMENTS, schema

KINDS: dict[str, type | tuple[type, ...]] = {
    "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None), "array": list,
    "object": dict,
}  # fmt: skip


def flaws(value: Any, part: Mapping[str, Any], whole: Mapping[str, Any], at: str = "$") -> list[str]:
    """Where `value` is not what the schema says; a key that the schema does not know is a flaw as well."""
    unknown = part.keys() - {
        "$ref", "$defs", "$schema", "title", "description", "type", "format", "enum", "anyOf", "properties", "required",
        "items", "additionalProperties", "propertyNames",
    }  # fmt: skip
    assert not unknown, f"this reader does not know {unknown}"
    if "$ref" in part:
        return flaws(value, whole["$defs"][part["$ref"].removeprefix("#/$defs/")], whole, at)
    if "anyOf" in part:
        tried = [flaws(value, one, whole, at) for one in part["anyOf"]]
        return [] if [] in tried else min(tried, key=len)
    if "enum" in part:
        return [] if value in part["enum"] else [f"{at}: {value!r} is none of {part['enum']}"]
    kind = KINDS[part["type"]]
    if not isinstance(value, kind) or (isinstance(value, bool) and part["type"] != "boolean"):
        return [f"{at}: {type(value).__name__}, not {part['type']}"]
    if isinstance(value, list):
        return [
            flaw for number, one in enumerate(value) for flaw in flaws(one, part["items"], whole, f"{at}[{number}]")
        ]
    if not isinstance(value, dict):
        return []
    known, rest = part.get("properties", {}), part.get("additionalProperties")
    found = [f"{at}.{key}: missing" for key in part.get("required", ()) if key not in value]
    for key, one in value.items():
        if key not in known and rest is None:
            found.append(f"{at}.{key}: not in the schema")
        else:
            found += flaws(one, known.get(key, rest), whole, f"{at}.{key}")
        if "propertyNames" in part:
            found += flaws(key, part["propertyNames"], whole, f"{at}.{key} (name)")
    return found


def _check(command: str, ran: Ran) -> None:
    document = schema(command)
    assert flaws(ran.json, document, document) == [], (command, ran.code)


COMMANDS: dict[str, tuple[str, ...]] = {
    "status": ("status", "--json"),
    "verify": ("verify", "--format", "json"),
    "plan": ("plan", "--json"),
    "drift": ("drift", "--json"),
    "isolation": ("isolation", "--json"),
    "history": ("history", "--json"),
    "doctor": ("doctor", "--json"),
    "report": ("report", "--format", "json"),
}
"""What looks, and says it as JSON."""


@dataclass(frozen=True)
class State:
    """A state a database is in for whom asks so, and what the commands say of it; `codes` are the exit codes of the
    commands in the order of COMMANDS. Where one is in `silent`, there is no document, but one line of an error.
    """

    database: str
    verdict: str
    codes: tuple[int, ...]
    silent: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    role: Literal["owner", "authenticator"] = "owner"


STATES = {
    "legacy": State("legacy", "not_applied", (1, 1, 0, 1, 1, 0, 0, 1), ("report",)),
    "applied": State("applied", "applied", (0, 0, 0, 0, 0, 0, 0, 0)),
    "partial": State("partial", "partial", (1, 1, 0, 1, 1, 0, 0, 1), ("report",)),
    "drifted": State("drifted", "drifted", (1, 1, 0, 1, 1, 0, 0, 0)),
    "rolled back": State("rolled back", "rolled_back", (1, 1, 0, 0, 1, 0, 0, 0)),
    "read-only": State("applied", "applied", (0, 1, 0, 0, 1, 0, 1, 0), options=("--read-only",)),
    "no rights": State("applied", "applied", (1, 1, 4, 1, 1, 0, 1, 1), ("plan", "report"), role="authenticator"),
}


@pytest.fixture(scope="module")
def address(cluster: Cluster) -> Callable[[State], str]:
    """Where a database in that state is, through the pooler where there is one; one database for each, made once."""
    there = cluster.address
    pooled = bool(there.pooler_port)
    made: dict[str, str] = {}

    def at(state: State) -> str:
        if state.database not in made:
            name = f"schema_{len(made)}_{os.getpid()}"
            template = {"partial": "broken"}.get(state.database, "legacy")
            cluster.kept.create(name, template, template=template)
            made[state.database] = name
            _bring(state.database, there.dsn("postgres", name, pooled=pooled), name)
        role = "postgres" if state.role == "owner" else "authenticator"
        return there.dsn(role, made[state.database], pooled=pooled)

    return at


def _bring(state: str, dsn: str, name: str) -> None:
    """Bring a legacy database into the state, by the commands, whose documents are looked at on the way."""
    if state in ("applied", "drifted", "rolled back"):
        applied = inside("apply", "--json", "--confirm", name, dsn=dsn)
        assert applied.code == 0, applied
        _check("apply", applied)
        _check("report", Ran(0, Path(applied.json["report"]["json"]).read_text(encoding="utf-8"), ""))
    if state == "drifted":
        ask(dsn, "alter policy agents_select on public.agents using (true)")
    if state == "rolled back":
        _check("rehearse", inside("rehearse", "--json", "--rollback", "restore-closed", dsn=dsn))
        back = inside("rollback", "--json", "--confirm", name, "--mode", "restore", dsn=dsn)
        assert back.code == 0, back
        _check("rollback", back)
        _check("report", Ran(0, Path(back.json["report"]["json"]).read_text(encoding="utf-8"), ""))


one_server = pytest.mark.parametrize("cluster", ["pg18"], indirect=True, scope="module")


@one_server
@pytest.mark.parametrize("name", STATES)
def test_every_look_in_every_state(address: Callable[[State], str], name: str) -> None:
    state = STATES[name]
    dsn = address(state)
    codes = []
    for command, arguments in COMMANDS.items():
        ran = inside(*state.options, *arguments, dsn=dsn)
        codes.append(ran.code)
        if command in state.silent:
            assert (ran.out, len(ran.err.splitlines())) == ("", 1), ran
            assert "permission denied" in ran.err or "no run is recorded there that this role may read" in ran.err
            continue
        _check(command, ran)
        if command == "status":
            assert ran.json["verdict"] == state.verdict
    assert dict(zip(COMMANDS, codes, strict=True)) == dict(zip(COMMANDS, state.codes, strict=True))


@one_server
def test_every_run_that_changes_nothing(address: Callable[[State], str], tmp_path: Path) -> None:
    """Rehearsed, failed, refused for four reasons, nothing to do; and the plan of a way back."""
    legacy, applied, back = (address(STATES[name]) for name in ("legacy", "applied", "rolled back"))
    folder = tmp_path / "bundle"
    shutil.copytree(BUNDLE, folder, ignore=shutil.ignore_patterns("demo"))
    (folder / "PATCH.sql").write_text("select 1 / 0;\n" + (BUNDLE / "PATCH.sql").read_text(encoding="utf-8"), "utf-8")
    name = psycopg.conninfo.conninfo_to_dict(applied)["dbname"]
    confirmed = ("--confirm", str(name))
    for code, dsn, arguments in (
        (0, legacy, ("rehearse",)),
        (0, back, ("rehearse",)),
        (5, legacy, ("rehearse", "--bundle", str(folder))),
        (4, legacy, ("rehearse", "--read-only")),
        (4, applied, ("apply", "--confirm", "another")),
        (4, address(STATES["no rights"]), ("rollback", *confirmed)),
        (0, applied, ("apply", *confirmed)),
        (0, applied, ("plan", "--rollback", "restore-closed")),
    ):
        ran = inside(*arguments, "--json", dsn=dsn)
        assert ran.code == code, ran
        _check(arguments[0], ran)


@one_server
def test_all_at_once(address: Callable[[State], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = {f"t{number}": address(state) for number, state in enumerate(STATES.values())}
    places["gone"] = NOWHERE
    tables = [f'[targets.{name}]\nenvironment = "local"\ndsn = "{dsn}"\n' for name, dsn in places.items()]
    (tmp_path / "patchdeck.toml").write_text("".join(tables), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    ran = inside("status", "--all", "--json", dsn="")
    _check("status-all", ran)
    assert (ran.code, len(ran.json["targets"])) == (3, len(places))


NOWHERE = "postgresql://postgres@127.0.0.1:1/postgres"


def test_unreachable() -> None:
    for command in (["rehearse"], ["apply", "--confirm", "postgres"], ["rollback", "--confirm", "postgres"]):
        ran = inside(*command, "--json", dsn=NOWHERE)
        assert ran.code == 3
        _check(command[0], ran)
    for arguments in COMMANDS.values():
        ran = inside(*arguments, dsn=NOWHERE)
        assert (ran.code, ran.out, len(ran.err.splitlines())) == (3, "", 1)


def test_what_is_published_is_what_documents_are_checked_against() -> None:
    assert tuple(DOCUMENTS) == DOCUMENTED
    for command in ("verify", "apply"):
        published = patchdeck("schema", command)
        assert (published.code, published.err) == (0, "")
        assert published.json == schema(command)
    assert patchdeck("schema", "demo").code == 2


def test_the_reader_of_these_tests_finds_what_is_wrong() -> None:
    whole = schema("history")
    run = {"run_id": 1}
    found = flaws({"bundle": {"name": "x", "version": "1", "checksum": "c", "more": 1}, "runs": [run]}, whole, whole)
    assert "$.target: missing" in found
    assert "$.bundle.more: not in the schema" in found
    assert "$.runs[0].run_id: int, not string" in found
    assert "$.runs[0].outcome: missing" in found
