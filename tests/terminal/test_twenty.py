"""The twenty checks that an operator would make by hand, in a real pseudo-terminal, at 80x24 and at 120x40.

From the list of facts: textual, section 5, with our keys: `b` rolls back, `c` cancels, enter goes on.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import stat
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest
from textual.binding import Binding

from tests.support import ROOT, Database, MakeDatabase, ask, wait_for
from tests.terminal.opened import clockless, opened, scripted
from tests.terminal.pty_session import Cell, PtySession, without_sequences
from tests.terminal.test_hostile import assert_tame
from tests.terminal.wire import Wire
from tui.screens.base import key_word
from tui.screens.dashboard import Dashboard

Size = tuple[int, int]
pytestmark = pytest.mark.parametrize("size", [(80, 24), (120, 40)], ids=["80x24", "120x40"])
real = pytest.mark.parametrize(("cluster", "route"), [("pg18", "direct")], indirect=True)

LIBRARY = ROOT / "tests" / "bundles" / "library"
CLOCK_BYTES = 100
STEPS = ("Target", "Preflight", "Plan", "Rehearsal", "Confirm", "Apply", "Verify", "Report")
DONE = ("pass", "statements of")
"""What the second and the third step say once they have their answers."""
POLICIES = "select count(*) from pg_catalog.pg_policies where tablename in ('books', 'loans')"
RUNNERS = """
select count(*) from pg_stat_activity
where datname = current_database() and application_name ~ 'apply|rollback|rehearse'
"""
WORKFLOWS = re.compile(r"workflows +16/16 +on +4/4 +3/3 +1/1")
"""The whole row of the checklist: a part of it may be of a frame that has not arrived yet."""
SLEEP = "\ndo $$ begin perform pg_catalog.pg_sleep(30); end $$;\n"


def marked(running: PtySession, within: int) -> str:
    """The text of the row that the cursor is on: the one whose ground is another than that of most."""
    lines = running.screen().splitlines()
    grounds = [running.cells(number)[within].bg for number in range(4, len(lines) - 3)]
    odd = [number for number, ground in enumerate(grounds, 4) if grounds.count(ground) == 1]
    assert len(odd) == 1, f"{odd}\n{running.screen()}"
    return lines[odd[0]]


def at_step(running: PtySession, number: int) -> Callable[[], bool]:
    """Whether the walkthrough is at a step, in either layout."""
    name = STEPS[number - 1]
    return lambda: re.search(rf"step {number} of 8|─ {number} (?:{name}|Roll back) ─", running.screen()) is not None


def go(running: PtySession, number: int, key: str = "n") -> None:
    """On to a step, which says what it has to say."""
    there, until = at_step(running, number), time.monotonic() + 30
    while not there():  # a step that still asks says so and stays
        assert time.monotonic() < until, running.screen()
        running.send(key)
        running.pump(0.5)
    if 2 <= number < 2 + len(DONE):
        running.wait_for(DONE[number - 2])


def back(running: PtySession, gone: str) -> None:
    """Escape, until what was there is gone: keys sent on its heels would be taken for the end of a sequence."""
    running.send("\x1b")
    running.wait_until(lambda: gone not in running.screen(), what=f"no {gone!r}")


def confirm(running: PtySession, key: str = "a") -> None:
    """From the dashboard to the confirmation, without a rehearsal."""
    running.wait_for("read-write")
    go(running, 1, key)
    for number in (2, 3, 4):
        go(running, number)
    running.send("x")
    running.wait_for("rehearsal skipped")
    go(running, 5)


def run_for_real(running: PtySession, name: str, key: str = "a") -> None:
    """From the dashboard into the run."""
    confirm(running, key)
    running.send(name)
    running.wait_for("that is its name")
    running.send("\r")
    running.wait_until(at_step(running, 6), what="the run")


def quit_at_once(running: PtySession) -> None:
    running.send("q")
    assert running.wait_exit()[0] == 0


def opened_id(running: PtySession) -> str:
    """The id of the execution that enter opens."""
    running.send("\r")
    running.wait_for("Execution e")
    found = re.search(r"Execution (e\d+)", running.screen())
    running.send("\x1b")
    running.wait_until(lambda: "Execution e" not in running.screen(), what="the dashboard")
    return found[1] if found else ""


@pytest.fixture
def slow(tmp_path: Path) -> Path:
    """The library bundle, whose patch sleeps after its last statement."""
    folder = tmp_path / "slow"
    for file in LIBRARY.rglob("*.*"):
        target = folder / file.relative_to(LIBRARY)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.read_text() + (SLEEP if file.name == "PATCH.sql" else ""))
    return folder


@contextmanager
def running_slowly(database: Database, bundle: Path, size: Size) -> Iterator[PtySession]:
    """An apply that is inside its transaction, and would stay there."""
    with opened(database.dsn, *size, "--bundle", str(bundle)) as running:
        running.wait_for("NOT APPLIED")
        run_for_real(running, database.name)
        wait_for(lambda: ask(database.admin_dsn, f"{RUNNERS} and wait_event = 'PgSleep'") == [(1,)])
        yield running


@real
def test_01_the_first_frame_says_where_and_how(make_database: MakeDatabase, size: Size) -> None:
    """Header with target, route and READ-ONLY/WRITE, checklist, footer; no cut word, no scrollbar outside."""
    words = {
        f"{binding.key_display or key_word(binding.key.split(',')[0])} {binding.description}"
        for binding in (*Dashboard.BINDINGS, Binding("enter", "", "Detail"), Binding("?", "", "Help"))
        if isinstance(binding, Binding)
    }
    with opened(make_database("legacy").dsn, *size) as running:
        running.wait_for("! NOT APPLIED")
        running.wait_for("checks ")
        running.pump(0.5)
        title, *_, footer = running.screen().splitlines()
        assert re.match(r" patchdeck  127\.0\.0\.1 +● direct  PG 18.* read-write \d\d:\d\d:\d\d$", title)
        assert set(re.split(r"  +", footer.strip())) <= words
        assert {"? Help", "q Quit", "a Apply", "b Roll back"} <= set(re.split(r"  +", footer.strip()))
        assert "Checklist" in running.screen()
        for number in range(size[1]):
            cells = running.cells(number)
            assert cells[-1].bg in {cell.bg for cell in cells[:-2]}, f"a scrollbar in line {number}"
        quit_at_once(running)


def test_02_too_small_and_back(size: Size) -> None:
    """40x10: one line says that it is too small; back at the old size everything is, and the same row is marked."""
    with scripted("broken", *size) as running:
        running.send("jjj")
        before = clockless(running.screen())
        running.wait_until(lambda: clockless(running.screen()) != before or size[0] < 110, what="the cursor moved")
        running.pump(0.3)
        before, row = clockless(running.screen()), marked(running, 6)
        running.resize(40, 10)
        running.wait_for("40x10 is too small, 60x20 is needed")
        running.resize(*size)
        running.wait_until(lambda: clockless(running.screen()) == before, what="the old screen")
        assert marked(running, 6) == row


def test_03_help_names_every_key(size: Size) -> None:
    """`?`: every key with its name; escape closes; focus is where it was."""
    with scripted("still", *size) as running:
        running.send("2j")
        running.pump(0.5)
        before = clockless(running.screen())
        running.send("?")
        running.wait_for("─ Keys ─")
        running.pump(0.3)
        shown = set()
        for _ in range(6):
            shown |= {line.strip(" │█▄▀▁▂▃▅▆▇") for line in running.screen().splitlines()}
            running.send("\x1b[6~")
            running.pump(0.15)
        for binding in Dashboard.BINDINGS:
            assert isinstance(binding, Binding)
            key = key_word(binding.key.split(",")[0])
            assert any(re.match(rf"(\S+ )*{re.escape(key)} .*{binding.description}", line) for line in shown), binding
        running.send("\x1b")
        running.wait_until(lambda: clockless(running.screen()) == before, what="the screen as it was")
        running.send("j")
        running.wait_until(lambda: clockless(running.screen()) == before, what="the same words")
        running.send("\r")
        running.wait_for("Execution")


def test_04_the_palette_offers_what_is_allowed_now(size: Size) -> None:
    """`ctrl+p roll`: "Roll back" only where the state allows it; escape leaves no trace."""
    offered = re.compile("Roll back +Walk")
    for mode, said in (("still", offered), ("legacy", re.compile("nothing of that name can be done now"))):
        with scripted(mode, *size) as running:
            before = clockless(running.screen())
            running.send("\x10")
            running.wait_for("what to do")
            running.send("roll")
            running.wait_until(lambda said=said: said.search(running.screen()) is not None, what=said.pattern)  # type: ignore[misc]
            assert (offered.search(running.screen()) is not None) is (said is offered)
            running.send("\x1b")
            running.wait_until(lambda before=before: clockless(running.screen()) == before, what="no trace")  # type: ignore[misc]


@real
def test_05_enter_alone_never_applies(make_database: MakeDatabase, size: Size) -> None:
    """`a`: step 1 of 8 shows where and how; enter, however often, without the name typed, never applies."""
    database = make_database("bare")
    with opened(database.dsn, *size, "--bundle", str(LIBRARY)) as running:
        running.wait_for("NOT APPLIED")
        go(running, 1, "a")
        for word in (database.name, "127.0.0.1", "postgres", "directly", "read and write"):
            running.wait_for(word)
        until = time.monotonic() + 60
        while "nothing was typed: nothing was sent" not in running.screen():
            assert time.monotonic() < until, running.screen()
            running.send("\r")
            running.pump(0.2)
        running.send("\r" * 20)
        running.pump(0.5)
        assert at_step(running, 5)()
        assert "✓ rehearsed: " in running.screen()
        assert ask(database.admin_dsn, POLICIES) == [(0,)]
        assert ask(database.admin_dsn, "select to_regclass('patchdeck.runs')::text") == [(None,)]


@real
def test_06_a_wrong_name_sends_nothing(make_database: MakeDatabase, size: Size) -> None:
    """A wrong confirmation and enter: said in place, and nothing goes to the server that was not asked before."""
    database = make_database("bare")
    address = urlsplit(database.dsn)
    with Wire("127.0.0.1", address.port or 0) as wire:
        dsn = database.dsn.replace(f":{address.port}/", f":{wire.port}/")
        with opened(dsn, *size, "--bundle", str(LIBRARY)) as running:
            running.wait_for("NOT APPLIED")
            confirm(running)
            before = wire.applications()
            assert before and all(name in ("patchdeck", "patchdeck panels") for name in before)
            for wrong in (f"{database.name}x", "postgres", "yes"):
                running.send(wrong)
                running.wait_for(f" {wrong} ")
                running.send("\r")
                running.wait_for(f'"{wrong}" is not its name: nothing was sent')
                running.send("\x15")
                running.wait_for("name of the database")
            assert wire.applications() == before
            assert ask(database.admin_dsn, "select to_regclass('patchdeck.runs')::text") == [(None,)]


@real
def test_07_keys_during_a_run_start_no_other(make_database: MakeDatabase, size: Size) -> None:
    """The confirming enter and then `a a r enter` while it runs: one run, in the ledger and in the journal."""
    database = make_database("bare")
    with psycopg.connect(database.admin_dsn, application_name="nightly") as blocker:
        blocker.execute("lock table auth.users in share mode")
        with opened(database.dsn, *size, "--bundle", str(LIBRARY)) as running:
            running.wait_for("NOT APPLIED")
            run_for_real(running, database.name)
            running.wait_for("a lock is not free")
            for key in "aar\r\r":
                running.send(key)
                running.pump(0.1)
            running.wait_for("it is running: c cancels it")
            blocker.rollback()
            running.wait_for("COMMITTED")
    assert ask(database.admin_dsn, "select count(*) from patchdeck.runs") == [(1,)]
    journals = [path.read_text() for path in Path(os.environ["XDG_STATE_HOME"]).rglob("*.jsonl")]
    assert [text.count('"running"') for text in journals] == [1]


@real
def test_08_roll_back_says_what_it_means_and_does_it(make_database: MakeDatabase, size: Size) -> None:
    """`b` on an applied migration: what is lost, counts, typed confirmation; then ROLLED BACK, and that is verified."""
    database = make_database("applied")
    with opened(database.dsn, *size) as running:
        running.wait_for("✓ APPLIED")
        running.wait_for("read-write")
        go(running, 1, "b")
        running.wait_for("What rolling back means")
        running.wait_until(lambda: re.search(r"drops \d.* \d+ policies", running.screen()) is not None, what="counts")
        assert "see no rows" in running.screen()
        for number in (2, 3, 4):
            go(running, number)
        running.send("\r")
        running.wait_for("IT WILL WORK")
        go(running, 5)
        running.send("\r")
        running.wait_for("nothing was typed")
        running.send(database.name)
        running.wait_for("that is its name")
        running.send("\r")
        running.wait_for("COMMITTED")
        go(running, 7)
        running.wait_for("objects are as the rollback says")
        back(running, "7 Verify" if size[0] > 110 else "step 7 of 8")
        running.wait_for("! ROLLED BACK")
        quit_at_once(running)


@real
def test_09_hostile_names_are_only_names(make_database: MakeDatabase, size: Size) -> None:
    """Names with markup, links, escapes and bidi, 10 kB of text: shown literally, nothing in the clipboard, alive."""
    database = make_database("applied")
    hostile = ("[@click=app.exit]p", "x[/]", "\x1b]52;c;aGk=\x1b\\", "\u202egnp")
    with psycopg.connect(database.admin_dsn) as admin:
        for name in hostile:
            quoted = psycopg.sql.Identifier(name)
            admin.execute(psycopg.sql.SQL("create policy {} on public.agents using (true)").format(quoted))
        admin.execute(
            "insert into public.error_logs (tenant_id, source, message) select id, %s, %s from public.tenants limit 1",
            (hostile[2], "[/rls] \x1b]52;c;aGk=\x07 " + "long " * 2000 + "\x9b2J"),
        )
    with opened(database.dsn, *size) as running:
        running.wait_for("✗ ")
        running.send("n")
        running.pump(0.3)
        running.send("\r")
        running.wait_for("agents · ")
        running.send("f")
        for shown in ("[@click=app.exit]p", "x[/]", "\\x1b]52;c;aGk=", "\\u202egnp"):
            running.wait_for(shown)
        back(running, "agents · ")
        running.send("3")
        running.wait_for("[/rls]")
        running.pump(0.3)
        running.send("\r")
        running.wait_for("│ message")
        back(running, "│ message")
        quit_at_once(running)
        assert b"\x1b]52" not in running.written
        assert_tame(bytes(running.written))


def test_10_an_error_is_there_with_its_brackets(size: Size) -> None:
    """`ERROR: ... [SQLSTATE=42P01]`: the whole text in the panel's detail and in the hint line, brackets kept."""
    text = 'ERROR: relation "public.[x]" does not exist [SQLSTATE=42P01] [/]'
    with scripted("error", *size) as running:
        running.wait_for(f"! {text}")
        running.send("3")
        running.pump(0.3)
        running.send("\r")
        running.wait_for("─ error ─")
        running.wait_until(lambda: text in " ".join(running.screen().replace("│", " ").split()), what="the whole text")


@real
def test_11_a_killed_backend_is_told_and_comes_back_by_itself(make_database: MakeDatabase, size: Size) -> None:
    """pg_terminate_backend, and nobody let in: "reconnecting, try 2", keys alive, old data greyed; back by itself."""
    database = make_database("applied")
    maintenance = database.admin_dsn.replace(f"/{database.name}?", "/postgres?")
    with opened(database.dsn, *size) as running:
        running.wait_for("✓ APPLIED")
        running.wait_for("read-write")
        running.wait_until(lambda: WORKFLOWS.search(running.screen()) is not None, what="the whole row")
        row = running.line("workflows ")

        def table() -> list[Cell]:
            """The row of the checklist: what is beside it on a wide screen moves with the traffic."""
            return running.cells(row)[:40]

        fresh = table()
        with psycopg.connect(maintenance, autocommit=True) as admin:
            admin.execute(f"alter database {database.name} allow_connections false")
            admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (database.name,))
            running.wait_for("✗ UNREACHABLE")
            running.wait_until(lambda: re.search(r"try [2-9]\d*, ", running.screen()) is not None, what="another try")
            running.wait_for(" old ")
            running.wait_until(lambda: {c.fg for c in table()} != {c.fg for c in fresh}, what="greyed rows")
            running.send("?")
            running.wait_for("Keys")
            running.send("\x1b")
            running.wait_for("UNREACHABLE")
            admin.execute(f"alter database {database.name} allow_connections true")
            # How soon is measured by test_trouble.py, over ten restarts; one on a busy machine says little.
            running.wait_for("✓ APPLIED", timeout=4.0)
        running.wait_until(lambda: " old " not in running.screen() and table() == fresh, what="the row as it was")


@real
def test_12_a_backend_killed_during_apply(make_database: MakeDatabase, slow: Path, size: Size) -> None:
    """Killed inside the transaction: rolled back, which is verified; apply is offered again, rolling back is not."""
    database = make_database("bare")
    with running_slowly(database, slow, size) as running:
        ask(database.admin_dsn, RUNNERS.replace("count(*)", "pg_terminate_backend(pid)"))
        running.wait_for("ROLLED BACK: nothing has changed")
        assert ask(database.admin_dsn, POLICIES) == [(0,)]
        back(running, "ROLLED BACK")
        running.wait_for("! NOT APPLIED")
        running.wait_for("read-write")
        running.send("b")
        running.wait_for("Roll back is off")
        go(running, 1, "a")


@real
def test_13_sighup_during_a_run(make_database: MakeDatabase, slow: Path, size: Size) -> None:
    """The terminal goes away in the middle of a run: gone within 2 s with its backend; a restart tells what is so."""
    database = make_database("bare")
    with running_slowly(database, slow, size) as running:
        running.kill(signal.SIGHUP)
        code, seconds = running.wait_exit()
        assert (code, seconds < 2.0) == (129, True)
        wait_for(lambda: ask(database.admin_dsn, RUNNERS) == [(0,)], 2.0)
    assert ask(database.admin_dsn, POLICIES) == [(0,)]
    with opened(database.dsn, *size, "--bundle", str(slow)) as running:
        running.wait_for("! NOT APPLIED")
        quit_at_once(running)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)], ids=["term", "hup", "int"]
)
def test_14_a_signal_ends_it_at_once_with_the_terminal_restored(number: signal.Signals, code: int, size: Size) -> None:
    """`kill -TERM`: exit 143, a usable prompt: no alternate screen, no mouse, a cursor."""
    with scripted("moving", *size) as running:
        running.kill(number)
        ended, seconds = running.wait_exit()
        assert ended == code
        assert seconds < 2.0
        assert running.modes_left_on() == []
        assert not running.cursor_hidden()


def test_15_suspended_and_resumed_in_a_shell(size: Size) -> None:
    """ctrl+z: a clean prompt; after `fg` every line is painted again without a key."""
    command = ["bash", "--norc", "--noprofile", "-i"]
    environment = {"PYTHONPATH": str(ROOT), "PS1": "prompt> ", "HISTFILE": ""}
    with PtySession(command, columns=size[0], rows=size[1], environment=environment) as shell:
        shell.wait_for("prompt>")
        shell.send(f"{sys.executable} -m tests.terminal.standin broken\n")
        shell.wait_for("PARTIAL 174/175")
        shell.wait_for("? Help")
        shell.pump(1.2)
        before = clockless(shell.screen())
        shell.send("\x1a")
        shell.wait_until(lambda: b"Stopped" in shell.written, what="the shell")
        assert shell.modes_left_on() in ([], ["2004"])  # the shell's own paste mode
        assert not shell.cursor_hidden()
        begin = len(shell.written)
        shell.send("fg\n")
        shell.wait_until(lambda: clockless(shell.painted(begin)).endswith(before), what="everything again")
        left = len(shell.written)
        shell.send("q")
        # What is typed before the shell asks is thrown away with the rest of the dashboard's input.
        shell.wait_until(lambda: b"prompt> " in shell.written[left:], what="the prompt")
        assert shell.modes_left_on() in ([], ["2004"])
        shell.send("exit\n")
        assert shell.wait_exit()[0] == 0


def test_16_leaving_during_a_run_is_asked_about(tmp_path: Path, size: Size) -> None:
    """ctrl+q during a run: cancel or stay, staying is the default; idle, `q` leaves with 0 and one line on what was."""
    command = [sys.executable, "-m", "tests.terminal.walk_standin", str(tmp_path / "closed")]
    with PtySession(command, columns=size[0], rows=size[1], environment={"PYTHONPATH": str(ROOT)}) as running:
        running.wait_for("NOT APPLIED")
        running.wait_for("read-write")
        running.send("a")
        running.wait_until(at_step(running, 1), what="step 1")
        for number, sign in ((2, "17.4 is supported"), (3, "What is dropped"), (4, "enter rehearses")):
            running.send("n")
            running.wait_until(at_step(running, number), what=f"step {number}")
            running.wait_for(sign)
        running.send("\r")
        running.wait_for("a lock is not free")
        running.send("\x03")
        running.wait_for("quits")
        for key in ("\x11", "\x1b"):
            running.send(key)
            running.wait_for("A run is going on")
            running.send("\r")
            running.wait_until(lambda: "A run is going on" not in running.screen(), what="staying")
        assert not (tmp_path / "closed").exists()
        running.send("\x11")
        running.wait_for("cancel it: everything is rolled back")
        running.send("c")
        running.wait_for("NOT REHEARSED")
        back(running, "NOT REHEARSED")
        quit_at_once(running)
        assert running.modes_left_on() == []
        assert not running.cursor_hidden()
        last = without_sequences(bytes(running.written).rpartition(b"\x1b[?1049l")[2]).decode().strip()
        assert re.fullmatch(r"patchdeck: acme-prod: NOT APPLIED, as of \d\d:\d\d:\d\d", last)


def test_17_idle_costs_the_clock(size: Size) -> None:
    """Idle: nothing but the clock's digits, not even while it is polled."""
    with scripted("still", *size) as running:
        written = running.pump(4.0)
        seconds = written.count(b"\x1b[?2026h") or 4
        assert seconds <= 5
        assert len(written) <= CLOCK_BYTES * seconds
        assert not re.sub(rb"[0-9: \r\n]", b"", without_sequences(written))


def test_18_the_marked_row_is_an_object_not_a_place(size: Size) -> None:
    """A row is marked, three refreshes move the rows: the same object is marked; so it is after a filter and escape."""
    with scripted("moving", *size) as running:
        running.send("2")
        running.pump(0.2)
        running.send("jjj")
        running.pump(0.3)
        marked_id = opened_id(running)
        for _ in range(3):
            was = clockless(running.screen())
            running.wait_until(lambda was=was: clockless(running.screen()) != was, what="moved rows")  # type: ignore[misc]
        assert opened_id(running) == marked_id
    with scripted("still", *size) as running:
        running.send("jjjjjj")
        running.pump(0.3)
        row = marked(running, 6)
        for keys in ("/", "flow", "\x1b"):
            running.send(keys)
            running.pump(0.3)
        running.wait_until(lambda: marked(running, 6) == row, what="the row marked before")


@real
def test_19_what_is_copied_and_written(make_database: MakeDatabase, tmp_path: Path, size: Size) -> None:
    """`y`: the clipboard holds what is shown; the report's path is shown, its mode is 0600, no password anywhere."""
    database = make_database("bare")
    passfile = Path(parse_qs(urlsplit(database.dsn).query)["passfile"][0])
    secret = next(line.split(":")[4] for line in passfile.read_text().splitlines() if ":postgres:" in line)
    with opened(database.dsn, *size, "--bundle", str(LIBRARY), PGPASSWORD=secret) as running:
        running.wait_for("NOT APPLIED")
        run_for_real(running, database.name)
        running.wait_for("COMMITTED")
        go(running, 7)
        until = time.monotonic() + 60
        while not at_step(running, 8)():
            assert time.monotonic() < until, running.screen()
            if at_step(running, 7)():
                running.send("n")
            running.pump(0.3)
        running.wait_for("y copies the path")
        running.send("y")
        running.wait_for("copied the path")
        found = re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", bytes(running.written))
        path = Path(base64.b64decode(found[-1]).decode())
        assert path.name in running.screen().replace("│", "").replace("\n", "")
        for file in (path, path.with_suffix(".json")):
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
        back(running, "copied the path")
        running.wait_for("✓ APPLIED")
        running.send("\r")
        running.wait_for(" hold ─")
        running.send("y")
        running.wait_for("copied: ")
        quit_at_once(running)
        kept = [file for file in Path(os.environ["XDG_STATE_HOME"]).rglob("*") if file.is_file()]
        assert path in kept
        assert not any(secret in file.read_text() for file in kept)
        assert secret.encode() not in running.written


@real
def test_20_no_colour_no_unicode_read_only_no_terminal(make_database: MakeDatabase, size: Size) -> None:
    """NO_COLOR: no colour; LC_ALL=C: ASCII; --read-only: apply absent and refused; TERM=dumb: exit 2 with a hint."""
    dsn = make_database("legacy").dsn
    with opened(dsn, *size, "--read-only", NO_COLOR="1", LC_ALL="C") as running:
        running.wait_for("! NOT APPLIED")
        running.wait_for("read-only ")
        running.send("a")
        running.wait_for("Apply is off: this session is read-only")
        running.send("\x10")
        running.wait_for("what to do")
        running.send("apply")
        running.wait_for("nothing of that name")
        back(running, "nothing of that name")
        quit_at_once(running)
        assert bytes(running.written).isascii()
        assert b"??" not in without_sequences(bytes(running.written)), "a sign that has no word in ASCII"
        styles = {
            style for sent in re.findall(rb"\x1b\[([0-9;]*)m", bytes(running.written)) for style in sent.split(b";")
        }
        assert styles <= {b"", b"0", b"1", b"2", b"4", b"7", b"39", b"49"}, "a colour"
    command = [sys.executable, "-m", "tui", "--dsn", dsn]
    with PtySession(command, columns=size[0], rows=size[1], environment={"TERM": "dumb"}) as running:
        assert running.wait_exit()[0] == 2
        assert "patchdeck status" in running.screen().replace("\n", "")
        assert b"\x1b" not in running.written
