"""A replay into a handler."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from receiver.bus.connection import Connection
from receiver.bus.message import StoredMessage
from receiver.bus.publish.contract import Publisher
from receiver.bus.publish.deduplicating import DeduplicatingPublisher
from receiver.bus.read.order_log import OrderLog
from receiver.bus.schedules import StreamSchedules
from receiver.bus.state.store import StateStore
from receiver.bus.subjects import Subjects
from receiver.event import Event
from receiver.observability.logs import get_logger
from receiver.worker.effects.holders import BusHolders
from receiver.worker.effects.ledger import Ledger
from receiver.worker.outcomes import Ack, Term
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler
from receiver.worker.runner import Runner
from receiver.worker.services import Services
from schemas.events import EventData

if TYPE_CHECKING:
    from receiver.client.platform import PlatformAPI


@dataclass(frozen=True, slots=True)
class HandlerSink:
    """Runs a handler in this process, on the events it is registered for."""

    handler: Handler
    runner: Runner

    @classmethod
    def of(
        cls,
        handler: Handler,
        publisher: Publisher,
        connection: Connection,
        subjects: Subjects,
        *,
        api: PlatformAPI | None,
        kept: timedelta,
    ) -> HandlerSink:
        """A sink whose results are stored only where the stream does not hold them yet; that keeps
        messages for `kept`.
        """
        handler = replace(handler, options=replace(handler.options, retry=None, coalesce_s=None))
        once = DeduplicatingPublisher(publisher, connection, subjects)
        state = StateStore(connection, subjects)
        holders = BusHolders([connection], subjects, sleep=asyncio.sleep)
        services = Services(
            publisher=once,
            subjects=subjects,
            policy=RetryPolicy(max_attempts=2**31),
            clock=_now,
            schedules=StreamSchedules(connection, subjects, kept=kept),
            state=state,
            ledger=Ledger(state, holders, clock=_now, kept=kept),
            log=OrderLog(connection, subjects),
            api=api,
        )
        return cls(handler, Runner(services))

    async def close(self) -> None:
        """Close what the handler had opened."""
        await self.runner.services.aclose()

    async def flush(self) -> None:
        """What was put has been run."""

    async def put(self, event: Event[EventData], stored: StoredMessage) -> str:
        """See `Sink.put`."""
        if type(event.data) not in self.handler.models:
            return f"{event.event_type} is not what {self.handler.name} is registered for"
        log = get_logger("yizhan.replay", handler=self.handler.name, event_id=event.id)
        ran = await self.runner.run(self.handler, stored, attempt=1, log=log)
        return "" if isinstance(ran.decision, Ack | Term) else ran.error or "to be retried"


def _now() -> datetime:
    return datetime.now(UTC)
