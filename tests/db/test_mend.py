"""What the detail copies really mends: each statement run on the damaged database, and looked at again."""

from __future__ import annotations

import psycopg
import pytest

from tests.support import BUNDLE, MakeDatabase
from tui.core.check import Check
from tui.core.look import Look
from tui.core.mend import mending
from tui.db.session import Session
from tui.db.target import resolve
from tui.files import read_bundle


@pytest.mark.parametrize("route", ["direct"], indirect=True)
async def test_what_mends_a_check_lets_it_hold(make_database: MakeDatabase) -> None:
    database, bundle = make_database("broken"), read_bundle(BUNDLE)

    async def look() -> Look:
        session = Session(resolve(database.dsn, environ={}), bundle)
        try:
            return await session.look()
        finally:
            await session.close()

    def broken(seen: Look) -> list[Check]:
        return [check for check in seen.checks if check.failed]

    before = broken(await look())
    mends = {(check.object, check.name): mending(check, bundle.patch.statements) for check in before}
    assert [key for key, statements in mends.items() if not statements] == [("grant", "anon")]
    with psycopg.connect(database.direct_dsn) as connection:
        for statements in mends.values():
            for statement in statements:
                connection.execute(statement.encode())
    assert [(check.object, check.name) for check in broken(await look())] == [("grant", "anon")]
