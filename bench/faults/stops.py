"""Stops that race a situation in which something hangs: each has to end, and in time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import nats

from bench.faults.forks import Fork, Forks
from bench.faults.sender import SOURCE, body_of, head_of
from bench.faults.stored import read_stored
from bench.faults.tree import NatsServer, Receiver
from bench.processes import free_port
from receiver.bus.codec import encode_event
from receiver.bus.message import input_subject
from receiver.bus.subjects import Subjects
from receiver.callback import callback_id
from receiver.resilience.deadline import CLOSING_S
from receiver.testing import eventually, make_event
from schemas.events import OrderCreated
from schemas.examples import EXAMPLES

GRACE_S = 0.3
COUNT = 500
_LANES = 4
_PATIENCE_S = 60.0
"""After which a stop counts as one that does not end."""
_RACED_S = 0.4
"""Within how long of the situation the stop begins, at random."""
_POSTS = 3
_HANDLERS = """
import asyncio
import time

from receiver.event import Event
from receiver.worker.routing import Context, Router
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


@dataclass(frozen=True, slots=True)
class Stopped:
    """What became of raced stops: how many ended, with which exit codes, the slowest; `lost` are
    callbacks that were answered 200 and that neither the log nor the spool holds.
    """

    stops: int
    ended: int
    failed: int
    slowest_s: float
    answered: int
    lost: int

    @property
    def in_time(self) -> bool:
        """Whether each ended within the grace time and a second, with code 0, and lost nothing."""
        kept = self.ended == self.stops and not self.failed and not self.lost
        return kept and self.slowest_s <= GRACE_S + CLOSING_S


@dataclass
class Lane:
    """Where one stop after the other happens: a directory, a nats-server, what was answered."""

    directory: Path
    forks: Forks
    random: random.Random
    port: int
    nats: NatsServer
    took_s: list[float] = field(default_factory=list)
    failed: int = 0
    answered: set[str] = field(default_factory=set)
    spooled: set[str] = field(default_factory=set)
    fork: Fork | None = None

    @property
    def nats_url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    async def start(
        self, command: str, nats_url: str, *, number: int, busy_s: float | None = None, **more: str
    ) -> Receiver:
        """Start a command; the `Receiver` says where it is."""
        directory = self.directory / str(number)
        directory.mkdir()
        where = Receiver(
            directory,
            nats_url=nats_url,
            more={
                "YIZHAN_RECEIVER__GRACE_S": str(GRACE_S),
                "YIZHAN_HANDLERS__GRACE_S": str(GRACE_S),
                "YIZHAN_LOG__LEVEL": "info",
                **more,
            },
        )
        self.fork = await self.forks.start(
            command,
            directory=self.directory,
            environment=where.environment,
            log=directory / "log",
            busy_s=busy_s,
        )
        await eventually(self.fork.handles_sigterm, within_s=_PATIENCE_S)
        return where

    async def says(self, word: str) -> None:
        """Return once the log of the process holds `word`."""
        assert self.fork is not None
        log = self.fork.log
        await eventually(lambda: word in log.read_text(encoding="utf-8"), within_s=_PATIENCE_S)

    async def pause(self) -> None:
        """A moment, at random: so the stop falls anywhere into the situation."""
        await asyncio.sleep(self.random.uniform(0, _RACED_S))

    async def stop(self, meanwhile: Callable[[], Awaitable[None]] | None = None) -> None:
        """Stop the process and wait for its end; raises `TimeoutError` where that does not come."""
        assert self.fork is not None
        began = time.monotonic()
        self.fork.signal(signal.SIGTERM)
        if meanwhile is not None:
            await self.pause()
            await meanwhile()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                code, when = await self.fork.ended()
        except TimeoutError:
            self.fork.signal(signal.SIGKILL)
            await self.fork.ended()
            raise
        self.fork = None
        self.took_s.append(when - began)
        self.failed += code != 0

    def kill(self) -> None:
        """End what still runs."""
        if self.fork is not None:
            with contextlib.suppress(ProcessLookupError):
                self.fork.signal(signal.SIGKILL)

    async def post(self, receiver: Receiver, number: int) -> None:
        """POST a callback, and note a 200."""
        body = body_of(10**15 + number)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            reader, writer = await asyncio.open_connection("127.0.0.1", receiver.port)
            try:
                writer.write(head_of(len(body)) + body)
                if b" 200 " in await reader.readuntil(b"\r\n"):
                    self.answered.add(callback_id(SOURCE, body))
            finally:
                writer.close()

    def posting(self, receiver: Receiver, number: int) -> asyncio.Task[None]:
        """A few of them, under way."""

        async def post_all() -> None:
            first = number * _POSTS
            await asyncio.gather(*(self.post(receiver, first + n) for n in range(_POSTS)))

        return asyncio.create_task(post_all(), name="posting")

    def read_spool(self, receiver: Receiver) -> None:
        """Note what the spool of a receiver that has ended holds."""
        if (file := receiver.data_dir / "spool.sqlite3").exists():
            with contextlib.closing(sqlite3.connect(file)) as database:
                self.spooled |= {row[0] for row in database.execute("SELECT id FROM bundles")}


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
    await _listens(receiver)
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
        await _start(lane)


async def dialled(lane: Lane, number: int) -> None:
    """NATS is being dialled: the connection is refused, or accepted and never answered."""
    async with _black_hole() as hole:
        port = hole if number % 2 else free_port()
        receiver = await lane.start("receive", f"nats://127.0.0.1:{port}", number=number)
        posting = None
        if number % 4 > 1:
            await _listens(receiver)
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
    await _listens(receiver)
    await lane.nats.kill()
    await lane.posting(receiver, number)
    with contextlib.closing(sqlite3.connect(receiver.data_dir / "spool.sqlite3")) as other:
        other.execute("BEGIN IMMEDIATE")
        posting = lane.posting(receiver, number + COUNT)
        await lane.pause()
        await lane.stop()
    await posting
    lane.read_spool(receiver)
    await _start(lane)


async def raced(
    situation: Situation, count: int, directory: Path, *, lanes: int = _LANES
) -> Stopped:
    """Stop `count` processes in a situation, each at another moment of it."""
    numbers = iter(range(count))
    found: list[Lane] = []

    async def run(name: int) -> None:
        async with _lane(directory / f"lane{name}", seed=name) as lane:
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
        failed=sum(lane.failed for lane in found),
        slowest_s=max(took_s, default=0.0),
        answered=sum(len(lane.answered) for lane in found),
        lost=sum(len(lane.answered - lane.spooled) for lane in found),
    )


@contextlib.asynccontextmanager
async def _lane(directory: Path, *, seed: int) -> AsyncIterator[Lane]:
    directory.mkdir()
    (directory / "stubborn.py").write_text(_HANDLERS, encoding="utf-8")
    port = free_port()
    server = NatsServer(
        directory,
        "nats",
        f'listen: "127.0.0.1:{port}"\nmax_payload: 8MB\n'
        f'jetstream {{ store_dir: "{directory / "store"}", sync_interval: always }}\n',
    )
    async with Forks() as forks:
        lane = Lane(directory, forks, random.Random(seed), port, server)
        try:
            await _start(lane)
            yield lane
            if lane.answered - lane.spooled:
                lane.spooled |= set((await read_stored(lane.nats_url)).ids)
        finally:
            lane.kill()
            await server.kill()


async def _start(lane: Lane) -> None:
    await lane.nats.start()
    await _answers(lane.port)


async def _listens(receiver: Receiver) -> None:
    await _answers(receiver.port)


async def _answers(port: int) -> None:
    async def answers() -> bool:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return True
        return False

    await eventually(answers, within_s=_PATIENCE_S)


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


SITUATIONS: dict[str, Situation] = {
    "stops_nats_away": nats_away,
    "stops_dialling": dialled,
    "stops_handler": handler_swallows,
    "stops_disk_hangs": disk_hangs,
}
