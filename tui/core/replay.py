"""From one catalog to another: the statements in between, for everything a restore puts back.

First what must go, then what others stand on (functions, views), then flags, policies, triggers and comments, rights,
and publications last. Never CASCADE: what depends on something that must go stops the run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from tui.core import ddl
from tui.core.catalog import Catalog, Function, Policy, Publication, Table, Trigger, View
from tui.core.ddl import qualified, quoted, role
from tui.core.regrant import regrant

replace = msgspec.structs.replace

SETTINGS = (
    "select set_config('search_path', '', true), set_config('standard_conforming_strings', 'on', true),"
    " set_config('check_function_bodies', 'off', true)"
)
"""For this transaction only. The recorded texts were deparsed under an empty search_path; a function's body may name
what comes back later, which is why pg_dump does not have bodies checked either.
"""


def replay(now: Catalog, result: Catalog, *, user: str, given: Sequence[str]) -> Iterator[str]:
    """The statements from `now` to `result`; none when they are equal.

    `user` is connected and owns what it creates; `given` are the roles to which default privileges give something on
    what is new.
    """
    statements = list(_Replay(now, result, user, given).statements())
    if statements:
        yield SETTINGS
        yield from statements


class _Replay:
    def __init__(self, now: Catalog, result: Catalog, user: str, given: Sequence[str]) -> None:
        self._now, self._result, self._user = now, result, user
        # Every new function may be executed by PUBLIC unless default privileges say otherwise.
        self._given = ("public", *(name for name in given if name != "public"))
        self._remade = {
            view.name
            for view in result.views
            if (old := now.view(view.name)) is not None and not _same_query(old, view)
        }

    def statements(self) -> Iterator[str]:
        tables = [(now, table) for table in self._result.tables if (now := self._now.table(table.name))]
        yield from self._gone(tables)
        for function in self._result.functions:
            yield from self._function(self._now.function(function.name), function)
        for now, table in tables:
            if now.owner != table.owner:
                yield ddl.change_owner(f"table {qualified(table.name)}", table.owner)
        for view in _standing_first(self._result.views):
            yield from self._view(self._old(view.name), view)
        for now, table in tables:
            yield from ddl.row_security(now, table)
        for now, table in tables:
            yield from _policies(now, table)
        for now, table in tables:
            yield from _triggers(table.name, now.triggers, table.triggers)
            yield from _comments(now, table)
        for now, table in tables:
            here = now.grants
            if now.owner != table.owner:
                # The new owner's own rights are not listed; the old one's go over to the new (ALTER ... OWNER).
                here = tuple(grant for grant in here if grant.grantee != table.owner)
            yield from regrant(f"table {qualified(table.name)}", here, table.grants)
        yield from self._schemas()
        for publication in self._result.publications:
            yield from _published(self._now.publication(publication.name), publication)

    def _old(self, name: str) -> View | None:
        return None if name in self._remade else self._now.view(name)

    def _gone(self, tables: Iterable[tuple[Table, Table]]) -> Iterator[str]:
        for publication in self._result.publications:
            now = self._now.publication(publication.name)
            for entry in now.tables if now else ():
                if entry not in publication.tables:
                    yield ddl.unpublish(publication.name, entry.table)
        for before, table in tables:
            for policy in before.policies:
                if not any(_same_policy(policy, kept) for kept in table.policies):
                    yield ddl.drop_policy(table.name, policy.name)
            yield from _dropped_triggers(table.name, before.triggers, table.triggers)
        going = [view for view in self._now.views if not self._result.view(view.name) or view.name in self._remade]
        for view in reversed(_standing_first(going)):
            yield f"drop view {qualified(view.name)}"

    def _function(self, now: Function | None, function: Function) -> Iterator[str]:
        target = f"function {ddl.routine(function.name)}"
        owner, comment, here = (now.owner, now.comment, now.grants) if now else (self._user, None, ())
        if now is not None and now.returns != function.returns:
            # CREATE OR REPLACE can not change what a function returns.
            yield f"drop {target}"
            owner, comment, here, now = self._user, None, (), None
        if now is None or now.definition != function.definition:
            yield ddl.create_function(function)
        if now is None:
            yield self._nothing_given(target)
        if owner != function.owner:
            yield ddl.change_owner(target, function.owner)
            here = tuple(grant for grant in here if grant.grantee != function.owner)
        if comment != function.comment:
            yield ddl.comment(target, function.comment)
        yield from regrant(target, here, function.grants)

    def _view(self, now: View | None, view: View) -> Iterator[str]:
        name = qualified(view.name)
        kind = "materialized view" if view.materialized else "view"
        if now is None:
            yield from ddl.create_view(view)
            yield self._nothing_given(f"table {name}")
        if (now.owner if now else self._user) != view.owner:
            yield ddl.change_owner(f"{kind} {name}", view.owner)
        if (now.comment if now else None) != view.comment:
            yield ddl.comment(f"{kind} {name}", view.comment)
        comments = now.column_comments if now else {}
        for column in view.columns:
            if comments.get(column) != view.column_comments.get(column):
                yield ddl.comment(f"column {name}.{quoted(column)}", view.column_comments.get(column))
        triggers = now.triggers if now else ()
        yield from _dropped_triggers(view.name, triggers, view.triggers)
        yield from _triggers(view.name, triggers, view.triggers)
        here = tuple(grant for grant in (now.grants if now else ()) if grant.grantee != view.owner)
        yield from regrant(f"table {name}", here, view.grants)

    def _nothing_given(self, target: str) -> str:
        """What is new has the rights of default privileges: they are taken before any is given."""
        return f"revoke all on {target} from {', '.join(role(name) for name in self._given)}"

    def _schemas(self) -> Iterator[str]:
        for schema in self._result.schemas:
            now = self._now.schema(schema.name)
            had = set(now.usage if now else ()) - {schema.owner}
            wanted = set(schema.usage) - {schema.owner}
            if had - wanted:
                yield f"revoke usage on schema {quoted(schema.name)} from {', '.join(map(role, sorted(had - wanted)))}"
            if wanted - had:
                yield f"grant usage on schema {quoted(schema.name)} to {', '.join(map(role, sorted(wanted - had)))}"


def _policies(now: Table, table: Table) -> Iterator[str]:
    for policy in table.policies:
        old = next((one for one in now.policies if _same_policy(one, policy)), None)
        if old is None:
            yield ddl.create_policy(table.name, policy)
        if (old.comment if old else None) != policy.comment:
            yield ddl.comment(f"policy {quoted(policy.name)} on {qualified(table.name)}", policy.comment)


def _dropped_triggers(relation: str, now: Iterable[Trigger], wanted: Sequence[Trigger]) -> Iterator[str]:
    for trigger in now:
        if not any(_same_trigger(trigger, kept) for kept in wanted):
            yield ddl.drop_trigger(relation, trigger.name)


def _triggers(relation: str, now: Sequence[Trigger], wanted: Iterable[Trigger]) -> Iterator[str]:
    for trigger in wanted:
        old = next((one for one in now if _same_trigger(one, trigger)), None)
        if old is None:
            yield ddl.create_trigger(trigger)
        if (old.enabled if old else "origin") != trigger.enabled:
            yield ddl.trigger_state(relation, trigger)
        if (old.comment if old else None) != trigger.comment:
            yield ddl.comment(f"trigger {quoted(trigger.name)} on {qualified(relation)}", trigger.comment)


def _comments(now: Table, table: Table) -> Iterator[str]:
    name = qualified(table.name)
    if now.comment != table.comment:
        yield ddl.comment(f"table {name}", table.comment)
    for old, column in zip(now.columns, table.columns, strict=True):
        if old.comment != column.comment:
            yield ddl.comment(f"column {name}.{quoted(column.name)}", column.comment)


def _published(now: Publication | None, publication: Publication) -> Iterator[str]:
    here = now.tables if now else ()
    if now is not None and now.owner != publication.owner:
        yield ddl.change_owner(f"publication {quoted(publication.name)}", publication.owner)
    for entry in publication.tables:
        if entry not in here:
            yield ddl.publish(publication.name, entry)


def _standing_first(views: Iterable[View]) -> list[View]:
    """Views in an order in which each comes after those it reads: a deparsed query names them with their schema."""
    left, ordered = list(views), list[View]()
    while left:
        free = [view for view in left if not any(_reads(view, other) for other in left if other is not view)] or left
        ordered += free
        left = [view for view in left if view not in free]
    return ordered


def _reads(view: View, other: View) -> bool:
    schema, _, name = other.name.partition(".")
    written = (f"{part}.{rest}" for part in (schema, quoted(schema)) for rest in (name, quoted(name)))
    return any(text in view.definition for text in written)


def _same_query(one: View, other: View) -> bool:
    """Whether one can become the other without being made again."""
    parts = ("columns", "definition", "options", "rules", "column_defaults")
    return all(getattr(one, part) == getattr(other, part) for part in parts)


def _same_policy(one: Policy, other: Policy) -> bool:
    return replace(one, comment=None) == replace(other, comment=None)


def _same_trigger(one: Trigger, other: Trigger) -> bool:
    return replace(one, comment=None, enabled="origin") == replace(other, comment=None, enabled="origin")
