"""From any rights to any other on a real server: the statements in between lead exactly there."""

from __future__ import annotations

import random
from collections.abc import Iterable

import psycopg
import pytest

from tests.support import MakeDatabase
from tui.core.catalog import Grant
from tui.core.ddl import qualified, quoted, role
from tui.core.regrant import regrant

ROLES = ("public", "anon", "authenticated", "service_role")
ODD = 'Odd "c"'
COLUMNS = (None, "id", ODD)
PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "REFERENCES")
WHOLE_ONLY = ("DELETE", "TRUNCATE", "TRIGGER")
TABLE = "table " + qualified("public.granted")

HELD = """
select case grantee when 0 then 'public' else pg_get_userbyid(grantee) end, privilege_type, is_grantable, attname
  from (select (aclexplode(relacl)).*, null as attname, relowner from pg_class where oid = 'public.granted'::regclass
        union all
        select (aclexplode(attacl)).*, attname, c.relowner from pg_attribute a join pg_class c on c.oid = attrelid
         where attrelid = 'public.granted'::regclass) as held
 where grantee <> relowner
"""


def some_grants(rng: random.Random) -> list[Grant]:
    found = []
    for grantee in ROLES:
        for column in COLUMNS:
            for privilege in PRIVILEGES if column else PRIVILEGES + WHOLE_ONLY:
                if rng.random() < 0.3:
                    # PUBLIC can not be given a grant option.
                    grantable = grantee != "public" and rng.random() < 0.4
                    found.append(Grant(grantee, privilege, grantable, column))
    return found


def flat(grants: Iterable[Grant]) -> set[tuple[str, str, bool, str | None]]:
    return {(grant.grantee, grant.privilege, grant.grantable, grant.column) for grant in grants}


@pytest.mark.parametrize("route", ["direct"])
def test_every_way_from_rights_to_rights_is_exact(make_database: MakeDatabase) -> None:
    rng = random.Random(20260202)
    with psycopg.connect(make_database("bare").dsn) as connection:
        connection.execute(f"create table public.granted (id int, {quoted(ODD)} int)".encode())
        connection.execute(b"revoke all on public.granted from public, anon, authenticated, service_role")
        here = list[Grant]()
        for number in range(150):
            wanted = some_grants(rng) if number % 10 else []
            for statement in regrant(TABLE, here, wanted):
                connection.execute(statement.encode())
            held = {(row[0], row[1], row[2], row[3]) for row in connection.execute(HELD.encode())}
            assert held == flat(wanted), (number, flat(here))
            assert list(regrant(TABLE, wanted, wanted)) == []
            here = wanted


def test_names_are_quoted_and_public_is_a_word() -> None:
    (statement,) = regrant(TABLE, [], [Grant('we"ird', "UPDATE", True, "a b")])
    assert statement == 'grant update ("a b") on table "public"."granted" to "we""ird" with grant option'
    assert role("public") == "public"
