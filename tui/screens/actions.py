"""Which actions a person may give another key: the names they have in `[keys]`, and what they are on the screens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from textual.binding import Binding, BindingType

ACTIONS: Mapping[str, str] = {
    "walk('apply')": "apply",
    "walk('rollback')": "rollback",
    "app.verify": "verify",
    "isolation": "isolation",
    "drift": "drift",
    "app.locks": "locks",
    "history": "history",
    "report": "report",
    "failing": "failing",
    "filter": "filter",
    "problem(1)": "next-problem",
    "problem(-1)": "previous-problem",
    "sort": "sort",
    "scope": "scope",
    "app.window": "window",
    "app.pause": "pause",
    "app.palette": "palette",
    "app.quit": "quit",
    "copy": "copy",
    "write": "write-files",
    "question('cancel')": "cancel-statement",
    "question('terminate')": "end-session",
}
"""What a binding does, and the id of that. A key that asks again (`r`), goes back, moves or is a tab's number is the
same for everybody, and so is every key of a walkthrough: nobody should look for them while something goes wrong.
"""
HELP = "help"
"""The id of the help, which every screen has."""
DESTRUCTIVE = frozenset(("apply", "rollback", "cancel-statement", "end-session"))
"""Ids of what leads to a change of the database or to the end of somebody's session."""


def identified(bindings: Sequence[BindingType]) -> list[BindingType]:
    """The bindings, each that may have another key with its id: Textual's keymap finds it by that."""
    return [
        replace(one, id=one.id or ACTIONS.get(one.action))
        if isinstance(one, Binding) and not one.key.isdigit()
        else one
        for one in bindings
    ]
