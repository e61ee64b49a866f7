"""How long plans take, and how fast a replay to a file is beside a bare ordered consumer.

    nice python -m bench.replaying --events 100000

The log is that of `bench.look_log`, on a server that syncs lazily, below a temporary directory. The
latest 10,000 events are planned by time. Memory is the highest of this process.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench.look_log import AN_ORDER, SUBJECTS, connected, fill, order_id
from bench.machine import describe
from receiver.bus.connection import Connection
from receiver.bus.read.filters import Filters
from receiver.bus.state.store import StateStore
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.replay.plan import Planning, Wish
from receiver.replay.replay import replay
from receiver.replay.sinks.file import FileSink
from receiver.worker.replaying.frozen import Frozen
from receiver.worker.replaying.record import ReplayRecord
from receiver.worker.replaying.store import Replays


async def planned(connection: Connection, **filters: Any) -> tuple[ReplayRecord, float]:
    store = StateStore(connection, SUBJECTS)
    await store.ensure()
    planning = Planning(Replays(store, connection, SUBJECTS), (), clock=lambda: datetime.now(UTC))
    began = time.perf_counter()
    wish = Wish(targets=["file:-"], filters=Filters(**filters))
    record = await planning.freeze("bench", wish, "bench")
    took_s = time.perf_counter() - began
    await store.stop()
    return record, took_s


async def to_file(connection: Connection, record: ReplayRecord, file: Path) -> float:
    began = time.perf_counter()
    frozen = Frozen.of(record, "file:-", SUBJECTS)
    with FileSink(file, stdout=io.StringIO(), force=True) as sink:
        await replay(connection, SUBJECTS.stream, frozen, sink)
    return time.perf_counter() - began


async def bare(connection: Connection, count: int) -> float:
    jetstream = connection.jetstream
    began = time.perf_counter()
    reading = await jetstream.subscribe(
        SUBJECTS.all_events, stream=SUBJECTS.stream, ordered_consumer=True
    )
    for _ in range(count):
        await reading.next_msg(timeout=60)
    took_s = time.perf_counter() - began
    await reading.unsubscribe()
    return took_s


async def main(events: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        config = EmbeddedServerConfig(data_dir=Path(directory), port=0, sync_always=False)
        server = EmbeddedServer(config)
        await server.start()
        try:
            async with connected(server.url) as connection:
                orders = events // AN_ORDER
                await fill(server.url, 0, orders - 2_000, processes=2)
                hour = datetime.now(UTC)
                await fill(server.url, orders - 2_000, orders, processes=2)
                print(describe(Path(directory)))
                await measure(connection, hour, orders, Path(directory) / "out.jsonl")
        finally:
            await server.stop()


async def measure(connection: Connection, hour: datetime, orders: int, file: Path) -> None:
    _, order_s = await planned(connection, order_id=order_id(orders // 2))
    recent, hour_s = await planned(connection, since=hour)
    every, all_s = await planned(connection)
    print(f"plan of one order      {order_s:.2f} s")
    print(f"plan of the latest     {hour_s:.2f} s  ({recent.count:,} events)")
    print(f"plan of everything     {all_s:.2f} s  ({every.count:,} events)")
    for _ in range(2):
        replay_s, bare_s = (
            await to_file(connection, every, file),
            await bare(connection, every.count),
        )
        print(
            f"replay to a file {every.count / replay_s:,.0f}/s, "
            f"bare ordered consumer {every.count / bare_s:,.0f}/s"
        )
    mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory at most {mib:,.0f} MiB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=100_000)
    asyncio.run(main(parser.parse_args().events))
