"""A sequence told as its difference from the one before: runs that are kept, and what is new between them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T", bound=Hashable)

Span = tuple[int, int]
"""(first, count): so many items of the sequence before, from that index on."""


def splice(before: Sequence[T], after: Sequence[T]) -> tuple[T | Span, ...]:
    """What makes `after` of `before`, for `spliced`: items that are new, and spans of those that are not.

    Items are told apart by equality; none may be a tuple of two integers itself. A list that gained one row in front
    is that row and one span, whatever its length.
    """
    known: dict[Hashable, int] = {}
    for index, item in enumerate(before):
        known.setdefault(item, index)
    return tuple(_steps(before, after, known))


def spliced(before: Sequence[T], steps: Sequence[T | Span]) -> tuple[T, ...]:
    """The sequence that `steps` make of `before`. Raises ValueError when they name what is not there."""
    made: list[T] = []
    for step in steps:
        if not isinstance(step, tuple):
            made.append(step)
            continue
        first, count = step
        if first < 0 or count < 1 or first + count > len(before):
            raise ValueError(f"items {first} to {first + count - 1} of {len(before)}")
        made += before[first : first + count]
    return tuple(made)


def _steps(before: Sequence[T], after: Sequence[T], known: dict[Hashable, int]) -> Iterator[T | Span]:
    first, count = 0, 0
    for item in after:
        # The run goes on wherever it can: of equal items (empty buckets) the first known one would end it each time.
        if count and first + count < len(before) and before[first + count] == item:
            count += 1
            continue
        if count:
            yield (first, count)
        at = known.get(item)
        first, count = (0, 0) if at is None else (at, 1)
        if at is None:
            yield item
    if count:
        yield (first, count)
