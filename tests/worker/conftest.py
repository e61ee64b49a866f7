"""A bench for workers: a real stream to put events on, and workers to run on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from receiver.bus.codec import encode_event
from receiver.bus.connection import Connection
from receiver.bus.headers import decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.publish.contract import Publisher
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.read.history import Span, opened_history
from receiver.bus.subjects import Subjects
from receiver.client.platform import PlatformAPI
from receiver.event import Event
from receiver.testing import handled, make_event
from receiver.worker.limits import ConsumerLimits
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler, Router
from receiver.worker.worker import Worker
from schemas.events import EventData


@dataclass
class Bench:
    """A stream to put events on, and workers to run on it."""

    connection: Connection
    publisher: Publisher
    subjects: Subjects
    workers: list[Worker] = field(default_factory=list)

    async def store(self, *made: EventData) -> list[Event[EventData]]:
        events = [make_event(data) for data in made]
        await self.put(*events)
        return events

    async def put(self, *events: Event[EventData]) -> None:
        await self.publisher.publish([encode_event(event, self.subjects) for event in events])

    async def work(
        self,
        *routers: Router | Handler,
        grace_s: float = 5.0,
        limits: ConsumerLimits | None = None,
        as_they_say: bool = False,
        api: PlatformAPI | None = None,
    ) -> Worker:
        """A worker of all that is stored, or one whose handlers begin `as_they_say`."""
        handlers = _handlers(routers)
        worker = Worker(
            self.connection,
            self.publisher,
            self.subjects,
            handlers if as_they_say else [*map(_from_the_first, handlers)],
            api=api,
            clock=lambda: datetime.now(UTC),
            sleep=asyncio.sleep,
            policy=RetryPolicy(max_attempts=3, delays_s=(0.1,), jitter=lambda: 0.0),
            limits=limits or ConsumerLimits(),
            grace_s=grace_s,
        )
        self.workers.append(worker)
        await worker.start()
        return worker

    async def handled(self, *routers: Router | Handler) -> None:
        await handled(self.connection, self.subjects, _handlers(routers))

    async def stored(self, event_type: str) -> list[dict[str, str]]:
        """The headers of every stored event of a type."""
        return await self._headers(self.subjects.stream, self.subjects.events_of_type(event_type))

    async def dead(self) -> list[dict[str, str]]:
        """The decoded headers of every dead letter."""
        return await self._headers(self.subjects.dead_stream, self.subjects.all_dead)

    async def messages(self, stream: str, subject: str) -> list[StoredMessage]:
        """What a stream holds on a subject."""
        async with opened_history(self.connection, stream, Span((subject,))) as history:
            return [stored async for stored in history.read()]

    async def records(self, handler: str) -> list[dict[str, Any]]:
        """The records of a handler's runs."""
        subject = f"{self.subjects.root}.runs.{handler}.>"
        found = await self.messages(self.subjects.runs_stream, subject)
        return [json.loads(stored.body) for stored in found]

    async def _headers(self, stream: str, subject: str) -> list[dict[str, str]]:
        jetstream = self.connection.jetstream
        info = await jetstream.stream_info(stream, subjects_filter=subject)
        count = sum((info.state.subjects or {}).values())
        if not count:
            return []
        subscription = await jetstream.subscribe(subject, stream=stream, ordered_consumer=True)
        messages = [await subscription.next_msg(timeout=60) for _ in range(count)]
        await subscription.unsubscribe()
        return [
            {name: decode_header(text) for name, text in (message.headers or {}).items()}
            for message in messages
        ]


def _handlers(routers: Sequence[Router | Handler]) -> list[Handler]:
    return [
        handler
        for router in routers
        for handler in (router.handlers if isinstance(router, Router) else [router])
    ]


def _from_the_first(handler: Handler) -> Handler:
    return replace(handler, options=replace(handler.options, start="all"))


@pytest.fixture
async def bench(
    connection: Connection, publisher: GroupCommitPublisher, subjects: Subjects
) -> AsyncIterator[Bench]:
    made = Bench(connection, publisher, subjects)
    yield made
    for worker in made.workers:
        await worker.stop()
