"""Where the database is: connection parameters from a DSN, the environment or libpq's own sources, with secrets kept
in.
"""

from __future__ import annotations

import getpass
import ipaddress
import re
from collections.abc import Mapping

from psycopg import ProgrammingError, pq
from psycopg.conninfo import conninfo_to_dict

from tui.core.deck import Destination
from tui.core.text import redact, visible

DSN_VARIABLES = ("PATCHDECK_DSN", "SUPABASE_DB_URL", "DATABASE_URL")
"""Looked up in this order when no DSN is given; after them libpq's PG* variables and service file (design/cli.md)."""

CONNECT_TIMEOUT = 8
"""Seconds; a script gets its answer within 10. A DSN's own `connect_timeout` wins: a pooler that can not reach its
database answers only after up to 15 s (facts: migrations B4)."""


class TargetError(Exception):
    """A target that can not be understood; `str()` is one clean line without secrets."""


class Target:
    """Connection parameters of one database. Its repr and str never hold a secret."""

    def __init__(self, parameters: Mapping[str, str], *, source: str, read_only: bool) -> None:
        self._parameters = dict(parameters)
        self.source = source
        self.read_only = read_only
        self.destination = _destination(self._parameters, read_only)

    def __repr__(self) -> str:
        place = self.destination
        return f"Target({place.user}@{place.host}:{place.port}/{place.database}, from {self.source})"

    @property
    def name(self) -> str:
        """How the target is called on screens: its host, or `local` with the database for a socket."""
        return self.destination.name

    @property
    def tls_mode(self) -> str:
        """The sslmode in force, e.g. `require`."""
        return str(self.parameters("").get("sslmode") or _default("sslmode") or "prefer")

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
            merged["sslmode"] = "require"
        return merged


def resolve(dsn: str | None, *, environ: Mapping[str, str], read_only: bool = False) -> Target:
    """The target named by `dsn`, else by the first of DSN_VARIABLES in `environ`, else by libpq's own sources.

    Raises TargetError when the text is no DSN.
    """
    text, source = dsn, "--dsn"
    if text is None:
        source = next((name for name in DSN_VARIABLES if environ.get(name)), "the PG* environment")
        text = environ.get(source, "")
    try:
        parameters = {key: str(value) for key, value in conninfo_to_dict(text).items() if value is not None}
    except ProgrammingError as error:
        # libpq quotes the piece it stumbled over, which in a mistyped DSN is where the password stands.
        reason = re.sub(r'(?<!=)"(?!=").*"', '"..."', redact(visible(str(error).strip())))
        raise TargetError(f"{source}: not a connection string: {reason}") from None
    return Target(parameters, source=source, read_only=read_only)


def _default(keyword: str) -> str:
    """What libpq itself would use for a parameter that is not given: environment, service file, built-in ("" if
    none).
    """
    for option in pq.Conninfo.get_defaults():
        if option.keyword.decode() == keyword and option.envvar:
            return (option.val or b"").decode(errors="replace") if keyword != "sslmode" else _from_environment(option)
    return ""


def _from_environment(option: pq.ConninfoOption) -> str:
    """An option's value only when it is not libpq's built-in one: `sslmode` is compiled in as `prefer`."""
    value = (option.val or b"").decode(errors="replace")
    return "" if value == (option.compiled or b"").decode(errors="replace") else value


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
