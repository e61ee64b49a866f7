"""One handler at work: what it pulls is run in a keyed pool, kept alive, settled and logged."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Final

from nats.aio.msg import Msg

from receiver.bus.acknowledgements import AGAIN_S
from receiver.bus.connection import Connection, Sleep
from receiver.bus.consumers import PIN_S, ConsumerPlan
from receiver.bus.read.pull import PullLoop
from receiver.observability.logs import get_logger
from receiver.observability.places import place_of
from receiver.resilience.cancellation import PATIENCE_S, cancel, within
from receiver.resilience.deadline import Deadline
from receiver.worker.collecting import Collector, lane_of
from receiver.worker.in_hand import InHand, Turn, pool
from receiver.worker.limits import ConsumerLimits
from receiver.worker.outcomes import Outcome
from receiver.worker.ownership.fence import Fence
from receiver.worker.ownership.ownership import Ownership
from receiver.worker.ownership.presence import Presence
from receiver.worker.ownership.succession import Succession
from receiver.worker.routing import Handler
from receiver.worker.runner import Runner
from receiver.worker.settling import Settling

_IGNORED_S: Final = 0.15
"""For how long a run may ignore its cancellation before it is left behind."""

FENCE_SHARE: Final = 0.6
"""The share of the time to another pin, after which an owner without an answer starts nothing."""

_COLLECT_S: Final = 0.02


class HandlerConsumer:
    """Feeds one handler from its durable, while this process owns it.

    `epoch` counts how often what waited was forgotten, since another process goes on with it.
    """

    def __init__(
        self,
        handler: Handler,
        runner: Runner,
        connection: Connection,
        settling: Settling,
        presence: Presence,
        *,
        plan: ConsumerPlan,
        limits: ConsumerLimits,
        count: Callable[[str, Outcome, float | None], None],
        sleep: Sleep,
        guest: bool = False,
    ) -> None:
        """A `guest` holds the handler and takes nothing from its durable: it runs replays alone."""
        self.handler = handler
        self._guest = guest
        self.plan = plan
        self.epoch = 0
        self._settling = settling
        self._presence = presence
        self._limits = limits
        self._sleep = sleep
        self._stopping = False
        self._hand = InHand(
            handler,
            runner,
            settling,
            width=limits.concurrency,
            count=count,
            finished=lambda: self._loop.made_room(),  # noqa: PLW0108 - it is made below
            sleep=sleep,
        )
        self._collector: Collector[Msg] = Collector(time.monotonic)
        self._collects = asyncio.Event()
        self.ownership = Ownership(
            handler.name,
            connection,
            presence,
            Succession(connection, plan, settling.records, presence),
            Fence(PIN_S * FENCE_SHARE, _now),
            self,
            clock=time.monotonic,
            sleep=sleep,
        )
        self._pool = pool(limits.concurrency, self.ownership.may_start)
        self._loop = PullLoop(
            connection,
            plan,
            self.ownership,
            deliver=self._accept,
            room=lambda: limits.at_hand - len(self._hand.held),
            much=limits.at_hand // 4,
            heartbeat_s=limits.heartbeat_s,
            sleep=sleep,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._log = get_logger("yizhan.handlers", handler=handler.name)

    def start(self) -> None:
        """Begin to pull, as soon as no other process does."""
        self.ownership.start()
        pulling = self._take_nothing() if self._guest else self._loop.run()
        for coroutine in (pulling, self._keep_alive(), self._tend()):
            task = asyncio.create_task(coroutine, name=self.handler.durable)
            task.add_done_callback(self._ended)
            self._tasks.append(task)

    @property
    def alive(self) -> bool:
        """Whether what `start` began still goes on."""
        return not any(task.done() for task in self._tasks)

    async def stop(self, deadline: Deadline, grace_s: float) -> None:
        """Pull nothing more, let runs finish within `grace_s`, give the rest back."""
        self._stopping = True
        if not self._tasks:
            return
        pulling, *others = self._tasks
        try:
            await self.ownership.stop()
            await cancel(pulling, patience_s=min(PATIENCE_S, deadline.step_s()))
            left = await self._pool.stop(
                grace_s=min(grace_s, deadline.grace_left_s()), patience_s=_IGNORED_S
            )
        finally:
            for task in others:
                await cancel(task, patience_s=_IGNORED_S)
        left = [*left, *(Turn(self._hand, message) for message in self._collector.take())]
        await within(deadline.step_s(), self._give_back(left), name="handler-settle")

    async def _give_back(self, turns: Sequence[Turn]) -> None:
        for turn in turns:
            await turn.hand.release(turn.message)
        self._settling.repeat()
        await self._loop.settle()
        if not self._pool.busy:
            await self.ownership.resign()

    @property
    def load(self) -> tuple[int, int, int]:
        """How many events run, wait here, and are done without the server having said it knows."""
        return self._hand.running, self._hand.waiting, self._settling.unanswered

    # As where replays are run.

    def add(self, turn: Turn) -> None:
        """Have one run behind what is in its lane."""
        ordered = self.handler.options.order != "none"
        self._pool.add(lane_of(turn.message, ordered=ordered), turn)

    @property
    def holds(self) -> bool:
        """See `Lanes`."""
        return self.ownership.holds and not self._stopping

    @property
    def takes_live(self) -> bool:
        """See `Lanes`."""
        return not self._guest

    def answered(self) -> None:
        """See `Lanes`: who takes nothing live has no other word of the server."""
        if self._guest:
            self.ownership.answered(_now())

    @property
    def waiting(self) -> int:
        """How many live events wait here."""
        return self._hand.waiting

    # As the work of an owner.

    @property
    def busy(self) -> bool:
        """See `Work`."""
        return self._pool.busy

    def keeps(self, seq: int) -> bool:
        """See `Work`."""
        return seq in self._hand.held or self._settling.keeps(seq)

    async def inherit(self, *, anew: bool) -> None:
        """See `Work`."""
        await self._settling.records.ensure()
        if anew:
            await self._settling.ledger.inherit(self._presence.lives)

    def expect(self, pending: int) -> None:
        """See `Work`."""
        kept = len(self._hand.held) + self._settling.pending
        self._collector.begin(max(0, pending - kept))
        self._collects.set()

    def forget(self) -> None:
        """See `Work`."""
        self._collector.clear()
        self._pool.clear()
        self._hand.held.clear()
        self._settling.forget()
        self.epoch += 1

    def wake(self) -> None:
        """See `Work`."""
        self._loop.wake()

    async def _accept(self, message: Msg) -> None:
        if self._hand.knows(message):
            return
        if self._stopping:
            await self._hand.release(message)
            return
        if await self._hand.puts_off(message):
            return
        seq = message.metadata.sequence.stream
        self._hand.held[seq] = message
        if self._collector.collects:
            self._collector.add(seq, message, again=message.metadata.num_delivered > 1)
            self._add_collected()
        else:
            self._add(message)

    def _add_collected(self) -> None:
        if self._collector.is_due:
            for message in self._collector.take():
                self._add(message)

    def _add(self, message: Msg) -> None:
        self.add(Turn(self._hand, message))

    async def _take_nothing(self) -> None:
        """In place of the pulls of one that takes live events."""
        await self.ownership.allowed()
        await asyncio.Event().wait()

    async def _keep_alive(self) -> None:
        while True:
            await self._sleep(self._limits.beat_s)
            await self._hand.keep_alive()

    async def _tend(self) -> None:
        """End the collecting in time, and acknowledge again what was not answered."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_S):
                    await self._collects.wait()
            self._collects.clear()
            while self._collector.collects:
                self._add_collected()
                await self._sleep(_COLLECT_S)
            self._settling.repeat()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A fault of ours ended a loop: without this line the handler would be dead in silence."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("handler_loop_ended", error=type(error).__name__, place=place_of(error))


def _now() -> float:
    return asyncio.get_running_loop().time()
