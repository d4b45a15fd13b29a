"""How a database that is not on this machine is reached: TLS or nothing, and Supabase addresses that are understood."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.cli.support import patchdeck
from tests.support import MakeDatabase
from tui.db.batch import StatementError
from tui.db.link import Link
from tui.db.target import resolve

HOST = "db.example.test"
REF = "abcdefghijklmnopqrst"


@dataclass(frozen=True, slots=True)
class Certified:
    """A certificate for HOST that signed itself, with its key."""

    certificate: Path
    key: Path


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Certified:
    folder = tmp_path_factory.mktemp("tls")
    made = Certified(folder / "server.crt", folder / "server.key")
    subject = ["-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"]
    files = ["-keyout", str(made.key), "-out", str(made.certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    return made


class TlsEnd:
    """Speaks TLS as PostgreSQL does (answer S to SSLRequest, then the handshake) and hands on to a server in clear.

    The embedded server is built without TLS.
    """

    def __init__(self, certified: Certified, port: int) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certified.certificate, certified.key)
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            if client.recv(8)[4:] != b"\x04\xd2\x16\x2f":  # 80877103, SSLRequest: no other door is open here
                return
            client.sendall(b"S")
            with (
                self._context.wrap_socket(client, server_side=True) as secured,
                socket.create_connection(("127.0.0.1", self._server_port)) as server,
            ):
                threading.Thread(target=_copy, args=(server, secured), daemon=True).start()
                _copy(secured, server)


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def secured(make_database: MakeDatabase, certified: Certified) -> Iterator[str]:
    """The DSN of a legacy database behind TLS, under a name that is not local; no sslmode."""
    place = psycopg.conninfo.conninfo_to_dict(make_database("legacy").dsn)
    end = TlsEnd(certified, int(place["port"]))
    rest = f"host={HOST} hostaddr=127.0.0.1 port={end.port} user={place['user']} dbname={place['dbname']}"
    with psycopg.connect(**place) as connection:
        yield f"{rest} password={connection.info.password}"
    end.close()


on_one_server = [
    pytest.mark.parametrize("cluster", ["pg18"], indirect=True),
    pytest.mark.parametrize("route", ["direct"]),
]


class TestTls:
    """TLS is on for whatever is not local, verified where there is something to verify it with, and told plainly."""

    pytestmark = on_one_server

    def test_it_is_on_and_said_not_to_be_verified(self, secured: str) -> None:
        found = patchdeck("status", "--json", dsn=secured)
        assert found.code == 1
        said = found.json["target"]
        assert (said["tls"], said["tls_verified"], said["environment"]) == ("require", False, "production")
        assert "server not verified" in patchdeck("status", dsn=secured).out
        checks = {check["name"]: check for check in patchdeck("doctor", "--json", dsn=secured).json["checks"]}
        assert checks["encryption"]["level"] == "warn"
        assert "was not verified" in checks["encryption"]["meaning"]
        assert "verify-full" in checks["encryption"]["remedy"]

    @pytest.mark.parametrize("by", ["dsn", "environment"])
    def test_a_root_certificate_is_used_to_the_full(self, secured: str, certified: Certified, by: str) -> None:
        root = str(certified.certificate)
        dsn, env = (f"{secured} sslrootcert={root}", {}) if by == "dsn" else (secured, {"PGSSLROOTCERT": root})
        said = patchdeck("status", "--json", dsn=dsn, env=env).json["target"]
        assert (said["tls"], said["tls_verified"]) == ("verify-full", True)
        # The same certificate under another name, or another certificate under this name, is refused.
        assert patchdeck("status", dsn=dsn.replace(HOST, "db.example.org"), env=env).code == 3

    async def test_what_asks_to_cancel_is_encrypted_too(self, secured: str) -> None:
        """Nothing else gets through to this server."""
        link = Link(resolve(secured, environ={}))
        await link.open()
        assert link.reached.tls == "require"
        statement = asyncio.create_task(link.run("select pg_sleep(60)", silence=30))
        while not statement.done():
            await link.cancel()
            await asyncio.wait([statement], timeout=0.1)
        with pytest.raises(StatementError) as stopped:
            await statement
        assert stopped.value.sqlstate == "57014"
        await link.close()

    def test_another_certificate_is_refused(self, secured: str, tmp_path: Path) -> None:
        other = tmp_path / "other.crt"
        subject = ["-subj", f"/CN={HOST}", "-keyout", str(tmp_path / "other.key"), "-out", str(other)]
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject],
            check=True,
            capture_output=True,
        )
        ran = patchdeck("status", dsn=f"{secured} sslrootcert={other}")
        assert (ran.code, "not signed by sslrootcert" in ran.err) == (3, True)

    def test_a_server_without_tls_is_not_spoken_to(self, make_database: MakeDatabase) -> None:
        place = psycopg.conninfo.conninfo_to_dict(make_database("legacy").dsn)
        dsn = f"host={HOST} hostaddr=127.0.0.1 port={place['port']} user=postgres dbname={place['dbname']}"
        ran = patchdeck("status", dsn=dsn)
        assert (ran.code, "does not support SSL" in ran.err) == (3, True)

    def test_a_service_is_looked_up_before_it_is_trusted(self, secured: str, tmp_path: Path) -> None:
        """Where it leads is in a file that libpq reads: what is not local there must be encrypted too."""
        service = tmp_path / "service.conf"
        service.write_text("[shop]\n" + secured.replace(" ", "\n") + "\n", encoding="utf-8")
        said = patchdeck("status", "--json", "--dsn", "service=shop", env={"PGSERVICEFILE": str(service)})
        assert (said.json["target"]["host"], said.json["target"]["tls"]) == (HOST, "require")
        unknown = patchdeck("status", "--dsn", "service=nowhere", env={"PGSERVICEFILE": str(service)})
        assert (unknown.code, "nowhere" in unknown.err) == (3, True)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("postgres@aws-0-us-east-1.pooler.supabase.com:6543", "postgres.YOURPROJECT, not postgres"),
        (f"postgres.{REF}@db.{REF}.supabase.co:5432", "the user is postgres here"),
        (f"postgres@db.{REF}.supabase.co:6543", "is the direct connection"),
        (f"postgres@{REF}.supabase.co:5432", "is the project's API"),
    ],
)
def test_a_wrong_supabase_address_is_explained(place: str, says: str) -> None:
    # A loopback address that nothing listens on; libpq goes where hostaddr says, whatever the name.
    ran = patchdeck("status", dsn=f"postgresql://{place}/postgres?hostaddr=127.9.9.9")
    assert (ran.code, len(ran.err.splitlines())) == (3, 1)
    assert says in ran.err
