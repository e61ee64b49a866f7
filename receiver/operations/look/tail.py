"""Events as they are stored: live, in the order of the stream, without a gap over a restart."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Final

from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from receiver.bus.connection import Connection
from receiver.bus.message import StoredMessage
from receiver.bus.read.reader import Reader, republished
from receiver.bus.read.selection import StreamSelection
from receiver.errors import BusError

_QUEUED: Final = 10_000
"""So many wait for a slow reader; beyond, they are read from the stream again."""
_AGAIN_S: Final = 0.25


async def follow(
    connection: Connection, chosen: StreamSelection
) -> AsyncGenerator[StoredMessage, None]:
    """What is selected, from `since` on where it is given, else what is stored from now on; until
    cancelled. Waits for NATS where it is away in between. Raises `BusError` where it is at first.

    Comes by what the stream republishes, so the server does no work for events that are not
    selected. After a reconnect, what was missed is read from the stream.
    """
    reader = Reader(connection)
    live = _Live(connection, chosen)
    async with live.subscribed():
        info = await reader.info(chosen.stream)
        last = info["state"]["last_seq"] if info else 0
        if chosen.since is not None:
            async with aclosing(reader.read(chosen)) as reading:
                async for stored in reading:
                    last = max(last, stored.stream_seq)
                    yield stored
        beyond = replace(chosen, since=None, until=None)
        while True:
            message = await live.next()
            if message is not None:
                if message.stream_seq > last:
                    last = message.stream_seq
                    if chosen.keeps(message):
                        yield message
                continue
            async for stored in _missed(reader, beyond, last):
                last = stored.stream_seq
                yield stored


async def _missed(
    reader: Reader, chosen: StreamSelection, last: int
) -> AsyncIterator[StoredMessage]:
    """What was stored behind `last`, however often NATS goes away meanwhile."""
    while True:
        try:
            async with aclosing(reader.read(chosen, after_seq=last)) as reading:
                async for stored in reading:
                    last = stored.stream_seq
                    yield stored
        except BusError:
            await asyncio.sleep(_AGAIN_S)
        else:
            return


class _Live:
    """What comes by subscription; None in between says that something may have been missed."""

    def __init__(self, connection: Connection, chosen: StreamSelection) -> None:
        self._connection = connection
        self._chosen = chosen
        self._queue: asyncio.Queue[StoredMessage] = asyncio.Queue(_QUEUED)
        self._gap = asyncio.Event()
        self._wake = asyncio.Event()
        self._subscriptions: list[Subscription] = []

    @contextlib.asynccontextmanager
    async def subscribed(self) -> AsyncIterator[None]:
        """Where messages are taken in."""
        await self._subscribe()
        self._connection.on_reconnect(self._lost)
        try:
            yield
        finally:
            await self._unsubscribe()

    async def next(self) -> StoredMessage | None:
        """The next message; None where the stream has to be asked for what was missed."""
        while True:
            if self._gap.is_set():
                self._gap.clear()
                while not self._queue.empty():
                    self._queue.get_nowait()
                await self._again()
                return None
            if not self._queue.empty():
                return self._queue.get_nowait()
            self._wake.clear()
            await self._wake.wait()

    async def _again(self) -> None:
        """The connection may be a new one, which knows nothing of earlier subscriptions."""
        await self._unsubscribe()
        while True:
            try:
                await self._subscribe()
            except (BusError, NatsError, OSError):
                await asyncio.sleep(_AGAIN_S)
            else:
                return

    async def _subscribe(self) -> None:
        client = self._connection.client
        for subject in self._chosen.nats_subjects:
            self._subscriptions.append(await client.subscribe(subject, cb=self._receive))
        await client.round_trip(timeout_s=5.0)

    async def _unsubscribe(self) -> None:
        for subscription in self._subscriptions:
            with contextlib.suppress(NatsError, OSError):
                await subscription.unsubscribe()
        self._subscriptions.clear()

    async def _receive(self, message: Msg) -> None:
        stored = republished(message)
        if stored is None:
            return
        if self._queue.full():
            self._lost()
        else:
            self._queue.put_nowait(stored)
            self._wake.set()

    def _lost(self) -> None:
        self._gap.set()
        self._wake.set()
