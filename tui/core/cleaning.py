"""What may stand in a JSON document: texts cleaned and redacted, times as RFC 3339, numbers to the microsecond."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from tui.core.text import redact, visible


def clean(value: Any, limit: int) -> Any:
    """`value` with everything in it fit for JSON; of a text, keys included, at most `limit` characters."""
    match value:
        case str():
            return redact(visible(value, limit=limit, newlines=True))
        case float():
            return round(value, 6)
        case datetime():
            return value.isoformat()
        case Mapping():
            return {clean(key, limit): clean(item, limit) for key, item in value.items()}
        case list() | tuple():
            return [clean(item, limit) for item in value]
        case _:
            return value
