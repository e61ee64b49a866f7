"""`python -m bench.identity`: what remembering ids for the duplicate window costs the server.

Stores batches of small messages with distinct ids, as the receiver does (three for a callback:
raw, event, nonce), and reads the server's resident memory after each step and after a restart.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import nats
from nats.aio.client import Client

from receiver.bus.stream_plan import plans
from receiver.bus.streams import ensure_stream
from receiver.bus.subjects import Subjects, input_subject
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig

BATCH = 900
WINDOW_S = 3 * 3600


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def store(client: Client, subjects: Subjects, first: int) -> None:
    for number in range(BATCH):
        callback, kind = divmod(first + number, 3)
        names = (f"{callback:032x}", f"{callback:032x}.0", f"nonce.{callback:032x}")
        stored_as = (
            subjects.raw("s"),
            subjects.event("1688", "order.created", f"{callback:019d}"),
            subjects.nonce("s", f"{callback:032x}"),
        )
        subject = input_subject(stored_as[kind])
        headers = {
            "Nats-Msg-Id": names[kind],
            "Nats-Batch-Id": f"b{first}",
            "Nats-Batch-Sequence": str(number + 1),
        }
        if number == BATCH - 1:
            headers["Nats-Batch-Commit"] = "1"
            await client.request(subject, b"x" * 300, headers=headers, timeout=30)
        else:
            await client.publish(subject, b"x" * 300, headers=headers)


async def main(callbacks: int) -> None:
    with tempfile.TemporaryDirectory() as directory:
        config = EmbeddedServerConfig(Path(directory), port=0, sync_always=False)
        subjects, messages = Subjects(), callbacks * 3
        async with EmbeddedServer(config) as server:
            client = await nats.connect(server.url)
            for plan in plans(subjects, [timedelta(hours=2, minutes=30)]):
                await ensure_stream(client, plan)
            empty = resident_mb(server.pid)
            for first in range(0, messages, BATCH):
                await store(client, subjects, first)
            full = resident_mb(server.pid)
            await client.close()
        started = time.perf_counter()
        async with EmbeddedServer(config) as server:
            restored_s = time.perf_counter() - started
            again = resident_mb(server.pid)
    per_callback = (full - empty) * 1024 * 1024 / callbacks
    print(f"{callbacks} callbacks: {full - empty:.0f} MB, {per_callback:.0f} bytes a callback;")
    print(f"after a restart {again:.0f} MB, ready in {restored_s:.2f} s")
    print("in a window of 3 h, at the same cost a callback:")
    for rate in (10, 100, 1000):
        print(f"  {rate:>5}/s: {rate * WINDOW_S * per_callback / 1024**2:>8.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--callbacks", type=int, default=300_000)
    asyncio.run(main(parser.parse_args().callbacks))
