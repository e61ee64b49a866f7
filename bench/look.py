"""How long looking takes, and how much memory, by how much is stored.

    python -m bench.look --events 10000 --events 1000000

Events are made as the receiver makes them, by parsing callbacks, and stored in batches on a server
that syncs lazily. Each figure is of a command of its own, `python -m receiver …`, so it holds the
start of the interpreter, too; `inside` is the same within one process.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from receiver.bus.callback_codec import encode_callback
from receiver.bus.connection import Connection
from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read.filters import Filters
from receiver.bus.stream_plan import plans
from receiver.bus.subjects import Subjects
from receiver.callback import Callback, InboundRequest, Proof, VerifiedRequest
from receiver.dialects import DIALECTS
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.operations.handlers import HandlerOperations
from receiver.operations.look.archive import Archive
from receiver.operations.look.order_life import order_life
from receiver.operations.look.status import Place, status
from receiver.settings import SourceSettings

AN_ORDER = 5
AT_ONCE = 400
REPEATS = 3
KINDS = ("ORDER_CREATE", "ORDER_PAY_SUCCESS", "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY")
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
SUBJECTS = Subjects()
SOURCE = SourceSettings(name="filled", dialect="xport", verification="none")


@dataclass
class Figure:
    what: str
    command_s: float
    memory_mib: float
    inside_s: float


def messages(numbers: Sequence[int]) -> Iterator[OutgoingMessage]:
    """The callbacks of some numbers, each with its event."""
    now = datetime.now(UTC)
    for number in numbers:
        order = {
            "orderId": str(1_000_000_000_000_000_000 + number // AN_ORDER),
            "orderNo": f"PO-{number // AN_ORDER}",
            "orderStatus": "WAITING_FOR_SENT",
            "totalAmount": 1200 + number % AN_ORDER,
        }
        content = {"messageType": KINDS[number % len(KINDS)], "messageBody": json.dumps(order)}
        body = json.dumps(content | {"messagePlatform": 1}).encode()
        verified = VerifiedRequest(InboundRequest(SOURCE, (), body, now), Proof("none"))
        callback = DIALECTS["xport"].parse(verified)
        assert isinstance(callback, Callback)
        yield from encode_callback(verified, callback, SUBJECTS)


async def fill(connection: Connection, start: int, end: int) -> None:
    publisher = GroupCommitPublisher(connection, timeout_s=60)
    for number in range(start, end, AT_ONCE):
        some = range(number, min(number + AT_ONCE, end))
        parts = [some[part : part + 100] for part in range(0, len(some), 100)]
        await asyncio.gather(*(publisher.publish([*messages(part)]) for part in parts))
        if number % 100_000 < AT_ONCE:
            print(f"{number:,} events stored", file=sys.stderr)
    await publisher.stop()


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


async def inside(act: Callable[[], Awaitable[object]]) -> float:
    took = []
    for _ in range(REPEATS):
        began = time.monotonic()
        await act()
        took.append(time.monotonic() - began)
    return sorted(took)[REPEATS // 2]


async def figures(url: str, connection: Connection, events: int) -> AsyncIterator[Figure]:
    archive = Archive(connection, SUBJECTS)
    order = str(1_000_000_000_000_000_000 + events // AN_ORDER // 2)
    life = await order_life(archive, Filters(order_id=order))
    assert life is not None
    seq, last = life["events"][-1]["stream_seq"], f"PO-{(events - 1) // AN_ORDER}"
    handlers = HandlerOperations(connection, SUBJECTS, [], kept=timedelta(days=90))
    place = Place(archive, handlers, ["filled"])
    cases: Sequence[tuple[Sequence[str], Callable[[], Awaitable[object]]]] = (
        (("order", order), lambda: order_life(archive, Filters(order_id=order))),
        (("status",), lambda: status(place, datetime.now(UTC))),
        (("event", f"#{seq}"), lambda: archive.reader.get(SUBJECTS.stream, seq)),
        (("order", last), lambda: archive.mentions(last, Filters())),
    )
    for words, act in cases:
        yield Figure(" ".join(words), *await timed(url, *words), await inside(act))


async def measure(counts: Sequence[int]) -> None:
    with tempfile.TemporaryDirectory() as data_dir:
        config = EmbeddedServerConfig(data_dir=Path(data_dir), port=0, sync_always=False)
        async with EmbeddedServer(config) as server:
            connection = Connection(server.url, plans(SUBJECTS, [timedelta(hours=2)]))
            await connection.start(patience_s=10)
            stored = 0
            print("| events | | command | inside | memory |\n| --- | --- | --- | --- | --- |")
            for count in sorted(counts):
                await fill(connection, stored, count)
                stored = count
                async for one in figures(server.url, connection, count):
                    print(
                        f"| {count:,} | {one.what} | {one.command_s:.2f} s | "
                        f"{one.inside_s * 1000:.0f} ms | {one.memory_mib:.0f} MiB |",
                        flush=True,
                    )
            await connection.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, action="append", help="how many are stored")
    asyncio.run(measure(parser.parse_args().events or [10_000, 1_000_000]))
