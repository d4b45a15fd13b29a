"""No secret comes out: every command, well and badly ended, while passwords, tokens and keys lie wherever they can.

The secrets stand in the address, the environment, a configuration, rows, a policy, a comment, the name of a session, a
statement and what the server says of it, and in a defect of our own. Looked through are both streams, every file that
is left on this machine, and the arguments and environments of all processes that we start.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import msgspec
import psutil
import psycopg
import pytest

from tests.cli.support import PATCHDECK, Ran, environment, inside, patchdeck
from tests.support import BUNDLE, ROOT, Database, MakeDatabase, wait_for
from tests.terminal.pty_session import PtySession, without_sequences
from tui.core.check import Check
from tui.core.locks import LockPicture, LockSession, decode_picture
from tui.screens.detail import pair_text
from tui.screens.steps.step import cleaned
from tui.widgets.pair import paired

pytestmark = [
    pytest.mark.parametrize("cluster", ["pg18"], indirect=True),
    pytest.mark.parametrize("route", ["pooled"]),
]


def _jwt() -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, {"role": "service_role", "iss": "supabase-gate"})
    head, body = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts)
    return f"{head}.{body}.c2lnbmF0dXJlLW9mLXRoZS1nYXRl"


PASSWORD, JWT, WEBHOOK = "Hunt3r/2:of@the-g4te", _jwt(), "whsec_R2F0ZXNUb25nU2VjcmV0"
SERVICE = {"SUPABASE_SERVICE_ROLE_KEY": JWT, "STRIPE_WEBHOOK_SECRET": WEBHOOK}
MESSAGE = f"TimeoutError: postgresql://app:{PASSWORD}@db.example.com/x: Authorization: Bearer {JWT}, signed {WEBHOOK}"
ROW = """
insert into public.workflow_executions (workflow_id, status, input, error, started_at, completed_at)
values (gen_random_uuid(), 'failed', jsonb_build_object('workflow', %s::text), %s, now(), now())
"""
DAMAGE = f"""
create policy leaky on public.tenants using (current_setting('app.key', true) = '{JWT}');
comment on policy leaky on public.tenants is 'signed with {WEBHOOK}, password={PASSWORD}';
"""
FAILING = f"""
do $$ begin
  raise exception 'no way with {WEBHOOK}' using
    detail = 'postgresql://app:{PASSWORD}@db.example.com/x', hint = 'token: {JWT}';
end $$;
"""


COPIED = re.compile(rb"\x1b\]52;c;([A-Za-z0-9+/=]+)")


class Search:
    """Knows the secrets; what of them is in a text or a file."""

    def __init__(self, **more: str) -> None:
        whole = {"password": PASSWORD, "jwt": JWT, "webhook": WEBHOOK, **more}
        # A token's middle or a secret's end alone is a leak as well.
        parts = {"jwt body": JWT.split(".")[1], "jwt signature": JWT.split(".")[2], "webhook tail": WEBHOOK[8:]}
        self._forms = {
            name: {value, quote(value, safe=""), json.dumps(value)[1:-1]} for name, value in (whole | parts).items()
        }

    def of(self, text: str) -> set[str]:
        """The names of the secrets that are in it."""
        return {name for name, forms in self._forms.items() if any(form in text for form in forms)}

    def below(self, folder: Path) -> set[tuple[str, str]]:
        """Files that hold a secret, each with the secret's name."""
        files = [path for path in folder.rglob("*") if path.is_file()]
        found = {path: self.of(path.read_text(encoding="utf-8", errors="replace")) for path in files}
        return {(str(path.relative_to(folder)), name) for path, names in found.items() for name in names}


class Watch:
    """Looks through the arguments of every process below this one, and the environments of those that ours start."""

    def __init__(self, search: Search) -> None:
        self._search, self._stop = search, threading.Event()
        self._thread = threading.Thread(target=self._look_on, daemon=True)
        self.found: set[tuple[str, str]] = set()
        self.seen: set[str] = set()

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look_on(self) -> None:
        own = psutil.Process()
        while not self._stop.wait(0.05):
            for process in own.children(recursive=True):
                with suppress(psutil.Error):
                    line = " ".join(process.cmdline())
                    # What a process that we start here has in its environment is what this test put there, and a
                    # fork of it (same arguments) has it as well.
                    parent = process.parent()
                    started = parent is not None and parent != own and parent.cmdline() != process.cmdline()
                    given = "\n".join(process.environ().values()) if started else ""
                    self.seen.add(line)
                    self.found |= {(line[:80], name) for name in self._search.of(f"{line}\n{given}")}


def _spoil(database: Database, statements: str) -> None:
    with psycopg.connect(database.admin_dsn) as connection:
        connection.execute(statements.encode())


@contextmanager
def _somebody_with_a_telling_name(database: Database) -> Iterator[None]:
    with psycopg.connect(database.direct_dsn, application_name=f"job password={PASSWORD} {JWT}"[:63]) as reader:
        reader.execute("lock table public.tenants in access share mode")
        yield


def _address(database: Database) -> tuple[str, str]:
    """The database's address with the right password in it, and that password."""
    with psycopg.connect(database.dsn) as connection:
        password = connection.info.password
    return database.dsn.partition("?")[0].replace("postgres@", f"postgres:{password}@") + "?sslmode=disable", password


def test_every_command_keeps_them(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("legacy")
    dsn, real = _address(database)
    search, left = Search(real=real), tmp_path / "left"
    left.mkdir()
    folder = tmp_path / "bundle"
    shutil.copytree(BUNDLE, folder, ignore=shutil.ignore_patterns("demo"))
    (folder / "PATCH.sql").write_text(FAILING + (BUNDLE / "PATCH.sql").read_text(encoding="utf-8"), encoding="utf-8")
    ran: list[tuple[str, Ran]] = []

    def run(code: int, *commands: str) -> None:
        for command in commands:
            words = [word.format(name=database.name, left=left, folder=folder) for word in command.split()]
            done = inside(*words, dsn=dsn, env={**SERVICE, "PGPASSWORD": PASSWORD})
            assert done.code == code, (command, done)
            ran.append((command, done))

    run(1, "status", "status --json", "verify --format json", "drift", "report")
    run(0, "plan", "plan --json", "doctor", "doctor --json", "rehearse", "history --json", "schema verify")
    run(5, "--bundle {folder} rehearse", "--bundle {folder} apply --confirm {name} --json")
    run(0, "bundle check {folder} --json")
    with _somebody_with_a_telling_name(database):
        run(4, "apply --confirm {name} --patience 0.3", "apply --confirm {name} --patience 0.3 --json")
    run(0, "apply --confirm {name}", "status", "history", "report --output {left}/report.md", "report --format json")
    _spoil(database, DAMAGE)
    run(1, "status", "drift", "drift --json", "verify")
    run(0, "isolation", "isolation --json")
    run(1, *(f"verify --format {form} --output {{left}}/{form}" for form in ("json", "junit", "markdown", "sarif")))
    run(4, "rollback --confirm {name} --mode restore", "rollback --confirm {name} --mode restore --json")
    run(4, "apply --confirm nowhere", "plan --rollback restore")
    run(0, "rollback --confirm {name}")
    assert {command: search.of(done.out + done.err) for command, done in ran if search.of(done.out + done.err)} == {}
    state = Path(os.environ["XDG_STATE_HOME"])
    assert search.below(left) | search.below(state) == set()
    # There was something to be found: reports of what failed and of what was committed, and journals of runs.
    kinds = {path.parent.name for path in state.rglob("*") if path.is_file()}
    assert {"reports", "runs"} <= kinds
    text = "".join(done.out + done.err for _, done in ran)
    assert "leaky" in text and "***" in text and "no way with" in text


def test_what_is_shown_live_and_recorded_keeps_them(make_database: MakeDatabase, tmp_path: Path) -> None:
    database = make_database("legacy")
    dsn, real = _address(database)
    search = Search(real=real)
    recording, told = tmp_path / "live.rec", tmp_path / "told.txt"
    with psycopg.connect(database.admin_dsn) as connection:
        connection.execute(ROW.encode(), (f"nightly {JWT}", MESSAGE))
    with Watch(search) as watch, told.open("wb") as file:
        command = [*PATCHDECK, "--record", str(recording), "--plain"]
        env = environment(dsn, {**SERVICE, "TERM": "dumb"})
        live = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        try:
            wait_for(lambda: "TimeoutError" in told.read_text(encoding="utf-8"), 60)
            live.send_signal(signal.SIGTERM)
            assert live.wait(30) == 0
        finally:
            live.kill()
            live.wait()
    again = inside("replay", str(recording), "--plain")
    texts = (told.read_text(encoding="utf-8"), recording.read_text(encoding="utf-8"), again.out + again.err)
    assert [search.of(text) for text in texts] == [set()] * 3
    assert all("TimeoutError" in text and "***" in text for text in texts)
    assert watch.found == set()
    assert any("--record" in line for line in watch.seen)


def _pressed(running: PtySession, *keys: str) -> bool:
    """Press each with time to be taken; once more from the start where a slow machine took two for one."""
    for key in ("\x1b", *keys):
        running.send(key)
        running.pump(1.0 if key == "\x1b" else 0.4)
    return "TimeoutError" in running.screen()


def test_the_dashboard_keeps_them(make_database: MakeDatabase) -> None:
    """On the screen, and in what is copied from it: the terminal gets that as base64."""
    database = make_database("legacy")
    dsn, real = _address(database)
    search = Search(real=real)
    with psycopg.connect(database.admin_dsn) as connection:
        connection.execute(ROW.encode(), (f"nightly {JWT}", MESSAGE))
    _spoil(database, DAMAGE)
    env = {"PATCHDECK_DSN": dsn, "PYTHONPATH": str(ROOT), **SERVICE}
    with PtySession(PATCHDECK, columns=160, rows=40, environment=env) as running:
        running.wait_for("TimeoutError")
        running.wait_until(lambda: _pressed(running, "3", "\r", "y") and b"]52;c;" in running.written, what="a copy")
        running.send("\x11")
        assert running.wait_exit()[0] == 0
        written = bytes(running.written)
    copies = [base64.b64decode(copy).decode() for copy in COPIED.findall(written)]
    assert "TimeoutError" in copies[0] and "***" in copies[0]
    shown = without_sequences(written).decode(errors="replace")
    assert search.of("\n".join((written.decode(errors="replace"), shown, *copies))) == set()


def test_definitions_and_statements_of_others_keep_them_on_the_screens(make_database: MakeDatabase) -> None:
    """Policies are read and copied from the screens, sessions are named with what they run."""
    del make_database
    search, leaky = Search(), f"USING (key = '{JWT}' OR secret = '{WEBHOOK}' OR uri = 'x://u:{PASSWORD}@h')"
    for beside in (True, False):
        lines = paired(("expected", "live"), (leaky, leaky.lower()), 400, beside=beside)
        text = "\n".join("".join(part for part, _ in one.spans) for one in lines)
        assert "***" in text and search.of(text) == set()
    check = Check("structure", "policy", "public.tenants", "leaky", "unexpected", "", leaky)
    assert "***" in pair_text(check) and search.of(pair_text(check)) == set()
    # What a walk shows of a plan, of a statement and of what the server says of it.
    assert "***" in cleaned(leaky) and search.of(cleaned(leaky)) == set()
    idle = LockSession(7, "t", "u", f"password={PASSWORD}", "idle", 1.0, f"-- {MESSAGE}", (), (), False, True)
    document = msgspec.json.encode(LockPicture((idle,)))
    assert search.of(document.decode()) != set()
    picture = repr(decode_picture(document))
    assert "***" in picture and search.of(picture) == set()


DEFECT = """
import pathlib
import tui.commands.looking

password, jwt, webhook = pathlib.Path(__file__).with_name("secrets").read_text().splitlines()

class Session:
    def __init__(self, password):
        self.password = password
    def ask(self, dsn):
        token = jwt
        raise LookupError(f"{dsn} refused, Bearer {token}, signed {webhook}")

def spoiled(*_, **__):
    Session(password).ask(f"postgresql://app:{password}@db.example.com/x")

tui.commands.looking.history = spoiled
"""

SLOW = """
import sys, time
print(open(sys.argv[1]).read())
sys.stdout.flush()
sys.stdout.close()
time.sleep(0.5)
"""


def test_failures_and_children_keep_them(make_database: MakeDatabase, tmp_path: Path) -> None:
    """A wrong password in each place it can stand, a command that has the right one, a crash; processes are watched."""
    database = make_database("bare")
    dsn, real = _address(database)
    bare = dsn.replace(f":{real}@", "@")
    search = Search(real=real)
    kept = tmp_path / "vault"
    kept.write_text(real, encoding="utf-8")
    (tmp_path / "get.py").write_text(SLOW, encoding="utf-8")
    (tmp_path / "defect").mkdir()
    (tmp_path / "defect/sitecustomize.py").write_text(DEFECT, encoding="utf-8")
    (tmp_path / "defect/secrets").write_text("\n".join((PASSWORD, JWT, WEBHOOK)), encoding="utf-8")
    planted = {"PYTHONPATH": os.pathsep.join((str(tmp_path / "defect"), str(ROOT)))}
    getting = json.dumps([sys.executable, str(tmp_path / "get.py"), str(kept)])
    tables = (
        f'[targets.good]\nenvironment = "local"\ndsn = "{bare}"\npassword_command = {getting}\n',
        f'[targets.bad]\nenvironment = "local"\ndsn = "postgresql://u:{quote(PASSWORD)}@h/d"\n',
    )
    wrong = bare.replace("postgres@", f"postgres:{quote(PASSWORD, safe='')}@")
    with Watch(search) as watch:
        ran = [patchdeck("status", dsn=bare, env={**SERVICE, "PGPASSWORD": PASSWORD})]
        ran += [patchdeck("doctor", "--json", dsn=wrong, env=SERVICE)]
        ran += [patchdeck("status", dsn=f"postgres:{PASSWORD}@h/d"), patchdeck("history", dsn=dsn, env=planted)]
        for table, code in zip(tables, (1, 2), strict=True):
            (tmp_path / "patchdeck.toml").write_text(table, encoding="utf-8")
            name = table.partition("]")[0].rpartition(".")[2]
            ran.append(patchdeck("status", "--target", name, cwd=tmp_path))
            assert ran[-1].code == code, ran[-1]
    assert [one.code for one in ran] == [3, 3, 2, 70, 1, 2]
    assert [search.of(one.out + one.err) for one in ran] == [set()] * len(ran)
    state = Path(os.environ["XDG_STATE_HOME"])
    (crash,) = state.rglob("crash-*")
    assert search.below(state) == set()
    assert "LookupError" in crash.read_text(encoding="utf-8") and "***" in crash.read_text(encoding="utf-8")
    # The keeper of the demo's server, the server and the pooler are processes of ours, too.
    assert watch.found == set()
    assert any("get.py" in line for line in watch.seen)
    assert any("postgres" in line for line in watch.seen)


def test_a_leak_would_be_found(tmp_path: Path, make_database: MakeDatabase) -> None:
    """The same search, where there is something to find: in each stream, file, argument and environment."""
    del make_database
    search = Search(real="r4ndom-of-the-cluster")
    assert search.of(f"FATAL: {PASSWORD}") == search.of(f"url: x:{quote(PASSWORD, safe='')}@h") == {"password"}
    assert search.of(json.dumps({"key": JWT.rpartition(".")[0]})) == {"jwt body"}
    assert search.of("whsec_ and *** and eyJ") == set()
    assert search.of(f"half masked: whsec_***{WEBHOOK[8:]}") == {"webhook tail"}
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/one.json").write_text('{"dsn": "r4ndom-of-the-cluster"}', encoding="utf-8")
    assert search.below(tmp_path) == {("runs/one.json", "real")}
    nap = f"{sys.executable} -c 'import time; time.sleep(30)'"
    for line in (f"{nap} {PASSWORD} & wait", f"env KEY={JWT} {nap} & wait"):
        with Watch(search) as watch:
            # In a file, so that the shell's own arguments say nothing.
            (tmp_path / "leak.sh").write_text(line, encoding="utf-8")
            leaking = subprocess.Popen(["/bin/sh", str(tmp_path / "leak.sh")], start_new_session=True)
            try:
                wait_for(watch.found.copy)
            finally:
                os.killpg(leaking.pid, signal.SIGKILL)
                leaking.wait()
