"""What libpq says without a server: what a connection string means, what it would take where one says nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping

from tui.db.driver import OperationalError, pq


def parameters_of(text: str) -> dict[str, str]:
    """The parameters that a connection string gives. Raises UnicodeEncodeError, and ValueError with libpq's words."""
    try:
        options = pq.Conninfo.parse(text.encode())
    except OperationalError as error:
        raise ValueError(str(error)) from None
    return {option.keyword.decode(): option.val.decode() for option in options if option.val is not None}


def conninfo(parameters: Mapping[str, str | int]) -> bytes:
    """A connection string of `parameters`, as libpq takes it; the passwords among them are in it."""
    quoted = ((key, str(value).replace("\\", "\\\\").replace("'", "\\'")) for key, value in parameters.items())
    return " ".join(f"{key}='{value}'" for key, value in quoted).encode()


def has_password(parameters: Mapping[str, str | int]) -> bool:
    """Whether libpq knows a password for these: it looks into .pgpass before it waits for anybody."""
    connection = pq.PGconn.connect_start(conninfo(parameters))
    try:
        return bool(connection.password)
    finally:
        connection.finish()


def default(keyword: str) -> str:
    """What libpq itself would use for a parameter that is not given: environment, service file, built-in ("" if
    none).
    """
    for option in pq.Conninfo.get_defaults():
        if option.keyword.decode() == keyword and option.envvar:
            return (option.val or b"").decode(errors="replace") if keyword != "sslmode" else _from_environment(option)
    return ""


def stated() -> dict[str, str]:
    """What the environment, or the service file that it names, says where a connection string says nothing."""
    options = pq.Conninfo.get_defaults()
    return {option.keyword.decode(): value for option in options if (value := _from_environment(option))}


def service(name: str) -> dict[str, str]:
    """What the service file says under `name`: libpq would find it by itself, but where we go decides what we demand.

    libpq tells it only as the defaults of a process whose PGSERVICE is that name. A service that is not in any file is
    left to libpq, which has the words for it.
    """
    if not name:
        return {}
    plain, before = _defaults(), os.environ.get("PGSERVICE")
    os.environ["PGSERVICE"] = name
    try:
        return {keyword: value for keyword, value in _defaults().items() if plain.get(keyword) != value}
    finally:
        del os.environ["PGSERVICE"]
        if before is not None:
            os.environ["PGSERVICE"] = before


def _defaults() -> dict[str, str]:
    options = pq.Conninfo.get_defaults()
    return {option.keyword.decode(): option.val.decode(errors="replace") for option in options if option.val}


def _from_environment(option: pq.ConninfoOption) -> str:
    """An option's value only when it is not libpq's built-in one, as `prefer` is for `sslmode`."""
    value = (option.val or b"").decode(errors="replace")
    return "" if value == (option.compiled or b"").decode(errors="replace") else value
