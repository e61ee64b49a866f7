"""Where one stop after the other happens: a directory, a nats-server, processes that are forked."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.faults.forks import Fork, Forks
from bench.faults.sender import SOURCE, body_of, head_of
from bench.faults.stored import read_stored
from bench.faults.tree import NatsServer, Receiver
from bench.processes import free_port
from receiver.callback import callback_id
from receiver.testing import eventually

GRACE_S = 0.3
_PATIENCE_S = 60.0
"""After which a stop counts as one that does not end."""
_RACED_S = 0.4
"""Within how long of the situation the stop begins, at random."""
_POSTS = 3


@dataclass
class Lane:
    """`took_s` is of each stop that ended with code 0; `answered` and `kept` are the ids of the
    callbacks that got a 200, and that the spool or the log holds."""

    directory: Path
    forks: Forks
    random: random.Random
    port: int
    nats: NatsServer
    took_s: list[float] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
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
        if code == 0:
            self.took_s.append(when - began)

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

    async def restart_nats(self) -> None:
        """Start the nats-server, once more; returns when it answers."""
        await self.nats.start()
        await answers(self.port)

    def posting(self, receiver: Receiver, number: int) -> asyncio.Task[None]:
        """A few of them, under way."""

        async def post_all() -> None:
            first = number * _POSTS
            await asyncio.gather(*(self.post(receiver, first + n) for n in range(_POSTS)))

        return asyncio.create_task(post_all(), name="posting")

    def read_spool(self, receiver: Receiver) -> None:
        """Note what the spool of a receiver that has ended holds."""
        if (file := receiver.data_dir / "spool.sqlite3").exists():
            with (
                contextlib.closing(sqlite3.connect(file)) as database,
                contextlib.suppress(sqlite3.OperationalError),  # stopped before it had its tables
            ):
                self.kept |= {row[0] for row in database.execute("SELECT id FROM bundles")}


@contextlib.asynccontextmanager
async def lane_in(directory: Path, handlers: str, *, seed: int) -> AsyncIterator[Lane]:
    """A lane, with its server running and its module `stubborn` of `handlers`."""
    _furnish(directory, handlers)
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
            await lane.restart_nats()
            yield lane
            if lane.answered - lane.kept:
                lane.kept |= set((await read_stored(lane.nats_url)).ids)
        finally:
            lane.kill()
            await server.kill()


def _furnish(directory: Path, handlers: str) -> None:
    directory.mkdir()
    (directory / "stubborn.py").write_text(handlers, encoding="utf-8")


async def answers(port: int) -> None:
    """Return once something listens there."""

    async def listens() -> bool:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return True
        return False

    await eventually(listens, within_s=_PATIENCE_S)
