"""How long looking takes, and how much memory, by how much is stored.

    nice python -m bench.look --events 10000 --events 1000000

The log is that of `bench.look_log`, on a server that syncs lazily, below a temporary directory.
Each figure is of a command of its own, `python -m receiver …`, so it holds the start of the
interpreter, too; `inside` is the same within one process.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.look_log import AN_ORDER, SUBJECTS, bury, connected, fill, order_id, waybill
from bench.machine import describe
from receiver.bus.connection import Connection
from receiver.bus.read.filters import Filters
from receiver.bus.state.store import StateStore
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.operations.handlers import HandlerOperations
from receiver.operations.look.archive import Archive
from receiver.operations.look.numbers import indexed
from receiver.operations.look.order_life import order_life
from receiver.operations.look.status import Place, status
from receiver.operations.repair.letters import Letters

LETTERS = 10_000
REPEATS = 3
COMMAND = """
import atexit, re, sys
from pathlib import Path

from receiver.cli import main

def memory():
    print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1], file=sys.stderr)

atexit.register(memory)
main()
"""
"""The command line, which says in the end how many KiB it had at most: what the system counts for a
process that has ended may be its parent's."""
Act = Callable[[], Awaitable[object]]


@dataclass
class Figure:
    what: str
    command_s: float
    memory_mib: float
    inside_s: float


async def timed(url: str, *words: str) -> tuple[float, float]:
    """How long a command takes, and the most memory it had, in MiB; the median of several."""
    environ = os.environ | {"YIZHAN_NATS__URL": url, "YIZHAN_HANDLERS__LOAD": "[]"}
    found = []
    for _ in range(REPEATS):
        began = time.monotonic()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", COMMAND, *words),
            env=environ,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
        assert process.returncode == 0, said.decode()
        found.append((time.monotonic() - began, int(said.split()[-1]) / 1024))
    return sorted(found)[REPEATS // 2]


async def inside(act: Act) -> float:
    took = []
    for _ in range(REPEATS):
        began = time.monotonic()
        await act()
        took.append(time.monotonic() - began)
    return sorted(took)[REPEATS // 2]


async def cases(connection: Connection, events: int) -> dict[Sequence[str], Act]:
    """Command lines, and what each does inside; of the middle of the log."""
    archive, letters = Archive(connection, SUBJECTS), Letters(connection, SUBJECTS)
    middle = events // AN_ORDER // 2
    order = order_id(middle)
    life = await order_life(archive, Filters(order_id=order))
    assert life is not None
    assert len(life["events"]) == AN_ORDER
    event = life["events"][0]
    assert await indexed(archive, waybill(middle))
    handlers = HandlerOperations(connection, SUBJECTS, [], kept=timedelta(days=90))
    place = Place(archive, handlers, ["filled"])

    async def by_number(text: str) -> object:
        (found,) = await indexed(archive, text)
        return await order_life(archive, Filters(order_id=found.order_id, channel=found.channel))

    return {
        ("order", order): lambda: order_life(archive, Filters(order_id=order)),
        ("order", f"PO-{middle}"): lambda: by_number(f"PO-{middle}"),
        ("order", waybill(middle)): lambda: by_number(waybill(middle)),
        ("status",): lambda: status(place, datetime.now(UTC)),
        ("dead", "list"): lambda: letters.groups(Filters()),
        ("dead", "list", "--type", "order"): lambda: letters.groups(Filters(event_type="order")),
        ("event", f"#{event['stream_seq']}"): lambda: archive.reader.get(
            SUBJECTS.stream, event["stream_seq"]
        ),
        ("event", event["id"]): lambda: archive.event(event["id"], Filters()),
        ("callback", event["callback_id"]): lambda: archive.callback(
            event["callback_id"], Filters()
        ),
    }


async def figures(url: str, connection: Connection, events: int) -> AsyncIterator[Figure]:
    for words, act in (await cases(connection, events)).items():
        yield Figure(" ".join(words), *await timed(url, *words), await inside(act))


async def measure(counts: Sequence[int], letters: int, processes: int) -> None:
    with tempfile.TemporaryDirectory(prefix="look-", ignore_cleanup_errors=True) as data_dir:
        config = EmbeddedServerConfig(data_dir=Path(data_dir), port=0, sync_always=False)
        async with EmbeddedServer(config) as server, connected(server.url) as connection:
            await StateStore(connection, SUBJECTS).ensure()
            print(describe(Path(data_dir)))
            stored = 0
            print("| events | | command | inside | memory |\n| --- | --- | --- | --- | --- |")
            for count in sorted(counts):
                began = time.monotonic()
                await fill(server.url, stored, count // AN_ORDER, processes=processes)
                print(f"filled in {time.monotonic() - began:.0f} s", file=sys.stderr)
                if not stored:
                    await bury(connection, letters)
                stored = count // AN_ORDER
                async for one in figures(server.url, connection, count):
                    print(
                        f"| {count:,} | `{one.what}` | {one.command_s:.2f} s | "
                        f"{one.inside_s * 1000:.0f} ms | {one.memory_mib:.0f} MiB |",
                        flush=True,
                    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, action="append", help="how many are stored")
    parser.add_argument("--letters", type=int, default=LETTERS, help="how many dead letters")
    parser.add_argument("--processes", type=int, default=2, help="how many fill the log")
    given = parser.parse_args()
    asyncio.run(measure(given.events or [10_000, 1_000_000], given.letters, given.processes))
