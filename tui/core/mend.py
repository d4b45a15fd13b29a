"""The statements that mend a check that does not hold: the patch's own for that object, or what removes a stranger.

Only where few statements of one object do it. Columns, constraints, rights and publications are the work of many:
applying again mends these.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tui.core.check import Check
from tui.core.ddl import drop_policy, drop_trigger, qualified
from tui.core.statements import Statement


def mending(check: Check, patch: Sequence[Statement]) -> tuple[str, ...]:
    """The statements in their order, without their `;`; none where the check holds or it takes more than that."""
    if not check.failed:
        return ()
    if check.outcome == "unexpected":
        # A stranger's index, trigger or table may be somebody's on purpose; a policy is OR-ed to the others.
        return (drop_policy(check.table, check.name),) if check.object == "policy" else ()
    made = tuple(_made(check, patch))
    return (*_cleared(check), *made) if made else ()


def _cleared(check: Check) -> Iterator[str]:
    """What is there under the name and is another makes room; what can be replaced in its place needs not."""
    if check.outcome == "differs" and check.object == "policy":
        yield drop_policy(check.table, check.name)
    elif check.outcome == "differs" and check.object == "trigger":
        yield drop_trigger(check.table, check.name)
    elif check.outcome == "differs" and check.object == "index":
        schema = check.table.partition(".")[0]
        yield f"drop index if exists {qualified(schema + '.' + check.name)}"


def _made(check: Check, patch: Sequence[Statement]) -> Iterator[str]:
    """The patch's statements that make the object."""
    for statement in patch:
        match check.object:
            case "policy" | "trigger" | "index":
                wanted = (f"create {check.object}", check.name, check.table)
                found = (statement.kind, statement.object, statement.on or check.table) == wanted
            case "rls":
                switches = "row level security" in " ".join(statement.text.lower().split())
                found = switches and (statement.kind, statement.object) == ("alter table", check.table)
            case "view" | "table":
                found = (statement.kind, statement.object) == (f"create {check.object}", check.table)
            case "function":
                name = check.name.partition("(")[0]
                found = (statement.kind, statement.object) == ("create function", name)
            case _:
                found = False
        if found:
            yield statement.text
