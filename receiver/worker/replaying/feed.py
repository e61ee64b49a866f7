"""Feeds what a replay selected into the lanes of its handler, in the process that holds that.

The consumer's position is how far the replay has come, so that whoever holds the handler next goes
on with it. Live events go first: while some wait, nothing more is added.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from receiver.bus import replay_consumers
from receiver.bus.acknowledgements import AGAIN_S
from receiver.bus.connection import Connection, Sleep
from receiver.bus.consumers import ConsumerPlan, consumer_info
from receiver.bus.message import StoredMessage
from receiver.bus.pinned import give_back
from receiver.bus.read.fetching import Fetching, fetching
from receiver.bus.replay_consumers import ReplayConsumer
from receiver.errors import BusError
from receiver.observability.logs import get_logger
from receiver.worker.in_hand import InHand, Turn
from receiver.worker.limits import ConsumerLimits
from receiver.worker.replaying.frozen import Frozen
from receiver.worker.replaying.pace import Pace
from receiver.worker.replaying.record import ReplayRecord

_BATCH: Final = 64
_SHARE: Final = 4
"""Replayed events take a quarter of the places of a handler at most."""
_LIVE_WAITS: Final = 8
"""With so many live events waiting, nothing is added."""
_LOOK_S: Final = 0.5
_STEP_S: Final = 0.02
_COLLECT_TRIES: Final = 20
_BEAT_S: Final = 8.0


class Lanes(Protocol):
    """Where replayed events are run: a `HandlerConsumer`."""

    plan: ConsumerPlan
    epoch: int

    @property
    def holds(self) -> bool:
        """Whether this process, and no other, may run the handler."""

    @property
    def waiting(self) -> int:
        """How many live events wait here."""

    @property
    def takes_live(self) -> bool:
        """Whether live events are run here, too."""

    def add(self, turn: Turn) -> None:
        """Have one run behind what is in its lane."""

    def answered(self) -> None:
        """The server has just answered something that was asked."""


def width_of(limits: ConsumerLimits) -> int:
    """How many replayed events of a handler run at once."""
    return max(1, limits.concurrency // _SHARE)


class ReplayFeed:
    """One replay of one handler. `goes_on` says whether it is to be fed, `finish` keeps that all
    of it was given."""

    def __init__(
        self,
        record: ReplayRecord,
        consumer: ReplayConsumer,
        frozen: Frozen,
        lanes: Lanes,
        hand: InHand,
        connection: Connection,
        *,
        width: int,
        lives: Callable[[str], Awaitable[bool]],
        goes_on: Callable[[], bool],
        finish: Callable[[], Awaitable[None]],
        clock: Callable[[], float],
        sleep: Sleep,
    ) -> None:
        self._marks = record.marks()
        self._consumer = consumer
        self._frozen = frozen
        self._lanes = lanes
        self._hand = hand
        self._connection = connection
        self._width = width
        self._lives = lives
        self._goes_on = goes_on
        self._finish = finish
        self._clock = clock
        self._sleep = sleep
        self._pace = Pace(record.rate, record.ramp_s, clock)
        self._ready: deque[Msg] = deque()
        self._reached = False
        self._looked_at = self._beat_at = self._repeated_at = 0.0
        self._waits = False
        self._log = get_logger("yizhan.handlers", replay=record.name, consumer=consumer.durable)

    async def run(self) -> None:
        """Feed until all is given, or it is not to go on."""
        while self._goes_on():
            with contextlib.suppress(BusError, NatsError, OSError):
                if self._lanes.holds and not self._hand.running and await self._session():
                    await self._finish()
                    self._log.info("replay_finished")
                    return
            await self._sleep(_LOOK_S)

    async def release(self) -> None:
        """Give back what was taken and not begun."""
        waiting, self._ready = self._ready, deque()
        for message in waiting:
            self._hand.held.pop(message.metadata.sequence.stream, None)
            with contextlib.suppress(NatsError, OSError):
                await message.nak()

    async def _session(self) -> bool:
        """Feed for as long as the handler is held here; whether all is given."""
        client, consumer, epoch = self._connection.client, self._consumer, self._lanes.epoch
        if await replay_consumers.position(client, consumer) is None:
            self._log.error("replay_position_lost")
            await self._sleep(_BEAT_S)
            return False
        settling = self._hand.settling
        await settling.records.ensure()
        await settling.ledger.inherit(self._lives)
        self._ready.clear()
        self._hand.held.clear()
        plan = ConsumerPlan(consumer.stream, consumer.durable, ())
        pending = await give_back(client, plan, keep=settling.keeps)
        self._reached = False
        async with fetching(client, consumer.stream, consumer.durable) as asking:
            self._lanes.answered()
            await self._collect(asking, pending - settling.pending)
            while self._goes_on() and self._lanes.holds and self._lanes.epoch == epoch:
                await self._tend()
                if not self._waits and await self._step(asking):
                    return True
                await self._sleep(_STEP_S if not self._waits else _LOOK_S)
        if not self._goes_on():
            await self.release()
        return False

    async def _collect(self, asking: Fetching, missing: int) -> None:
        """What was pending comes again in any order, and goes first, in its own."""
        found: list[Msg] = []
        for _ in range(_COLLECT_TRIES):
            if len(found) >= missing:
                break
            found += await asking.fetch(missing - len(found))
            if len(found) < missing:
                await self._sleep(_STEP_S)
        found.sort(key=lambda message: message.metadata.sequence.stream)
        for message in found:
            await self._take(message)

    async def _step(self, asking: Fetching) -> bool:
        """Take a few and add as many as may go; whether all is given and settled."""
        again = self._hand.settling.due_again
        if not self._ready and (again or not self._reached):
            messages = await asking.fetch(_BATCH if not self._reached else again)
            self._lanes.answered()
            for message in messages:
                await self._take(message)
            if not messages:
                self._reached = self._reached or await self._is_through()
        while self._ready and self._has_room() and self._pace.take(1):
            self._lanes.add(Turn(self._hand, self._ready.popleft()))
        idle = not self._ready and not self._hand.held and not self._hand.settling.pending
        return self._reached and idle and await self._is_through()

    def _has_room(self) -> bool:
        """Whether one more may be in the lanes."""
        return len(self._hand.held) - len(self._ready) < self._width

    async def _take(self, message: Msg) -> None:
        seq = message.metadata.sequence.stream
        self._reached = self._reached or seq > self._consumer.last_seq
        if seq > self._consumer.last_seq or not self._frozen.keeps(StoredMessage.of(message)):
            await self._connection.client.publish(message.reply, b"+ACK")
            return
        message.headers = {**(message.headers or {}), **self._marks}
        if self._hand.knows(message) or await self._hand.puts_off(message):
            return
        self._hand.held[seq] = message
        self._ready.append(message)

    async def _tend(self) -> None:
        """Now and then: see whether live events wait, keep alive what is held, acknowledge again
        what was not answered."""
        now = self._clock()
        if now - self._repeated_at >= AGAIN_S:
            self._repeated_at = now
            self._hand.settling.repeat()
        if now - self._beat_at >= _BEAT_S:
            self._beat_at = now
            await self._hand.keep_alive()
        if now - self._looked_at >= _LOOK_S:
            self._looked_at = now
            self._waits = await self._has_to_wait()
            self._lanes.answered()

    async def _has_to_wait(self) -> bool:
        """Whether the handler is paused, or live events wait for it."""
        plan = self._lanes.plan
        info = await consumer_info(self._connection.client, plan.stream, plan.durable)
        if info is None:
            return False
        if info.get("paused"):
            return True
        pending = int(info["num_pending"]) if self._lanes.takes_live else 0
        return pending + self._lanes.waiting > _LIVE_WAITS

    async def _is_through(self) -> bool:
        """By the word of the server."""
        now = await replay_consumers.position(self._connection.client, self._consumer)
        if now is None:
            raise BusError("the position is gone")
        return not now.left and not now.unfinished
