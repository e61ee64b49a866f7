"""Today's code of a handler on stored events, beside what it did then. Nothing leaves the process.

Each run is set back into its time: the clock, the attempt, the order's state and its snapshots, the
ledger. The events of one order come in the order of the stream; where the handler set timers, they
fire between them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from receiver.bounded_cache import BoundedCache
from receiver.bus.headers import decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.stream_plan import MAX_AGE
from receiver.bus.subjects import Subjects
from receiver.client.sender import Sender
from receiver.replay.what_if.compare import Shown, differences, verdict
from receiver.replay.what_if.guard import Guard
from receiver.replay.what_if.memory import Timer
from receiver.replay.what_if.past import Past, PastRun
from receiver.replay.what_if.results import (
    NO_RECORD,
    NOT_TAKEN,
    Did,
    Difference,
    Ran,
    Result,
    Verdict,
)
from receiver.replay.what_if.then import did_then
from receiver.replay.what_if.today import Today
from receiver.worker.routing import Handler

_MAX_FIRINGS: Final = 20_000
_FACTOR: Final = 10
_SLACK: Final = timedelta(minutes=1)
"""How much later than its window a coalesced event may have been run."""


def what_if(
    events: AsyncIterator[StoredMessage],
    handler: Handler,
    *,
    past: Past,
    subjects: Subjects,
    until: datetime,
    recorded: Sender | None = None,
    guard: Guard | None = None,
    shown: Shown = lambda data: data,
    texts: bool = True,
    kept: timedelta = MAX_AGE,
) -> AsyncGenerator[Result, None]:
    """A result for each run, of events and of timers that were due before `until`.

    The calls of the API are answered by `recorded`, else from snapshots among the events of the
    order. `guard` refuses what the handler does on its own. `shown` gives data as it may be shown;
    without `texts`, errors are shown by their types. Raises `BusError`, and what `events` raises.
    """
    watch = guard if guard is not None else Guard()
    today = Today(handler, past, subjects, recorded, watch, kept=kept, texts=texts)
    names = [name for name in (handler.name, handler.options.was) if name]
    return _WhatIf(handler, today, past, names, shown).results(events, until)


class _WhatIf:
    def __init__(
        self, handler: Handler, today: Today, past: Past, names: Sequence[str], shown: Shown
    ) -> None:
        self._handler = handler
        self._names = names
        self._types = {f"yizhan.{model.event_type}." for model in handler.models}
        self._today = today
        self._past = past
        self._shown = shown
        self._fired = BoundedCache[int](_MAX_FIRINGS)

    async def results(
        self, events: AsyncIterator[StoredMessage], until: datetime
    ) -> AsyncGenerator[Result, None]:
        """See `what_if`."""
        async for stored in events:
            async for result in self._due(stored.stored_at):
                yield result
            if (own := await self._event(stored)) is not None:
                yield own
        async for result in self._due(until):
            yield result

    async def _due(self, until: datetime) -> AsyncGenerator[Result, None]:
        while (timer := self._today.timers.next_due(until)) is not None:
            yield await self._timer(timer)

    async def _event(self, stored: StoredMessage) -> Result | None:
        """None where the handler neither takes the event nor took it then."""
        on_order = await self._past.runs(self._names, stored)
        runs = _of(stored, on_order)
        deliveries = _attempts([run for run in runs if run.timer is None])
        own = deliveries[-1] if deliveries else []
        last = own[-1] if own else None
        event_type = stored.headers.get("ce-type", "")
        if not any(event_type.startswith(taken) for taken in self._types):
            return await self._not_run(stored, last, NOT_TAKEN) if last else None
        if last is None and self._was_coalesced(stored, on_order):
            return _result(stored, None, "same", Did("coalesced"), Did("coalesced"))
        return await self._compared(stored, runs, own, stored.stored_at)

    async def _timer(self, timer: Timer) -> Result:
        message = timer.message
        runs = _of(message, await self._past.runs(self._names, message))
        place = f"{message.stream_seq} {timer.key}"
        number = self._fired.get(place) or 0
        self._fired.put(place, number + 1)
        firings = _attempts([run for run in runs if run.timer == timer.key])
        own = firings[number] if number < len(firings) else []
        return await self._compared(message, runs, own, timer.at, timer.key)

    async def _compared(
        self,
        message: StoredMessage,
        runs: Sequence[PastRun],
        own: Sequence[PastRun],
        at: datetime,
        timer: str | None = None,
    ) -> Result:
        """`own` are the attempts of the run, of which the last counts."""
        last = own[-1] if own else None
        failures = sum(run.outcome == "retried" for run in own[:-1])
        ran = await self._today.run(message, last, failures, at)
        if last is None:
            then = Did(NO_RECORD)
            found = [] if timer is None else [Difference("outcome", NO_RECORD, ran.did.outcome)]
            said: Verdict = "new" if timer is None else "differs"
        else:
            then = await did_then(self._past, self._names, message, last, ran)
            found = differences(then, ran.did, self._shown)
            found += self._missing_timer(message, runs, last)
            said = verdict(then, ran.did, found, ran.unanswered)
            found = [] if said == "cannot_tell" else found  # they would be those of the refusal
        return _result(message, timer, said, then, ran.did, found, ran.unanswered)

    def _missing_timer(
        self, message: StoredMessage, runs: Sequence[PastRun], last: PastRun
    ) -> Sequence[Difference]:
        """The timer of the event that fired next then, where it does not wait now."""
        later = (run for run in runs if run.timer is not None and run.started_at > last.started_at)
        following = next((run for run in later if run.attempt == 1), None)
        if following is None or following.timer is None:
            return ()
        if self._today.timers.waits(message, following.timer):
            return ()
        return (Difference("timer", following.timer, None),)

    def _was_coalesced(self, stored: StoredMessage, runs: Sequence[PastRun]) -> bool:
        """Whether a newer event of its order was run in its place: of that one there is no record.

        Coalescing itself goes by when events came to the worker, to the moment: it is not repeated.
        """
        options = self._handler.options
        if options.coalesce_s is None:
            return False
        longest_s = options.coalesce_within_s or _FACTOR * options.coalesce_s
        end = stored.stored_at + timedelta(seconds=longest_s) + _SLACK
        return any(
            run.timer is None
            and run.stream_seq > stored.stream_seq
            and stored.stored_at <= run.started_at <= end
            for run in runs
        )

    async def _not_run(self, stored: StoredMessage, last: PastRun, outcome: str) -> Result:
        now = Did(outcome)
        then = await did_then(self._past, self._names, stored, last, Ran(now))
        found = differences(then, now, self._shown)
        return _result(stored, None, "differs", then, now, found)


def _of(message: StoredMessage, runs: Sequence[PastRun]) -> Sequence[PastRun]:
    """The runs on an event and on its timers. One that was given back as its worker stopped has
    been run again.
    """
    event_id = decode_header(message.headers.get("ce-id", ""))
    return [run for run in runs if run.event_id == event_id and run.outcome != "released"]


def _attempts(runs: Sequence[PastRun]) -> Sequence[Sequence[PastRun]]:
    """The attempts of each time that a timer of one key fired, or that an event was delivered: a
    letter that was put back is delivered anew.
    """
    groups: list[list[PastRun]] = []
    for run in runs:
        if run.attempt == 1 or not groups:
            groups.append([])
        groups[-1].append(run)
    return groups


def _result(
    message: StoredMessage,
    timer: str | None,
    said: Verdict,
    then: Did,
    now: Did,
    found: Sequence[Difference] = (),
    unanswered: Sequence[str] = (),
) -> Result:
    headers = message.headers
    event_type = headers.get("ce-type", "").removeprefix("yizhan.").rpartition(".")[0]
    return Result(
        event_id=decode_header(headers.get("ce-id", "")),
        event_type=event_type,
        channel=headers.get("ce-channel", ""),
        order_id=decode_header(headers.get("ce-subject", "")) or None,
        stream_seq=message.stream_seq,
        timer=timer,
        verdict=said,
        then=then,
        now=now,
        differences=found,
        unanswered=unanswered,
    )
