"""What a plan would do on a database, asked over an open line: preview, preflight checks, the counts of the bundle."""

from __future__ import annotations

from tui.core.bundle import Bundle
from tui.core.catalog import Catalog
from tui.core.look import Look
from tui.core.plan import Count, Preview, preview, restore_items
from tui.core.preflight import PreflightCheck, check_preflight
from tui.core.run import Plan
from tui.core.text import visible
from tui.db.batch import Command, StatementError, set_local
from tui.db.link import Link
from tui.db.locks import look_refused
from tui.db.probe import LOOK_LIMITS
from tui.db.restoring import work_out
from tui.db.sight import Sight
from tui.db.target import Target


def address_check(target: Target) -> PreflightCheck | None:
    """What the address of the target says by itself, None where it is not one of Supabase's."""
    found, wrong = target.supabase, target.mistake()
    if found is None:
        return None
    if wrong:
        return PreflightCheck("address", "warn", f"{found.describe()}: it answers, but {wrong}.")
    return PreflightCheck("address", "pass", f"{found.describe()}.")


async def preflight_of(link: Link, plan: Plan, sight: Sight) -> tuple[PreflightCheck, ...]:
    """The preflight checks of a plan after a look that brought the facts. Raises Problem."""
    if sight.facts is None:
        raise AssertionError("a look with facts brings them")
    checks = check_preflight(sight.facts, plan.bundle, sight.look.server, sight.look.catalog, plan.action)
    return checks + (await work_out(link, plan, sight.look)).checks


async def preview_of(link: Link, plan: Plan, look: Look) -> Preview:
    """What the plan would do where `look` was taken, for apply with the bundle's counts. Raises Problem."""
    if plan.restores:
        found = await work_out(link, plan, look)
        stop = next((check.meaning for check in found.checks if check.level == "stop"), "")
        restore = None if stop else found.plan.restore
        return Preview(restore_items(restore) if restore else (), restore=restore, obstacle=stop)
    items = preview(plan.statements, plan.bundle.expectation, look.catalog, plan.action)
    return Preview(items, await _counts(link, plan.bundle, look.catalog) if plan.action == "apply" else ())


async def _counts(link: Link, bundle: Bundle, live: Catalog) -> tuple[Count, ...]:
    """The bundle's count queries that this database can answer, in one round trip."""
    fitting = [count for count in bundle.manifest.counts if all(live.has(name) for name in count.requires)]
    if not fitting:
        return ()
    commands = [Command("begin read only"), set_local(LOOK_LIMITS)]
    commands += [Command(bundle.queries[count.file]) for count in fitting]
    try:
        replies = await link.batch([*commands, Command("rollback")])
    except StatementError as error:
        raise await look_refused(link, error, bundle) from None
    return tuple(
        Count(visible(count.title), visible(label or ""), int(rows or 0), visible(note or ""))
        for count, reply in zip(fitting, replies[2:-1], strict=True)
        for label, rows, note in reply.rows
    )
