"""One handler at work: what it pulls is run in a keyed pool, kept alive, settled and logged."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from receiver.bus.connection import Connection, Sleep
from receiver.bus.consumers import ConsumerPlan
from receiver.bus.headers import decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.read.pull import PullLoop
from receiver.bus.subjects import NO_KEY, Subjects
from receiver.observability.logs import get_logger
from receiver.observability.places import place_of
from receiver.observability.screen import shown
from receiver.resilience.cancellation import PATIENCE_S, cancel, within
from receiver.resilience.deadline import Deadline
from receiver.worker.keyed_pool import KeyedPool
from receiver.worker.outcomes import Ack, Decision, NakWithDelay, Outcome
from receiver.worker.routing import Handler
from receiver.worker.runner import Runner, RunResult

HANDOVER_S: Final = 0.5
"""After how long another process may get what this one gave back at its stop."""

_IGNORED_S: Final = 0.15
"""For how long a run may ignore its cancellation before it is left behind."""

_EVENT_NAMES: Final[dict[Outcome, str]] = {
    "retried": "handler_failed",
    "dead_lettered": "handler_failed",
}


@dataclass(frozen=True, slots=True)
class ConsumerLimits:
    """How much one handler does at once, and how often it and the server send signs of life.

    `prefetch` messages may wait in this process beside the running ones, so that one busy order
    does not keep the others out.
    """

    concurrency: int = 16
    prefetch: int = 256
    ack_wait_s: float = 30.0
    heartbeat_s: float = 5.0

    def of(self, handler: Handler) -> ConsumerLimits:
        """Those of one handler: what it says goes first."""
        return replace(self, concurrency=handler.options.concurrency or self.concurrency)

    @property
    def beat_s(self) -> float:
        """The time between two in-progress signs: two may get lost."""
        return self.ack_wait_s / 3


def consumer_plan(handler: Handler, subjects: Subjects, limits: ConsumerLimits) -> ConsumerPlan:
    """The durable of one handler."""
    return ConsumerPlan(
        subjects.stream,
        handler.durable,
        [subjects.events_of_type(model.event_type) for model in handler.models],
        limits.ack_wait_s,
    )


class HandlerConsumer:
    """Feeds one handler from its durable."""

    def __init__(
        self,
        handler: Handler,
        runner: Runner,
        connection: Connection,
        subjects: Subjects,
        *,
        limits: ConsumerLimits,
        count: Callable[[str, Outcome], None],
        sleep: Sleep,
    ) -> None:
        self.handler = handler
        self.plan = consumer_plan(handler, subjects, limits)
        self._runner = runner
        self._limits = limits
        self._count = count
        self._sleep = sleep
        self._in_flight: dict[int, Msg] = {}
        self._stopping = False
        self._pool = KeyedPool(limits.concurrency, self._work, self._on_finished)
        self._loop = PullLoop(
            connection,
            self.plan,
            deliver=self._accept,
            room=self._free_slots,
            heartbeat_s=limits.heartbeat_s,
            sleep=sleep,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._log = get_logger("yizhan.handlers", handler=handler.name)

    def start(self) -> None:
        """Begin to pull."""
        for coroutine in (self._loop.run(), self._keep_alive()):
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
        pulling, beating = self._tasks
        try:
            await cancel(pulling, patience_s=min(PATIENCE_S, deadline.step_s()))
            left = await self._pool.stop(
                grace_s=min(grace_s, deadline.grace_left_s()), patience_s=_IGNORED_S
            )
        finally:
            await cancel(beating, patience_s=_IGNORED_S)
        await within(deadline.step_s(), self._give_back(left), name="handler-settle")

    async def _give_back(self, messages: Sequence[Msg]) -> None:
        for message in messages:
            await self._release(message)
        await self._loop.settle()

    def _free_slots(self) -> int:
        return self._limits.concurrency + self._limits.prefetch - len(self._in_flight)

    async def _accept(self, message: Msg) -> None:
        sequence = message.metadata.sequence.stream
        if sequence in self._in_flight:
            return  # delivered again while we were cut off: the run under way answers for both
        if self._stopping:
            await self._release(message)
            return
        self._in_flight[sequence] = message
        self._pool.add(_pool_key(message), message)

    def _on_finished(self, message: Msg) -> None:
        self._in_flight.pop(message.metadata.sequence.stream, None)
        self._loop.wake()

    async def _work(self, message: Msg) -> None:
        started = asyncio.get_running_loop().time()
        facts = _facts(message)
        with structlog.contextvars.bound_contextvars(handler=self.handler.name, **facts):
            log = self._log.bind(**facts)
            stored = StoredMessage.of(message)
            result = await self._runner.run(
                self.handler, stored, attempt=message.metadata.num_delivered, log=log
            )
            await _settle(message, result.decision)
            self._log_outcome(log, result, asyncio.get_running_loop().time() - started)

    def _log_outcome(
        self, log: structlog.typing.FilteringBoundLogger, result: RunResult, duration_s: float
    ) -> None:
        outcome = result.decision.outcome
        self._count(self.handler.name, outcome)
        keys: dict[str, Any] = {"outcome": outcome, "duration_ms": round(duration_s * 1000, 1)}
        keys["shown"] = shown(() if result.data is None else (result.data,))
        if result.error:
            keys |= {"error": result.error, "place": result.place}
        if isinstance(result.decision, NakWithDelay):
            keys["delay_s"] = round(result.decision.delay_s, 3)
        name = _EVENT_NAMES.get(outcome, "event_handled")
        level = {"retried": log.warning, "dead_lettered": log.error}.get(outcome, log.info)
        level(name, **keys)

    async def _release(self, message: Msg) -> None:
        """Give back what this process will not finish; another one, or the next, gets it."""
        with contextlib.suppress(NatsError, OSError):
            await message.nak(delay=HANDOVER_S)
        self._count(self.handler.name, "released")
        self._log.info("event_handled", outcome="released", **_facts(message))

    async def _keep_alive(self) -> None:
        """Say of everything held, running or waiting, that it is still being worked on."""
        while True:
            await self._sleep(self._limits.beat_s)
            for message in list(self._in_flight.values()):
                with contextlib.suppress(NatsError, OSError):
                    if not message.is_acked:
                        await message.in_progress()

    def _ended(self, task: asyncio.Task[None]) -> None:
        """A fault of ours ended a loop: without this line the handler would be dead in silence."""
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("handler_loop_ended", error=type(error).__name__, place=place_of(error))


async def _settle(message: Msg, decision: Decision) -> None:
    """Acknowledge to JetStream; where that fails the message comes again and is run again."""
    with contextlib.suppress(NatsError, OSError):
        if isinstance(decision, Ack):
            await message.ack()
        elif isinstance(decision, NakWithDelay):
            await message.nak(delay=decision.delay_s)
        else:
            await message.term()


def _pool_key(message: Msg) -> Hashable:
    """The order, on its channel; an event without one has a key of its own."""
    *_, channel, _, _, key = message.subject.split(".")
    return (channel, key) if key != NO_KEY else message.metadata.sequence.stream


def _facts(message: Msg) -> dict[str, Any]:
    headers = message.headers or {}
    event_type = headers.get("ce-type", "").removeprefix("yizhan.").removesuffix(".v1")
    return {
        "event_id": headers.get("ce-id", "")[:256],
        "event_type": event_type[:64],
        "order_id": decode_header(headers.get("ce-subject", ""))[:256] or None,
        "attempt": message.metadata.num_delivered,
    }
