"""What tests of handlers need, so that they need not patch Yizhan.

ran = await run_handler(fetch_tracking, make_event(LogisticsShipped(channel="1688", ...)))
assert ran.outcome == "done"
assert [event.data for event in ran.published] == [...]
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar

from pydantic import BaseModel

from receiver.bus.codec import decode_event, encode_event
from receiver.bus.connection import Connection
from receiver.bus.consumers import consumer_info
from receiver.bus.message import OutgoingMessage, StoredMessage
from receiver.bus.publish.contract import OnResult, Stored
from receiver.bus.subjects import Subjects
from receiver.callback import callback_id
from receiver.errors import BusError
from receiver.event import Event
from receiver.observability.logs import get_logger
from receiver.worker.interface import HandlerFunction
from receiver.worker.outcomes import Decision, Outcome
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler
from receiver.worker.runner import Runner
from schemas.events import EventData

if TYPE_CHECKING:
    from receiver.client.platform import PlatformAPI

DataT = TypeVar("DataT", bound=EventData)

NOON: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
"""The time of every made event, and of the clock, unless another is given."""

_POLL_S: Final = 0.01


def make_event(data: DataT, **attributes: Any) -> Event[DataT]:
    """An event of `data`; `attributes` are those of `Event`, each with a plausible default.

    The id is made from the data, as a real one is from the callback: equal data, equal id.
    """
    identity = callback_id("test", f"{data.event_type} {data.model_dump_json()}".encode())
    defaults: dict[str, Any] = {
        "id": f"{identity}.0",
        "source": "test",
        "time": NOON,
        "received_at": NOON,
        "callback_id": identity,
        "trust": "body",
    }
    return Event(data=data, **(defaults | attributes))


class RecordingPublisher:
    """A `Publisher` and `Submitter` that keeps what it is given; a repeated id is a duplicate.

    While `error` is set, every publish raises it.
    """

    def __init__(self, error: BusError | None = None) -> None:
        self.error = error
        self.messages: list[OutgoingMessage] = []

    @property
    def events(self) -> list[Event[EventData]]:
        """The events among the messages."""
        return [
            decode_event(message.headers, message.body)
            for message in self.messages
            if "ce-id" in message.headers and "yizhan-handler" not in message.headers
        ]

    @property
    def dead_letters(self) -> list[OutgoingMessage]:
        """The dead letters among the messages."""
        return [message for message in self.messages if "yizhan-handler" in message.headers]

    async def publish(
        self, messages: Sequence[OutgoingMessage], *, claim: OutgoingMessage | None = None
    ) -> Sequence[Stored]:
        """See `Publisher.publish`; a claim is kept like any other message."""
        if self.error is not None:
            raise self.error
        if claim is not None:
            self._store(claim)
        return [self._store(message) for message in messages]

    def used_by(self, claim: OutgoingMessage) -> bytes | None:
        """See `Submitter.used_by`."""
        held = (message.body for message in self.messages if message.msg_id == claim.msg_id)
        return next(held, None)

    def submit(
        self, messages: Sequence[OutgoingMessage], claim: OutgoingMessage | None, done: OnResult
    ) -> None:
        """See `Submitter.submit`; the result is given at once."""
        if self.error is not None:
            done(self.error)
            return
        if claim is not None:
            self._store(claim)
        done([self._store(message) for message in messages])

    def _store(self, message: OutgoingMessage) -> Stored:
        known = [stored.msg_id for stored in self.messages]
        if message.msg_id in known:
            return Stored(known.index(message.msg_id) + 1, duplicate=True)
        self.messages.append(message)
        return Stored(len(self.messages), duplicate=False)


@dataclass(frozen=True, slots=True)
class HandlerRun:
    """How a run of a handler ended, and what it published.

    `error` is what the log would say. `decision` holds the delay, or the reason of a dead letter.
    """

    decision: Decision
    published: Sequence[Event[EventData]] = field(default=())
    dead_letters: Sequence[OutgoingMessage] = field(default=())
    error: str = ""

    @property
    def outcome(self) -> Outcome:
        """`done`, `dropped`, `postponed`, `retried` or `dead_lettered`."""
        return self.decision.outcome


async def run_handler(
    handler: Handler | HandlerFunction,
    event: Event[EventData],
    *,
    api: PlatformAPI | None = None,
    attempt: int = 1,
    policy: RetryPolicy | None = None,
    publisher: RecordingPublisher | None = None,
    clock: Callable[[], datetime] = lambda: NOON,
    settings: BaseModel | None = None,
) -> HandlerRun:
    """Run a handler on an event just as the worker does, without NATS.

    Takes a function as well as a `Handler`, such as one of `router.handlers`, whose `settings` and
    `policy` are its own, or the defaults of its model, where they are left out. Give the same
    `publisher` twice to see what a rerun adds.
    """
    recorder = publisher or RecordingPublisher()
    before = len(recorder.messages)
    subjects = Subjects()
    message = encode_event(event, subjects)
    run = handler if isinstance(handler, Handler) else _as_handler(handler, event, api)
    model = run.options.settings
    own = settings or run.settings or (model() if model else None)
    policy = policy or run.options.retry or RetryPolicy(jitter=lambda: 0.0)
    runner = Runner(recorder, subjects, policy, api=api, clock=clock)
    ran = await runner.run(
        replace(run, settings=own, options=replace(run.options, retry=policy)),
        StoredMessage(
            message.subject, message.headers, message.body, stream_seq=1, stored_at=clock()
        ),
        attempt=attempt,
        log=get_logger("yizhan.handlers"),
    )
    added = RecordingPublisher()
    added.messages = recorder.messages[before:]
    return HandlerRun(ran.decision, added.events, added.dead_letters, ran.error)


def _as_handler(
    function: HandlerFunction, event: Event[EventData], api: PlatformAPI | None
) -> Handler:
    name = getattr(function, "__name__", "handler")
    return Handler(name, function, (type(event.data),), needs_api=api is not None)


async def eventually(
    condition: Callable[[], bool | Awaitable[bool]], *, within_s: float = 10.0
) -> None:
    """Return once `condition` holds; raises `TimeoutError` where it does not in time."""
    async with asyncio.timeout(within_s):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(_POLL_S)


async def handled(
    connection: Connection,
    subjects: Subjects,
    handlers: Sequence[Handler],
    *,
    within_s: float = 10.0,
) -> None:
    """Return once each handler has nothing pending: not waiting, not running, not to be retried."""

    async def idle() -> bool:
        infos = [
            await consumer_info(connection.client, subjects.stream, handler.durable)
            for handler in handlers
        ]
        return all(map(_is_idle, infos))

    await eventually(idle, within_s=within_s)


def _is_idle(info: Mapping[str, Any] | None) -> bool:
    return info is not None and info["num_pending"] == 0 and info["num_ack_pending"] == 0
