"""Stops that race a situation in which something hangs: each has to end, and in time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import nats

from bench.faults.lane import GRACE_S, Lane, answers, lane_in
from bench.faults.stage import Fault, Stopped
from bench.processes import free_port
from receiver.bus.codec import encode_event
from receiver.bus.message import input_subject
from receiver.bus.subjects import Subjects
from receiver.resilience.deadline import CLOSING_S
from receiver.testing import make_event
from schemas.events import OrderCreated
from schemas.examples import EXAMPLES

COUNT = 500
_LANES = 3
_HANDLERS = """
import asyncio
import time

from receiver.event import Event
from receiver.worker.interface import Context
from receiver.worker.routing import Router
from schemas.events import OrderCreated

swallowing, blocking = Router(), Router()


@swallowing.on(OrderCreated)
async def swallow(event: Event[OrderCreated], ctx: Context) -> None:
    print("begun", flush=True)
    while True:
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError:
            pass


@blocking.on(OrderCreated)
async def block(event: Event[OrderCreated], ctx: Context) -> None:
    print("begun", flush=True)
    time.sleep(600)
"""


Situation = Callable[[Lane, int], Awaitable[None]]


async def nats_away(lane: Lane, number: int) -> None:
    """NATS is killed or frozen, before the stop or within it; callbacks are under way."""
    frozen, within = number % 2 == 1, number % 4 > 1

    async def hurt() -> None:
        if frozen:
            lane.nats.signal(signal.SIGSTOP)
        else:
            await lane.nats.kill()

    receiver = await lane.start("receive", lane.nats_url, number=number)
    await lane.says('"nats_connected"')
    await answers(receiver.port)
    if not within:
        await hurt()
    posting = lane.posting(receiver, number)
    await lane.pause()
    await lane.stop(hurt if within else None)
    await posting
    lane.read_spool(receiver)
    if frozen:
        lane.nats.signal(signal.SIGCONT)
    else:
        await lane.restart_nats()


async def dialled(lane: Lane, number: int) -> None:
    """NATS is being dialled: the connection is refused, or accepted and never answered."""
    async with _black_hole() as hole:
        port = hole if number % 2 else free_port()
        receiver = await lane.start("receive", f"nats://127.0.0.1:{port}", number=number)
        posting = None
        if number % 4 > 1:
            await answers(receiver.port)
            posting = lane.posting(receiver, number)
        await lane.pause()
        await lane.stop()
        if posting is not None:
            await posting
        lane.read_spool(receiver)


async def handler_swallows(lane: Lane, number: int) -> None:
    """A handler swallows its cancellation, or blocks the event loop."""
    root = f"stop{number}"
    await lane.start(
        "work",
        lane.nats_url,
        number=number,
        YIZHAN_NATS__SUBJECT_ROOT=root,
        YIZHAN_HANDLERS__LOAD=json.dumps([f"stubborn:{('swallowing', 'blocking')[number % 2]}"]),
    )
    await lane.says('"working"')
    example = EXAMPLES[OrderCreated.event_type]
    message = encode_event(make_event(example), Subjects(root))
    client = await nats.connect(lane.nats_url)
    await client.jetstream().publish(
        input_subject(message.subject), message.body, headers=dict(message.headers)
    )
    await client.close()
    await lane.says("begun")
    await lane.pause()
    await lane.stop()


async def disk_hangs(lane: Lane, number: int) -> None:
    """NATS is away and the disk of the spool hangs: a call of SQLite does not return."""
    receiver = await lane.start("receive", lane.nats_url, number=number, busy_s=600)
    await lane.says('"nats_connected"')
    await answers(receiver.port)
    await lane.nats.kill()
    await lane.posting(receiver, number)
    with contextlib.closing(sqlite3.connect(receiver.data_dir / "spool.sqlite3")) as other:
        other.execute("BEGIN IMMEDIATE")
        posting = lane.posting(receiver, number + COUNT)
        await lane.pause()
        await lane.stop()
    await posting
    lane.read_spool(receiver)
    await lane.restart_nats()


async def raced(
    situation: Situation, count: int, directory: Path, *, lanes: int = _LANES
) -> Stopped:
    """Stop `count` processes in a situation, each at another moment of it."""
    numbers = iter(range(count))
    found: list[Lane] = []

    async def run(name: int) -> None:
        async with lane_in(directory / f"lane{name}", _HANDLERS, seed=name) as lane:
            found.append(lane)
            for number in numbers:
                with contextlib.suppress(TimeoutError):
                    await situation(lane, number)

    async with asyncio.TaskGroup() as running:
        for name in range(min(lanes, count)):
            running.create_task(run(name))
    took_s = [each for lane in found for each in lane.took_s]
    return Stopped(
        stops=count,
        ended=len(took_s),
        slowest_s=max(took_s, default=0.0),
        limit_s=GRACE_S + CLOSING_S,
        answered=sum(len(lane.answered) for lane in found),
        lost=sum(len(lane.answered - lane.kept) for lane in found),
    )


@contextlib.asynccontextmanager
async def _black_hole() -> AsyncIterator[int]:
    """A port that accepts and never says a word."""
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for writer in writers:
            writer.close()


def _fault(name: str, title: str, text: str, situation: Situation) -> Fault:
    return Fault(name, f"stop while {title}", text, partial(raced, situation, COUNT))


FAULTS = (
    _fault(
        "stops_nats_away",
        "NATS goes away",
        "`yizhan receive` gets callbacks. Its nats-server is killed, or gets SIGSTOP, at a moment "
        "before SIGTERM or behind it.",
        nats_away,
    ),
    _fault(
        "stops_dialling",
        "NATS is dialled",
        "`yizhan receive` gets SIGTERM as it starts, or some time later with callbacks under way. "
        "Its nats.url refuses the connection, or accepts it and says nothing.",
        dialled,
    ),
    _fault(
        "stops_handler",
        "a handler does not end",
        "`yizhan work` gets SIGTERM while a handler swallows every cancellation, or blocks the "
        "event loop.",
        handler_swallows,
    ),
    _fault(
        "stops_disk_hangs",
        "the disk of the spool hangs",
        "NATS is killed, and another process holds the lock of the spool, for which SQLite is made "
        "to wait for ten minutes: its call does not return. Callbacks are under way as SIGTERM "
        "comes.",
        disk_hangs,
    ),
)
