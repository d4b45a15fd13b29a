"""The one currency of verification: one comparison and how it came out."""

from __future__ import annotations

from typing import Literal

import msgspec

Layer = Literal["structure", "safety", "behaviour"]
Outcome = Literal["ok", "missing", "differs", "unexpected", "finding", "leak", "not_proven"]


class Check(msgspec.Struct, frozen=True):
    """One comparison. Its fields are those of `verify --format json` (design/cli.md), in words an operator reads.

    `object` is the kind: table, column, constraint, index, rls, policy, trigger, grant, view, function, publication,
    schema. `table` is the qualified name of the relation it hangs on ("" for functions, schemas and a publication as a
    whole), `name` its own name. `expected` and `actual` are definitions ("" where there is none); `why` says what a
    miss means for the app.
    """

    layer: Layer
    object: str
    table: str
    name: str
    outcome: Outcome
    expected: str = ""
    actual: str = ""
    why: str = ""

    @property
    def ok(self) -> bool:
        """Whether this check holds."""
        return self.outcome == "ok"

    @property
    def failed(self) -> bool:
        """Whether this check is known not to hold; what is not proven has not failed."""
        return self.outcome not in ("ok", "not_proven")
