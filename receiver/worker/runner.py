"""One run of one handler on one event: decode, run, publish what it made, decide, bury, record.

The boundary round a handler is here: whatever it raises becomes a decision.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from receiver.bus.codec import decode_event
from receiver.bus.dead_letters import Attempt, Failure, encode_dead_letter, read_history
from receiver.bus.headers import REPLAY
from receiver.bus.message import StoredMessage
from receiver.client import trail
from receiver.errors import BusError, ConfigurationError, UnconfirmedError
from receiver.event import Event
from receiver.worker.cause import Cause, cause_of, fingerprint
from receiver.worker.coalescing import coalesced
from receiver.worker.confirmation import confirmed, decide_unconfirmed
from receiver.worker.context import RunContext, api_for
from receiver.worker.execution import call
from receiver.worker.interface import Drop, HandlerResult
from receiver.worker.options import DEFAULT_TIMEOUT_S
from receiver.worker.outcomes import Ack, DeadLetter, Decision, NakWithDelay, Term, decide
from receiver.worker.retry_policy import RetryPolicy
from receiver.worker.routing import Handler
from receiver.worker.run_order import RunOrder
from receiver.worker.run_records import MAX_ATTEMPTS, RunRecord
from receiver.worker.run_tracing import traced_run
from receiver.worker.services import Services
from receiver.worker.timers import Timers, fired_timer
from schemas.events import EventData

if TYPE_CHECKING:
    from receiver.observability.spans import Tracer

Log = structlog.typing.FilteringBoundLogger
_SUPERSEDED: Final = "its timer was cancelled or set again after it fired"
_NUMBER: Final = r"\d{1,9}"
"""That of an event that a run made. What settles a conflict has a time in its place, which is
longer: no handler made it, whatever its name."""
_MAX_NAMES: Final = 100
"""So many ids and calls a record names; of what a run did beyond them it has the number alone."""


_FAILED: Final = frozenset({"retried", "dead_lettered"})
_DONE: Final = Ack()


@dataclass(slots=True)
class RunResult:
    """How a run ended; `data` is that of the event where it could be decoded.

    `error`, `place`, `cause` and `raised`, the exception itself, are empty where it returned.
    `trace_ids` are those for its line in the log, where tracing is on.
    """

    decision: Decision
    error: str = ""
    data: EventData | None = None
    cause: Cause | None = None
    raised: BaseException | None = None
    trace_ids: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Where the error arose."""
        return self.cause.place if self.cause else ""

    @property
    def error_type(self) -> str | None:
        """The type of what it failed with, or a word of ours; None where it did not fail."""
        if self.decision.outcome not in _FAILED:
            return None
        return type(self.raised).__name__ if self.raised is not None else "given_up"

    @property
    def traceback(self) -> str:
        """See `Cause.traceback`."""
        return self.cause.traceback if self.cause else ""


@dataclass(slots=True)
class _Run:
    """One run under way, and what it has done so far."""

    handler: Handler
    message: StoredMessage
    attempt: int
    failures: int
    log: Log
    started_at: datetime
    event: Event[EventData] | None = None
    published: list[str] = field(default_factory=list)
    api: list[str] = field(default_factory=list)
    context: RunContext | None = None

    @property
    def event_id(self) -> str:
        """That of the event, as far as it is known."""
        return self.event.id if self.event else self.message.headers.get("ce-id", "")[:256]


class Runner:
    """Runs handlers; every run ends in a decision, or in the cancellation of its task.

    Where there is a `tracer` each is in a span.
    """

    def __init__(self, services: Services, *, tracer: Tracer | None = None) -> None:
        self.services = services
        self.tracer = tracer

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
        """Run `handler` on a stored message and publish what it returns, in a span of its own.

        `attempt` counts the runs that began, this one too, `failures` those before that failed: all
        of them by default. What ended its process in so many `deaths` is not run.

        A dead letter is stored when this returns; where it could not be, the decision is to try
        again.
        """
        failed = attempt - 1 if failures is None else failures
        run = _Run(handler, message, attempt, failed, log, self.services.clock())
        if self.tracer is None:
            return await self._ran(run, deaths)
        traced = traced_run(handler, message, attempt, run.started_at)
        with self.tracer.process(traced) as span:
            result = await self._ran(run, deaths)
            span.ended(result.decision.outcome, result.error_type)
            result.trace_ids = span.ids
        return result

    async def _ran(self, run: _Run, deaths: int) -> RunResult:
        if deaths:
            reason = f"killed its process {deaths} times, at last with nothing beside it"
            return await self._given_up(run, "ProcessDied", reason)
        if run.attempt > self._policy_of(run.handler).max_deliveries:
            reason = f"delivered {run.attempt} times and never handled to an end"
            return await self._given_up(run, "NoEnd", reason)
        began = asyncio.get_running_loop().time()
        try:
            with trail.called() as run.api:
                result = await self._run(run)
        except asyncio.CancelledError:
            self._record(run, None, began)
            raise
        self._record(run, result, began)
        if isinstance(result.decision, DeadLetter):
            return await self._bury(run, result, result.decision)
        return result

    async def _run(self, run: _Run) -> RunResult:
        handler = run.handler
        try:
            run.event = decode_event(run.message.headers, run.message.body)
            _refuse_own(run.event, handler)
            services = self.services
            schedules, clock = services.schedules, services.clock
            timers = Timers(schedules, handler, run.message, run.event, clock)
            if await timers.superseded(first=run.attempt == 1):
                return RunResult(Term(_SUPERSEDED), _SUPERSEDED, run.event.data)
            order = RunOrder(services, handler, run.message, run.event)
            arrival = await order.arrive()
            if handler.options.only not in (None, arrival):
                reason = f"to its order it is no {handler.options.only}: {arrival}"
                return RunResult(Term(reason), reason, run.event.data)
            message = await self._confirmed(run)
            if await coalesced(schedules, handler, message, run.event, clock()):
                return RunResult(Ack("coalesced"), data=run.event.data)
            timers = replace(timers, message=message)
            context = RunContext(services, handler, run.event, run.attempt, run.log, timers, order)
            run.context, run.published = context, context.published
            called = await call(
                handler.function,
                run.event,
                context,
                read=partial(_as_sequence, handler),
                name=handler.name,
                timeout_s=handler.options.timeout_s or DEFAULT_TIMEOUT_S,
            )
            if called.error is not None:
                return self._failed(run, called.error, called.place)
            await context.publish_all(called.value or ())
        except UnconfirmedError as error:
            return self._unconfirmed(run, error)
        except Exception as error:  # noqa: BLE001 - the boundary round one run
            return self._failed(run, error)
        return RunResult(_DONE, data=run.event.data)

    async def _confirmed(self, run: _Run) -> StoredMessage:
        """The message, once its event has the trust that the handler asks for."""
        message, event, handler = run.message, run.event, run.handler
        if event is None or handler.options.trust == "any":
            return message
        run.event = await confirmed(event, api_for(event, self.services.api, handler))
        return replace(message, headers={**message.headers, "ce-trust": run.event.trust})

    def _unconfirmed(self, run: _Run, error: UnconfirmedError) -> RunResult:
        assert run.event is not None
        handler, waited = run.handler, self.services.clock() - run.event.received_at
        decision = decide_unconfirmed(
            error, waited.total_seconds(), run.attempt, handler.options, self._policy_of(handler)
        )
        reason = f"unconfirmed: {error}"
        cause = Cause(reason, handler.place, "", fingerprint("unconfirmed", handler.place))
        return RunResult(decision, reason, run.event.data, cause, raised=error)

    def _failed(self, run: _Run, error: BaseException, place: str = "") -> RunResult:
        module = run.handler.function.__module__
        cause = cause_of(error, module, place=place, texts=self.services.texts)
        policy = self._policy_of(run.handler)
        decision = decide(
            error,
            run.attempt,
            policy,
            failures=run.failures,
            reason=cause.reason,
            place=cause.place,
        )
        data = run.event.data if run.event else None
        return RunResult(decision, cause.reason, data, cause, error)

    async def _given_up(self, run: _Run, kind: str, reason: str) -> RunResult:
        """Without an error to report; `kind` stands for its type in the fingerprint."""
        place = run.handler.place
        cause = Cause(reason, place, "", fingerprint(kind, place))
        decision = DeadLetter(reason, place)
        return await self._bury(run, RunResult(decision, reason, cause=cause), decision)

    async def _bury(self, run: _Run, result: RunResult, decision: DeadLetter) -> RunResult:
        cause = result.cause
        assert cause is not None
        failure = Failure(
            handler=run.handler.name,
            reason=decision.reason,
            place=cause.place,
            attempts=run.attempt,
            nats_subject=run.message.nats_subject,
            stream_seq=run.message.stream_seq,
            time=self.services.clock(),
            fingerprint=cause.fingerprint,
            traceback=cause.traceback,
            history=await self._history(run, cause),
            fact_id=run.event.fact_id if run.event else run.message.headers.get("ce-factid", ""),
            code_version=run.handler.code_version,
            timer=fired_timer(run.message) or "",
        )
        letter = encode_dead_letter(
            run.message.headers, run.message.body, failure, self.services.subjects
        )
        try:
            await self.services.publisher.publish([letter])
        except BusError as error:
            delay_s = self._policy_of(run.handler).delay_s(run.attempt)
            return replace(result, decision=NakWithDelay(delay_s), error=f"{result.error}; {error}")
        return result

    async def _history(self, run: _Run, cause: Cause) -> Sequence[Attempt]:
        """The attempts of an earlier letter, those on record, and this one."""
        found = read_history(run.message.headers)
        records = self.services.records
        if records is not None and run.attempt > 1:
            found += await records.failures(run.handler.name, run.message, run.event_id)
        before = {a.time: a for a in found if a.time < run.started_at}
        last = Attempt(run.started_at, cause.fingerprint, cause.place)
        return [*(before[time] for time in sorted(before)), last][-MAX_ATTEMPTS:]

    def _record(self, run: _Run, result: RunResult | None, began: float) -> None:
        """Without a result the run was cancelled, since the worker stops."""
        records = self.services.records
        if records is None or (result and result.decision.outcome == "coalesced"):
            return
        duration_s = asyncio.get_running_loop().time() - began
        failed = result is not None and not isinstance(result.decision, Ack | Term)
        cause = result.cause if result and failed else None
        record = RunRecord(
            event_id=run.event_id or None,
            stream_seq=run.message.stream_seq,
            attempt=run.attempt,
            started_at=run.started_at.isoformat(),
            duration_ms=round(duration_s * 1000, 1),
            outcome=result.decision.outcome if result else "released",
            error_digest=cause.fingerprint if cause else None,
            place=cause.place if cause else None,
            published=run.published[:_MAX_NAMES],
            published_count=len(run.published),
            api=run.api[:_MAX_NAMES],
            api_count=len(run.api),
            timer=fired_timer(run.message),
            effects=run.context.effects(here=True)[:_MAX_NAMES] if run.context else (),
            suppressed=run.context.effects(here=False)[:_MAX_NAMES] if run.context else (),
            replay=run.message.headers.get(REPLAY),
        )
        records.put(run.handler.name, run.message, record)

    def _policy_of(self, handler: Handler) -> RetryPolicy:
        return handler.options.retry or self.services.policy


def _refuse_own(event: Event[EventData], handler: Handler) -> None:
    """A handler that answers its own events, at any remove, would fill the log without end."""
    own = rf"\.{handler.name}\.(t\d+\.)?{_NUMBER}(\.|$)"  # as `derived` makes them
    if event.origin in {"handler", "replay"} and re.search(own, event.id):
        raise Drop("this handler caused the event itself")


def _as_sequence(handler: Handler, result: HandlerResult) -> Sequence[EventData]:
    if result is None:
        return ()
    if inspect.iscoroutine(result):
        result.close()
        raise ConfigurationError(
            f"the handler {handler.name} returned a coroutine: it is no `async def` itself, "
            "as behind a decorator: write that as `async def`, too"
        )
    made = [result] if isinstance(result, EventData) else result
    if not isinstance(made, Sequence) or not all(isinstance(data, EventData) for data in made):
        raise ConfigurationError(
            f"the handler {handler.name} returned a {type(result).__name__}: "
            "return an event's data (a model of schemas.events), a list of them, or None"
        )
    return made
