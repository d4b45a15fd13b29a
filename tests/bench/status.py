"""How long the glance takes from a cold start, beside psql: `python -m tests.bench.status`.

In every round, one after the other, so that a busy machine slows all alike: `psql -X -c 'select 1'` and `patchdeck
status`, each through a proxy of 0 and of 80 ms; medians of seconds, ratio and difference, and the round trips that the
proxy saw. The database carries the record of its apply. Goals: at 0 ms at most 0.35 s more than psql; on the line the
handshake and one round trip. `python -m compileall tui` before it measures what is installed: pip compiles what it
installs, a source tree that may not be written to is compiled anew by every start.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Sequence
from statistics import median
from time import monotonic

from tests.bench.many import FIRST, databases
from tests.cli.support import PATCHDECK, environment
from tests.faults.line import Line, line_to
from tui.demo.installation import embedded_installation
from tui.demo.server import Address


async def run(command: Sequence[str], dsn: str) -> float:
    """Seconds of one run of `command` with the target in its environment."""
    began = monotonic()
    process = await asyncio.create_subprocess_exec(
        *command, env=environment(dsn), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    code = await process.wait()
    if code:
        raise SystemExit(f"{command[0]} ended with {code}")
    return monotonic() - began


async def rounds(address: Address, number: int, line: Line) -> None:
    """Measure `number` rounds with the line's delay, and print."""
    dsn = address.dsn("postgres", FIRST).replace(f":{address.port}/", f":{line.port}/")
    psql = [os.fspath(embedded_installation().binaries / "psql"), "-X", "-c", "select 1", dsn]
    ways = {"psql": psql, "patchdeck status": [*PATCHDECK, "status"]}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    turns: dict[str, int] = {}
    for _ in range(number):
        for name, command in ways.items():
            before = line.turns
            seconds[name].append(await run(command, dsn))
            # The last turn is Terminate, which nobody answers and nobody waits for.
            turns[name] = line.turns - before - 1
    found = {name: median(values) for name, values in seconds.items()}
    for name, value in found.items():
        print(f"{line.rtt * 1000:3.0f} ms  {name:<17} {value:.3f} s  {turns[name]} round trips")
    ours, theirs = found["patchdeck status"], found["psql"]
    print(f"        {ours / theirs:.1f} times psql, {ours - theirs:+.3f} s")


async def measure(address: Address, number: int) -> None:
    """Both delays. At 0 ms a reply may meet the rest of a batch halfway, which counts as one round trip more."""
    for rtt in (0.0, 0.08):
        async with line_to("127.0.0.1", address.port, rtt=rtt) as line:
            await rounds(address, number, line)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with databases(1) as address:
        asyncio.run(measure(address, options.rounds))


if __name__ == "__main__":
    main()
