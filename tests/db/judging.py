"""Judge a database by all three layers in a transaction that is rolled back, so that a hundred faults cost seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from tests.support import Database
from tui.core import safety
from tui.core.bundle import Bundle
from tui.core.catalog import Catalog, decode
from tui.core.check import Check
from tui.core.checklist import compare
from tui.core.control import Drill
from tui.core.isolation import Matrix
from tui.core.isolation_cases import compose
from tui.db.batch import Command, set_local
from tui.db.link import Link
from tui.db.lint import LINT_LIMITS, lint_command, read_lint
from tui.db.matrix import Proof, assemble, prepare, read
from tui.db.probe import Twin, catalog_command, look_commands, read_look
from tui.db.target import resolve
from tui.files import read_bundle


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the layers say; `behaviour` is None when it was not asked."""

    structure: tuple[Check, ...]
    safety: tuple[safety.Finding, ...]
    behaviour: Matrix | None

    @property
    def failed(self) -> list[Check]:
        """The structure checks that do not hold."""
        return [check for check in self.structure if not check.ok]


class Bench:
    """One connection to one database, and the twins of the expected objects, which no fault changes."""

    def __init__(self, database: Database, *, admin: bool = False) -> None:
        self._link = Link(resolve(database.admin_dsn if admin else database.dsn, environ={}))
        self._admin = admin
        self.bundle: Bundle = read_bundle()
        self._twin: Twin | None = None

    async def open(self) -> Bench:
        """Connect and make the twins."""
        await self._link.open()
        self._twin = read_look(await self._link.batch(look_commands(self.bundle, twin=True)), twin=True).twin
        return self

    async def judge(self, sql: str = "", *, behaviour: bool = True, only: str = "") -> Judgement:
        """The layers' judgement after the statements of `sql`, parted by `;;`, which are undone.

        `only`: the table whose cases are tried, "" for all. Raises StatementError.
        """
        assert self._twin is not None
        statements = [Command(part) for part in sql.split(";;") if part.strip()]
        began = [Command("begin"), *statements]
        if self._admin:
            # The superuser's session takes part as the owner from here on, as every other one.
            began.append(Command("set local role postgres"))
        looked = [set_local(LINT_LIMITS), catalog_command(self.bundle), lint_command(safety.LintRequest())]
        try:
            replies = await self._link.batch([*began, *looked], silence=60)
            live = decode(replies[-2].value)
            matrix = None
            if behaviour:
                proof = self._proof(live, only)
                answers = await self._link.batch(proof.commands, silence=60)
                matrix = read(proof, answers, seconds=answers[-1].seconds, round_trips=1)
        finally:
            if self._link.is_open:
                await self._link.run("rollback")
        checks = compare(self.bundle.expectation, live, self._twin.catalog, self._twin.failures)
        return Judgement(tuple(checks), safety.judge(read_lint(replies[-1])), matrix)

    def _proof(self, live: Catalog, only: str) -> Proof:
        spec = self.bundle.isolation
        assert spec is not None
        if not only:
            return prepare(spec, self.bundle, live)
        plan = compose(spec, self.bundle.expectation, live)
        plan = replace(plan, cases=tuple(case for case in plan.cases if case.table == only))
        return assemble(spec, plan, Drill(reason="not asked for"))

    async def close(self) -> None:
        """Disconnect."""
        await self._link.close()


def named(judgement: Judgement) -> set[tuple[str, str, str]]:
    """(kind, table, name) of everything that structure or safety finds fault with."""
    found = {(check.object, check.table, check.name) for check in judgement.failed}
    return found | {(finding.object, finding.table, finding.name) for finding in judgement.safety if finding.fails}


def words(found: Sequence[Check]) -> list[str]:
    """Checks as one line each, for a failing test's message."""
    return [f"{check.object} {check.table} {check.name}: {check.outcome}" for check in found]
