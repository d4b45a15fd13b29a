"""A verification as SARIF 2.1.0 for a code host: a result for each check that does not hold and for each finding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tui import __version__
from tui.commands.verification import Verification
from tui.core.check import Check
from tui.core.proof_words import standing_said
from tui.core.report import label
from tui.core.safety import Finding
from tui.output import encode

Document = dict[str, Any]
"""A part of SARIF, whose schema is not ours."""

_LEVELS = {"error": "error", "warn": "warning", "info": "note"}


def sarif(verification: Verification) -> str:
    """The SARIF document. Findings carry their rule's code, whether they are new, and the bundle's reason for a mute;
    everything is placed in the bundle's file of expectations, since a database has no lines.
    """
    place = {"physicalLocation": {"artifactLocation": {"uri": verification.bundle.manifest.expected}}}
    rules: dict[str, Document] = {}
    results: list[Document] = []
    for rule, result in (*_checks(verification), *_findings(verification.findings)):
        rules.setdefault(rule["id"], rule)
        name = result.pop("object")
        results.append(
            {
                "ruleId": rule["id"],
                **result,
                "locations": [{**place, "logicalLocations": [{"fullyQualifiedName": name}]}],
            }
        )
    driver = {"name": "patchdeck", "version": __version__, "rules": [rules[rule] for rule in sorted(rules)]}
    return encode(
        {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{"tool": {"driver": driver}, "results": results}],
        }
    )


def _checks(verification: Verification) -> Iterator[tuple[Document, Document]]:
    """(rule, result) of each check that does not hold, but for findings: those have rules of their own."""
    for check in verification.checks():
        if check.ok or check.outcome == "finding":
            continue
        level = "error" if check.failed else "note"
        text = f"{label(check)}: {_sentence(check)}"
        # What a leak is reproduced with: an expected definition of the structure would only be noise here.
        text += f". {check.actual}" if check.layer == "behaviour" and check.failed else ""
        rule = {"id": f"{check.layer}/{check.object}-{check.outcome}"}
        yield rule, {"level": level, "message": {"text": text}, "object": label(check)}


def _findings(findings: tuple[Finding, ...]) -> Iterator[tuple[Document, Document]]:
    for finding in findings:
        rule = finding.rule
        described = {
            "id": rule.code,
            "name": rule.advisor or rule.title,
            "shortDescription": {"text": rule.title},
            "fullDescription": {"text": rule.why},
            "help": {"text": rule.mend},
            "defaultConfiguration": {"level": _LEVELS[rule.level]},
        }
        text = (
            f"{finding.key}: {rule.title}. {finding.detail}. {rule.why} {rule.mend} {standing_said(finding)}".rstrip()
        )
        result: Document = {"level": _LEVELS[rule.level], "message": {"text": text}, "object": finding.key}
        if finding.new is not None:
            result["baselineState"] = "new" if finding.new else "unchanged"
        if finding.muted_by is not None:
            result["suppressions"] = [{"kind": "external", "justification": finding.muted_by}]
        yield described, result


def _sentence(check: Check) -> str:
    return ". ".join(part for part in (check.outcome.replace("_", " "), check.why) if part)
