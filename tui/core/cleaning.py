"""What may stand in a JSON document: texts cleaned and redacted, times as RFC 3339, numbers to the microsecond."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tui.core.text import redact, visible


def clean(value: Any, limit: int) -> Any:
    """`value` with everything in it fit for JSON; of a text, keys included, at most `limit` characters."""
    return _clean(value, limit, {})


def _clean(value: Any, limit: int, known: dict[str, str]) -> Any:
    """As `clean`; `known`: texts that were cleaned already, for keys and names come again with every row."""
    match value:
        case str():
            cleaned = known.get(value)
            if cleaned is None:
                cleaned = known[value] = redact(visible(value, limit=limit, newlines=True))
            return cleaned
        case float():
            return round(value, 6)
        case datetime():
            return value.isoformat()
        case Mapping():
            return {_clean(key, limit, known): _clean(item, limit, known) for key, item in value.items()}
        case list() | tuple():
            return [_clean(item, limit, known) for item in value]
        case _:
            return value
