"""Indexes built before the transaction and constraints validated after it, under faults: what a fault leaves is told,
is in nobody's way, and the next run goes on from there.
"""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import psycopg
import pytest

from tests.cli.support import environment
from tests.db.test_applier import LIBRARY, library
from tests.db.test_online import big
from tests.faults.campaign import Campaign, Setting, Stage, drive, line_dsn, moment_of, stage
from tests.faults.line import Chunk, Fate, Side
from tests.faults.test_line_cut import Knife, Where, cut
from tests.support import ROOT, Cluster, Database, MakeDatabase, ask, wait_for
from tui.core.bundle import Bundle
from tui.core.deck import Control
from tui.core.run import Building, Event, Finished, Outcome, Plan
from tui.db import applier, journal
from tui.db.target import resolve

INDEXES = ("books_shelf_idx", "loans_book_idx", "loans_reader_idx")
STATE = """
select c.relname, i.indisvalid from pg_index i join pg_class c on c.oid = i.indexrelid
 where c.relname in ('books_shelf_idx', 'loans_book_idx', 'loans_reader_idx') order by 1
"""
CUTS: tuple[tuple[int, Side, Fate], ...] = (
    (1, "client", Fate.CUT_BEFORE),
    (1, "client", Fate.CUT_AFTER),
    (2, "client", Fate.CUT_BEFORE),
    (2, "server", Fate.CUT_BEFORE),
    (3, "server", Fate.CUT_AFTER),
)
"""Which build, whose chunk, and how it is cut."""

LOOSE = """
alter table public.loans drop constraint if exists loans_book_id_fkey;
alter table public.loans add constraint loans_book_id_fkey foreign key (book_id) references public.books (id)
on delete cascade not valid;
"""
ALL_THERE = [(name, True) for name in INDEXES]
BUILDING = "select pid from pg_stat_activity where query ilike 'create index concurrently%' and state = 'active'"


def emptied(database: Database) -> None:
    """The library as applied long ago: grown, and without its indexes."""
    made = resolve(database.direct_dsn, environ={})
    plan = Plan(library(), confirmed=database.name)

    async def apply() -> None:
        async for _ in applier.run(made, plan, Control()):
            pass

    asyncio.run(apply())
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        for name in INDEXES:
            connection.execute(f"drop index public.{name}".encode())
        connection.execute("insert into public.books (title) select 'b' || n from generate_series(1, 3000) n")
        connection.execute("insert into auth.users (id) select gen_random_uuid()")
        connection.execute(
            "insert into public.loans (book_id, reader) select b.id, u.id from public.books b, auth.users u"
        )
        connection.execute("analyze public.books, public.loans")


# Indexes and one constraint may be there or not, valid or not: each test says what of them has to be.
ONLINE = Setting({"online": True}, emptied, "|".join((*INDEXES, "FOREIGN KEY .book_id")))


@asynccontextmanager
async def online(
    make_database: MakeDatabase, where: str, journals: Path, bundle: Bundle | None = None
) -> AsyncIterator[Stage]:
    """A stage on which three indexes are to be built."""
    async with stage(make_database, bundle or big(), "apply", f"{where}, --online", journals, setting=ONLINE) as made:
        yield made


def sends(text: bytes, side: Side = "client", number: int = 1) -> Where:
    """The `number`-th chunk of the client with `text` in it, or the server's first after it."""
    left = number

    def where(chunk: Chunk) -> bool:
        nonlocal left
        if chunk.side == "client" and text in chunk.data.lower():
            left -= 1
            return left == 0 and side == "client"
        return left <= 0 and chunk.side == "server" and side == "server"

    return where


async def goes_on(made: Stage) -> None:
    """The next run finishes what the fault left, and leaves nothing of its own."""
    word, _ = await drive(made.target, made.plan(), made.journals)
    assert word is not None and word.outcome is Outcome.COMMITTED, word
    assert ask(made.database.admin_dsn, STATE) == ALL_THERE
    leftovers = ask(made.database.admin_dsn, "select indexrelid::regclass::text from pg_index where not indisvalid")
    assert leftovers == []
    await made.set_up()


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
async def test_the_line_is_cut(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path
) -> None:
    """At the first build, between two, at the last one's answer, and when all are there and the transaction begins."""
    async with online(make_database, f"{cluster.id} {route}", tmp_path) as made:
        for number, side, fate in CUTS if route == "direct" else CUTS[1:2]:
            where = sends(b"create index concurrently", side, number)
            assert await cut(made, campaign, f"line {fate.value} a build or its answer", where, fate)
            assert campaign.cases[-1].state == "before"
            done = [name for name, valid in ask(made.database.admin_dsn, STATE) if valid]
            assert set(done) >= set(INDEXES[: number - 1]), "what was complete is kept"
            await goes_on(made)
        assert await cut(made, campaign, "line cut before the batch", sends(b"run_key constant"), Fate.CUT_BEFORE)
        assert ask(made.database.admin_dsn, STATE) == ALL_THERE
        await goes_on(made)


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
@pytest.mark.parametrize("how", ["backend terminated", "cancelled", "line cut"])
async def test_while_one_is_being_built(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path, how: str
) -> None:
    """An open transaction keeps the build waiting, and with that invalid."""
    async with online(make_database, f"{cluster.id} {route}", tmp_path) as made:
        control, struck = Control(), 0.0
        aside = f"{made.database.direct_dsn}&application_name=bystander"
        async with await psycopg.AsyncConnection.connect(aside) as holder:
            await holder.execute("insert into public.books (title) values ('open')")
            await holder.execute("savepoint kept")

            def strike(event: Event) -> None:
                nonlocal struck
                if struck or not isinstance(event, Building) or "waiting" not in event.phase:
                    return
                struck = monotonic()
                if how == "cancelled":
                    control.cancel()
                elif how == "line cut":
                    made.line.cut()
                else:
                    ask(made.database.admin_dsn, f"select pg_terminate_backend(pid) from ({BUILDING}) b")

            word, seen = await drive(made.target, made.plan(), made.journals, control=control, on_event=strike)
            assert struck
            assert word is not None
            assert "books_shelf_idx" in word.reason, word
            await holder.rollback()
        case = await made.judge(campaign, f"{how} in a build", moment_of(seen[:-1]), word, monotonic())
        assert (case.state, case.word) == ("before", "refused")
        await goes_on(made)


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
async def test_the_client_is_killed_in_a_build(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path
) -> None:
    """The server may go on with it, in nobody's way; the next run finds it complete, or drops it and builds it anew."""
    folder = tmp_path / "bundle"
    shutil.copytree(LIBRARY, folder)
    text = (folder / "bundle.toml").read_text(encoding="utf-8")
    (folder / "bundle.toml").write_text(f"{text}\n[online]\nrows = 1000\n", encoding="utf-8")
    async with online(make_database, f"{cluster.id} {route}", journal.folder()) as made:
        aside = f"{made.database.direct_dsn}&application_name=bystander"
        async with await psycopg.AsyncConnection.connect(aside) as holder:
            await holder.execute("insert into public.books (title) values ('open')")
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tui", "--bundle", str(folder),
                "apply", "--online", "--confirm", made.database.name,
                cwd=ROOT, env=environment(line_dsn(made.line, made.database)), stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            await asyncio.to_thread(wait_for, lambda: ask(made.database.admin_dsn, BUILDING), 20)
            process.kill()
            await process.wait()
            # Others read and write while the orphan waits for the open transaction.
            ask(f"{made.database.direct_dsn}&options=-cstatement_timeout%3D2s", "select count(*) from public.books")
            ask(
                f"{made.database.direct_dsn}&options=-cstatement_timeout%3D2s",
                "insert into public.books (title) values ('meanwhile') returning 1",
            )
            ask(made.database.admin_dsn, "delete from public.books where title = 'meanwhile' returning 1")
            await holder.rollback()
        case = await made.judge(campaign, "client SIGKILL in a build", "building", None, monotonic())
        assert case.state == "before"
        await goes_on(made)


@pytest.mark.parametrize("cluster", ["pg18"], indirect=True)
@pytest.mark.parametrize("route", ["direct"])
async def test_what_is_left_to_validate(
    cluster: Cluster, route: str, make_database: MakeDatabase, campaign: Campaign, tmp_path: Path
) -> None:
    """After COMMIT: the run is committed whatever becomes of the validation, and the word says what may be left."""
    async with online(make_database, f"{cluster.id} {route}", tmp_path, big(PATCH=lambda text: text + LOOSE)) as made:
        for fate in (Fate.CUT_BEFORE, Fate.CUT_AFTER):
            knife = Knife(made, sends(b"validate constraint"), fate)
            made.line.decide = knife
            word, seen = await drive(made.target, made.plan(), made.journals)
            assert knife.struck
            end = seen[-1]
            assert isinstance(end, Finished)
            assert "loans_book_id_fkey on public.loans was being validated" in end.state, end
            assert end.next_step.startswith("Validate the rest"), end
            case = await made.judge(campaign, "line cut at a validation", moment_of(seen[:-1]), word, monotonic())
            assert case.word == "committed"
