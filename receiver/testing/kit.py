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

from receiver.bus.codec import decode_event, encode_event
from receiver.bus.message import StoredMessage
from receiver.bus.schedules import origin
from receiver.bus.state.memory import MemoryEntries
from receiver.bus.subjects import Subjects
from receiver.errors import ConfigurationError
from receiver.event import Event
from receiver.observability.logs import get_logger
from receiver.testing.clock import ManualClock
from receiver.testing.events import retransmitted
from receiver.testing.observed import ObservedRunner
from receiver.testing.order_log import RecordedLog
from receiver.testing.publisher import RecordingPublisher
from receiver.testing.result import HandlerRun
from receiver.testing.schedules import RecordingSchedules
from receiver.worker.effects.holders import LocalHolders
from receiver.worker.effects.ledger import Ledger
from receiver.worker.interface import HandlerFunction
from receiver.worker.outcomes import NakWithDelay
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler, handler_of
from receiver.worker.services import Services
from schemas.events import EventData

if TYPE_CHECKING:
    from receiver.client.platform import PlatformAPI


@dataclass(frozen=True, slots=True)
class Waiting:
    """A run that is to come: the next attempt of a message."""

    due: datetime
    message: StoredMessage
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
        self.schedules = RecordingSchedules()
        self.state = MemoryEntries(self.clock)
        self.log = RecordedLog(self.publisher)
        self.observed(
            Services(
                publisher=self.publisher,
                subjects=self.subjects,
                policy=RetryPolicy(),
                clock=self.clock,
                schedules=self.schedules,
                state=self.state,
                ledger=Ledger(
                    self.state, LocalHolders(), clock=self.clock, kept=self.schedules.kept
                ),
                log=self.log,
                api=api,
            )
        )
        self._runs: list[HandlerRun] = []
        self._waiting: dict[tuple[str, str | None], Waiting] = {}
        self._messages: dict[str, StoredMessage] = {}
        self._retransmitted = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections of `ctx.http`."""
        await self._runner.services.aclose()

    @property
    def published(self) -> Sequence[Event[EventData]]:
        """What all runs published."""
        return self.publisher.events

    async def run(self, event: Event[Any]) -> HandlerRun:
        """Run the handler on an event, as if it were stored now: its first attempt."""
        return await self.attempt(self.stored(event), 1, 0)

    async def retransmit(self, event: Event[Any]) -> HandlerRun:
        """Run it on the same fact that another callback reports: another event id."""
        self._retransmitted += 1
        return await self.run(retransmitted(event, self.clock(), self._retransmitted))

    async def replay(self, event: Event[Any]) -> HandlerRun:
        """Run it on the event as `yizhan replay --to handler:NAME` does: as it was stored first, at
        once, and not again where it fails.
        """
        message = self._messages.get(event.id) or self.stored(event)
        options = replace(self.handler.options, coalesce_s=None)
        return await self._run(replace(self.handler, options=options), message, 1, 0)

    async def given(self, *events: Event[Any]) -> None:
        """Have the stream hold events that the handler is not registered for: they are in the state
        of their order. Raises `ConfigurationError` for one that it would be run on.
        """
        for event in events:
            self._check(event, runs=False)
            self._store(event)

    async def advance(self, by: timedelta) -> Sequence[HandlerRun]:
        """Move the clock on, and run what is due by then, retries and timers, each at its time.

        Raises `TypeError` where the kit was given a clock that cannot be moved.
        """
        clock = self.clock
        if not isinstance(clock, ManualClock):
            raise TypeError("this kit's clock is not a ManualClock: it cannot be moved")
        end, ran = clock() + by, []
        while due := self._due(end):
            for run in due:
                clock.set(max(run.due, clock()))
                ran.append(await self.attempt(run.message, run.attempt, run.failures))
        clock.set(max(end, clock()))
        return ran

    async def attempt(self, message: StoredMessage, attempt: int, failures: int) -> HandlerRun:
        """Run attempt `attempt`, from 1, of which `failures` have failed so far."""
        run = await self._run(self.handler, message, attempt, failures)
        place = (message.headers["ce-id"], run.timer)
        self._waiting.pop(place, None)
        if isinstance(run.decision, NakWithDelay):
            due = self.clock() + timedelta(seconds=run.decision.delay_s)
            failed = failures + run.decision.failed
            self._waiting[place] = Waiting(due, message, attempt + 1, failed)
        return run

    def stored(self, event: Event[Any]) -> StoredMessage:
        """The event as the stream would hold it.

        Raises `ConfigurationError` for one that the handler would not get.
        """
        self._check(event, runs=True)
        return self._store(event)

    def observed(self, services: Services) -> ObservedRunner:
        """A runner whose runs come to `on_run`; the kit's own from now on."""
        self._runner = ObservedRunner(services, recorder=self.publisher, on_run=self.on_run)
        return self._runner

    def on_run(self, message: StoredMessage, run: HandlerRun) -> None:
        """Take in a run that has ended."""
        self._runs.append(run)

    async def _run(
        self, handler: Handler, message: StoredMessage, attempt: int, failures: int
    ) -> HandlerRun:
        event = decode_event(message.headers, message.body)
        log = get_logger("yizhan.handlers").bind(
            handler=handler.name,
            event_id=event.id,
            event_type=event.event_type,
            order_id=event.order_id,
            attempt=attempt,
        )
        await self._runner.run(handler, message, attempt=attempt, failures=failures, log=log)
        return self._runs.pop()

    def _store(self, event: Event[Any]) -> StoredMessage:
        encoded = encode_event(event, self.subjects)
        seq = self.publisher.next_seq()
        made = StoredMessage(encoded.subject, encoded.headers, encoded.body, seq, self.clock())
        self.log.add(made)
        self._messages.setdefault(event.id, made)
        return made

    def _check(self, event: Event[Any], *, runs: bool) -> None:
        if isinstance(event.data, self.handler.models) is not runs:
            name, kind = self.handler.name, event.event_type
            raise ConfigurationError(
                f"{name} is not registered for {kind}: no worker gives it such an event"
                if runs
                else f"{name} is registered for {kind}: run it on such an event"
            )

    def _due(self, end: datetime) -> list[Waiting]:
        """What runs next, if that is by `end`: a retry, or the timers of one time."""
        retry = min(self._waiting.values(), key=lambda run: run.due, default=None)
        timer = min((waiting.at for waiting in self.schedules.waiting.values()), default=None)
        if timer is not None and timer <= end and (retry is None or timer < retry.due):
            return [Waiting(at, origin(fired), 1, 0) for at, fired in self.schedules.due(timer)]
        return [retry] if retry is not None and retry.due <= end else []


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
    async with Kit(
        handler, api=api, settings=settings, policy=policy, clock=clock, publisher=publisher
    ) as kit:
        return await kit.attempt(kit.stored(event), attempt, attempt - 1)


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
