"""What tests share by name: the types of the fixtures in conftest.py, waiting for a condition, asking a database."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import psutil
import psycopg
import pytest

from tui.demo.kept import Kept
from tui.demo.server import Address

ROOT = Path(__file__).parent.parent
BUNDLE = ROOT / "sql"
DEMO = BUNDLE / "demo"

MEMORY = Path("/dev/shm")
"""Where Linux keeps files in memory."""
ROOM = 6 * 2**30
"""Bytes of memory that have to be free for the files of some servers, or they go to the disk."""


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


@contextmanager
def server_folder(room: int = ROOM) -> Iterator[Path]:
    """A path, not yet made, for the files of a server, whose account can reach it; gone afterwards.

    In memory where there is room: no disk is what is tested or measured here, and to copy the four hundred files of a
    template takes some file systems longer than the test that wants it.
    """
    free = min(psutil.virtual_memory().available, shutil.disk_usage(MEMORY).free) if os.access(MEMORY, os.W_OK) else 0
    parent = MEMORY if free > room else Path(tempfile.gettempdir())
    # Not by mkdtemp: as root the server has an account of its own, which has to be let in.
    folder = parent / f"patchdeck-test-{os.getpid()}-{secrets.token_hex(3)}"
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
