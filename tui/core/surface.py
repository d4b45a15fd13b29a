"""The comparable form of a catalog: flat objects with one definition each, and the difference of two of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import msgspec

from tui.core.aspects import tidy
from tui.core.catalog import Catalog, Function, Grant, Publication, Table, View
from tui.core.tablechecks import column_text, policy_text, trigger_text

ChangeKind = Literal["created", "altered", "unchanged", "dropped"]


class Change(msgspec.Struct, frozen=True):
    """What became of one object between two catalogs. `object` is e.g. `policy docs_select on app.docs`."""

    kind: ChangeKind
    object: str
    before: str = ""
    after: str = ""


def surface(catalog: Catalog) -> Mapping[str, str]:
    """Every object of `catalog` by label, e.g. `policy docs_select on app.docs`, with its definition on a line.

    Labels are `KIND NAME` or `KIND NAME on RELATION`. Sizes and row estimates are no part of it: they move by
    themselves.
    """
    objects: dict[str, str] = {}
    for table in catalog.tables:
        objects.update(_table(table))
    for view in catalog.views:
        objects.update(_view(view))
    for function in catalog.functions:
        objects[f"function {function.name}"] = _function(function)
    for publication in catalog.publications:
        objects.update(_publication(publication))
    for schema in catalog.schemas:
        usage = ", ".join(sorted(schema.usage)) or "nobody"
        objects[f"schema {schema.name}"] = f"owner {schema.owner} usage {usage}"
    return objects


def diff(before: Catalog, after: Catalog) -> tuple[Change, ...]:
    """What became of every object of the two, the later one's order first, then what was dropped in the earlier's."""
    old, new = surface(before), surface(after)
    changes: list[Change] = []
    for label, definition in new.items():
        if label not in old:
            changes.append(Change("created", label, "", definition))
        elif old[label] != definition:
            changes.append(Change("altered", label, old[label], definition))
        else:
            changes.append(Change("unchanged", label, definition, definition))
    changes += [Change("dropped", label, definition) for label, definition in old.items() if label not in new]
    return tuple(changes)


def digest(catalog: Catalog) -> str:
    """SHA-256 in hex of the surface: equal for equal surfaces, whatever the order they were read in."""
    lines = (f"{len(label)} {label} {definition}" for label, definition in sorted(surface(catalog).items()))
    return hashlib.sha256("\0".join(lines).encode("utf-8", "surrogatepass")).hexdigest()


def _table(table: Table) -> Iterator[tuple[str, str]]:
    name = table.name
    flags = " rls" if table.rls else ""
    flags += " force rls" if table.force_rls else ""
    flags += " default acl" if table.acl_default else ""
    yield f"table {name}", f"owner {table.owner}{flags}{_comment(table.comment)}"
    for column in table.columns:
        yield f"column {name}.{column.name}", column_text(column) + _comment(column.comment)
    for constraint in table.constraints:
        state = "" if constraint.validated else " [not validated]"
        yield f"constraint {constraint.name} on {name}", constraint.definition + state
    for index in table.indexes:
        yield f"index {index.name} on {name}", index.definition + ("" if index.valid else " [invalid]")
    for policy in table.policies:
        yield f"policy {policy.name} on {name}", policy_text(policy) + _comment(policy.comment)
    for trigger in table.triggers:
        yield f"trigger {trigger.name} on {name}", trigger_text(trigger) + _comment(trigger.comment)
    for rule in table.rules:
        yield f"rule {rule.name} on {name}", tidy(rule.definition) or ""
    yield from _grants(name, table.grants)


def _view(view: View) -> Iterator[tuple[str, str]]:
    options = f" with ({', '.join(sorted(view.options))})" if view.options else ""
    head = f"owner {view.owner} columns {', '.join(view.columns)}{options}"
    tail = "".join(f" {column} default {default}" for column, default in sorted(view.column_defaults.items()))
    tail += "".join(f" {column}{_comment(comment)}" for column, comment in sorted(view.column_comments.items()))
    tail += "".join(f" {tidy(rule)}" for rule in view.rules)
    yield f"view {view.name}", f"{head} as {tidy(view.definition)}{_comment(view.comment)}{tail}"
    for trigger in view.triggers:
        yield f"trigger {trigger.name} on {view.name}", trigger_text(trigger) + _comment(trigger.comment)
    yield from _grants(view.name, view.grants)


def _grants(relation: str, grants: Iterable[Grant]) -> Iterator[tuple[str, str]]:
    rights: dict[str, list[str]] = {}
    for grant in grants:
        target = relation if grant.column is None else f"{relation}.{grant.column}"
        held = grant.privilege + (" with grant option" if grant.grantable else "")
        rights.setdefault(f"grant {grant.grantee} on {target}", []).append(held)
    for label, privileges in rights.items():
        yield label, ", ".join(sorted(privileges))


def _function(function: Function) -> str:
    definer = " security definer" if function.security_definer else ""
    config = "".join(f" set {setting}" for setting in sorted(function.config))
    execute = ", ".join(sorted(function.execute)) or "nobody"
    if function.definition:
        held = sorted(grant.grantee + (" with grant option" if grant.grantable else "") for grant in function.grants)
        execute = ", ".join(held) or "nobody"
        said = f"owner {function.owner} execute {execute}{_comment(function.comment)}"
        return f"{said} as {function.definition!r}"
    return (
        f"owner {function.owner} returns {function.returns} language {function.language} {function.volatility}{definer}"
        f"{config} execute {execute}{_comment(function.comment)} as {function.body!r}"
    )


def _publication(publication: Publication) -> Iterator[tuple[str, str]]:
    owner = f"owner {publication.owner} " if publication.owner else ""
    yield f"publication {publication.name}", f"{owner}for {'all' if publication.all_tables else 'its'} tables"
    for entry in publication.tables:
        columns = f" ({', '.join(entry.columns)})" if entry.columns else ""
        where = f" where {entry.where}" if entry.where else ""
        where += " with its schema" if entry.whole_schema else ""
        yield f"publication {publication.name} on {entry.table}", f"published{columns}{where}"


def _comment(comment: str | None) -> str:
    return f" comment {comment!r}" if comment is not None else ""
