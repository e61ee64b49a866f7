"""One handler at work: what it pulls is run in a keyed pool, kept alive, settled and logged."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from receiver.bus.acknowledgements import AGAIN_S
from receiver.bus.connection import Connection, Sleep
from receiver.bus.consumers import PIN_S, ConsumerPlan
from receiver.bus.message import StoredMessage
from receiver.bus.read.pull import PullLoop
from receiver.bus.schedules import origin
from receiver.observability.logs import get_logger
from receiver.observability.places import place_of
from receiver.resilience.cancellation import PATIENCE_S, cancel, within
from receiver.resilience.deadline import Deadline
from receiver.worker.attempts import Attempts
from receiver.worker.collecting import Collector, lane_of
from receiver.worker.keyed_pool import KeyedPool
from receiver.worker.limits import ConsumerLimits
from receiver.worker.outcomes import Outcome
from receiver.worker.ownership.fence import Fence
from receiver.worker.ownership.ownership import Ownership
from receiver.worker.ownership.presence import Presence
from receiver.worker.ownership.succession import Succession
from receiver.worker.routing import Handler
from receiver.worker.run_log import facts_of, log_outcome
from receiver.worker.run_start import RunStart
from receiver.worker.runner import Runner
from receiver.worker.settling import Settling

HANDOVER_S: Final = 0.5
"""After how long another process may get what this one gave back at its stop, where none takes
over before."""

_IGNORED_S: Final = 0.15
"""For how long a run may ignore its cancellation before it is left behind."""

FENCE_SHARE: Final = 0.6
"""The share of the time to another pin, after which an owner without an answer starts nothing."""

_COLLECT_S: Final = 0.02


class HandlerConsumer:
    """Feeds one handler from its durable, while this process owns it."""

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
    ) -> None:
        self.handler = handler
        self.plan = plan
        self._runner = runner
        self._settling = settling
        self._presence = presence
        self._limits = limits
        self._count = count
        self._sleep = sleep
        self._in_flight: dict[int, Msg] = {}
        self._slots = list(range(limits.concurrency))
        self._running: dict[int, int] = {}
        self._stopping = False
        self._strict = handler.options.order == "strict"
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
        self._pool = KeyedPool(
            limits.concurrency,
            self._work,
            self._on_finished,
            begin=self._begin,
            due=self._due,
            may_start=self.ownership.may_start,
            alone=lambda message: self._attempts(message).alone,
        )
        self._loop = PullLoop(
            connection,
            plan,
            self.ownership,
            deliver=self._accept,
            room=lambda: limits.at_hand - len(self._in_flight),
            much=limits.at_hand // 4,
            heartbeat_s=limits.heartbeat_s,
            sleep=sleep,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._log = get_logger("yizhan.handlers", handler=handler.name)

    def start(self) -> None:
        """Begin to pull, as soon as no other process does."""
        self.ownership.start()
        for coroutine in (self._loop.run(), self._keep_alive(), self._tend()):
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
        left = [*left, *self._collector.take()]
        await within(deadline.step_s(), self._give_back(left), name="handler-settle")

    async def _give_back(self, messages: Sequence[Msg]) -> None:
        for message in messages:
            await self._release(message)
        self._settling.repeat()
        await self._loop.settle()
        if not self._pool.busy:
            await self.ownership.resign()

    @property
    def load(self) -> tuple[int, int, int]:
        """How many events run, wait here, and are done without the server having said it knows."""
        running = len(self._running)
        return running, len(self._in_flight) - running, self._settling.unanswered

    # As the work of an owner.

    @property
    def busy(self) -> bool:
        """See `Work`."""
        return self._pool.busy

    def keeps(self, seq: int) -> bool:
        """See `Work`."""
        return seq in self._in_flight or self._settling.keeps(seq)

    async def inherit(self, *, anew: bool) -> None:
        """See `Work`."""
        await self._settling.records.ensure()
        if anew:
            await self._settling.ledger.inherit(self._presence.lives)

    def expect(self, pending: int) -> None:
        """See `Work`."""
        kept = len(self._in_flight) + self._settling.pending
        self._collector.begin(max(0, pending - kept))
        self._collects.set()

    def forget(self) -> None:
        """See `Work`."""
        self._collector.clear()
        self._pool.clear()
        self._in_flight.clear()
        self._settling.forget()

    def wake(self) -> None:
        """See `Work`."""
        self._loop.wake()

    def _due(self, message: Msg) -> Coroutine[Any, Any, None] | None:
        """Where order is strict, a retry waits in its lane, and what is behind it does, too."""
        early = self._settling.early_s(self._attempts(message)) > 0
        return self._until_due(message) if early else None

    async def _until_due(self, message: Msg) -> None:
        while (wait_s := self._settling.early_s(self._attempts(message))) > 0:
            await self._sleep(wait_s)

    async def _accept(self, message: Msg) -> None:
        seq = message.metadata.sequence.stream
        if self._settling.repeats(seq, message):
            return
        if seq in self._in_flight:
            self._in_flight[seq] = message  # the run under way answers for both, under this subject
            return
        if self._stopping:
            await self._release(message)
            return
        known = self._attempts(message)
        if not self._strict and await self._settling.puts_off_again(seq, message, known):
            return
        self._in_flight[seq] = message
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
        ordered = self.handler.options.order != "none"
        self._pool.add(lane_of(message, ordered=ordered), message)

    def _on_finished(self, message: Msg) -> None:
        self._in_flight.pop(message.metadata.sequence.stream, None)
        self._loop.made_room()

    def _begin(self, messages: Sequence[Msg]) -> None:
        first: list[tuple[int, int]] = []
        for message in messages:
            seq = message.metadata.sequence.stream
            slot = self._running[seq] = self._slots.pop()
            if message.metadata.num_delivered == 1:
                first.append((seq, slot))
        if first:
            self._settling.ledger.begin(first)

    async def _work(self, message: Msg) -> bool:
        """Run one; what is bound to the log ends with the task."""
        started = asyncio.get_running_loop().time()
        seq, attempts = message.metadata.sequence.stream, self._attempts(message)
        slot = self._running[seq]
        facts = facts_of(message, attempts)
        try:
            structlog.contextvars.bind_contextvars(handler=self.handler.name, **facts)
            log = self._log.bind(**facts)
            if message.metadata.num_delivered > 1:
                await self._settling.ledger.begin_surely(seq, slot)
            if attempts.deaths:
                RunStart(self._settling.ledger, seq, slot).watch()
            result = await self._runner.run(
                self.handler,
                origin(StoredMessage.of(message)),
                attempt=attempts.starts + 1,
                failures=attempts.failures,
                deaths=attempts.deaths if attempts.kills else 0,
                log=log,
            )
            latest = self._in_flight.get(seq, message)
            again = await self._settling.settle(
                latest, slot, attempts, result.decision, in_place=self._strict
            )
            duration_s = asyncio.get_running_loop().time() - started
            self._count(self.handler.name, result.decision.outcome, duration_s)
            log_outcome(log, result, duration_s)
            del self._running[seq]
            return again
        finally:
            self._slots.append(slot)

    async def _release(self, message: Msg) -> None:
        """Give back what this process will not finish; another one, or the next, gets it."""
        seq, facts = message.metadata.sequence.stream, facts_of(message, self._attempts(message))
        slot = self._running.pop(seq, None)
        if slot is not None:
            await self._settling.ledger.comes_again(seq, slot)
        with contextlib.suppress(NatsError, OSError):
            await message.nak(delay=HANDOVER_S)
        self._count(self.handler.name, "released", None)
        self._log.info("event_handled", outcome="released", **facts)

    async def _keep_alive(self) -> None:
        """Say of everything held, running or waiting, that it is still being worked on."""
        while True:
            await self._sleep(self._limits.beat_s)
            for message in list(self._in_flight.values()):
                with contextlib.suppress(NatsError, OSError):
                    if not message.is_acked:
                        await message.in_progress()

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

    def _attempts(self, message: Msg) -> Attempts:
        seq = message.metadata.sequence.stream
        return self._settling.ledger.of(seq, message.headers or {})

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A fault of ours ended a loop: without this line the handler would be dead in silence."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("handler_loop_ended", error=type(error).__name__, place=place_of(error))


def _now() -> float:
    return asyncio.get_running_loop().time()
