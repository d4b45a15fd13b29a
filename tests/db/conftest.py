"""What several of the database tests begin with.

`bundle`: the one that ships. `applied`: a database that the engine has applied it to, so that the apply is recorded.
"""

from __future__ import annotations

import pytest

from tests.db.test_applier import run
from tests.support import Database, MakeDatabase
from tui.core.bundle import Bundle
from tui.core.run import Outcome, Plan
from tui.db.target import resolve
from tui.files import read_bundle


@pytest.fixture
def bundle() -> Bundle:
    """See the module's first lines."""
    return read_bundle()


@pytest.fixture
async def applied(make_database: MakeDatabase, bundle: Bundle) -> Database:
    """See the module's first lines."""
    database = make_database("legacy")
    finished, _, _ = await run(resolve(database.dsn, environ={}), Plan(bundle, confirmed=database.name))
    assert finished.outcome is Outcome.COMMITTED, finished
    return database
