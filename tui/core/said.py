"""What every output calls a check, the way to a server and the protection of the line: the same words everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tui.core.check import Check
    from tui.core.look import Server


def route(server: Server) -> str:
    """How the server is reached, in words."""
    return f"through a pooler ({server.mode} mode)" if server.pooled else "directly"


def tls(server: Server) -> str:
    """How the line is protected, in words."""
    if server.tls == "off":
        return "not encrypted"
    return f"encrypted ({server.tls}), server {'verified' if server.tls_verified else 'not verified'}"


def label(check: Check) -> str:
    """What a check is about: `policy readers on public.books`."""
    named = f"{check.object} {check.name}" if check.name else check.object
    return f"{named} on {check.table}" if check.table and check.table != check.name else named
