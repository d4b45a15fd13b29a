"""What must stand at the end of a restore, by the record and what is here; and what can not be put back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

import msgspec

from tui.core.catalog import Catalog, Function, Grant, Policy, Publication, Schema, Table, View
from tui.core.surface import diff

SHUT_OUT = frozenset({"public", "anon"})
"""Who gets nothing back in a closed restore: PUBLIC, and the role of visitors who have not signed in."""

WITHHELD = "it does not come back in a closed restore"

replace = msgspec.structs.replace


class Role(msgspec.Struct, frozen=True):
    """A role that the record names and that still exists; `usable`: the connected role may give objects to it.

    It can own objects in the schemas `creates` only: ALTER ... OWNER asks for CREATE of the new owner, as well.
    """

    name: str
    usable: bool
    creates: tuple[str, ...] = ()


class Restorable(msgspec.Struct, frozen=True):
    """What the ledger and the server say for a restore; `before` is what is to come back.

    `run_id` and `applied_at` (the server's time in ISO form) are of the apply that found it, `after` is what the newest
    run left. `roles` are those that `before` names, `given` the roles that default privileges give something to.
    """

    run_id: str
    applied_at: str
    before: Catalog
    after: Catalog
    roles: tuple[Role, ...] = ()
    given: tuple[str, ...] = ()


class Loss(msgspec.Struct, frozen=True):
    """Something that is not put back as it was, and why."""

    object: str
    reason: str


def plain(catalog: Catalog) -> Catalog:
    """A right that was never written down is the same as the default written out; no statement can unwrite it."""
    return replace(catalog, tables=tuple(replace(table, acl_default=False) for table in catalog.tables))


class Aim:
    """What must stand at the end. Fills `losses` and `withheld` on the way."""

    def __init__(self, recorded: Restorable, live: Catalog, closed: bool, user: str) -> None:
        self._before, self._live, self._closed, self._user = recorded.before, live, closed, user
        self._roles = {role.name: role for role in recorded.roles}
        self.losses: list[Loss] = []
        self.withheld: list[Loss] = []

    def result(self, now: Catalog) -> Catalog:
        """The catalog of the end; `now` is the one after the bundle's rollback."""
        here = {table.name for table in self._live.tables}
        for table in self._before.tables:
            if table.name not in here:
                self._lose(f"table {table.name}", "it is gone, and its rows with it")
        tables = (self._table(table, self._before.table(table.name)) for table in now.tables)
        return Catalog(
            tables=tuple(tables),
            views=tuple(self._views(now)),
            functions=tuple(self._functions()),
            publications=tuple(self._publication(one) for one in self._live.publications),
            schemas=tuple(self._schema(schema, self._before.schema(schema.name)) for schema in self._live.schemas),
        )

    # Tables

    def _table(self, now: Table, old: Table | None) -> Table:
        label = f"table {now.name}"
        now = replace(now, acl_default=False)
        if old is None:
            wanted = replace(now, policies=(), grants=())
            return self._owned(label, now, wanted, now.owner, now.usable)
        self._shape(now, old)
        if old.acl_default and not self._live_table(now.name).acl_default:
            self._lose(f"rights on {now.name}", "they were never written down; the same rights are written down now")
        comments = {column.name: column.comment for column in old.columns}
        columns = tuple(replace(column, comment=comments.get(column.name, column.comment)) for column in now.columns)
        triggers = {constraint.name for constraint in old.constraints if constraint.kind == "trigger"}
        constraints = [c for c in now.constraints if c.kind != "trigger"]
        constraints += [c for c in old.constraints if c.name in triggers]
        wanted = replace(
            now,
            owner=self._owner(label, old.owner, now.owner),
            rls=self._stays_on(f"row level security on {now.name}", old.rls, now.rls),
            force_rls=self._stays_on(f"forced row level security on {now.name}", old.force_rls, now.force_rls),
            columns=columns,
            constraints=tuple(sorted(constraints, key=lambda constraint: constraint.name)),
            policies=tuple(self._policies(now.name, old.policies)),
            triggers=old.triggers,
            grants=tuple(self._grants(now.name, old.grants, {column.name for column in now.columns})),
            comment=old.comment,
        )
        return self._owned(label, now, wanted, now.owner, now.usable)

    def _live_table(self, name: str) -> Table:
        found = self._live.table(name)
        if found is None:
            raise AssertionError("a rollback was foreseen to make a table")
        return found

    def _shape(self, now: Table, old: Table) -> None:
        """What a patch changes on a table for good: it is told, not undone."""
        for change in diff(Catalog(tables=(_bare(old),)), Catalog(tables=(_bare(now),))):
            if change.kind == "altered":
                self._lose(change.object, f"it stays as it is now: {change.after} (it was {change.before})")
            elif change.kind == "dropped":
                self._lose(change.object, f"it is gone (it was {change.before})")

    def _policies(self, table: str, policies: Iterable[Policy]) -> Iterator[Policy]:
        for policy in policies:
            left = tuple(name for name in policy.roles if self._exists(name))
            if left != policy.roles:
                gone = ", ".join(sorted(set(policy.roles) - set(left)))
                self._lose(f"policy {policy.name} on {table}", f"role {gone} does not exist any more")
            if left:
                yield replace(policy, roles=left)

    # Views, functions, publications, schemas

    def _views(self, now: Catalog) -> Iterator[View]:
        for name in sorted({view.name for view in (*self._before.views, *now.views)}):
            old, left = self._before.view(name), now.view(name)
            label = f"view {name}"
            if old is None:
                if left is not None and not left.usable:
                    self._lose(label, f"it belongs to {left.owner} and can not be dropped")
                    yield left
            elif old.materialized and left is None:
                self._lose(label, "a materialized view is not filled again")
            else:
                wanted = replace(
                    old,
                    owner=self._owner(label, old.owner, left.owner if left else self._user),
                    grants=tuple(self._grants(name, old.grants, set(old.columns))),
                )
                yield wanted if left is None else self._owned(label, left, wanted, left.owner, left.usable)

    def _functions(self) -> Iterator[Function]:
        for name in sorted({one.name for one in (*self._before.functions, *self._live.functions)}):
            old, live = self._before.function(name), self._live.function(name)
            label = f"function {name}"
            if live is None and old is not None:
                owner = self._owner(label, old.owner, self._user)
                yield replace(old, owner=owner, grants=tuple(self._grants(name, old.grants, set())))
            elif live is not None and old is None:
                yield live
            elif live is not None and old is not None:
                kept = SHUT_OUT & {grant.grantee for grant in live.grants}
                wanted = replace(
                    old,
                    owner=self._owner(label, old.owner, live.owner),
                    grants=tuple(self._grants(name, old.grants, set(), kept)),
                )
                yield self._owned(label, live, wanted, live.owner, live.usable)

    def _publication(self, live: Publication) -> Publication:
        old = self._before.publication(live.name)
        label = f"publication {live.name}"
        own = [entry for entry in (old.tables if old else ()) if not entry.whole_schema]
        for entry in own:
            if self._before.table(entry.table) and not self._live.table(entry.table):
                self._lose(f"{label} on {entry.table}", "the table is gone")
        gone = {loss.object for loss in self.losses}
        tables = [entry for entry in own if f"{label} on {entry.table}" not in gone]
        tables += [entry for entry in live.tables if entry.whole_schema]
        wanted = replace(
            live,
            tables=tuple(sorted(tables, key=lambda entry: entry.table)),
            owner=self._owner(label, old.owner, live.owner) if old else live.owner,
        )
        return self._owned(label, live, wanted, live.owner, live.usable)

    def _schema(self, live: Schema, old: Schema | None) -> Schema:
        if old is None:
            return live
        barred = SHUT_OUT - set(live.usage) if self._closed else frozenset[str]()
        usage = tuple(name for name in old.usage if name not in barred and self._exists(name))
        for name in sorted(barred & set(old.usage)):
            self.withheld.append(Loss(f"usage of schema {live.name}", f"{name} does not get it back"))
        return self._owned(f"schema {live.name}", live, replace(live, usage=usage), live.owner, live.usable)

    # What holds for all of them

    def _grants(
        self, name: str, grants: Iterable[Grant], columns: set[str], kept: frozenset[str] = frozenset()
    ) -> Iterator[Grant]:
        """The recorded rights that can and shall be given again; a closed restore leaves those of `kept` alone."""
        left: dict[tuple[str, str, str], list[str]] = {}
        for grant in grants:
            on = f"{name}.{grant.column}" if grant.column else name
            if self._closed and grant.grantee in SHUT_OUT - kept:
                reason = WITHHELD
            elif not self._exists(grant.grantee):
                reason = f"role {grant.grantee} does not exist any more"
            elif grant.column is not None and grant.column not in columns:
                reason = "the column is gone"
            else:
                reason = f"{grant.grantor} had given it; it comes from the owner now" if grant.grantor else ""
                yield grant
            if reason:
                left.setdefault((reason, grant.grantee, on), []).append(grant.privilege)
        for (reason, grantee, on), privileges in left.items():
            loss = Loss(f"grant {', '.join(privileges)} to {grantee} on {on}", reason)
            (self.withheld if reason == WITHHELD else self.losses).append(loss)

    def _stays_on(self, what: str, was: bool, now: bool) -> bool:
        if self._closed and now and not was:
            self.withheld.append(Loss(what, "it stays on; it was off before the apply"))
            return True
        return was

    def _owner(self, label: str, was: str, now: str) -> str:
        role, schema = self._roles.get(was), label.partition(" ")[2].partition(".")[0]
        if was == now:
            return was
        if role is None:
            why = "does not exist any more"
        elif not role.usable:
            why = "can not be given anything by the connected role"
        elif not label.startswith("publication ") and schema not in role.creates:
            why = f"may not create anything in schema {schema}, which an owner must"
        else:
            return was
        self._lose(f"owner of {label}", f"role {was} {why}")
        return now

    def _exists(self, role: str) -> bool:
        return role == "public" or role in self._roles

    def _owned(self, label: str, now: N, wanted: N, owner: str, usable: bool) -> N:
        """`wanted` where the connected role may make it so, else what is there."""
        if usable or same(now, wanted):
            return wanted
        self._lose(label, f"it belongs to {owner}: what changed on it stays")
        return now

    def _lose(self, label: str, reason: str) -> None:
        self.losses.append(Loss(label, reason))


N = TypeVar("N", Table, View, Function, Publication, Schema)


def _alone(one: Table | View | Function | Publication | Schema) -> Catalog:
    match one:
        case Table():
            return Catalog(tables=(one,))
        case View():
            return Catalog(views=(one,))
        case Function():
            return Catalog(functions=(one,))
        case Publication():
            return Catalog(publications=(one,))
        case _:
            return Catalog(schemas=(one,))


def same(one: N, other: N) -> bool:
    """Whether they are equal in all that a restore is judged by."""
    return all(change.kind == "unchanged" for change in diff(plain(_alone(one)), plain(_alone(other))))


def _bare(table: Table) -> Table:
    """Its columns, constraints and indexes alone. A constraint trigger's constraint comes and goes with the trigger."""
    return Table(
        name=table.name,
        owner="",
        usable=True,
        rls=False,
        force_rls=False,
        columns=tuple(replace(column, comment=None) for column in table.columns),
        constraints=tuple(constraint for constraint in table.constraints if constraint.kind != "trigger"),
        indexes=table.indexes,
    )
