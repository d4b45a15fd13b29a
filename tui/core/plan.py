"""What a run would do to this database: read off the statements and the live catalog, nothing executed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PlanVerb = Literal["create", "alter", "replace", "leave", "drop"]


@dataclass(frozen=True, slots=True)
class PlanItem:
    """What becomes of one object. `statement` is the 0-based index of the statement that does it, None when a DO block
    does.

    `definition` is what is there now when the item replaces or drops it: an operator must see what goes away.
    """

    verb: PlanVerb
    object: str
    table: str
    statement: int | None = None
    definition: str = ""


@dataclass(frozen=True, slots=True)
class Count:
    """A row of one of the bundle's count queries, e.g. rows that will be assigned to a tenant."""

    title: str
    label: str
    rows: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Preview:
    """The whole plan."""

    items: tuple[PlanItem, ...]
    counts: tuple[Count, ...] = ()

    def of(self, verb: PlanVerb) -> tuple[PlanItem, ...]:
        """The items of one verb, in order."""
        return tuple(item for item in self.items if item.verb == verb)
