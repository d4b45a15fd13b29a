"""A verification as JUnit for a CI server, Markdown for a ticket, SARIF for a code host: views of the same checks."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from tui import __version__
from tui.commands.verification import Verification, failed
from tui.commands.words import label
from tui.core.checklist import Check
from tui.core.text import redact, visible
from tui.output import encode, plain


def junit(verification: Verification) -> str:
    """JUnit XML: a suite a layer, a case a check; what is not proven is skipped, never passed."""
    root = Element("testsuites", name=_xml(f"patchdeck verify {verification.bundle.name}"))
    for layer, (_, checks) in verification.layers.items():
        failures = [check for check in checks if failed(check)]
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
            verdict = SubElement(case, "failure" if failed(check) else "skipped", message=_xml(_sentence(check)))
            if failed(check):
                verdict.set("type", check.outcome)
                verdict.text = _xml(f"expected: {check.expected}\nactual:   {check.actual}", newlines=True)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def markdown(verification: Verification) -> str:
    """Markdown for a ticket: the verdict, a line a layer, and a table of what does not hold."""
    look, bundle = verification.look, verification.bundle
    server, verdict = look.server, look.verdict
    lines = [
        f"# {verdict.headline}: {_cell(f'{bundle.name} {bundle.version}')}",
        "",
        f"{_cell(verdict.sentence)}",
        "",
        f"Database {_code(server.database)} on {_code(f'{server.host}:{server.port}')}, "
        f"PostgreSQL {_cell(server.version)}, {look.taken_at:%Y-%m-%d %H:%M:%S %Z}.",
        "",
        "| layer | state | checks | failed | not proven |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for layer, (state, checks) in verification.layers.items():
        broken = sum(failed(check) for check in checks)
        unproven = sum(check.outcome == "not_proven" for check in checks)
        lines.append(f"| {layer} | {state.replace('_', ' ')} | {len(checks)} | {broken} | {unproven} |")
    troubles = [check for check in verification.checks() if not check.ok]
    if troubles:
        lines += ["", "| object | outcome | expected | actual | why it matters |", "| --- | --- | --- | --- | --- |"]
    for check in troubles:
        definitions = [_code(text) if text else "" for text in (check.expected, check.actual)]
        outcome = check.outcome.replace("_", " ")
        lines.append(f"| {_cell(label(check))} | {outcome} | {' | '.join(definitions)} | {_cell(check.why)} |")
    return "\n".join(lines) + "\n"


def sarif(verification: Verification) -> str:
    """SARIF 2.1.0: a result per check that does not hold, placed in the bundle's file of expectations."""
    troubles = [check for check in verification.checks() if not check.ok]
    rules = sorted({_rule(check) for check in troubles})
    location = {"physicalLocation": {"artifactLocation": {"uri": verification.bundle.manifest.expected}}}
    results = [
        {
            "ruleId": _rule(check),
            "level": "error" if failed(check) else "note",
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


def _cell(text: str) -> str:
    """Text inside a Markdown table: what the database says must not become markup, a link or another column."""
    escaped = plain(text, 1000)
    for character in "\\`*_[]<>|#":
        escaped = escaped.replace(character, "\\" + character)
    return escaped


def _code(text: str) -> str:
    """A code span: a backtick would end it, and a bar would end the cell even inside one."""
    return "`" + plain(text, 1000).replace("`", "'").replace("|", "\\|") + "`"
