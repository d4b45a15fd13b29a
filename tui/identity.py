"""Who runs this, from where: what the ledger, the report and other sessions' activity lists say of a run."""

from __future__ import annotations

import getpass
import socket


def operator() -> str:
    """The name of the person at this terminal, "" when the system knows none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have no entry in the password file and nothing in the environment.
        return ""


def client_host() -> str:
    """The name of this machine."""
    return socket.gethostname()
