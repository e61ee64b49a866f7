"""A handler that ran in production: on a real server, with its runs on record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from receiver.bus.codec import encode_event
from receiver.bus.connection import Connection
from receiver.bus.message import StoredMessage
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read.order_log import OrderLog
from receiver.bus.read.reader import Reader
from receiver.bus.read.selection import StreamSelection
from receiver.bus.schedules import StreamSchedules, origin
from receiver.bus.state.store import StateStore
from receiver.bus.stream_plan import MAX_AGE
from receiver.bus.subjects import Subjects
from receiver.client.platform import PlatformAPI
from receiver.event import Event
from receiver.observability.logs import get_logger
from receiver.replay.what_if.guard import Guard
from receiver.replay.what_if.past import StreamPast
from receiver.replay.what_if.results import Result
from receiver.replay.what_if.what_if import what_if
from receiver.worker.effects.holders import LocalHolders
from receiver.worker.effects.ledger import Ledger
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler, Router
from receiver.worker.run_records import RunRecords
from receiver.worker.runner import Runner
from receiver.worker.services import Services
from schemas.events import EventData


def version(function: Any, *models: type[EventData], needs_api: bool = False, **how: Any) -> Handler:
    """A version of the handler `ship`: every one has its name."""
    function.__name__ = "ship"
    router = Router(needs_api=needs_api)
    router.on(*models, **how)(function)
    return router.handlers[0]


class Production:
    """Stores events and runs handlers on them, as a worker does."""

    def __init__(
        self, connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects
    ) -> None:
        self.connection = connection
        self.subjects = subjects
        self.records = RunRecords(connection, subjects)
        self._publisher = publisher

    async def store(self, *events: Event[Any]) -> list[StoredMessage]:
        """The events, as they are stored."""
        found = []
        for event in events:
            (stored,) = await self._publisher.publish([encode_event(event, self.subjects)])
            message = await Reader(self.connection).get(self.subjects.stream, stored.stream_seq)
            assert message is not None
            found.append(message)
        return found

    async def run(
        self,
        handler: Handler,
        message: StoredMessage,
        *,
        api: PlatformAPI | None = None,
        attempt: int = 1,
        at: datetime | None = None,
    ) -> str:
        """Run it, and give the outcome; its record is stored when this returns."""
        state = StateStore(self.connection, self.subjects)

        def clock() -> datetime:
            return at or datetime.now(UTC)

        services = Services(
            publisher=self._publisher,
            subjects=self.subjects,
            policy=RetryPolicy(),
            clock=clock,
            schedules=StreamSchedules(self.connection, self.subjects, kept=MAX_AGE),
            state=state,
            ledger=Ledger(state, LocalHolders(), clock=clock, kept=MAX_AGE),
            log=OrderLog(self.connection, self.subjects),
            api=api,
            records=self.records,
        )
        log = get_logger("tests")
        ran = await Runner(services).run(handler, origin(message), attempt=attempt, log=log)
        await services.aclose()
        await self.connection.client.flush()
        return ran.decision.outcome

    async def what_if(self, handler: Handler, *, guard: Guard | None = None, **how: Any) -> list[Result]:
        """What today's code does on all that is stored."""
        selection = StreamSelection(self.subjects.stream, [self.subjects.all_events])
        found = what_if(
            Reader(self.connection).read(selection),
            handler,
            past=StreamPast(self.connection, self.subjects),
            subjects=self.subjects,
            until=datetime.now(UTC),
            guard=guard,
            **how,
        )
        return [result async for result in found]
