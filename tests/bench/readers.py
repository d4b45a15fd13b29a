"""Busy readers as a process of their own: the worst that any of them waited, in milliseconds."""

from __future__ import annotations

import sys
import threading
from time import perf_counter

import psycopg


def read(dsn: str, query: str, stop: threading.Event, worst: list[float]) -> None:
    """Run `query` again and again until `stop`; appends the longest it took, in seconds."""
    longest = 0.0
    with psycopg.connect(dsn, autocommit=True, prepare_threshold=None) as connection:
        while not stop.is_set():
            began = perf_counter()
            connection.execute(query.encode()).fetchall()
            longest = max(longest, perf_counter() - began)
            # A user, not a load test: the server is to have time for others.
            stop.wait(0.002)
    worst.append(longest)


def main() -> None:
    """Arguments: DSN, then one query a reader. Says `ready`, reads until standard input ends."""
    dsn, *queries = sys.argv[1:]
    stop, worst = threading.Event(), list[float]()
    threads = [threading.Thread(target=read, args=(dsn, query, stop, worst)) for query in queries]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    print(max(worst) * 1000)


if __name__ == "__main__":
    main()
