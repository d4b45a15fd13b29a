"""The comparable form of a catalog: flat objects with one definition each, and the difference of two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ChangeKind = Literal["created", "altered", "unchanged", "dropped"]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one object between two catalogs. `object` is e.g. `policy agents_select on public.agents`."""

    kind: ChangeKind
    object: str
    before: str = ""
    after: str = ""
