"""Fixtures of the SQL's tests: a database from before the migration, and one after it with two tenants in it."""

from __future__ import annotations

import pytest

from tests.bundle.support import PATCH, populate, run_script
from tests.support import Database, MakeDatabase


@pytest.fixture
def world(make_database: MakeDatabase) -> Database:
    """The four old tables without a row, PATCH.sql, and then the rows of `support.WORLD`."""
    database = make_database("bare")
    run_script(database.dsn, PATCH)
    populate(database.dsn)
    return database
