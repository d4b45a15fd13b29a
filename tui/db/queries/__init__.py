"""The product's own SQL: one file per question, named after what it answers, loaded once."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def query(name: str) -> str:
    """The text of `NAME.sql` in this folder. Raises FileNotFoundError for a name that is no file: a defect of ours."""
    return Path(__file__).with_name(f"{name}.sql").read_text(encoding="utf-8").strip()
