"""Objects of a recorded catalog as the statements that make them again. Every name in them is quoted and qualified.

The texts come from the server's own deparser under an empty search_path, so they mean the same wherever they run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tui.core.catalog import Function, Policy, PublishedTable, Table, Trigger, TriggerState, View

_STATES: dict[TriggerState, str] = {
    "origin": "enable trigger",
    "disabled": "disable trigger",
    "replica": "enable replica trigger",
    "always": "enable always trigger",
}


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str | None) -> str:
    """A text as an SQL string where standard_conforming_strings is on, NULL for None."""
    return "null" if text is None else "'" + text.replace("'", "''") + "'"


def qualified(name: str) -> str:
    """`schema.name` as SQL identifiers; what the catalog calls a relation has its first dot behind the schema."""
    schema, _, rest = name.partition(".")
    return f"{quoted(schema)}.{quoted(rest)}"


def role(name: str) -> str:
    """A role as GRANT and CREATE POLICY take it; `public` can be no role's name."""
    return "public" if name == "public" else quoted(name)


def routine(name: str) -> str:
    """`schema.name(arguments)` with its names quoted; the arguments are types as the server prints them."""
    head, _, arguments = name.partition("(")
    return f"{qualified(head)}({arguments}"


def create_policy(relation: str, policy: Policy) -> str:
    """There is no pg_get_policydef: it is composed from its parts (facts: supabase D5)."""
    using = f"\n  using ({policy.using})" if policy.using is not None else ""
    check = f"\n  with check ({policy.check})" if policy.check is not None else ""
    return (
        f"create policy {quoted(policy.name)} on {qualified(relation)}"
        f" as {'permissive' if policy.permissive else 'restrictive'} for {policy.command}"
        f" to {', '.join(role(name) for name in policy.roles)}{using}{check}"
    )


def drop_policy(relation: str, name: str) -> str:
    """Gone without a word when it is gone already."""
    return f"drop policy if exists {quoted(name)} on {qualified(relation)}"


def create_trigger(trigger: Trigger) -> str:
    """The definition names the relation."""
    return f"create {'constraint ' if trigger.constraint else ''}trigger {quoted(trigger.name)} {trigger.definition}"


def drop_trigger(relation: str, name: str) -> str:
    """Gone without a word when it is gone already."""
    return f"drop trigger if exists {quoted(name)} on {qualified(relation)}"


def trigger_state(relation: str, trigger: Trigger) -> str:
    """When it fires."""
    return f"alter table {qualified(relation)} {_STATES[trigger.enabled]} {quoted(trigger.name)}"


def create_view(view: View) -> Iterator[str]:
    """The view with its options, column defaults and rules; not its owner, rights, comments and triggers."""
    columns = ", ".join(quoted(column) for column in view.columns)
    options = ", ".join(f"{name} = {literal(value)}" for name, value in _options(view.options))
    given = f" with ({options})" if options else ""
    name = qualified(view.name)
    yield f"create view {name} ({columns}){given} as\n{view.definition.strip().removesuffix(';')}"
    for column, default in view.column_defaults.items():
        yield f"alter view {name} alter column {quoted(column)} set default {default}"
    for rule in view.rules:
        yield rule.removesuffix(";")


def create_function(function: Function) -> str:
    """CREATE OR REPLACE, as the server prints it: owner, rights and comment of one that is there stay."""
    return function.definition.rstrip().removesuffix(";")


def row_security(before: Table, after: Table) -> Iterator[str]:
    """From one table's flags to another's."""
    name = qualified(after.name)
    if before.rls != after.rls:
        yield f"alter table {name} {'enable' if after.rls else 'disable'} row level security"
    if before.force_rls != after.force_rls:
        yield f"alter table {name} {'' if after.force_rls else 'no '}force row level security"


def publish(publication: str, entry: PublishedTable) -> str:
    """One table's entry. ONLY: its children have entries of their own, or none."""
    columns = f" ({', '.join(quoted(column) for column in entry.columns)})" if entry.columns else ""
    where = f" where ({entry.where})" if entry.where else ""
    return f"alter publication {quoted(publication)} add table only {qualified(entry.table)}{columns}{where}"


def unpublish(publication: str, table: str) -> str:
    """Take one table's entry away."""
    return f"alter publication {quoted(publication)} drop table only {qualified(table)}"


def comment(target: str, text: str | None) -> str:
    """`target` as COMMENT ON takes it, e.g. `table "public"."books"`."""
    return f"comment on {target} is {literal(text)}"


def change_owner(target: str, owner: str) -> str:
    """`target` as ALTER takes it."""
    return f"alter {target} owner to {quoted(owner)}"


def _options(options: Iterable[str]) -> Iterator[tuple[str, str]]:
    for option in options:
        name, _, value = option.partition("=")
        yield quoted(name), value
