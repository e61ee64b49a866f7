"""Runs handlers on events: one durable pull consumer for each handler (docs/handlers.md).

One failing or slow handler never holds up another: each has its own consumer, its own room and
its own lanes. One process at a time runs a handler, and events of one order run one at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from receiver.bus.connection import Connection, Sleep
from receiver.bus.consumers import ensure_consumer
from receiver.bus.publish.contract import Publisher
from receiver.bus.publish.deduplicating import DeduplicatingPublisher
from receiver.bus.read.order_log import OrderLog
from receiver.bus.schedules import StreamSchedules
from receiver.bus.state.store import StateStore
from receiver.bus.stream_plan import MAX_AGE
from receiver.bus.subjects import Subjects
from receiver.bus.worker_records import WorkerRecords
from receiver.errors import BusError
from receiver.observability.logs import get_logger
from receiver.resilience.deadline import Deadline
from receiver.worker.consumer import HandlerConsumer
from receiver.worker.counts import HandlerCounts
from receiver.worker.effects.holders import BusHolders
from receiver.worker.effects.ledger import Ledger
from receiver.worker.in_hand import InHand
from receiver.worker.limits import ConsumerLimits, consumer_plan
from receiver.worker.ownership.presence import Presence
from receiver.worker.replaying.feed import ReplayFeed, width_of
from receiver.worker.replaying.feeds import ReplayFeeds
from receiver.worker.replaying.frozen import Frozen
from receiver.worker.replaying.record import HANDLER, ReplayRecord
from receiver.worker.replaying.store import Replays
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler, unique
from receiver.worker.run_records import RunRecords
from receiver.worker.runner import Runner
from receiver.worker.services import Services
from receiver.worker.settling import Settling
from receiver.worker.status import HandlerStatus, StatusService, WorkerStatus

if TYPE_CHECKING:
    from receiver.client.platform import PlatformAPI
    from receiver.observability.spans import Tracer


class Worker:
    """Runs `handlers` from `start` to `stop`.

    Survives NATS going away and coming back. A stop lets runs finish within `grace_s`.
    """

    make_runner: Callable[[Services], Runner] = Runner
    """What runs them; a test's observes what they do."""

    def __init__(
        self,
        connection: Connection,
        publisher: Publisher,
        subjects: Subjects,
        handlers: Sequence[Handler],
        *,
        api: PlatformAPI | None,
        policy: RetryPolicy,
        limits: ConsumerLimits,
        grace_s: float,
        clock: Callable[[], datetime],
        sleep: Sleep,
        second: Connection | None = None,
        error_texts: bool = True,
        kept: timedelta = MAX_AGE,
        guest: bool = False,
    ) -> None:
        """`second` is a connection to another server of a cluster; the stream keeps for `kept`. A
        `guest` holds the handlers and runs replays alone, nothing live."""
        self.counts = HandlerCounts()
        self._connection = connection
        self._grace_s = grace_s
        self._log = get_logger("yizhan.handlers")
        self._run_records = RunRecords(connection, subjects)
        self._state = StateStore(connection, subjects)
        holders = BusHolders([*filter(None, (connection, second))], subjects, sleep=sleep)
        self._services = services = Services(
            publisher=publisher,
            subjects=subjects,
            policy=policy,
            clock=clock,
            schedules=StreamSchedules(connection, subjects, kept=kept),
            state=self._state,
            ledger=Ledger(self._state, holders, clock=clock, kept=kept),
            log=OrderLog(connection, subjects),
            api=api,
            once=DeduplicatingPublisher(publisher, connection, subjects),
            records=self._run_records,
            texts=error_texts,
        )
        self._runner = runner = self.make_runner(services)
        self._guest = guest
        self._limits = limits
        self._sleep = sleep
        self._records = WorkerRecords(connection, subjects)
        self._presence = Presence(
            connection, subjects, second=second, clock=time.monotonic, sleep=sleep
        )
        loaded = unique(handlers)
        self._off = [h for h in loaded if h.off]
        self._without_api = [h for h in loaded if h.needs_api and api is None and not h.off]
        self._consumers = [
            self._consumer(handler, runner, services, limits, sleep)
            for handler in loaded
            if handler not in (*self._off, *self._without_api)
        ]
        self._replays = ReplayFeeds(
            Replays(self._state, connection, subjects),
            [consumer.handler for consumer in self._consumers],
            self._feed,
        )
        self._service = StatusService(connection, subjects, read=self.status, sleep=sleep)

    def trace_by(self, tracer: Tracer | None) -> None:
        """Have every run traced; call it before `start`."""
        self._runner.tracer = tracer

    def _consumer(
        self,
        handler: Handler,
        runner: Runner,
        services: Services,
        limits: ConsumerLimits,
        sleep: Sleep,
    ) -> HandlerConsumer:
        return HandlerConsumer(
            handler,
            runner,
            self._connection,
            self._settling(handler),
            self._presence,
            plan=consumer_plan(handler, services.subjects, limits),
            limits=limits.of(handler),
            count=self.counts.add,
            sleep=sleep,
            guest=self._guest,
        )

    def _settling(self, handler: Handler, replay: str = "") -> Settling:
        return Settling(
            self._connection,
            self._services.schedules,
            self._records,
            handler.name,
            self._presence.worker,
            clock=self._services.clock,
            short_s=self._limits.short_retry_s,
            replay=replay,
        )

    def _feed(
        self,
        record: ReplayRecord,
        handler: Handler,
        goes_on: Callable[[], bool],
        finish: Callable[[], Awaitable[None]],
    ) -> ReplayFeed:
        """A replayed event is run at once, where a live one may wait for newer ones."""
        (lanes,) = [one for one in self._consumers if one.handler.name == handler.name]
        target, width = f"{HANDLER}{handler.name}", width_of(self._limits.of(handler))
        hand = InHand(
            replace(handler, options=replace(handler.options, coalesce_s=None)),
            self._runner,
            self._settling(handler, record.label.replace(".", "=")),
            width=width,
            count=self.counts.add,
            finished=lambda: None,
            sleep=self._sleep,
        )
        return ReplayFeed(
            record,
            record.consumer(target, self._services.subjects.stream),
            Frozen.of(record, target, self._services.subjects),
            lanes,
            hand,
            self._connection,
            width=width,
            lives=self._presence.lives,
            goes_on=goes_on,
            finish=finish,
            clock=time.monotonic,
            sleep=self._sleep,
        )

    @property
    def name(self) -> str:
        """The name of this process among the workers."""
        return self._presence.worker

    def status(self) -> WorkerStatus:
        """What the handlers of this process do now, and what became of their events."""
        statuses = {consumer.handler.name: self._status(consumer) for consumer in self._consumers}
        return WorkerStatus.here(self._presence.worker, statuses, guest=self._guest)

    def owns(self, handler: str) -> bool:
        """Whether this process runs the handler now."""
        statuses = self.status().handlers
        return handler in statuses and statuses[handler].owns

    def _status(self, consumer: HandlerConsumer) -> HandlerStatus:
        name = consumer.handler.name
        buckets, seconds = self.counts.durations(name)
        running, waiting, unanswered = consumer.load
        return HandlerStatus(
            role=consumer.ownership.role,
            running=running,
            waiting=waiting,
            unanswered=unanswered,
            owner_changes=consumer.ownership.times_owned,
            outcomes={o: count for (of, o), count in self.counts.read().items() if of == name},
            buckets=buckets,
            seconds=seconds,
        )

    @property
    def alive(self) -> bool:
        """Whether every handler that was started still takes events."""
        return all(consumer.alive for consumer in self._consumers)

    async def start(self) -> None:
        """Begin to handle; returns at once where NATS is away.

        Raises `ConfigurationError` where a consumer in the way or the state stream cannot be used.
        """
        for handler in self._off:
            self._log.info("handler_off", handler=handler.name, reason=handler.off)
        for handler in self._without_api:
            self._log.warning(
                "handler_not_started",
                handler=handler.name,
                error="it needs the platform's API: add an [api] section to the settings",
            )
        with contextlib.suppress(BusError):
            client = self._connection.client
            if not self._guest:
                await asyncio.gather(*(ensure_consumer(client, c.plan) for c in self._consumers))
            await self._records.ensure()
            await self._run_records.start()
            await self._state.ensure()
        await self._presence.start()
        await self._service.start()
        for consumer in self._consumers:
            consumer.start()
            self._log.info("handler_started", handler=consumer.handler.name)
        self._replays.start()

    async def stop(self, deadline: Deadline | None = None) -> None:
        """Fetch nothing more, let runs finish within the grace time, give the rest back."""
        grace_s = self._grace_s
        end = deadline or Deadline(grace_s)
        try:
            await self._replays.stop()
            await asyncio.gather(*(consumer.stop(end, grace_s) for consumer in self._consumers))
        finally:
            await self._service.stop()
            await self._presence.stop()
            await self._run_records.stop()
            await self._services.aclose()
            await self._state.stop()
