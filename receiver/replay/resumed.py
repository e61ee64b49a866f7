"""A replay that goes on where it was: onto subjects, its position kept by a durable of its own.

One acknowledgement stands for all events before it, and is given once those have left: a run that
is cut off repeats at most the last few, and leaves none out.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from receiver.bus import durables
from receiver.bus.connection import Connection
from receiver.bus.consumers import consumer_info
from receiver.bus.message import StoredMessage
from receiver.bus.read.fetching import Fetching, fetching
from receiver.bus.replay_consumers import ReplayConsumer, position
from receiver.errors import BusError, YizhanError
from receiver.replay.replay import PATIENCE_S, Progress, Sink, Summary
from receiver.worker.replaying.frozen import Frozen
from receiver.worker.replaying.pace import Pace

AT_ONCE: Final = 200
"""So many may come again after a run that was cut off."""
_AGAIN_S: Final = 0.5
_ANSWER_S: Final = 5.0


class FlushedSink(Sink, Protocol):
    """A sink that knows when everything has left."""

    async def flush(self) -> None:
        """Return once it has; raises `BusError`."""


class Resumed:
    """One run of a replay that can be resumed."""

    def __init__(
        self,
        connection: Connection,
        consumer: ReplayConsumer,
        frozen: Frozen,
        sink: FlushedSink,
        *,
        summary: Summary,
        progress: Progress,
        pace: Pace,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._connection = connection
        self._consumer = consumer
        self._frozen = frozen
        self._sink = sink
        self._summary = summary
        self._progress = progress
        self._pace = pace
        self._clock = clock

    async def run(self, *, patience_s: float = PATIENCE_S) -> None:
        """Give all that is left; raises `BusError` where NATS is away for `patience_s`, and
        `YizhanError` where the position is gone."""
        began = heard = self._clock()
        try:
            while True:
                before = self._summary.done
                try:
                    await self._session()
                except BusError:
                    heard = self._clock() if self._summary.done > before else heard
                    if self._clock() - heard > patience_s:
                        raise
                    await asyncio.sleep(_AGAIN_S)
                else:
                    return
        finally:
            self._summary.duration_s += self._clock() - began

    async def _session(self) -> None:
        client, consumer = self._connection.client, self._consumer
        info = await consumer_info(client, consumer.stream, consumer.durable)
        if info is None:
            raise YizhanError(
                f"the consumer {consumer.durable} is gone, and with it how far the replay had come"
            )
        floor = max(info["ack_floor"]["stream_seq"], consumer.first_seq - 1)
        if floor >= consumer.last_seq:
            return
        await durables.reset(client, consumer.stream, consumer.durable, floor + 1)
        self._progress(self._summary)
        async with fetching(client, consumer.stream, consumer.durable) as asking:
            while await self._give(asking):
                pass

    async def _give(self, asking: Fetching) -> bool:
        """A few; whether there are more."""
        room = self._pace.take(AT_ONCE)
        if not room:
            await asyncio.sleep(self._pace.wait_s())
            return True
        messages = await asking.fetch(room)
        self._pace.give(room - len(messages))
        mine = [m for m in messages if m.metadata.sequence.stream <= self._consumer.last_seq]
        for message in mine:
            stored = StoredMessage.of(message)
            if self._frozen.keeps(stored):
                await self._summary.put(stored, self._sink)
                self._progress(self._summary)
        if mine:
            await self._acknowledge(mine)
        if len(mine) < len(messages):
            return False
        return bool(messages) or not await self._is_through()

    async def _acknowledge(self, messages: Sequence[Msg]) -> None:
        await self._sink.flush()
        try:
            client = self._connection.client
            await client.request(messages[-1].reply, b"+ACK", _ANSWER_S)
        except (NatsError, OSError) as error:
            raise BusError(f"not acknowledged: {type(error).__name__}") from error

    async def _is_through(self) -> bool:
        now = await position(self._connection.client, self._consumer)
        return now is None or not (now.left or now.unfinished)
