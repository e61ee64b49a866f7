"""The same kit on a real server: a nats-server of its own, and a worker."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from pydantic import BaseModel

from receiver.bus.codec import encode_event
from receiver.bus.connection import Connection
from receiver.bus.message import MSG_ID, OutgoingMessage, StoredMessage
from receiver.bus.publish.contract import Stored
from receiver.bus.publish.group_commit import GroupCommitPublisher
from receiver.bus.schedules import place_in_order
from receiver.bus.stream_plan import plans
from receiver.embedded.server import EmbeddedServer, EmbeddedServerConfig
from receiver.errors import ConfigurationError
from receiver.event import Event
from receiver.testing.kit import Kit
from receiver.testing.publisher import RecordingPublisher
from receiver.testing.result import HandlerRun
from receiver.worker.interface import HandlerFunction
from receiver.worker.limits import ConsumerLimits
from receiver.worker.options import DEFAULT_TIMEOUT_S
from receiver.worker.outcomes import NakWithDelay
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler
from receiver.worker.worker import Worker
from schemas.events import EventData

if TYPE_CHECKING:
    from receiver.client.platform import PlatformAPI

_START_S: Final = 60.0
_GRACE_S: Final = 5.0
_WINDOW: Final = timedelta(hours=2)
_LONGEST: Final = timedelta(minutes=1)
"""How far time may be let go on: it takes as long as it says."""


class RealKit(Kit):
    """A `Kit` whose events go through a real nats-server to a real worker.

        async with RealKit(ship_it) as kit:
            ran = await kit.run(event)

    The server and all that it stored are gone when it is left. Its time is the real one: `advance`
    waits for what is due, and refuses more than a minute. Where the worker ends no run within the
    handler's time limit and a minute, `TimeoutError` is raised.
    """

    def __init__(
        self,
        handler: Handler | HandlerFunction,
        *,
        api: PlatformAPI | None = None,
        settings: BaseModel | None = None,
        policy: RetryPolicy | None = None,
    ) -> None:
        self._stream = _StoringPublisher()
        super().__init__(
            handler,
            api=api,
            settings=settings,
            policy=policy,
            clock=lambda: datetime.now(UTC),
            publisher=self._stream,
        )
        if self.handler.models == (EventData,) or (self.handler.needs_api and api is None):
            raise ConfigurationError(
                f"a worker would not run {self.handler.name}: register it with @router.on, and "
                "give an API where its router needs one"
            )
        self._ended: asyncio.Queue[tuple[StoredMessage, HandlerRun]] = asyncio.Queue()
        self._early: list[HandlerRun] = []
        self._times: dict[tuple[str, str | None], datetime] = {}
        self._replayed: StoredMessage | None = None

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            config = EmbeddedServerConfig(data_dir=Path(directory), port=0, sync_always=False)
            server = EmbeddedServer(config)
            await server.start()
            stack.push_async_callback(server.stop)
            connection = Connection(server.url, plans(self.subjects, [_WINDOW]))
            await connection.start(patience_s=_START_S)
            stack.push_async_callback(connection.stop)
            self._stream.inner = GroupCommitPublisher(connection, timeout_s=_START_S)
            stack.push_async_callback(self._stream.inner.stop)
            worker = self._worker(connection)
            await worker.start()
            stack.push_async_callback(worker.stop)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop all, and delete what was stored."""
        await self._stack.aclose()

    async def run(self, event: Event[Any]) -> HandlerRun:
        """Store the event, once more if it was stored before, and give what its first run did."""
        self._check(event, runs=True)
        await self._publish(event)
        while True:
            event_id, run = await self._next()
            if (event_id, run.attempt, run.timer) == (event.id, 1, None):
                return run
            self._early.append(run)

    async def replay(self, event: Event[Any]) -> HandlerRun:
        """See `Kit.replay`; run beside the worker, as the command does."""
        if event.id not in self._messages:
            return await self.run(event)
        self._replayed = self._messages[event.id]
        return await super().replay(event)

    async def given(self, *events: Event[Any]) -> None:
        """See `Kit.given`."""
        for event in events:
            self._check(event, runs=False)
            await self._publish(event)

    async def advance(self, by: timedelta) -> Sequence[HandlerRun]:
        """Wait so long, and until all that is due by then has run.

        Raises `TypeError` for more than a minute.
        """
        if by > _LONGEST:
            raise TypeError("the time of a real server cannot be moved: shorten the delays")
        end, ran = self.clock() + by, self._early
        self._early = []
        while any(due <= end for due in self._times.values()):
            ran.append((await self._next())[1])
        await asyncio.sleep((end - self.clock()).total_seconds())
        return ran

    def on_run(self, message: StoredMessage, run: HandlerRun) -> None:
        """See `Kit.on_run`."""
        if message is self._replayed:
            super().on_run(message, run)
        else:
            self._ended.put_nowait((message, run))

    async def _publish(self, event: Event[Any]) -> None:
        """Store it; what was stored before is stored again, as after the duplicate window."""
        message = encode_event(event, self.subjects)
        if event.id in self._messages:
            headers = message.headers | {MSG_ID: secrets.token_hex(8)}
            message = OutgoingMessage.of(message.subject, headers, message.body)
        (stored,) = await self._stream.inner.publish([message])
        made = StoredMessage(
            message.subject, message.headers, message.body, stored.stream_seq, self.clock()
        )
        self._messages.setdefault(event.id, made)

    async def _next(self) -> tuple[str, HandlerRun]:
        """The next run that ends; what it makes due is noted."""
        patience_s = (self.handler.options.timeout_s or DEFAULT_TIMEOUT_S) + _START_S
        try:
            async with asyncio.timeout(patience_s):
                message, run = await self._ended.get()
        except TimeoutError:
            raise TimeoutError(
                f"the worker ended no run of {self.handler.name} within {patience_s:g} s"
            ) from None
        event_id, order = message.headers["ce-id"], ".".join(place_in_order(message.nats_subject))
        for place in [
            (event_id, run.timer),
            *((order, key) for key in (run.timer, *run.cancelled)),
        ]:
            self._times.pop(place, None)
        if isinstance(run.decision, NakWithDelay):
            self._times[event_id, run.timer] = run.at + timedelta(seconds=run.decision.delay_s)
        if run.outcome == "coalesced":
            waits_s = self.handler.options.coalesce_s or 0.0
            self._times[order, None] = run.at + timedelta(seconds=waits_s)
        self._times |= {(order, key): at for key, at in run.scheduled.items()}
        return event_id, run

    def _worker(self, connection: Connection) -> Worker:
        return _ObservedWorker(
            self,
            connection,
            self._stream,
            self.subjects,
            [self.handler],
            api=self.api,
            policy=RetryPolicy(),
            limits=ConsumerLimits(),
            grace_s=_GRACE_S,
            clock=self.clock,
            sleep=asyncio.sleep,
        )


class _ObservedWorker(Worker):
    """A worker whose runs a kit observes."""

    def __init__(self, kit: Kit, *parts: Any, **named: Any) -> None:
        self.make_runner = kit.observed
        super().__init__(*parts, **named)


class _StoringPublisher(RecordingPublisher):
    """Stores by `inner`, and keeps what was not there yet."""

    inner: GroupCommitPublisher

    async def publish(
        self, messages: Sequence[OutgoingMessage], *, claim: OutgoingMessage | None = None
    ) -> Sequence[Stored]:
        """See `Publisher.publish`."""
        if self.error is not None:
            raise self.error
        stored = await self.inner.publish(messages, claim=claim)
        self.messages += [
            message for message, where in zip(messages, stored, strict=True) if not where.duplicate
        ]
        return stored
