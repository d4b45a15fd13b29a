"""How a connection comes about: which place lets us in, what is said when none does, what is left when it is given up.

On a real server, behind lines that refuse, keep silent and break off; names are looked up in a table of the test's own.
"""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.faults.line import Chunk, Fate, Line, line_to
from tests.support import Database, MakeDatabase, ask, wait_for
from tui.core.deck import Problem
from tui.db import connecting
from tui.db.batch import StatementError
from tui.db.connecting import attempts, cancel, connect
from tui.db.driver import Error, OperationalError, PGconn, pq
from tui.db.libpq import conninfo, parameters_of
from tui.db.link import Link
from tui.db.target import Target, resolve

real = pytest.mark.parametrize(("cluster", "route"), [("pg18", "direct")], indirect=True)
both = pytest.mark.parametrize("cluster", ["pg18"], indirect=True)

STARTUP, CANCEL = b"\0\3\0\0", b"\x04\xd2\x16\x2e"
"""What the first packet of a connection, or of a request to cancel, has after its length."""
SSL = b"\x04\xd2\x16\x2f"


@pytest.fixture
def database(make_database: MakeDatabase) -> Database:
    return make_database("bare")


@pytest.fixture
async def place(database: Database) -> dict[str, str]:
    """The parameters of the database, in clear."""
    return {**parameters_of(database.dsn), "sslmode": "disable", "connect_timeout": "8"}


@pytest.fixture
def refused() -> Iterator[str]:
    """A port that nothing listens on, and nothing else will while the test runs."""
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        yield str(kept.getsockname()[1])


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    """The port of a server that does `serve` with every connection."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield str(server.sockets[0].getsockname()[1])
    finally:
        server.close()


class Silent:
    """Lets everybody in and says nothing; `over` is set when the one who came last has gone."""

    def __init__(self) -> None:
        self.heard, self.over = asyncio.Event(), asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.over.clear()
        while await reader.read(1024):
            self.heard.set()
        self.over.set()
        writer.close()


@pytest.fixture
async def silent() -> AsyncIterator[tuple[str, Silent]]:
    made = Silent()
    async with listening(made) as port:
        yield port, made


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt may end after a second, which is the least that can be asked for."""
    monkeypatch.setattr(connecting, "LEAST_TIMEOUT", 1)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """Addresses by name; all other names are looked up where they always are."""
    table: dict[str, list[str]] = {}
    truly = socket.getaddrinfo

    def look_up(host: Any, port: Any, *rest: Any, **more: Any) -> list[Any]:
        if host not in table:
            return truly(host, port, *rest, **more)
        assert threading.current_thread() is not threading.main_thread(), "the loop would stand still"
        return [found for address in table[host] for found in truly(address, port, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return table


async def answer(pgconn: PGconn, sql: str) -> str:
    """One value, and the end of the connection."""
    result = pgconn.exec_(sql.encode())
    pgconn.finish()
    return (result.get_value(0, 0) or b"").decode()


async def failure(parameters: dict[str, str]) -> str:
    with pytest.raises(OperationalError) as failed:
        await connect(parameters)
    return str(failed.value)


class TestLists:
    """Hosts, addresses and ports, as the manual pairs them (34.1.1.3)."""

    @given(st.lists(st.sampled_from(["a", "b.example", "/tmp", "::1", ""]), min_size=1, max_size=5), st.data())
    def test_each_host_has_its_own_port(self, hosts: list[str], data: st.DataObject) -> None:
        ports = data.draw(st.lists(st.sampled_from(["1", "5432", ""]), min_size=len(hosts), max_size=len(hosts)))
        lists = {"host": ",".join(hosts), "port": ",".join(ports)}
        wanted = [{"host": host, "port": port} for host, port in zip(hosts, ports, strict=True)]
        # A list of one empty item is none.
        assert attempts(lists) == [{key: value for key, value in one.items() if lists[key]} for one in wanted]

    def test_one_port_is_everybodys(self) -> None:
        assert attempts({"host": "a,b", "port": "6"}) == [{"host": "a", "port": "6"}, {"host": "b", "port": "6"}]

    def test_an_address_goes_with_the_host_that_is_at_its_place(self) -> None:
        assert attempts({"host": "a,b", "hostaddr": "::1,::2"}) == [
            {"host": "a", "hostaddr": "::1"},
            {"host": "b", "hostaddr": "::2"},
        ]
        assert attempts({"hostaddr": "::1,::2"}) == [{"hostaddr": "::1"}, {"hostaddr": "::2"}]

    def test_nothing_said_is_one_attempt(self) -> None:
        assert attempts({}) == [{}]

    @pytest.mark.parametrize(
        ("lists", "says"),
        [
            ({"host": "a,b,c", "port": "1,2"}, "could not match 2 port numbers to 3 hosts"),
            ({"hostaddr": "127.0.0.1,127.0.0.2", "host": "a"}, "could not match 1 host names to 2 hostaddr values"),
            ({"port": "1,2"}, "could not match 2 port numbers to 1 hosts"),
        ],
    )
    async def test_what_can_not_be_paired_is_refused_in_libpqs_words(self, lists: dict[str, str], says: str) -> None:
        assert says in await failure(lists)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.text("a '\\\n=", max_size=8))
def test_a_value_comes_out_of_a_connection_string_as_it_went_in(password: str, name: str) -> None:
    parameters: dict[str, str | int] = {"password": password, "application_name": name, "connect_timeout": 3}
    found = {option.keyword.decode(): option.val for option in pq.Conninfo.parse(conninfo(parameters))}
    assert (found["password"], found["application_name"]) == (password.encode(), name.encode())
    assert found["connect_timeout"] == b"3"


@real
class TestWayIn:
    """The first place that lets us in is taken."""

    async def test_one_that_refuses_is_passed_over(self, place: dict[str, str], refused: str) -> None:
        several = place | {"host": f"{place['host']},{place['host']}", "port": f"{refused},{place['port']}"}
        pgconn = await connect(several)
        assert (pgconn.port.decode(), pgconn.nonblocking) == (place["port"], 1)
        assert await answer(pgconn, "select current_database()") == place["dbname"]

    async def test_one_that_is_silent_has_its_time(
        self, place: dict[str, str], silent: tuple[str, Silent], impatient: None
    ) -> None:
        port, there = silent
        several = place | {"host": "127.0.0.1,127.0.0.1", "port": f"{port},{place['port']}", "connect_timeout": "1"}
        pgconn = await connect(several)
        assert pgconn.port.decode() == place["port"]
        assert there.heard.is_set()
        await asyncio.wait_for(there.over.wait(), 5)
        pgconn.finish()

    async def test_one_that_breaks_off_is_passed_over(self, place: dict[str, str]) -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1024)
            writer.close()

        async with listening(hang_up) as port:
            several = place | {"host": "127.0.0.1,127.0.0.1", "port": f"{port},{place['port']}"}
            assert await answer(await connect(several), "select 1") == "1"
            assert "server closed the connection unexpectedly" in await failure(place | {"port": port})

    async def test_every_address_of_a_name_is_tried(self, place: dict[str, str], names: dict[str, list[str]]) -> None:
        names["db.example.test"] = ["127.0.0.9", "127.0.0.1"]
        named = {key: value for key, value in place.items() if key != "hostaddr"} | {"host": "db.example.test"}
        pgconn = await connect(named)
        # The name stays what a certificate is compared with.
        assert (pgconn.host, pgconn.hostaddr) == (b"db.example.test", b"127.0.0.1")
        pgconn.finish()

    async def test_an_address_that_is_given_needs_no_name(
        self, place: dict[str, str], names: dict[str, list[str]]
    ) -> None:
        names["db.example.test"] = ["127.0.0.9"]
        pgconn = await connect(place | {"host": "db.example.test", "hostaddr": "127.0.0.1"})
        assert pgconn.hostaddr == b"127.0.0.1"
        pgconn.finish()

    async def test_addresses_and_sockets_are_not_looked_up(
        self, place: dict[str, str], monkeypatch: pytest.MonkeyPatch, refused: str
    ) -> None:
        def never(*_: object, **__: object) -> list[Any]:
            raise AssertionError("looked up")

        monkeypatch.setattr(socket, "getaddrinfo", never)
        assert await answer(await connect(place | {"host": "127.0.0.1"}), "select 1") == "1"
        assert ".s.PGSQL." in await failure({"host": "/nowhere"})
        assert ".s.PGSQL." in await failure({"host": "@nowhere"})
        assert "::1" in await failure({"host": "::1", "port": refused})

    async def test_the_environment_says_what_the_parameters_do_not(
        self, place: dict[str, str], silent: tuple[str, Silent], impatient: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Also that there are several attempts, of which each has its time."""
        monkeypatch.setenv("PGHOST", f"127.0.0.1,{place['host']}")
        monkeypatch.setenv("PGPORT", f"{silent[0]},{place['port']}")
        monkeypatch.setenv("PGCONNECT_TIMEOUT", "1")
        pgconn = await connect(
            {key: value for key, value in place.items() if key not in ("host", "port", "connect_timeout")}
        )
        assert pgconn.port.decode() == place["port"]
        pgconn.finish()

    async def test_they_are_taken_in_any_order_if_that_is_asked_for(
        self, place: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(random, "sample", lambda items, _: items[::-1])
        async with AsyncExitStack() as stack:
            first, last = [
                await stack.enter_async_context(line_to(place["host"], int(place["port"]))) for _ in range(2)
            ]
            several = place | {"host": "127.0.0.1,127.0.0.1", "port": f"{first.port},{last.port}"}
            for wanted, balance in ((first, "disable"), (last, "random")):
                pgconn = await connect(several | {"load_balance_hosts": balance})
                assert pgconn.port.decode() == str(wanted.port)
                pgconn.finish()

    async def test_a_standby_is_looked_for_everywhere_before_the_rest_will_do(self, place: dict[str, str]) -> None:
        async with AsyncExitStack() as stack:
            first, last = [
                await stack.enter_async_context(line_to(place["host"], int(place["port"]))) for _ in range(2)
            ]
            several = place | {"host": "127.0.0.1,127.0.0.1", "port": f"{first.port},{last.port}"}
            starts = [counted(line, STARTUP) for line in (first, last)]
            pgconn = await connect(several | {"target_session_attrs": "prefer-standby"})
            assert pgconn.port.decode() == str(first.port)
            assert [len(of_one) for of_one in starts] == [2, 1]
            pgconn.finish()
            assert "standby" in await failure(several | {"target_session_attrs": "standby"})

    async def test_the_second_socket_of_one_attempt_is_listened_to(self, place: dict[str, str]) -> None:
        """Where TLS is only preferred and fails, libpq begins anew in clear, on another socket."""
        came: list[bytes] = []
        # A number below that of the first socket: the second gets it, and not again that of the first.
        spare = socket.socket()
        async with line_to(place["host"], int(place["port"])) as line:

            async def broken_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                head = await reader.readexactly(8)
                came.append(head[4:])
                if head[4:] == SSL:
                    spare.close()
                    writer.write(b"S")
                    writer.close()
                    return
                upstream, upwriter = await asyncio.open_connection("127.0.0.1", line.port)
                upwriter.write(head)
                await asyncio.gather(_copy(reader, upwriter), _copy(upstream, writer))

            async with listening(broken_tls) as port:
                pgconn = await connect(place | {"host": "127.0.0.1", "port": port, "sslmode": "prefer"})
                assert (came, pgconn.status) == ([SSL, STARTUP], pq.ConnStatus.OK)
                pgconn.finish()

    async def test_what_the_server_notes_at_the_login_is_not_on_standard_error(
        self, place: dict[str, str], database: Database, capfd: pytest.CaptureFixture[str]
    ) -> None:
        ask(
            database.admin_dsn,
            "create function greet() returns event_trigger language plpgsql as "
            "$$begin raise warning 'who goes there'; end$$; "
            "create event trigger greeting on login execute function greet();"
            "alter event trigger greeting enable always",
        )
        heard = b""
        async with line_to(place["host"], int(place["port"])) as line:

            async def listen(chunk: Chunk) -> Fate:
                nonlocal heard
                heard += chunk.data if chunk.side == "server" else b""
                return Fate.PASS

            line.decide = listen
            pgconn = await connect(place | {"port": str(line.port)})
            pgconn.finish()
        assert b"who goes there" in heard
        assert capfd.readouterr() == ("", "")


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
    writer.close()


class TestWords:
    """What is said when there is no way in."""

    async def test_of_several_places_each_is_named_once_in_one_line(
        self, refused: str, silent: tuple[str, Silent], impatient: None
    ) -> None:
        port, _ = silent
        several = {"host": "127.0.0.1,127.0.0.1,127.0.0.1", "port": f"{refused},{port},{refused}"}
        said = await failure(several | {"connect_timeout": "1", "sslmode": "disable", "password": "correct-horse"})
        assert said == (
            f'connection to server at "127.0.0.1", port {refused} failed: Connection refused; '
            f'connection to server at "127.0.0.1", port {port} failed: timeout expired'
        )

    async def test_an_address_is_told_with_its_name(
        self, refused: str, silent: tuple[str, Silent], impatient: None, names: dict[str, list[str]]
    ) -> None:
        port, _ = silent
        names["db.example.test"] = ["127.0.0.9", "127.0.0.1"]
        given = {"host": "db.example.test", "connect_timeout": "1", "sslmode": "disable"}
        said = await failure(given | {"port": refused})
        for address in names["db.example.test"]:
            assert f'at "db.example.test" ({address}), port {refused} failed: Connection refused' in said
        said = await failure(given | {"port": port})
        assert f'at "db.example.test" (127.0.0.1), port {port} failed: timeout expired' in said

    async def test_an_address_of_one_network_keeps_its_interface(
        self, refused: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 0, 0, 7))
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [found])
        assert '"near.example.test" (fe80::1%7), port' in await failure({"host": "near.example.test", "port": refused})

    async def test_one_place_keeps_libpqs_hint(self, refused: str) -> None:
        assert "Is the server running on that host" in await failure({"host": "127.0.0.1", "port": refused})

    @pytest.mark.parametrize(
        ("host", "says"), [("no.such.name.invalid", "could not translate host name"), ("a..b", 'host name "a..b"')]
    )
    async def test_what_is_no_name(self, host: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
        truly = socket.getaddrinfo

        def offline(host: Any, *rest: Any, **more: Any) -> list[Any]:
            if str(host).endswith(".invalid"):
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return truly(host, *rest, **more)

        monkeypatch.setattr(socket, "getaddrinfo", offline)
        link = Link(resolve(f"host={host} dbname=x user=x", environ={}))
        with pytest.raises(Problem) as unknown:
            await link.open()
        assert says in unknown.value.message
        assert (unknown.value.kind, unknown.value.hint) == ("unreachable", "the host name does not resolve")

    async def test_a_name_server_that_is_silent_has_its_time(
        self, impatient: None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        answered = threading.Event()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answered.wait(30) and [])
        said = await failure({"host": "db.example.test", "connect_timeout": "1"})
        answered.set()
        assert said == 'could not translate host name "db.example.test" to address: timeout expired'

    async def test_a_name_that_is_unknown_does_not_keep_from_the_next(
        self, refused: str, names: dict[str, list[str]]
    ) -> None:
        names["gone.example.test"] = ["no address"]
        said = await failure({"host": "gone.example.test,127.0.0.1", "port": refused})
        assert 'could not translate host name "gone.example.test" to address: ' in said
        assert f"port {refused} failed: Connection refused" in said

    async def test_a_time_that_is_none(self) -> None:
        said = await failure({"host": "127.0.0.1", "connect_timeout": "soon"})
        assert said == 'invalid integer value "soon" for connection option "connect_timeout"'

    @pytest.mark.parametrize(("text", "seconds"), [("", 130), ("0", 130), ("-1", 130), ("1", 2), ("7", 7)])
    async def test_times_are_libpqs(
        self, text: str, seconds: int, refused: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[float | None] = []
        truly = asyncio.timeout

        def timeout(delay: float | None) -> asyncio.Timeout:
            asked.append(delay)
            return truly(delay)

        monkeypatch.setattr(asyncio, "timeout", timeout)
        await failure({"host": "127.0.0.1", "port": refused, "connect_timeout": text})
        assert asked == [seconds]


def counted(line: Line, packet: bytes) -> list[Chunk]:
    """The packets of this kind that clients send from now on."""
    found: list[Chunk] = []

    async def count(chunk: Chunk) -> Fate:
        if chunk.side == "client" and chunk.data[4:8] == packet:
            found.append(chunk)
        return Fate.PASS

    line.decide = count
    return found


@real
class TestPasswords:
    """A wrong one is not tried elsewhere: the pooler counts them and closes the door for a while."""

    async def test_a_wrong_one_is_the_end(self, place: dict[str, str], refused: str) -> None:
        async with line_to(place["host"], int(place["port"])) as line:
            starts = counted(line, STARTUP)
            several = place | {"host": "127.0.0.1,127.0.0.1,127.0.0.1", "port": f"{refused},{line.port},{line.port}"}
            said = await failure(several | {"password": "wrong-horse"})
        assert len(starts) == 1
        assert "password authentication failed" in said
        assert refused not in said
        assert "wrong-horse" not in said

    async def test_so_is_none_at_all(self, place: dict[str, str]) -> None:
        async with line_to(place["host"], int(place["port"])) as line:
            starts = counted(line, STARTUP)
            several = place | {"host": "127.0.0.1,127.0.0.1", "port": str(line.port), "passfile": "/dev/null"}
            said = await failure(several)
        assert len(starts) == 1
        assert "no password supplied" in said


class TestGivenUp:
    """A connect that is cancelled leaves nothing behind."""

    @pytest.mark.parametrize("sslmode", ["disable", "require"])
    async def test_no_socket_and_nobody_who_listens(
        self, silent: tuple[str, Silent], sslmode: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        port, there = silent
        loop = asyncio.get_running_loop()
        watched: list[int] = []
        for name, note in (("reader", watched.append), ("writer", watched.append)):
            _noting(loop, f"add_{name}", note)
            _noting(loop, f"remove_{name}", watched.remove)
        kept: list[object] = []
        truly = connecting._made

        async def keeping(connection: PGconn, poll: Callable[[], int]) -> bool:
            # Else the end of the last reference would close it.
            kept.append(connection)
            return await truly(connection, poll)

        monkeypatch.setattr(connecting, "_made", keeping)
        trying = asyncio.create_task(connect({"host": "127.0.0.1", "port": port, "sslmode": sslmode}))
        await asyncio.wait_for(there.heard.wait(), 5)
        assert len(watched) == 1
        trying.cancel()
        with pytest.raises(asyncio.CancelledError):
            await trying
        assert watched == []
        await asyncio.wait_for(there.over.wait(), 5)
        assert len(kept) == 1


def _noting(loop: asyncio.AbstractEventLoop, method: str, note: Callable[[int], None]) -> None:
    truly = getattr(loop, method)

    def noted(number: int, *rest: Any) -> Any:
        note(number)
        return truly(number, *rest)

    setattr(loop, method, noted)


async def slept(link: Link) -> str:
    """What became of a statement that takes long."""
    try:
        await link.run("select pg_sleep(60)", silence=30)
    except StatementError as error:
        return error.sqlstate
    return ""


async def until(database: Database, active: int) -> None:
    """Wait until so many of these statements are at work in the database."""
    asked = "select count(*) from pg_stat_activity where state = 'active' and query = 'select pg_sleep(60)' "
    asked += "and datname = current_database()"
    await asyncio.to_thread(wait_for, lambda: ask(database.admin_dsn, asked) == [(active,)])


QUERY_CANCELED = "57014"


class TestCancelling:
    """The server is asked to stop, over a connection of its own."""

    @both
    async def test_a_statement_ends_and_the_line_lives(self, database: Database) -> None:
        link = Link(resolve(database.dsn, environ={}))
        await link.open()
        statement = asyncio.create_task(slept(link))
        await until(database, 1)
        await link.cancel()
        assert await asyncio.wait_for(statement, 10) == QUERY_CANCELED
        assert (await link.run("select 1")).value == "1"
        await link.close()

    @real
    async def test_so_it_does_by_an_older_libpq(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        """Which has but one way, and that blocks: other tasks go on meanwhile."""
        monkeypatch.setattr(pq, "version", lambda: 150_013)
        monkeypatch.setattr(connecting, "_cancel", None)
        await self.test_a_statement_ends_and_the_line_lives(database)

    @both
    async def test_closing_stops_what_runs(self, database: Database) -> None:
        link = Link(resolve(database.dsn, environ={}))
        await link.open()
        statement = asyncio.create_task(slept(link))
        await until(database, 1)
        await link.close()
        statement.cancel()
        await asyncio.wait([statement])
        await until(database, 0)

    @real
    async def test_a_request_that_nobody_answers_has_an_end(self, place: dict[str, str]) -> None:
        async with line_to(place["host"], int(place["port"])) as line:
            pgconn = await connect(place | {"port": str(line.port)})

            async def hold(chunk: Chunk) -> Fate:
                return Fate.HOLD if chunk.data[4:8] == CANCEL else Fate.PASS

            line.decide = hold
            with pytest.raises(Error, match="did not get through in time"):
                await cancel(pgconn, 0.3)
            line.cut()
            pgconn.finish()

    @real
    async def test_a_server_that_has_gone_is_said(self, place: dict[str, str]) -> None:
        async with line_to(place["host"], int(place["port"])) as line:
            pgconn = await connect(place | {"port": str(line.port)})
        with pytest.raises(Error, match="refused"):
            await cancel(pgconn, 5)
        pgconn.finish()


@real
async def test_a_link_says_what_the_connection_is(database: Database) -> None:
    link = Link(resolve(database.dsn, environ={}))
    assert link.reached.startup_pid == 0
    await link.open()
    assert (await link.run("select pg_backend_pid()")).value == str(link.reached.startup_pid)
    assert link.is_open
    await link.close()
    assert (link.is_open, link.reached.startup_pid, link.unsent) == (False, 0, 0)
    await link.close()


def test_a_target_gives_what_connect_takes() -> None:
    """Numbers among its parameters are written out."""
    target = Target({"host": "127.0.0.1", "dbname": "x y"}, source="", read_only=False)
    assert b"dbname='x y'" in conninfo(target.parameters("patchdeck"))
    assert b"tcp_user_timeout='15000'" in conninfo(target.parameters("patchdeck"))
