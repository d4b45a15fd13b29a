"""Judge one expected object against the live one, aspect by aspect, and say what a miss means.

An aspect is certain when both sides are plain facts or came through the same deparser; where the expected side is only
what somebody typed, a difference proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from tui.core.check import Check, Outcome

_MEANING = {
    "table": "the app's requests to it fail",
    "column": "requests that name this column fail",
    "constraint": "rows that the app takes for impossible can be written",
    "index": "queries that filter by it read the whole table",
    "rls": "without row level security every row is open to whoever holds a grant",
    "policy": "the rows this policy is for are hidden, or open, to the wrong users",
    "trigger": "what it keeps up to date no longer moves",
    "grant": "too few rights break requests with 42501, too many open what the policies do not guard",
    "view": "requests to the view fail or show the wrong rows",
    "function": "what calls it fails or does something else",
    "publication": "live updates do not reach the app, or rows leave by a way no policy guards",
    "schema": "what is in it becomes reachable, or unreachable, for the API's roles",
}

_UNEXPECTED = {
    "column": "nobody expected this column: the table is not the one the patch makes",
    "policy": "permissive policies are OR-ed: this one opens rows the others close",
    "constraint": "rows that the app takes for possible are refused",
    "trigger": "code nobody expected runs on every write it fires for",
    "rule": "a rewrite rule makes another statement of the app's, or none",
    "grant": "a right nobody expected: the policies alone stand between this role and the rows",
    "publication": "its rows leave the database through this publication although they must not",
}

RESTRICTIVE = "a restrictive policy nobody expected: it closes rows the app's users should see"
NO_TWIN = "not provable here: a connection that may not write can not have the server deparse the expected definition"

_TYPE_ALIASES = {
    "bool": "boolean",
    "char": "character",
    "decimal": "numeric",
    "float": "double precision",
    "float4": "real",
    "float8": "double precision",
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "timetz": "time with time zone",
    "varbit": "bit varying",
    "varchar": "character varying",
}


class Aspect(msgspec.Struct, frozen=True):
    """One thing to compare. `wrong` is what is said when it differs; `certain`: a difference proves a difference."""

    expected: object
    actual: object
    wrong: str
    certain: bool = True

    @property
    def equal(self) -> bool:
        """Whether both sides say the same; what was only typed may differ in the case of its key words."""
        if self.certain or not (isinstance(self.expected, str) and isinstance(self.actual, str)):
            return self.expected == self.actual
        return _folded(self.expected) == _folded(self.actual)


class Subject(msgspec.Struct, frozen=True):
    """What a check is about: its kind, the relation it hangs on, its name, and the bundle's own words on why."""

    object: str
    table: str
    name: str
    why: str = ""

    def check(self, outcome: Outcome, expected: str = "", actual: str = "", why: str = "") -> Check:
        """A structure check on this subject; without `why` it says the bundle's reason, else the kind's."""
        return Check("structure", self.object, self.table, self.name, outcome, expected, actual, why or self.meaning)

    def missing(self, expected: str) -> Check:
        """The check of an object that is not there."""
        return self.check("missing", expected)

    def unexpected(self, actual: str, why: str = "") -> Check:
        """The check of a live object nobody expected."""
        return self.check("unexpected", "", actual, why or _UNEXPECTED[self.object])

    def judged(self, aspects: Sequence[Aspect], expected: str, actual: str, unproven: str = NO_TWIN) -> Check:
        """The check of an object that is there. `unproven` is said when nothing certain differs but something may."""
        different = [aspect for aspect in aspects if not aspect.equal]
        certain = [aspect.wrong for aspect in different if aspect.certain]
        if certain:
            return self.check("differs", expected, actual, f"{', '.join(certain)}: {self.meaning}")
        if different:
            return self.check("not_proven", expected, actual, unproven)
        return self.check("ok", expected, actual)

    @property
    def meaning(self) -> str:
        """What a miss means for the app."""
        return self.why or _MEANING[self.object]


def squeeze(text: str | None) -> str | None:
    """`text` with runs of white space collapsed, None for None."""
    return " ".join(text.split()) if text is not None else None


_LITERALS = re.compile(r"""('(?:[^']|'')*'|"(?:[^"]|"")*")""")
_SPACES = re.compile(r"\s{2,}|[^\S ]")


@lru_cache(maxsize=4096)
def tidy(expression: str | None) -> str | None:
    """A deparsed expression on one line: white space collapsed except in literals and quoted names, where it counts."""
    if expression is None:
        return None
    parts = _LITERALS.split(expression.strip())
    return "".join(part.replace("\n", "\\n") if at % 2 else _SPACES.sub(" ", part) for at, part in enumerate(parts))


def _folded(expression: str) -> str:
    """`expression` in lower case except in literals and quoted names."""
    return "".join(part if at % 2 else part.lower() for at, part in enumerate(_LITERALS.split(expression)))


@lru_cache(maxsize=1024)
def canonical_type(name: str) -> str:
    """A type's name as format_type prints it, for the aliases of the SQL grammar; any other name as it is."""
    shape = re.fullmatch(r"\s*([\w\s.\"]+?)\s*(\(.*?\))?\s*((?:\[\d*\])*)\s*", name)
    if not shape:
        return name
    word, modifier, dimensions = squeeze(shape[1]) or "", shape[2] or "", shape[3]
    base = _TYPE_ALIASES.get(word.lower(), word.lower() if '"' not in word else word)
    if modifier and base.startswith(("time", "timestamp")) and " with" in base:
        # format_type puts the precision before the zone: timestamp(3) with time zone.
        head, _, zone = base.partition(" with")
        return f"{head}{modifier} with{zone}" + "[]" * dimensions.count("[")
    return base + modifier.replace(" ", "") + "[]" * dimensions.count("[")
