"""One attempt of a run as a batch of commands, and what its replies mean.

Order inside the transaction: limits, guard, first locks, catalog before, ledger table, the file's statements, catalog
after, twins; then the run is judged, and while that travels and is answered by COMMIT: locks held, the ledger's row.
Where the file locks tables late, most twins are made before that, and everything that can be known without being alone
with those tables. Everything goes out in one batch: locks are held for one round trip and the server's own work.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property, reduce

import msgspec

from tui.core.catalog import Catalog, decode
from tui.core.checklist import Check, Judged, compare, judge_tables
from tui.core.online import as_if_validated
from tui.core.removal import removal_checks
from tui.core.restore import restore_checks
from tui.core.run import Failure, Plan
from tui.core.statements import place
from tui.core.text import redact, visible
from tui.core.twin import overlay
from tui.db.batch import Command, Reply, StatementError, set_local
from tui.db.probe import (
    Twin,
    again_commands,
    end_command,
    function_command,
    kept_catalog_command,
    read_twin,
    twin_commands,
)
from tui.db.queries import query
from tui.db.run_locks import RunLocks
from tui.db.supabase import history_commands, what_was_done

LONG = 20_000
"""Characters of a server message that are kept: all of any real one."""

BEFORE, AFTER = "patchdeck.surface_before", "patchdeck.surface_after"
"""The settings in which the server keeps the catalogs for the ledger's row: they are not sent back to it."""

SEQUENCES = Command(query("sequences"))

EMPTY_PATH = Command("select set_config('search_path', '', true)")


class Attempt:
    """The batch of one transaction up to its end. What its replies mean is worked out once: locks are held
    meanwhile.
    """

    def __init__(
        self, plan: Plan, locks: RunLocks, application: str, kept: Twin | None, row: Command | None = None
    ) -> None:
        """`row` writes the ledger's row, None where there is nothing to record."""
        self._plan, self._kept, self._row = plan, kept, row
        self.commands: list[Command] = []
        self._marks: dict[str, int] = {}
        self._statements: dict[int, int] = {}
        self._replies: dict[int, Reply] = {}
        self._judged: dict[str, Judged] = {}
        self._compose(locks, application)

    def statement_at(self, index: int) -> int | None:
        """The 0-based statement of the file that command `index` is, None when it is one of ours."""
        return self._statements.get(index)

    def keep(self, reply: Reply) -> None:
        """Keep the reply of one of our own commands, and judge by it as soon as that can be: the rest is on its way."""
        self._replies[reply.index] = reply
        if reply.index == self._marks["after"] and (twin := self._early_twin) is not None:
            expectation = self._plan.bundle.expectation
            judge_tables(expectation, self.promised, twin.catalog, twin.failures, self._judged)

    def locks_are_had(self, index: int) -> bool:
        """Whether command `index` is the last one that takes locks before the first statement."""
        return index == self._marks["before"] - 1

    def is_complete(self, index: int) -> bool:
        """Whether with the reply to command `index` all is known that `checks` needs."""
        return index == self._marks["held"] - 1

    def is_alone(self, index: int) -> bool:
        """Whether from the reply to command `index` on every lock is had in its full strength."""
        return index == self._marks["alone"] - 1

    @property
    def xid(self) -> str:
        """The transaction's id, "" until it is known."""
        return self._identity(1)

    @property
    def pid(self) -> int:
        """The server process that runs it, 0 until it is known."""
        return int(self._identity(0) or 0)

    @cached_property
    def before(self) -> Catalog:
        """The catalog under the locks, before the first statement."""
        return decode(self._replies[self._marks["before"] + 3].value)

    def moved(self, now: Reply) -> tuple[str, ...]:
        """The sequences that have moved since, by the reply to SEQUENCES: a rehearsal leaves them there."""
        values = dict[str, int]
        old = msgspec.json.decode(self._replies[self._marks["before"] + 4].value, type=values)
        new = msgspec.json.decode(now.value, type=values)
        return tuple(
            f"sequence {visible(name)} went from {old.get(name, 'its start')} to {value}"
            for name, value in sorted(new.items())
            if old.get(name) != value
        )

    @cached_property
    def after(self) -> Catalog:
        """The catalog after the last statement, inside the transaction."""
        return decode(self._replies[self._marks["after"]].value)

    @cached_property
    def promised(self) -> Catalog:
        """The catalog a COMMIT leads to: with what the run validates right after it validated."""
        return as_if_validated(self._plan.bundle, self.after) if self._plan.online else self.after

    @property
    def locks_held(self) -> tuple[str, ...]:
        """Strong locks on relations that existed before, those the bundle's list lacks marked as such (decision 20)."""
        return tuple(
            f"{visible(relation or '')} {mode}{'' if listed == 'true' else ' (not on the bundle’s list)'}"
            for relation, mode, listed in self._replies[self._marks["held"]].rows
        )

    @property
    def history(self) -> str:
        """What became of the row in the Supabase CLI's history, in one sentence; "" when nothing did."""
        return what_was_done(self._plan, self._replies.get(self._marks["history_end"] - 1))

    @cached_property
    def twin(self) -> Twin | None:
        """The twins made beside the result; None for a rollback, which is not judged by them."""
        return None if self._plan.action == "rollback" else self._twins_of("early_twins", "twins")

    @property
    def _early_twin(self) -> Twin | None:
        """Those that were made before the file locked its tables, None where all are made on the result."""
        return self._twins_of("early_twins") if "early_twins" in self._marks else None

    def _twins_of(self, *marks: str) -> Twin:
        made = [read_twin(self._replies[self._marks[mark] - 1]) for mark in marks if mark in self._marks]
        made = [self._kept, *made] if self._kept else made
        return reduce(lambda old, new: Twin(overlay(old.catalog, new.catalog), new.failures), made)

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """The checks on the not yet committed result."""
        twin = self.twin
        if self._plan.restore is not None:
            return restore_checks(self._plan.restore, self.before, self.after)
        if twin is None:
            return removal_checks(self._plan.statements, self.before, self.after)
        return compare(self._plan.bundle.expectation, self.promised, twin.catalog, twin.failures, self._judged)

    def failure(self, error: StatementError) -> Failure:
        """A refused command, with its place in the file when it is one of the file's."""
        plan, index = self._plan, self.statement_at(error.index)
        line = column = None
        if index is not None:
            line, column = place(plan.statements[index], error.position)
        message, detail, hint = (_clean(text) for text in (error.message, error.detail, error.hint))
        return Failure(
            message=message or "the server gave no reason",
            index=index,
            file=plan.source(index) if index is not None else "",
            line=line,
            column=column,
            sqlstate=error.sqlstate,
            detail=detail,
            hint=hint,
        )

    def _identity(self, column: int) -> str:
        reply = self._replies.get(self._marks["identity"])
        return (reply.rows[0][column] or "") if reply else ""

    def _mark(self, mark: str) -> None:
        """The next command is the one that `mark` stands for."""
        self._marks[mark] = len(self.commands)

    def _add(self, mark: str, *commands: Command) -> None:
        self._mark(mark)
        self.commands += commands

    def _compose(self, locks: RunLocks, application: str) -> None:
        plan, bundle = self._plan, self._plan.bundle
        self._add("begin", Command("begin"), set_local(self._settings(application)))
        self._add("guard", Command(query("run_nets")), Command(query("run_guard")))
        self._add("identity", Command("select pg_backend_pid()::text, pg_current_xact_id()::text"))
        self._add("locks", *locks.first_commands())
        with self._own_path("before"):
            self.commands += [function_command(), kept_catalog_command(bundle, BEFORE)]
            self.commands += [SEQUENCES] if plan.rehearse else []
        self._add("ledger", Command(query("ledger_create")))
        self._add("history", *history_commands(plan))
        self._mark("history_end")
        point = bundle.lock_point if locks.late else None
        self._run(range(point or 0))
        if point is None:
            self._marks["alone"] = self._marks["before"]
        else:
            if plan.action == "apply":
                with self._own_path("prepare"):
                    self.commands += self._twins()
                    self._mark("early_twins")
            self._add("late", *locks.late_commands())
            self._mark("alone")
        self._run(range(point or 0, len(plan.statements)))
        named = msgspec.json.encode([name for name, _ in locks.wanted]).decode()
        self.commands.append(EMPTY_PATH)
        self._add("after", kept_catalog_command(bundle, AFTER))
        if plan.action == "apply":
            self.commands += again_commands() if "early_twins" in self._marks else self._twins()
            self._mark("twins")
        self._add("held", Command(query("locks_held"), (named,)))
        self.commands += [self._row] if self._row else []
        self.commands.append(end_command(twins=plan.action == "apply"))

    def _twins(self) -> list[Command]:
        """Most twins were made by the look before; here, on the patch's result, only what could not be made then."""
        return twin_commands(self._plan.bundle, self._kept.failures if self._kept else None, by_function=True)

    def _run(self, statements: Iterable[int]) -> None:
        for at in statements:
            self._statements[len(self.commands)] = at
            self.commands.append(Command(self._plan.statements[at].text))

    @contextmanager
    def _own_path(self, mark: str) -> Iterator[None]:
        """What is added in here runs with an empty search_path; the file's own is put back behind it."""
        kept = "patchdeck.search_path"
        keep = Command(f"select set_config('{kept}', current_setting('search_path'), true)")
        self._add(mark, keep, EMPTY_PATH)
        yield
        self.commands.append(Command(f"select set_config('search_path', current_setting('{kept}'), true)"))

    def _settings(self, application: str) -> dict[str, str]:
        limits = self._plan.limits
        lock_timeout = _milliseconds(limits.lock_timeout)
        return {
            "lock_timeout": lock_timeout,
            "patchdeck.lock_timeout_ms": lock_timeout,
            "statement_timeout": _milliseconds(limits.statement_timeout),
            "idle_in_transaction_session_timeout": _milliseconds(limits.idle_in_transaction),
            "client_connection_check_interval": _milliseconds(limits.connection_check),
            # Behind Supavisor every backend is called "Supavisor": this is how a list of blockers names us.
            "application_name": application,
        }


def _clean(text: str | None) -> str | None:
    return redact(visible(text, limit=LONG, newlines=True)) if text else None


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))
