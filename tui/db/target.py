"""Where the database is: connection parameters from a DSN, the environment or libpq's own sources, with secrets kept
in.
"""

from __future__ import annotations

import getpass
import ipaddress
import re
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from tui.core.deck import Destination, Environment
from tui.core.supabase_dsn import Supabase, advice, mistake, understand
from tui.core.text import redact, visible

DSN_VARIABLES = ("PATCHDECK_DSN", "SUPABASE_DB_URL", "DATABASE_URL")
"""Looked up in this order when no DSN is given; after them libpq's PG* variables and service file (design/cli.md)."""

CONNECT_TIMEOUT = 8
"""Seconds; a script gets its answer within 10. A DSN's own `connect_timeout` wins: a pooler that can not reach its
database answers only after up to 15 s (facts: migrations B4)."""


class TargetError(Exception):
    """A target that can not be understood; `str()` is one clean line without secrets."""


class Target:
    """Connection parameters of one database. Its repr and str never hold a secret.

    `ask` gives a password when the server wants one and none is known; it may block until somebody has typed it.
    """

    def __init__(
        self,
        parameters: Mapping[str, str],
        *,
        source: str,
        read_only: bool,
        name: str = "",
        environment: Environment | None = None,
    ) -> None:
        self._parameters = dict(parameters)
        self.source = source
        self.read_only = read_only
        self.ask: Callable[[], str] | None = None
        place = _destination(self._parameters, read_only)
        self.destination = replace(place, name=name or place.name, stated=environment)

    def __repr__(self) -> str:
        place = self.destination
        return f"Target({place.user}@{place.host}:{place.port}/{place.database}, from {self.source})"

    @property
    def name(self) -> str:
        """How the target is called on screens: its host, or `local` with the database for a socket."""
        return self.destination.name

    @property
    def door(self) -> tuple[str, int] | None:
        """The one TCP host and port that connections go to; None for a socket, and for several hosts, of which libpq
        takes the first that answers.
        """
        host = next(filter(None, (self._parameters.get(key) or _default(key) for key in ("hostaddr", "host"))), "")
        return None if not host or "," in host or host.startswith(("/", "@")) else (host, self.destination.port)

    @property
    def tls_mode(self) -> str:
        """The sslmode in force, e.g. `require`."""
        return str(self.parameters("").get("sslmode") or _default("sslmode") or "prefer")

    @property
    def has_password(self) -> bool:
        """Whether the DSN, the environment, a service file or .pgpass gives a password, by libpq's own rules.

        libpq looks into .pgpass under `host` even where `hostaddr` says where to go (PostgreSQL manual, 34.16), and
        does so before it waits for anybody: nothing leaves this machine.
        """
        from tui.db.libpq import has_password

        known: dict[str, str | int] = {
            key: value for key, value in self._parameters.items() if key not in ("hostaddr", "sslmode")
        }
        if not str(known.get("host") or _default("host") or "/").startswith("/"):
            known["hostaddr"] = ",".join("127.0.0.1" for _ in str(known.get("host") or _default("host")).split(","))
        return has_password(known)

    def give_password(self, password: str) -> None:
        """Use `password` for every connection from now on."""
        self._parameters["password"] = password

    def supply(self, tried: Mapping[str, str | int]) -> bool:
        """Whether there is a password that the parameters `tried` lacked. Asks for it, once in a target's life."""
        if self.ask is not None and "password" not in self._parameters:
            ask, self.ask = self.ask, None
            self.give_password(ask())
        return "password" in self._parameters and "password" not in tried

    def parameters(self, application: str) -> dict[str, str | int]:
        """Keyword parameters for psycopg's connect; holds the password when the DSN did.

        `options` is emptied so that PGOPTIONS never reaches a pooler: PgBouncer refuses it and Supavisor drops it
        without a word (facts: migrations A3). TLS is required for anything that is not local unless the DSN says
        otherwise.
        """
        given = self._parameters
        merged: dict[str, str | int] = {
            "connect_timeout": CONNECT_TIMEOUT,
            "options": "",
            "gssencmode": "disable",
            "keepalives_idle": 5,
            "keepalives_interval": 2,
            "keepalives_count": 3,
            "tcp_user_timeout": 15_000,
            **given,
            "client_encoding": "UTF8",
            "application_name": application,
        }
        if not self.destination.local and "sslmode" not in given and not _default("sslmode"):
            merged["sslmode"] = "verify-full" if self._root_certificate else "require"
        return merged

    @property
    def tls_verified(self) -> bool:
        """Whether a server with another certificate would be refused. With a root certificate libpq's `require` is
        `verify-ca` (PostgreSQL manual, 34.19.1).
        """
        return self.tls_mode in ("verify-ca", "verify-full") or (
            self.tls_mode == "require" and bool(self._root_certificate)
        )

    @property
    def supabase(self) -> Supabase | None:
        """What the address says where it is Supabase's."""
        place = self.destination
        return understand(place.host, place.port, place.user, self._parameters.get("options", ""))

    def mistake(self) -> str:
        """What does not go together in a Supabase address, "" where nothing is wrong or known."""
        return mistake(self.supabase, channel_binding=self._channel_binding) if self.supabase else ""

    def advice(self, message: str) -> str:
        """What the address has to do with the connection error `message`, "" when nothing is known."""
        return advice(self.supabase, message, channel_binding=self._channel_binding) if self.supabase else ""

    @property
    def _root_certificate(self) -> str:
        return self._parameters.get("sslrootcert") or _default("sslrootcert")

    @property
    def _channel_binding(self) -> str:
        return self._parameters.get("channel_binding") or _default("channel_binding")


def resolve(
    dsn: str | None,
    *,
    environ: Mapping[str, str],
    read_only: bool = False,
    source: str = "--dsn",
    name: str = "",
    environment: Environment | None = None,
) -> Target:
    """The target at `dsn` (which came from `source`), else at the first of DSN_VARIABLES in `environ`, else by libpq's
    own sources. A configured target brings its `name` and `environment`.

    Raises TargetError when the text is no DSN.
    """
    from tui.db.libpq import parameters_of, service

    text = dsn
    if text is None:
        source = next((name for name in DSN_VARIABLES if environ.get(name)), "the PG* environment")
        text = environ.get(source, "")
    try:
        parameters = parameters_of(text)
    except UnicodeEncodeError:
        # An argument or variable with bytes that are no UTF-8 reaches us with halves of surrogate pairs in it.
        raise TargetError(f"{source}: not a connection string: not UTF-8") from None
    except ValueError as error:
        # libpq quotes the piece it stumbled over, which in a mistyped DSN is where the password stands.
        reason = re.sub(r'(?<!=)"(?!=").*"', '"..."', redact(visible(str(error).strip())))
        raise TargetError(f"{source}: not a connection string: {reason}") from None
    parameters = service(parameters.get("service", "")) | parameters
    return Target(parameters, source=source, read_only=read_only, name=name, environment=environment)


def _default(keyword: str) -> str:
    """As `libpq.default`; loaded when it is asked, as a target that another process has found needs no more of it."""
    from tui.db.libpq import default

    return default(keyword)


def _destination(parameters: Mapping[str, str], read_only: bool) -> Destination:
    user = parameters.get("user") or _default("user") or getpass.getuser()
    host = parameters.get("host") or parameters.get("hostaddr") or _default("host") or _default("hostaddr")
    database = parameters.get("dbname") or _default("dbname") or user
    port = (parameters.get("port") or _default("port") or "5432").split(",")[0]
    first = host.split(",")[0]
    local = _is_local(first)
    return Destination(
        name=visible(first) if first and not first.startswith("/") else "local",
        host=visible(first) or "local socket",
        port=int(port) if port.isdigit() else 5432,
        database=visible(database),
        user=visible(user),
        local=local,
        read_only=read_only,
    )


def _is_local(host: str) -> bool:
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
