"""A verification as JUnit for a CI server, Markdown for a ticket, SARIF for a code host: views of the same checks."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from tui import __version__
from tui.commands.verification import Verification
from tui.core.check import Check
from tui.core.markdown import cell, code
from tui.core.report import label
from tui.core.text import redact, visible
from tui.output import encode


def junit(verification: Verification) -> str:
    """JUnit XML: a suite a layer, a case a check; what is not proven is skipped, never passed."""
    root = Element("testsuites", name=_xml(f"patchdeck verify {verification.bundle.name}"))
    for layer, (_, checks) in verification.layers.items():
        failures = [check for check in checks if check.failed]
        unproven = [check for check in checks if check.outcome == "not_proven"]
        suite = SubElement(
            root,
            "testsuite",
            name=layer,
            tests=str(len(checks)),
            failures=str(len(failures)),
            skipped=str(len(unproven)),
        )
        suite.set("timestamp", verification.look.taken_at.isoformat())
        for check in checks:
            case = SubElement(suite, "testcase", classname=_xml(check.table or check.object), name=_xml(label(check)))
            if check.ok:
                continue
            verdict = SubElement(case, "failure" if check.failed else "skipped", message=_xml(_sentence(check)))
            if check.failed:
                verdict.set("type", check.outcome)
                verdict.text = _xml(f"expected: {check.expected}\nactual:   {check.actual}", newlines=True)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def markdown(verification: Verification) -> str:
    """Markdown for a ticket: the verdict, a line a layer, and a table of what does not hold."""
    look, bundle = verification.look, verification.bundle
    server, verdict = look.server, look.verdict
    lines = [
        f"# {verdict.headline}: {cell(f'{bundle.name} {bundle.version}')}",
        "",
        f"{cell(verdict.sentence)}",
        "",
        f"Database {code(server.database)} on {code(f'{server.host}:{server.port}')}, "
        f"PostgreSQL {cell(server.version)}, {look.taken_at:%Y-%m-%d %H:%M:%S %Z}.",
        "",
        "| layer | state | checks | failed | not proven |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for layer, (state, checks) in verification.layers.items():
        broken = sum(check.failed for check in checks)
        unproven = sum(check.outcome == "not_proven" for check in checks)
        lines.append(f"| {layer} | {state.replace('_', ' ')} | {len(checks)} | {broken} | {unproven} |")
    troubles = [check for check in verification.checks() if not check.ok]
    if troubles:
        lines += ["", "| object | outcome | expected | actual | why it matters |", "| --- | --- | --- | --- | --- |"]
    for check in troubles:
        definitions = [code(text) if text else "" for text in (check.expected, check.actual)]
        outcome = check.outcome.replace("_", " ")
        lines.append(f"| {cell(label(check))} | {outcome} | {' | '.join(definitions)} | {cell(check.why)} |")
    return "\n".join(lines) + "\n"


def sarif(verification: Verification) -> str:
    """SARIF 2.1.0: a result per check that does not hold, placed in the bundle's file of expectations."""
    troubles = [check for check in verification.checks() if not check.ok]
    rules = sorted({_rule(check) for check in troubles})
    location = {"physicalLocation": {"artifactLocation": {"uri": verification.bundle.manifest.expected}}}
    results = [
        {
            "ruleId": _rule(check),
            "level": "error" if check.failed else "note",
            "message": {"text": f"{label(check)}: {_sentence(check)}"},
            "locations": [{**location, "logicalLocations": [{"fullyQualifiedName": label(check)}]}],
        }
        for check in troubles
    ]
    driver = {"name": "patchdeck", "version": __version__, "rules": [{"id": rule} for rule in rules]}
    return encode(
        {
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{"tool": {"driver": driver}, "results": results}],
        }
    )


def _rule(check: Check) -> str:
    return f"{check.layer}/{check.object}-{check.outcome}"


def _sentence(check: Check) -> str:
    return ". ".join(part for part in (check.outcome.replace("_", " "), check.why) if part)


def _xml(text: str, *, newlines: bool = False) -> str:
    # XML 1.0 has no way to write most control characters, not even escaped: visible() has none left.
    return redact(visible(text, newlines=newlines))
