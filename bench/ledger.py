"""`python -m bench.ledger`: what it costs to claim an effect, and to store that it is done.

One process, a nats-server of its own that syncs every write, 1, 16 and 64 effects at once. A claim
is one write by compare-and-set before the body, done another one after it.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import uvloop

from bench.machine import describe
from receiver.bus.connection import Connection
from receiver.bus.state.store import StateStore
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.worker.effects.holders import BusHolders
from receiver.worker.effects.ledger import Asked, Ledger

AT_ONCE: Final = (1, 16, 64)
GOAL_MS: Final = 1.0
"""The median of a claim alone."""
_KEPT: Final = timedelta(days=90)
_BODY: Final = timedelta(minutes=5)


@dataclass
class Times:
    """How long each claim and each end took, in seconds, and all of them together."""

    claimed: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    whole: float = 0.0


async def _one(ledger: Ledger, fact: str, times: Times) -> None:
    asked = Asked("bench", None, "notify", fact, f"{fact}.0", "order.created", "1", 1, _BODY)
    began = time.perf_counter()
    claim = await ledger.open(asked, None)
    times.claimed.append(time.perf_counter() - began)
    began = time.perf_counter()
    await ledger.close(claim, "done", result={"parcel": 17})
    times.done.append(time.perf_counter() - began)


async def _at_once(ledger: Ledger, at_once: int, effects: int) -> Times:
    times, began = Times(), time.perf_counter()

    async def lane(number: int) -> None:
        for n in range(number, effects, at_once):
            await _one(ledger, f"{at_once}-{n}-{began}", times)

    await asyncio.gather(*(lane(number) for number in range(at_once)))
    times.whole = time.perf_counter() - began
    return times


async def _measure(url: str, effects: int) -> dict[int, Times]:
    subjects = Subjects()
    connection = Connection(url, plans(subjects, []))
    await connection.start(patience_s=30)
    store = StateStore(connection, subjects)
    await store.ensure()
    holders = BusHolders([connection], subjects, sleep=asyncio.sleep)
    ledger = Ledger(store, holders, clock=lambda: datetime.now(UTC), kept=_KEPT)
    try:
        await _at_once(ledger, 16, 200)  # warm
        return {n: await _at_once(ledger, n, effects) for n in AT_ONCE}
    finally:
        await ledger.stop()
        await store.stop()
        await connection.stop()


def _row(at_once: int, times: Times) -> str:
    claim, done = (
        (statistics.median(of) * 1000, statistics.quantiles(of, n=100)[98] * 1000)
        for of in (times.claimed, times.done)
    )
    rate = len(times.claimed) / times.whole
    return (
        f"{at_once:7} {claim[0]:10.2f} {claim[1]:9.2f} {done[0]:9.2f} {done[1]:9.2f} {rate:10,.0f}"
    )


async def _main(effects: int) -> int:
    with tempfile.TemporaryDirectory() as directory:
        config = EmbeddedServerConfig(data_dir=Path(directory), port=0, sync_always=True)
        async with EmbeddedServer(config) as server:
            found = await _measure(server.url, effects)
        print(describe(Path(directory)))
    print("at once  claim p50  p99 (ms)  done p50  p99 (ms)  effects/s")
    for at_once, times in found.items():
        print(_row(at_once, times))
    met = statistics.median(found[1].claimed) * 1000 < GOAL_MS
    print(f"a claim alone under {GOAL_MS:g} ms at the median: {'met' if met else 'NOT met'}")
    return 0 if met else 1


def main() -> int:
    """Print the table; 1 where a claim alone takes longer than its goal."""
    parser = argparse.ArgumentParser(prog="python -m bench.ledger", description=__doc__)
    parser.add_argument("--effects", type=int, default=2000, help="of each run")
    return uvloop.run(_main(parser.parse_args().effects))


if __name__ == "__main__":
    raise SystemExit(main())
