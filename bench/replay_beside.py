"""A replay into a handler beside live events of the same orders, with and without it in turns.

    python -m bench.replay_beside --rate 50

200 live events a second of 500 orders, whose stored events are replayed meanwhile. Says how long it
took from the publish to the start of the handler, and how often two runs of an order overlapped.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import structlog

from bench.machine import describe
from receiver.bus.connection import Connection
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read.filters import Filters
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.event import Event
from receiver.worker.interface import Context
from receiver.worker.routing import Router
from schemas.events import OrderCreated
from tests.replay.place import Place
from tests.worker.conftest import Bench

LIVE_PER_S = 200
ORDERS = 500
STORED = 50_000
TURNS = 3
WORK_S = 0.005
"""What a run takes, as one that waits for a database."""


class Shop:
    """A handler that notes when it begins, and whether its order runs already."""

    def __init__(self) -> None:
        self.router = Router()
        self.router.on(OrderCreated)(self.ship)
        self.waited_ms: list[float] = []
        self.replayed = self.overlaps = 0
        self._running: Counter[str] = Counter()

    async def ship(self, event: Event[OrderCreated], ctx: Context) -> None:
        order = event.order_id or ""
        self.overlaps += self._running[order]
        self._running[order] += 1
        if event.replay is None:
            self.waited_ms.append(1000 * (time.time() - float(event.data.order_no or 0)))
        else:
            self.replayed += 1
        await asyncio.sleep(WORK_S)
        self._running[order] -= 1


def created(number: int) -> OrderCreated:
    return OrderCreated(channel="1688", order_id=str(number % ORDERS), order_no=str(time.time()))


async def live(bench: Bench, shop: Shop, seconds: float) -> Sequence[float]:
    """The sorted times of the live events of one turn, in ms."""
    shop.waited_ms.clear()
    loop, tasks = asyncio.get_running_loop(), []
    began, count = loop.time(), int(seconds * LIVE_PER_S)
    for number in range(count):
        await asyncio.sleep(max(0.0, began + number / LIVE_PER_S - loop.time()))
        tasks.append(asyncio.create_task(bench.store(created(number))))
    await asyncio.gather(*tasks)
    while len(shop.waited_ms) < count:
        await asyncio.sleep(0.05)
    return sorted(shop.waited_ms)


async def main(rate: float, seconds: float) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    with tempfile.TemporaryDirectory() as directory:
        config = EmbeddedServerConfig(data_dir=Path(directory), port=0, sync_always=False)
        async with EmbeddedServer(config) as server:
            print(describe(Path(directory)))
            await measure(server.url, rate, seconds)


async def measure(url: str, rate: float, seconds: float) -> None:
    subjects = Subjects()
    connection = Connection(url, plans(subjects, [timedelta(hours=2)]))
    await connection.start(patience_s=30)
    publisher, shop = GroupCommitPublisher(connection, timeout_s=60), Shop()
    bench = Bench(connection, publisher, subjects)
    place = Place(connection, publisher, subjects, shop.router.handlers)
    await place.store.ensure()
    for start in range(0, STORED, 200):
        await bench.store(*map(created, range(start, start + 200)))
    worker = await bench.work(shop.router, as_they_say=True)
    await live(bench, shop, 2)
    plan = await place.plan(
        "beside",
        targets=["handler:ship"],
        filters=Filters(event_type="order.created"),
        rate=rate,
    )
    for _ in range(TURNS):
        for beside in (False, True):
            before = shop.replayed
            if beside:
                await place.runs.begin(await place.runs.of("beside"), here=False)
            times = await live(bench, shop, seconds)
            if beside:
                await place.runs.interrupt(plan)
            p50, p99 = times[len(times) // 2], times[len(times) * 99 // 100]
            name = "beside a replay" if beside else "alone"
            print(
                f"{name:15}  p50 {p50:6.1f} ms  p99 {p99:6.1f} ms"
                f"  {(shop.replayed - before) / seconds:4.0f} replayed a second",
                flush=True,
            )
    print(f"{shop.overlaps} overlaps of runs of one order")
    await worker.stop()
    await place.store.stop()
    await publisher.stop()
    await connection.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=15.0)
    given = parser.parse_args()
    asyncio.run(main(given.rate, given.seconds))
