"""A verification as JUnit for a CI server and Markdown for a ticket: views of the same checks."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from tui.commands.verification import Verification
from tui.core.check import Check, Layer
from tui.core.isolation import Matrix
from tui.core.markdown import block, cell, code
from tui.core.proof_words import (
    control_said,
    counted_cases,
    counted_findings,
    expected_said,
    lock_words,
    not_probed,
    standing_said,
    tried,
)
from tui.core.report import label
from tui.core.safety import Finding
from tui.core.text import count, redact, visible


def junit(verification: Verification) -> str:
    """JUnit XML: a suite a layer, a case a check; what is not proven is skipped, never passed."""
    root = Element("testsuites", name=_xml(f"patchdeck verify {verification.bundle.name}"))
    root.set("time", f"{verification.seconds:.3f}")
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
        _properties(suite, layer, verification)
        for check in checks:
            case = SubElement(suite, "testcase", classname=_xml(check.table or check.object), name=_xml(label(check)))
            if check.ok:
                if check.layer == "safety" and check.actual:
                    SubElement(case, "system-out").text = _xml(check.actual)
                continue
            verdict = SubElement(case, "failure" if check.failed else "skipped", message=_xml(_sentence(check)))
            if check.failed:
                verdict.set("type", check.outcome)
                verdict.text = _xml(f"expected: {check.expected}\nactual:   {check.actual}", newlines=True)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _properties(suite: Element, layer: Layer, verification: Verification) -> None:
    """What a layer knows beyond its checks: JUnit has no other place for what fails nothing."""
    said: list[tuple[str, str]] = []
    matrix = verification.matrix
    if layer == "safety":
        said += [
            (f"{finding.rule.code} {finding.key}", f"{finding.rule.title}: {finding.detail}. {standing_said(finding)}")
            for finding in verification.findings
            if not finding.fails
        ]
    if layer == "behaviour" and matrix is not None and not matrix.reasons:
        said += [("cases", counted_cases(matrix)), ("negative control", control_said(matrix.control))]
        said += [("locks until the rollback", lock_words(matrix) or "none")]
        said += [(f"not probed: {count(cases)}", reason) for reason, cases in not_probed(matrix)]
    if said:
        properties = SubElement(suite, "properties")
        for name, value in said:
            SubElement(properties, "property", name=_xml(name), value=_xml(value))


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
    lines += _findings(verification.findings)
    lines += _isolation(verification.matrix)
    return "\n".join(lines) + "\n"


def _findings(findings: tuple[Finding, ...]) -> list[str]:
    """Every finding of the lint, also what is muted or only worth knowing."""
    if not findings:
        return []
    head = ["| code | level | object | what | how to mend | standing | advisors |", "| --- " * 7 + "|"]
    rows = [
        f"| {one.rule.code} | {one.rule.level} | {code(one.key)} | {cell(f'{one.rule.title}: {one.detail}')} "
        f"| {cell(one.rule.mend)} | {cell(standing_said(one))} | {cell(one.rule.advisor)} |"
        for one in findings
    ]
    return ["", f"## Safety: {counted_findings(findings)}", "", *head, *rows]


def _isolation(matrix: Matrix | None) -> list[str]:
    """What the matrix came to, with what reproduces each failure."""
    if matrix is None:
        return []
    lines = ["", f"## Isolation: {matrix.state.replace('_', ' ')}", ""]
    if matrix.reasons:
        return [*lines, *(f"- not proven: {cell(reason)}" for reason in matrix.reasons)]
    lines += [f"- {counted_cases(matrix)}", f"- {cell(control_said(matrix.control))}"]
    lines += [f"- locks until the rollback: {cell(lock_words(matrix) or 'none')}"]
    lines += [f"- {count(cases)} not probed: {cell(reason)}" for reason, cases in not_probed(matrix)]
    for probe in matrix.failures():
        case = probe.case
        what = f"{case.table}: {case.persona} {tried(probe)}"
        said = f"{what}: {probe.mark.upper()}, {probe.actual}, expected {expected_said(probe)}"
        lines += ["", cell(said), "", *block(probe.reproduction())]
    return lines


def _sentence(check: Check) -> str:
    return ". ".join(part for part in (check.outcome.replace("_", " "), check.why) if part)


def _xml(text: str, *, newlines: bool = False) -> str:
    # XML 1.0 has no way to write most control characters, not even escaped: visible() has none left.
    return redact(visible(text, newlines=newlines))
