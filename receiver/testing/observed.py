"""A `Runner` that keeps what each of its runs did."""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

import structlog
from structlog.typing import FilteringBoundLogger

from receiver.bus.headers import TIMER, decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.schedules import NO_HEADERS, Place, Schedules
from receiver.bus.state.keys import order_key
from receiver.bus.state.store import Entries
from receiver.bus.subjects import decode_token
from receiver.projection.state import OrderState
from receiver.testing.publisher import RecordingPublisher
from receiver.testing.result import HandlerRun
from receiver.worker.effects.ledger import Asked as Effect
from receiver.worker.effects.ledger import Found, Ledger
from receiver.worker.effects.states import EffectRecord, read_record
from receiver.worker.interface import Resolve
from receiver.worker.routing import Handler
from receiver.worker.runner import Runner, RunResult
from receiver.worker.services import Services
from receiver.worker.timers import fired_timer

if TYPE_CHECKING:
    from receiver.testing.fake_api import Asked

OnRun = Callable[[StoredMessage, HandlerRun], None]


class ObservedRunner(Runner):
    """Calls `on_run` with the message and what its run did, once that has ended.

    `recorder` is where the messages go that it publishes. Runs that overlap are shown with each
    other's messages, calls and timers.
    """

    def __init__(self, services: Services, *, recorder: RecordingPublisher, on_run: OnRun) -> None:
        self._seen = ObservedSchedules(services.schedules)
        self._recorder = recorder
        self._on_run = on_run
        self._ledger = ObservedLedger(services.ledger, services.state)
        super().__init__(
            replace(
                services,
                schedules=cast(Schedules, self._seen),
                ledger=cast(Ledger, self._ledger),
            )
        )

    async def run(
        self,
        handler: Handler,
        message: StoredMessage,
        *,
        attempt: int,
        log: FilteringBoundLogger,
        failures: int | None = None,
        deaths: int = 0,
    ) -> RunResult:
        """See `Runner.run`; what the handler logs is kept, and not written."""
        calls: Sequence[Asked] = getattr(self.services.api, "asked", ())
        messages_before, calls_before, at = (
            len(self._recorder.messages),
            len(calls),
            self.services.clock(),
        )
        scheduled, cancelled = self._seen.begin(handler.name)
        own_log, lines = recording_log(**structlog.get_context(log))
        result = await super().run(
            handler, message, attempt=attempt, log=own_log, failures=failures, deaths=deaths
        )
        state = await self._state_of(message)
        event_id = message.headers.get("ce-id", "")
        added = RecordingPublisher()
        added.messages = self._recorder.messages[messages_before:]
        run = HandlerRun(
            result.decision,
            published=added.events,
            dead_letters=added.dead_letters,
            error=result.error,
            raised=result.raised,
            asked=calls[calls_before:],
            logs=lines,
            scheduled=scheduled,
            cancelled=cancelled,
            effects=await self._ledger.asked_for(),
            state=state,
            arrival=state.arrival_of(event_id) if state and handler.options.state else None,
            attempt=attempt,
            timer=fired_timer(message),
            at=at,
        )
        self._on_run(message, run)
        return result

    async def _state_of(self, message: StoredMessage) -> OrderState | None:
        """What is kept of the order of an event."""
        await self.services.orders.flush()
        channel = message.headers.get("ce-channel", "")
        order_id = decode_header(message.headers.get("ce-subject", ""))
        entry = await self.services.state.get(order_key(channel, order_id))
        return None if entry.value is None else OrderState.from_json(entry.value)


class ObservedSchedules:
    """`Schedules` that notes the timers that are set and cancelled, by their keys."""

    def __init__(self, inner: Schedules) -> None:
        self._inner: Any = inner
        self._handler = ""
        self._keys: dict[Place, str] = {}
        self._scheduled: dict[str, datetime] = {}
        self._cancelled: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def begin(self, handler: str) -> tuple[dict[str, datetime], list[str]]:
        """What will hold the timers that a handler sets from now on, and the keys it cancels."""
        self._handler, self._scheduled, self._cancelled = handler, {}, []
        return self._scheduled, self._cancelled

    async def put(
        self,
        place: Place,
        stored: StoredMessage,
        at: datetime,
        headers: Mapping[str, str],
        **how: Any,
    ) -> Any:
        """See `Schedules.put`."""
        done = await self._inner.put(place, stored, at, headers, **how)
        if TIMER in headers:
            self._keys[place] = decode_header(headers[TIMER])
            self._scheduled[self._keys[place]] = at
        return done

    async def cancel(self, place: Place, headers: Mapping[str, str] = NO_HEADERS) -> None:
        """See `Schedules.cancel`."""
        await self._inner.cancel(place, headers)
        if place.kind == "timer" and place.handler == self._handler:
            key = self._keys.get(place) or decode_token(place.name.partition("=")[0]) or ""
            self._scheduled.pop(key, None)
            self._cancelled.append(key)


class ObservedLedger:
    """A `Ledger` that notes which effects it is asked for."""

    def __init__(self, inner: Ledger, entries: Entries) -> None:
        self._inner = inner
        self._entries = entries
        self._asked: list[Effect] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def open(self, asked: Effect, resolve: Resolve | None) -> Found:
        """See `Ledger.open`."""
        self._asked.append(asked)
        return await self._inner.open(asked, resolve)

    async def asked_for(self) -> list[EffectRecord]:
        """What is kept now of the effects that it was asked for since the last call."""
        asked, self._asked = self._asked, []
        keys = [key for effect in asked for key in (effect.key, effect.former_key) if key]
        entries = [await self._entries.get(key) for key in keys]
        return [read_record(entry.value) for entry in entries if entry.value is not None]


def recording_log(**bound: Any) -> tuple[FilteringBoundLogger, list[dict[str, Any]]]:
    """A logger, and the list that its lines go to."""
    lines: list[dict[str, Any]] = []

    def keep(_: Any, level: str, line: MutableMapping[str, Any]) -> str:
        lines.append({"level": level, **line})
        raise structlog.DropEvent

    log: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(),
        processors=[keep],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        **bound,
    )
    return log, lines
