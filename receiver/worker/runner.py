"""One run of one handler on one event: decode, run, publish what it made, decide, bury.

The boundary round a handler is here: whatever it raises becomes a decision.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from receiver.bus.codec import decode_event, encode_event
from receiver.bus.dead_letters import Failure, encode_dead_letter
from receiver.bus.message import StoredMessage
from receiver.bus.publish.contract import Publisher
from receiver.bus.stream_plan import MARGIN
from receiver.bus.subjects import Subjects
from receiver.errors import BusError, ConfigurationError
from receiver.event import Event
from receiver.observability.places import place_of
from receiver.worker.execution import call, wait_for
from receiver.worker.options import DEFAULT_TIMEOUT_S
from receiver.worker.outcomes import Ack, DeadLetter, Decision, NakWithDelay, decide, reason_of
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Drop, Handler, HandlerResult
from schemas.events import EventData

if TYPE_CHECKING:
    from receiver.client.platform import PlatformAPI

ResultT = TypeVar("ResultT")
Log = structlog.typing.FilteringBoundLogger


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended; `error` and `place` are empty where it returned, `data` is that of the event
    where it could be decoded.
    """

    decision: Decision
    error: str = ""
    place: str = ""
    data: EventData | None = None


class RunContext:
    """The `Context` of one run."""

    def __init__(
        self, runner: Runner, handler: Handler, cause: Event[EventData], attempt: int, log: Log
    ) -> None:
        self._runner = runner
        self._handler = handler
        self._cause = cause
        self._loop = asyncio.get_running_loop()
        self._published = 0
        self.attempt = attempt
        self.log = log

    @property
    def settings(self) -> Any:
        """See `Context.settings`."""
        return self._handler.settings

    @property
    def api(self) -> PlatformAPI:
        """See `Context.api`."""
        if self._runner.api is None:
            raise ConfigurationError(
                f"the handler {self._handler.name} asks for the platform's API and there is none: "
                "add an [api] section, and write Router(needs_api=True) in its module"
            )
        return self._runner.api

    def wait(self, awaitable: Awaitable[ResultT]) -> ResultT:
        """See `Context.wait`."""
        with contextlib.suppress(RuntimeError):
            if asyncio.get_running_loop() is self._loop:
                raise ConfigurationError("ctx.wait is for plain functions: write `await` instead")
        return asyncio.run_coroutine_threadsafe(wait_for(awaitable), self._loop).result()

    async def publish(self, data: EventData) -> Event[EventData]:
        """See `Context.publish`."""
        (event,) = await self.publish_all([data])
        return event

    async def publish_all(self, made: Sequence[EventData]) -> Sequence[Event[EventData]]:
        """Publish events in order; their numbers go on from those already published."""
        first = self._published
        self._published += len(made)
        events = [
            derived(self._cause, self._handler, first + n, data, self._runner.clock())
            for n, data in enumerate(made)
        ]
        if events:
            await self._runner.store(events)
        return events


class Runner:
    """Runs handlers; every run ends in a decision, or in the cancellation of its task."""

    def __init__(
        self,
        publisher: Publisher,
        subjects: Subjects,
        policy: RetryPolicy,
        *,
        api: PlatformAPI | None,
        clock: Callable[[], datetime],
        once: Publisher | None = None,
    ) -> None:
        """`policy` is for handlers without one of their own. What is made of an old event goes to
        `once`, which looks into the stream first: what an earlier run stored may be older than the
        duplicate window.
        """
        self.api = api
        self.clock = clock
        self._publisher = publisher
        self._once = once or publisher
        self._subjects = subjects
        self._policy = policy

    async def run(
        self,
        handler: Handler,
        message: StoredMessage,
        *,
        attempt: int,
        log: Log,
        failures: int | None = None,
        deaths: int = 0,
    ) -> RunResult:
        """Run `handler` on a stored message and publish what it returns.

        `attempt` counts the runs that began, this one too, `failures` those before that failed: all
        of them by default. What ended its process in so many `deaths` is not run.

        A dead letter is stored when this returns; where it could not be, the decision is to try
        again.
        """
        if deaths:
            reason = f"killed its process {deaths} times, the last time with nothing beside it"
            result = RunResult(DeadLetter(reason), error=reason)
        elif attempt > self._policy_of(handler).max_deliveries:
            reason = f"delivered {attempt} times and never handled to an end"
            result = RunResult(DeadLetter(reason), error=reason)
        else:
            failed = attempt - 1 if failures is None else failures
            result = await self._run(handler, message, attempt, failed, log)
        if isinstance(result.decision, DeadLetter):
            return await self._dead_letter(handler, message, attempt, result, result.decision)
        return result

    async def _run(
        self, handler: Handler, message: StoredMessage, attempt: int, failures: int, log: Log
    ) -> RunResult:
        data = None
        try:
            event = decode_event(message.headers, message.body)
            data = event.data
            _refuse_own(event, handler)
            context = RunContext(self, handler, event, attempt, log)
            called = await call(
                handler.function,
                event,
                context,
                read=partial(_as_sequence, handler),
                name=handler.name,
                timeout_s=handler.options.timeout_s or DEFAULT_TIMEOUT_S,
            )
            if called.error is not None:
                return self._failed(called.error, handler, (attempt, failures), data, called.place)
            await context.publish_all(called.value or ())
        except Exception as error:  # noqa: BLE001 - the boundary round one run
            return self._failed(error, handler, (attempt, failures), data)
        return RunResult(Ack(), data=data)

    async def _dead_letter(
        self,
        handler: Handler,
        message: StoredMessage,
        attempt: int,
        result: RunResult,
        decision: DeadLetter,
    ) -> RunResult:
        failure = Failure(
            handler=handler.name,
            reason=decision.reason,
            place=decision.place,
            attempts=attempt,
            nats_subject=message.nats_subject,
            stream_seq=message.stream_seq,
            time=self.clock(),
        )
        letter = encode_dead_letter(message.headers, message.body, failure, self._subjects)
        try:
            await self._publisher.publish([letter])
        except BusError as error:
            delay_s = self._policy_of(handler).delay_s(attempt)
            return replace(result, decision=NakWithDelay(delay_s), error=f"{result.error}; {error}")
        return result

    def _policy_of(self, handler: Handler) -> RetryPolicy:
        return handler.options.retry or self._policy

    async def store(self, events: Sequence[Event[EventData]]) -> None:
        """Publish events; raises `BusError` where one is not acknowledged."""
        old = self.clock() - events[0].received_at > MARGIN
        publisher = self._once if old else self._publisher
        await publisher.publish([encode_event(event, self._subjects) for event in events])

    def _failed(
        self,
        error: BaseException,
        handler: Handler,
        counts: tuple[int, int],
        data: EventData | None,
        place: str = "",
    ) -> RunResult:
        module = handler.function.__module__
        attempt, failures = counts
        policy = self._policy_of(handler)
        decision = decide(error, attempt, policy, failures=failures, module=module)
        return RunResult(decision, reason_of(error), place or place_of(error, module), data)


def derived(
    cause: Event[EventData], handler: Handler, number: int, data: EventData, now: datetime
) -> Event[EventData]:
    """The event that a handler made from `cause`; its id is the same in every rerun."""
    return Event(
        id=f"{cause.id}.{handler.name}.{number}",
        source=cause.source,
        time=now,
        received_at=cause.received_at,
        data=data,
        callback_id=cause.callback_id,
        trust="requeried" if handler.needs_api else cause.trust,
        origin="handler",
        causation_id=cause.id,
        traceparent=cause.traceparent,
        simulated=cause.simulated,
    )


def _refuse_own(event: Event[EventData], handler: Handler) -> None:
    """A handler that answers its own events, at any remove, would fill the log without end."""
    if event.origin == "handler" and f".{handler.name}." in event.id:
        raise Drop("this handler caused the event itself")


def _as_sequence(handler: Handler, result: HandlerResult) -> Sequence[EventData]:
    if result is None:
        return ()
    made = [result] if isinstance(result, EventData) else result
    if not isinstance(made, Sequence) or not all(isinstance(data, EventData) for data in made):
        raise ConfigurationError(
            f"the handler {handler.name} returned a {type(result).__name__}: "
            "return an event's data (a model of schemas.events), a list of them, or None"
        )
    return made
