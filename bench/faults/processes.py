"""Faults of processes: killed, frozen, gone."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.faults.hostile import hostile
from bench.faults.stage import Fault, Happened, under_load
from bench.faults.tree import NatsServer, Receiver
from bench.processes import free_port

Run = Callable[[Path], Awaitable[Happened]]


async def receiver_killed(directory: Path, *, connections: int = 0) -> Happened:
    """The receiver alone, three times."""
    receiver = Receiver(directory)

    async def hurt() -> None:
        for _ in range(3):
            await receiver.kill()
            await receiver.start()
            await asyncio.sleep(2)

    return await under_load(receiver, hurt, lasts_s=9, connections=connections)


async def nats_killed(directory: Path, *, connections: int = 0) -> Happened:
    """The embedded server, three times."""
    receiver = Receiver(directory)

    async def hurt() -> None:
        for _ in range(3):
            receiver.signal_nats(signal.SIGKILL)
            await asyncio.sleep(3)

    return await under_load(receiver, hurt, lasts_s=9, connections=connections)


async def tree_killed(directory: Path, *, connections: int = 0) -> Happened:
    """All processes at once, three times."""
    receiver = Receiver(directory)

    async def hurt() -> None:
        for _ in range(3):
            await receiver.kill(whole_tree=True)
            await receiver.start()
            await asyncio.sleep(2)

    return await under_load(receiver, hurt, lasts_s=9, connections=connections)


def frozen(seconds: float, *, rate_per_s: int) -> Run:
    """The embedded server frozen for so long."""

    async def run(directory: Path) -> Happened:
        receiver = Receiver(directory)

        async def hurt() -> None:
            receiver.signal_nats(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            receiver.signal_nats(signal.SIGCONT)

        return await under_load(receiver, hurt, lasts_s=seconds, rate_per_s=rate_per_s)

    return run


async def _nats_gone(directory: Path) -> Happened:
    port = free_port()
    server = NatsServer(
        directory,
        "nats",
        f'listen: "127.0.0.1:{port}"\nmax_payload: 8MB\n'
        f'jetstream {{ store_dir: "{directory / "store"}", sync_interval: always }}\n',
    )
    await server.start()
    receiver = Receiver(directory, nats_url=f"nats://127.0.0.1:{port}")

    async def hurt() -> None:
        server.signal(signal.SIGTERM)
        await asyncio.sleep(60)
        await server.kill()
        await server.start()

    try:
        return await under_load(receiver, hurt, lasts_s=60, rate_per_s=500)
    finally:
        await server.kill()


def _beside(kind: str, count: int, seconds: float) -> Run:
    """A good load beside hostile senders."""

    async def run(directory: Path) -> Happened:
        receiver = Receiver(directory)

        async def hurt() -> None:
            async with hostile(kind, receiver.port, count):
                await asyncio.sleep(seconds)

        return await under_load(receiver, hurt, lasts_s=seconds)

    return run


async def _duplicates(directory: Path) -> Happened:
    receiver = Receiver(directory)
    return await under_load(
        receiver, lambda: asyncio.sleep(10), lasts_s=10, rate_per_s=500, duplicates=0.2
    )


FAULTS = (
    Fault(
        "receiver_killed",
        "receiver `kill -9`, three times",
        "The receiver process is killed and started again on the same data directory. Its "
        "nats-server ends with it, since its watchdog sees to that.",
        receiver_killed,
    ),
    Fault(
        "nats_killed",
        "embedded NATS `kill -9`, three times",
        "The nats-server below the receiver is killed; the receiver starts it again.",
        nats_killed,
    ),
    Fault(
        "tree_killed",
        "whole tree `kill -9`, three times",
        "Receiver, watchdog and nats-server are killed in the same moment, and started again.",
        tree_killed,
    ),
    Fault(
        "nats_frozen_5s",
        "NATS frozen for 5 s",
        "The nats-server gets SIGSTOP, and SIGCONT after 5 s. It keeps its connections.",
        frozen(5, rate_per_s=500),
    ),
    Fault(
        "nats_frozen_60s",
        "NATS frozen for 60 s",
        "The same for 60 s.",
        frozen(60, rate_per_s=500),
    ),
    Fault(
        "nats_gone_60s",
        "NATS gone for 60 s",
        "A nats-server of its own is stopped, and started again after 60 s.",
        _nats_gone,
    ),
    Fault(
        "duplicates",
        "20 % sent twice",
        "One callback in five is sent once more within 2 s, with the same body under another "
        "signature.",
        _duplicates,
    ),
    Fault(
        "slow_senders",
        "500 slow senders",
        "500 connections from another address hold half a request each, and come again as soon as "
        "they are cut off.",
        _beside("slow", 500, 15),
    ),
    Fault(
        "flood",
        "a flood of bad signatures",
        "200 connections from another address send bad signatures as fast as they are refused.",
        _beside("flood", 200, 15),
    ),
    Fault(
        "pipelined",
        "100 senders that pipeline a megabyte and read nothing",
        "100 connections from another address send a megabyte of requests at once, do not read one "
        "answer, and come again as soon as they are cut off.",
        _beside("pipeline", 100, 20),
    ),
)
