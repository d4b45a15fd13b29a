"""Every JSON document is what its published schema says, to the key, in every state a database can be in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import Ran, patchdeck
from tests.support import MakeDatabase
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


LOOKS = ("status", "plan", "doctor", "history", "drift")


def _looks(dsn: str, *options: str) -> None:
    for command in LOOKS:
        _check(command, patchdeck(command, "--json", *options, dsn=dsn))
    _check("verify", patchdeck("verify", "--format", "json", *options, dsn=dsn))


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["pooled"])
class TestDocuments:
    """Through a pooler: most is told there."""

    def test_from_legacy_to_applied_to_rolled_back(self, make_database: MakeDatabase) -> None:
        database = make_database("legacy")
        dsn, name = database.dsn, database.name
        _looks(dsn)
        _check("rehearse", patchdeck("rehearse", "--json", dsn=dsn))
        _check("apply", patchdeck("apply", "--json", "--confirm", name, dsn=dsn))
        _looks(dsn)
        _check("isolation", patchdeck("isolation", "--json", dsn=dsn))
        _check("plan", patchdeck("plan", "--json", "--rollback", "restore-closed", dsn=dsn))
        _check("report", patchdeck("report", "--format", "json", dsn=dsn))
        back = patchdeck("rollback", "--json", "--confirm", name, "--mode", "restore", dsn=dsn)
        _check("rollback", back)
        _check("report", Ran(0, Path(back.json["report"]["json"]).read_text(encoding="utf-8"), ""))
        _looks(dsn)

    def test_broken_and_read_only(self, make_database: MakeDatabase) -> None:
        dsn = make_database("broken").dsn
        _looks(dsn)
        _check("isolation", patchdeck("isolation", "--json", dsn=dsn))
        _check("status", patchdeck("status", "--json", "--read-only", dsn=dsn))
        _check("verify", patchdeck("verify", "--format", "json", "--read-only", dsn=dsn))
        _check("rehearse", patchdeck("rehearse", "--json", "--read-only", dsn=dsn))

    def test_a_role_without_rights(self, make_database: MakeDatabase) -> None:
        database = make_database("legacy")
        for command in ("status", "doctor"):
            _check(command, patchdeck(command, "--json", dsn=database.api_dsn))
        refused = patchdeck("apply", "--json", "--confirm", database.name, dsn=database.api_dsn)
        assert refused.code == 4
        _check("apply", refused)


def test_unreachable() -> None:
    for command in (["rehearse"], ["apply", "--confirm", "postgres"], ["rollback", "--confirm", "postgres"]):
        ran = patchdeck(*command, "--json", dsn="postgresql://postgres@127.0.0.1:1/postgres")
        assert ran.code == 3
        _check(command[0], ran)


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
