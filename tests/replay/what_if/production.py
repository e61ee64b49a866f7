"""A handler that ran in production: on a real server, with its runs on record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from receiver.bus.codec import encode_event
from receiver.bus.connection import Connection
from receiver.bus.message import OutgoingMessage, StoredMessage
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read.order_log import OrderLog
from receiver.bus.read.reader import Reader
from receiver.bus.read.selection import StreamSelection
from receiver.bus.schedules import Schedules
from receiver.bus.state.store import StateStore
from receiver.bus.stream_plan import MAX_AGE
from receiver.bus.subjects import Subjects
from receiver.client.platform import PlatformAPI
from receiver.event import Event
from receiver.observability.logs import get_logger
from receiver.replay.what_if.memory import TimersInMemory
from receiver.replay.what_if.past import StreamPast
from receiver.replay.what_if.results import Result
from receiver.replay.what_if.what_if import what_if
from receiver.testing.observed import ObservedSchedules
from receiver.worker.effects.holders import LocalHolders
from receiver.worker.effects.ledger import Ledger
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler, Router
from receiver.worker.run_records import RunRecords
from receiver.worker.runner import Runner
from receiver.worker.services import Services
from schemas.events import EventData


def version(
    function: Any, *models: type[EventData], needs_api: bool = False, **options: Any
) -> Handler:
    """A version of the handler `ship`: each has that name."""
    function.__name__ = "ship"
    router = Router(needs_api=needs_api)
    router.on(*models, **options)(function)
    return router.handlers[0]


class Production:
    """Stores events and runs handlers on them, as a worker does."""

    def __init__(
        self, connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects
    ) -> None:
        self.connection = connection
        self.subjects = subjects
        self.records = RunRecords(connection, subjects)
        self.timers = TimersInMemory(kept=MAX_AGE)
        self._publisher = publisher
        self._state = StateStore(connection, subjects)

    async def start(self) -> None:
        """Make the streams of state and of records."""
        await self._state.ensure()
        await self.records.start()

    async def stop(self) -> None:
        """Stop what writes to them."""
        await self.records.stop()
        await self._state.stop()

    async def store(self, *events: Event[Any]) -> list[StoredMessage]:
        """The events, as they are stored."""
        return [await self.put(encode_event(event, self.subjects)) for event in events]

    async def put(self, message: OutgoingMessage) -> StoredMessage:
        """One message, as it is stored."""
        (stored,) = await self._publisher.publish([message])
        found = await Reader(self.connection).get(self.subjects.stream, stored.stream_seq)
        assert found is not None
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
        """Run it, and give the outcome; what it did and its record are stored by then."""

        def clock() -> datetime:
            return at or datetime.now(UTC)

        services = Services(
            publisher=self._publisher,
            subjects=self.subjects,
            policy=RetryPolicy(),
            clock=clock,
            schedules=cast(Schedules, ObservedSchedules(cast(Schedules, self.timers))),
            state=self._state,
            ledger=Ledger(self._state, LocalHolders(), clock=clock, kept=MAX_AGE),
            log=OrderLog(self.connection, self.subjects),
            api=api,
            records=self.records,
        )
        log = get_logger("tests")
        ran = await Runner(services).run(handler, message, attempt=attempt, log=log)
        await services.aclose()
        await self.connection.client.flush()
        return ran.decision.outcome

    async def fire(self, handler: Handler) -> str:
        """Run the timer that is due next, at its time."""
        timer = self.timers.next_due(datetime.now(UTC) + timedelta(days=1))
        assert timer is not None
        return await self.run(handler, timer.message, at=timer.at)

    async def what_if(
        self, handler: Handler, *, events: Sequence[StoredMessage] = (), **how: Any
    ) -> list[Result]:
        """What today's code does on these events, by default on all that are stored."""
        selection = StreamSelection(self.subjects.stream, [self.subjects.all_events])
        reading = Reader(self.connection).read(selection)
        found = what_if(
            _each(events) if events else reading,
            handler,
            past=StreamPast(self.connection, self.subjects),
            subjects=self.subjects,
            until=datetime.now(UTC) + timedelta(hours=1),
            **how,
        )
        return [result async for result in found]


async def _each(events: Sequence[StoredMessage]) -> AsyncIterator[StoredMessage]:
    for event in events:
        yield event
