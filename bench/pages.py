"""How long each page of the console takes to its first byte, and how much memory the console has.

    nice python -m bench.pages --events 1000000 [--keep DIRECTORY]

The log is that of `bench.look_log`, on a server that syncs lazily. Each page is asked for `ROUNDS`
times in turn with the others; the figures are the median and the longest, once with nothing else
going on and once while callbacks are stored (`--live`, so many a second), since an index of the
server that is fresh answers faster than one that changes. `--keep` fills a directory once, and
measures in it again.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import httpx2

from bench.look_log import AN_ORDER, SUBJECTS, bury, connected, fill, order_id, stored_live, waybill
from bench.machine import describe
from receiver.bus.connection import Connection
from receiver.bus.read.filters import Filters
from receiver.bus.state.store import StateStore
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.operations.look.archive import Archive
from receiver.operations.repair.letters import Letters

LETTERS: Final = 10_000
ROUNDS: Final = 7
TIMEOUT_S: Final = 30.0


async def paths(connection: Connection, events: int) -> list[str]:
    """A page of each kind, of the middle of the log and of its end."""
    archive, letters = Archive(connection, SUBJECTS), Letters(connection, SUBJECTS)
    last = events // AN_ORDER - 1
    middle = last // 2
    found = await archive.reader.around(SUBJECTS.stream, SUBJECTS.all_events, events, 1)
    event = found[0]
    (group, *_) = await letters.groups(Filters())
    callback = event.headers["ce-callbackid"]
    return [
        "/",
        "/dead",
        f"/dead?handler={group.handler}&cause={group.cause}",
        "/dead?since=1d",
        f"/dead/{group.newest}",
        "/orders",
        "/orders?type=payment",
        f"/orders/{order_id(middle)}",
        f"/orders/{order_id(0)}",
        f"/orders/{order_id(last)}",
        "/handlers",
        "/handlers/order_state",
        "/replays",
        "/replay/plan?handler=order_state",
        "/events",
        "/events?type=payment.succeeded",
        f"/events/{event.stream_seq}",
        f"/callbacks/{callback}",
        "/quarantine",
        "/doubt",
        "/audit",
        "/sources",
        "/api",
        "/system",
        "/contract",
        f"/search?q=PO-{middle}",
        f"/search?q={waybill(middle)}",
        f"/search?q=%23{event.stream_seq}",
    ]


@contextlib.asynccontextmanager
async def console(url: str, directory: Path) -> AsyncIterator[tuple[str, int]]:
    """A console on a port of its own: its URL and its process id."""
    (directory / "yizhan.toml").write_text(
        '[[sources]]\nname = "filled"\ndialect = "xport"\nverification = "none"\n'
        "[console]\nport = 0\n"
    )
    (directory / "yizhan.toml").chmod(0o600)
    environ = os.environ | {"YIZHAN_NATS__URL": url}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "receiver", "console"),
        env=environ,
        cwd=directory,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr
    reading = None
    try:
        while b"console_served" not in (line := await process.stderr.readline()):
            assert line, "the console ended"
        reading = asyncio.create_task(process.stderr.read())  # else it waits for a full pipe
        yield json.loads(line)["url"].rstrip("/"), process.pid
    finally:
        process.terminate()
        await process.wait()
        if reading is not None:
            await reading


async def first_byte(client: httpx2.AsyncClient, path: str) -> tuple[int, float]:
    """The status, and the seconds until the answer began; the rest of it is read, too."""
    began = time.monotonic()
    async with client.stream("GET", path) as response:
        took = time.monotonic() - began
        await response.aread()
        return response.status_code, took


def memory_mib(pid: int, name: str) -> float:
    """What a process has now (VmRSS), or had at most (VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split(f"{name}:")[1].split()[0]) / 1024


async def rounds(client: httpx2.AsyncClient, asked: list[str]) -> dict[str, list[float]]:
    """What each page took; raises `RuntimeError` for one that is refused, which would be fast."""
    took: dict[str, list[float]] = {path: [] for path in asked}
    for _ in range(ROUNDS):
        for path in asked:
            try:
                status, seconds = await first_byte(client, path)
            except httpx2.TimeoutException:
                status, seconds = 0, TIMEOUT_S
            if status >= 400:
                raise RuntimeError(f"{path}: {status}")
            took[path].append(seconds)
    return took


async def measure(url: str, connection: Connection, events: int, live: float) -> None:
    asked = await paths(connection, events)
    with tempfile.TemporaryDirectory(prefix="pages-") as directory:
        async with (
            console(url, Path(directory)) as (base, pid),
            httpx2.AsyncClient(base_url=base, timeout=TIMEOUT_S) as client,
        ):
            _, first = await first_byte(client, "/")
            print(f"the first page after the start: {first * 1000:.0f} ms")
            still = await rounds(client, asked)
            async with stored_live(url, events // AN_ORDER, live):
                beside = await rounds(client, asked)
            for line in table(still, beside, live):
                print(line)
            now, most = memory_mib(pid, "VmRSS"), memory_mib(pid, "VmHWM")
            print(f"\nthe console has {now:.0f} MiB, and had {most:.0f} MiB at most")


def table(
    still: dict[str, list[float]], beside: dict[str, list[float]], live: float
) -> Iterator[str]:
    yield f"| page | median | longest | median beside {live:g} callbacks/s | longest |"
    yield "| --- | --- | --- | --- | --- |"
    for path in still:
        cells = (
            f"{act(one[path]) * 1000:.0f} ms"
            for one in (still, beside)
            for act in (statistics.median, max)
        )
        yield f"| `{path}` | {' | '.join(cells)} |"


async def run(url: str | None, events: int, live: float, directory: Path) -> None:
    if url is not None:
        async with connected(url) as connection:
            await measure(url, connection, events, live)
        return
    config = EmbeddedServerConfig(data_dir=directory, port=0, sync_always=False)
    async with EmbeddedServer(config) as server, connected(server.url) as connection:
        await StateStore(connection, SUBJECTS).ensure()
        info = await connection.jetstream.stream_info(SUBJECTS.stream)
        if not info.state.messages:
            await fill(server.url, 0, events // AN_ORDER, processes=2)
            await bury(connection, LETTERS)
        print(f"{describe(directory)}\n{events:,} events, {LETTERS:,} dead letters\n")
        await measure(server.url, connection, events, live)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000, help="how many are stored")
    parser.add_argument("--live", type=float, default=20, help="callbacks a second beside it")
    parser.add_argument("--url", help="a NATS server that has such a log, instead of an own one")
    parser.add_argument("--keep", type=Path, help="a directory to fill once and use again")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        place = given.keep or Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="pages-"))
        )
        asyncio.run(run(given.url, given.events, given.live, place))
