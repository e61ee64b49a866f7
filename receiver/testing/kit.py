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
from receiver.errors import ConfigurationError
from receiver.event import Event
from receiver.observability.logs import get_logger
from receiver.testing.clock import ManualClock
from receiver.testing.events import retransmitted
from receiver.testing.observed import ObservedRunner
from receiver.testing.publisher import RecordingPublisher
from receiver.testing.result import HandlerRun
from receiver.worker.interface import HandlerFunction
from receiver.worker.outcomes import NakWithDelay
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler, handler_of
from schemas.events import EventData

if TYPE_CHECKING:
    from receiver.client.platform import PlatformAPI


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that is to come: the next attempt of an event."""

    due: datetime
    event: Event[Any]
    attempt: int
    failures: int


class Kit:
    """One handler, and what its runs share: clock, API, what they published.

        async with Kit(ship_it, api=FakeAPI()) as kit:
            ran = await kit.run(event)

    Takes a function, whose registration by `@router.on` holds, or a `Handler`. `settings` and
    `policy` are its own, or the defaults of its model, where they are left out. `clock` is what the
    handler and the retries go by; `advance` moves it. Delays have no jitter, but by a `policy`.

    `RealKit` does the same on a real server.
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
        self.handler = prepared(handler, api, settings, policy)
        self.subjects = Subjects()
        self._runner = self.observed(
            self.publisher, self.subjects, RetryPolicy(), api=api, clock=self.clock
        )
        self._runs: list[HandlerRun] = []
        self._waiting: dict[str, Waiting] = {}
        self._told = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing is open here."""

    @property
    def published(self) -> Sequence[Event[EventData]]:
        """What all runs published."""
        return self.publisher.events

    async def run(self, event: Event[Any]) -> HandlerRun:
        """Run the handler on an event, as if it were stored now: its first attempt."""
        return await self.attempt(event, 1, 0)

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
        while (due := self.due(end)) is not None:
            clock.set(max(due.due, clock()))
            ran.append(await self.attempt(due.event, due.attempt, due.failures))
        clock.set(max(end, clock()))
        return ran

    async def attempt(self, event: Event[Any], attempt: int, failures: int) -> HandlerRun:
        """Run attempt `attempt`, from 1, of which `failures` have failed so far."""
        self.check(event)
        log = get_logger("yizhan.handlers").bind(
            handler=self.handler.name,
            event_id=event.id,
            event_type=event.event_type,
            order_id=event.order_id,
            attempt=attempt,
        )
        await self._runner.run(
            self.handler, self._stored(event), attempt=attempt, failures=failures, log=log
        )
        return self.ended(event, self._runs.pop(), failures)

    def check(self, event: Event[Any]) -> None:
        """Raise `ConfigurationError` for an event that the handler would not get."""
        if not isinstance(event.data, self.handler.models):
            raise ConfigurationError(
                f"{self.handler.name} is not registered for {event.event_type}: no worker gives "
                "it such an event"
            )

    def observed(self, *parts: Any, **named: Any) -> ObservedRunner:
        """A runner whose runs come to `on_run`."""
        runner = ObservedRunner(*parts, **named)
        runner.recorder, runner.on_run = self.publisher, self.on_run
        return runner

    def on_run(self, event_id: str, run: HandlerRun) -> None:
        """Take in a run that has ended."""
        self._runs.append(run)

    def ended(self, event: Event[Any], run: HandlerRun, failures: int = 0) -> HandlerRun:
        """Have the event run again where that was decided; gives the run back."""
        self._waiting.pop(event.id, None)
        if isinstance(run.decision, NakWithDelay):
            due = self.clock() + timedelta(seconds=run.decision.delay_s)
            failed = failures + run.decision.failed
            self._waiting[event.id] = Waiting(due, event, run.attempt + 1, failed)
        return run

    def due(self, end: datetime) -> Waiting | None:
        """What runs next, if that is by `end`."""
        due = [waiting for waiting in self._waiting.values() if waiting.due <= end]
        return min(due, key=lambda waiting: waiting.due, default=None)

    def _stored(self, event: Event[Any]) -> StoredMessage:
        message = encode_event(event, self.subjects)
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
    """Run a handler once, in a `Kit` of its own; all attempts before `attempt` have failed."""
    kit = Kit(handler, api=api, settings=settings, policy=policy, clock=clock, publisher=publisher)
    return await kit.attempt(event, attempt, attempt - 1)


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
