"""The ways people apply a migration, as command lines for one database each."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.support import BUNDLE, ROOT

STATEMENT_BY_STATEMENT = """
import sys, psycopg
from tui.files import read_bundle
from pathlib import Path
statements = read_bundle(Path(sys.argv[1])).patch.statements
with psycopg.connect(sys.argv[2], prepare_threshold=None) as connection:
    for statement in statements:
        connection.execute(statement.text.encode())
"""


@dataclass(frozen=True, slots=True)
class Tool:
    """A way to apply: its command line for a DSN, a database's name and a scratch folder; the program it needs.

    `queues`: whether it stands in the queue for a lock, with everybody who comes later behind it.
    """

    name: str
    command: Callable[[str, str, Path], list[str]]
    needs: str = ""
    queues: bool = True

    @property
    def installed(self) -> bool:
        """Whether this machine has it."""
        return not self.needs or shutil.which(self.needs) is not None


def psql(dsn: str, _: str, __: Path) -> list[str]:
    return ["psql", "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-f", str(BUNDLE / "PATCH.sql"), dsn]


def psycopg(dsn: str, _: str, __: Path) -> list[str]:
    return [sys.executable, "-c", STATEMENT_BY_STATEMENT, str(BUNDLE), dsn]


def dbmate(dsn: str, _: str, scratch: Path) -> list[str]:
    migrations = scratch / "migrations"
    migrations.mkdir()
    text = "-- migrate:up\n" + (BUNDLE / "PATCH.sql").read_text(encoding="utf-8") + "\n-- migrate:down\n"
    (migrations / "20260101000000_patch.sql").write_text(text, encoding="utf-8")
    # Its driver knows no password file, and sends what it does not know to the server as a setting.
    plain = f"{dsn.partition('?')[0]}?sslmode=disable"
    return ["dbmate", "--url", plain, "--migrations-dir", str(migrations), "--no-dump-schema", "up"]


def sqitch(dsn: str, _: str, scratch: Path) -> list[str]:
    (scratch / "deploy").mkdir()
    text = "begin;\n" + (BUNDLE / "PATCH.sql").read_text(encoding="utf-8") + "\ncommit;\n"
    (scratch / "deploy" / "patch.sql").write_text(text, encoding="utf-8")
    plan = "%syntax-version=1.0.0\n%project=bench\n\npatch 2026-01-01T00:00:00Z A <a@example.com> # the patch\n"
    (scratch / "sqitch.plan").write_text(plan, encoding="utf-8")
    user = "[user]\n\tname = A\n\temail = a@example.com\n"
    (scratch / "sqitch.conf").write_text(f"[core]\n\tengine = pg\n{user}", encoding="utf-8")
    target = dsn.partition("?")[0].replace("postgresql://", "db:pg://")
    return ["sqitch", "--chdir", str(scratch), "deploy", target]


def patchdeck(dsn: str, database: str, _: Path) -> list[str]:
    return [sys.executable, "-m", "tui", "--dsn", dsn, "--bundle", str(BUNDLE), "apply", "--confirm", database]


TOOLS = (
    Tool("psql -X -1 -f", psql, "psql"),
    Tool("psycopg, one by one", psycopg),
    Tool("sqitch deploy", sqitch, "sqitch"),
    Tool("dbmate up", dbmate, "dbmate"),
    Tool("patchdeck apply", patchdeck, queues=False),
)


def environment(dsn: str, scratch: Path) -> dict[str, str]:
    """What every tool is started with: the owner's password in all forms, and no home of the user's."""
    passfile = parse_qs(urlsplit(dsn).query)["passfile"][0]
    rows = (row.split(":") for row in Path(passfile).read_text(encoding="utf-8").splitlines())
    password = next(row[4] for row in rows if row[3] == "postgres")
    home = {"HOME": str(scratch), "XDG_STATE_HOME": str(scratch), "XDG_CONFIG_HOME": str(scratch)}
    return {
        **os.environ, **home, "PYTHONPATH": str(ROOT), "PGPASSFILE": passfile, "PGPASSWORD": password, "TZ": "UTC",
    }  # fmt: skip
