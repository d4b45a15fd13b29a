"""Busy readers as a process of their own: the worst that any of them waited, in milliseconds."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from time import perf_counter

import psycopg


class Reader(threading.Thread):
    """Runs one query again and again until told to stop."""

    def __init__(self, dsn: str, query: str) -> None:
        super().__init__()
        self._dsn, self._query = dsn, query
        self._over = threading.Event()
        self._began: float | None = None
        self._worst = 0.0

    def run(self) -> None:
        with psycopg.connect(self._dsn, autocommit=True, prepare_threshold=None) as connection:
            while not self._over.is_set():
                self._began = perf_counter()
                connection.execute(self._query.encode()).fetchall()
                self._worst, self._began = max(self._worst, perf_counter() - self._began), None
                # A user, not a load test: the server is to have time for others.
                self._over.wait(0.002)

    def stop(self) -> None:
        """End after the query that is running."""
        self._over.set()
        self.join()

    def worst(self) -> float:
        """The longest in seconds since the last call, what is still being waited for included."""
        began, worst = self._began, self._worst
        self._worst = 0.0
        return worst if began is None else max(worst, perf_counter() - began)


def tell(readers: Sequence[Reader]) -> None:
    """Print the worst of all."""
    print(max(reader.worst() for reader in readers) * 1000, flush=True)


def main() -> None:
    """Arguments: DSN, then one query a reader. Says `ready`; answers every line on standard input, and its end, with
    the worst wait since the last answer.
    """
    dsn, *queries = sys.argv[1:]
    readers = [Reader(dsn, query) for query in queries]
    for reader in readers:
        reader.start()
    print("ready", flush=True)
    for _ in sys.stdin:
        tell(readers)
    for reader in readers:
        reader.stop()
    tell(readers)


if __name__ == "__main__":
    main()
