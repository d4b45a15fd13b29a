"""What tests share by name: the types of the fixtures in conftest.py, waiting for a condition, asking a database."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psycopg
import pytest

from tui.demo.kept import Kept
from tui.demo.server import Address

ROOT = Path(__file__).parent.parent
BUNDLE = ROOT / "sql"
DEMO = BUNDLE / "demo"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A running server: `id` such as pg18, its major version, its keeper, where it is."""

    id: str
    major: int
    kept: Kept
    address: Address


@dataclass(frozen=True, slots=True)
class Database:
    """A database of the test's own.

    `dsn`: role postgres on the test's route; `direct_dsn`, `pooled_dsn` ("" without a pooler): the same on a given one;
    `admin_dsn`: the superuser over the socket; `api_dsn`: role authenticator on the test's route.
    """

    name: str
    state: str
    dsn: str
    direct_dsn: str
    pooled_dsn: str
    admin_dsn: str
    api_dsn: str


class MakeDatabase(Protocol):
    """The type of the fixture make_database."""

    def __call__(self, state: str = "legacy") -> Database: ...


T = TypeVar("T")


def wait_for(condition: Callable[[], T], timeout: float = 10.0) -> T:
    """The first true value of `condition()`, asked every 20 ms; fails the test after `timeout` seconds without one."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"waited {timeout:g} s in vain; the condition's last value was {value!r}")
        time.sleep(0.02)


def ask(dsn: str, query: str) -> list[tuple[Any, ...]]:
    """The rows of one query, or none for a command, on a connection of its own; committed."""
    with psycopg.connect(dsn, prepare_threshold=None) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []
