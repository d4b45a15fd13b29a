"""The driver, as much of it as we use: libpq's calls and the errors they raise.

`import psycopg` takes 110 to 180 ms, a glance waits for it, and more than half of that is for types, cursors and
connections that nothing here needs. `psycopg.pq` and `psycopg.errors` stand alone but for the names of their packages:
they are loaded with these left empty. Whoever imports or uses the packages later completes them by that
(`importlib.util.LazyLoader`), around the very same modules.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import LazyLoader, find_spec, module_from_spec


@contextmanager
def unexecuted(name: str) -> Iterator[None]:
    """Inside the context, what is in the package `name` can be imported without what its `__init__` does; afterwards
    the package completes itself at its first use. Does nothing where it is loaded already or does not exist.

    When the context ends by an error the package is as if it had not been touched, but for its loaded modules.
    """
    spec = None if name in sys.modules else find_spec(name)
    if spec is None or spec.loader is None:
        yield
        return
    spec.loader = LazyLoader(spec.loader)
    sys.modules[name] = package = module_from_spec(spec)
    try:
        yield
    except BaseException:
        del sys.modules[name]
        raise
    spec.loader.exec_module(package)


try:
    with ExitStack() as packages:
        for _name in ("psycopg", "psycopg_binary"):
            packages.enter_context(unexecuted(_name))
        from psycopg import pq
        from psycopg.errors import Error, OperationalError
        from psycopg.pq.abc import PGcancelConn, PGconn, PGresult
except (ImportError, AttributeError):
    # A version whose parts do not stand alone any more.
    from psycopg import Error, OperationalError, pq
    from psycopg.pq.abc import PGcancelConn, PGconn, PGresult

__all__ = ["Error", "OperationalError", "PGcancelConn", "PGconn", "PGresult", "pq"]
