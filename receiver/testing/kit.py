"""Runs a handler just as a worker does, without NATS.

kit = Kit(fetch_tracking, api=FakeAPI.of_samples())
ran = await kit.run(make_event(LogisticsShipped(channel="1688", order_id="1")))
assert ran.outcome == "done"
assert [event.data for event in ran.published] == [...]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel

from receiver.bus.codec import encode_event
from receiver.bus.message import StoredMessage
from receiver.bus.subjects import Subjects
from receiver.event import Event
from receiver.testing.clock import ManualClock
from receiver.testing.events import retransmitted
from receiver.testing.log_lines import recording_log
from receiver.testing.publisher import RecordingPublisher
from receiver.testing.result import HandlerRun
from receiver.testing.schedules import RecordingSchedules
from receiver.worker.interface import HandlerFunction
from receiver.worker.outcomes import NakWithDelay
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler, handler_of
from receiver.worker.runner import Runner
from schemas.events import EventData

if TYPE_CHECKING:
    from receiver.client.platform import PlatformAPI


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A run that is to come: the next attempt of an event."""

    due: datetime
    event: Event[Any]
    attempt: int
    failures: int


class Kit:
    """One handler, and what its runs share: clock, API, what they published.

    Takes a function, whose registration by `@router.on` holds, or a `Handler`. `settings` and
    `policy` are its own, or the defaults of its model, where they are left out. `clock` is what the
    handler and the retries go by; `advance` moves it. Delays have no jitter, but by a `policy`.
    """

    def __init__(
        self,
        handler: Handler | HandlerFunction,
        *,
        api: PlatformAPI | None = None,
        settings: BaseModel | None = None,
        policy: RetryPolicy | None = None,
        clock: Callable[[], datetime] | None = None,
        publisher: RecordingPublisher | None = None,
    ) -> None:
        self.clock = clock or ManualClock()
        self.publisher = publisher or RecordingPublisher()
        self.api = api
        self._handler = prepared(handler, api, settings, policy)
        self._subjects = Subjects()
        self.schedules = RecordingSchedules()
        self._runner = Runner(
            self.publisher,
            self._subjects,
            RetryPolicy(),
            api=api,
            clock=self.clock,
            schedules=self.schedules,
        )
        self._waiting: dict[str, _Waiting] = {}
        self._told = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing is open; `real_kit` has the same shape."""

    @property
    def published(self) -> Sequence[Event[EventData]]:
        """What all runs published."""
        return self.publisher.events

    async def run(
        self, event: Event[Any], *, attempt: int = 1, failures: int | None = None
    ) -> HandlerRun:
        """Run the handler on an event; `attempt` counts its runs, `failures` those that failed."""
        failed = attempt - 1 if failures is None else failures
        messages, calls = self.publisher.messages, getattr(self.api, "asked", [])
        before, asked_before = len(messages), len(calls)
        log, lines = recording_log(self._handler.name, event)
        at = self.clock()
        ran = await self._runner.run(
            self._handler, self._stored(event), attempt=attempt, failures=failures, log=log
        )
        self._waiting.pop(event.id, None)
        if isinstance(ran.decision, NakWithDelay):
            due = self.clock() + timedelta(seconds=ran.decision.delay_s)
            failed += ran.decision.failed
            self._waiting[event.id] = _Waiting(due, event, attempt + 1, failed)
        added = RecordingPublisher()
        added.messages = messages[before:]
        return HandlerRun(
            ran.decision,
            published=added.events,
            dead_letters=added.dead_letters,
            error=ran.error,
            raised=ran.raised,
            asked=list(calls[asked_before:]),
            logs=lines,
            attempt=attempt,
            at=at,
        )

    async def retransmit(self, event: Event[Any]) -> HandlerRun:
        """Run it on the same fact that another callback reports: another event id."""
        self._told += 1
        return await self.run(retransmitted(event, self.clock(), self._told))

    async def replay(self, event: Event[Any]) -> HandlerRun:
        """Run it on the event as `yizhan replay --to handler:NAME` gives it again."""
        return await self.run(replace(event, origin="replay"))

    async def advance(self, by: timedelta) -> Sequence[HandlerRun]:
        """Move the clock on, and run all that is due by then, each at its time.

        Raises `TypeError` where the kit was given a clock that cannot be moved.
        """
        clock = self.clock
        if not isinstance(clock, ManualClock):
            raise TypeError("this kit's clock is not a ManualClock: it cannot be moved")
        end, ran = clock() + by, []
        while (due := self._next(end)) is not None:
            clock.set(max(due.due, clock()))
            ran.append(await self.run(due.event, attempt=due.attempt, failures=due.failures))
        clock.set(max(end, clock()))
        return ran

    def _next(self, end: datetime) -> _Waiting | None:
        due = [waiting for waiting in self._waiting.values() if waiting.due <= end]
        return min(due, key=lambda waiting: waiting.due, default=None)

    def _stored(self, event: Event[Any]) -> StoredMessage:
        message = encode_event(event, self._subjects)
        return StoredMessage(
            message.subject, message.headers, message.body, stream_seq=1, stored_at=self.clock()
        )


async def run_handler(
    handler: Handler | HandlerFunction,
    event: Event[EventData],
    *,
    api: PlatformAPI | None = None,
    attempt: int = 1,
    policy: RetryPolicy | None = None,
    publisher: RecordingPublisher | None = None,
    clock: Callable[[], datetime] | None = None,
    settings: BaseModel | None = None,
) -> HandlerRun:
    """Run a handler once, in a `Kit` of its own; give the same `publisher` twice to see what a
    rerun adds.
    """
    kit = Kit(handler, api=api, settings=settings, policy=policy, clock=clock, publisher=publisher)
    return await kit.run(event, attempt=attempt)


def prepared(
    handler: Handler | HandlerFunction,
    api: PlatformAPI | None,
    settings: BaseModel | None,
    policy: RetryPolicy | None,
) -> Handler:
    """The handler with the settings and the policy of a worker's start."""
    made = handler if isinstance(handler, Handler) else handler_of(handler)
    if made is None:
        assert not isinstance(handler, Handler)
        name = getattr(handler, "__name__", "handler")
        made = Handler(name, handler, (EventData,), needs_api=api is not None)
    model = made.options.settings
    own = settings or made.settings or (model() if model else None)
    policy = policy or replace(made.options.retry or RetryPolicy(), jitter=lambda: 0.0)
    return replace(made, settings=own, options=replace(made.options, retry=policy))
