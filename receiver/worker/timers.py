"""Timers that a handler sets: it runs again on the same event, in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from receiver.bus.headers import SET_BY, TIMER, decode_header, encode_header
from receiver.bus.message import StoredMessage
from receiver.bus.schedules import Place, Schedules, digest, fired_seq, place_in_order, token_of
from receiver.bus.subjects import NO_KEY
from receiver.errors import ConfigurationError
from receiver.event import Event
from receiver.worker.routing import Handler
from schemas.events import EventData

MAX_KEY_CHARS: Final = 1000


@dataclass(frozen=True, slots=True)
class Timers:
    """The timers of one run; `message` is the event as it was stored first, with the headers of
    the copy that is run.
    """

    schedules: Schedules
    handler: Handler
    message: StoredMessage
    event: Event[EventData]
    clock: Callable[[], datetime]

    @property
    def fired(self) -> str | None:
        """The key of the timer that this run is of."""
        return fired_timer(self.message)

    @property
    def firing(self) -> int:
        """Under which sequence that timer fired first, the same in every attempt; 0 without one."""
        return fired_seq(self.message.headers) if self.fired is not None else 0

    async def schedule(
        self, key: str, after: float | timedelta | None, at: datetime | None
    ) -> None:
        """See `Context.schedule`."""
        now = self.clock()
        due = _time(after, at, now)
        kept = self.schedules.kept
        if due - now >= kept:
            raise ConfigurationError(
                f"ctx.schedule({key!r}): the stream drops what is {kept.days} days old, a timer "
                "too: name an earlier time, or raise nats.max_age_days"
            )
        new, *former = self._places(key)
        set_by = {SET_BY: str(self.firing)} if self.firing else {}
        await self.schedules.put(new, self.message, due, {TIMER: encode_header(key), **set_by})
        for place in former:
            await self.schedules.cancel(place, set_by)

    async def cancel(self, key: str) -> None:
        """See `Context.cancel`."""
        for place in self._places(key):
            await self.schedules.cancel(place)

    async def superseded(self, *, first: bool) -> bool:
        """Whether the timer that this run is of was cancelled after it fired, or, where the run is
        the `first` attempt, set anew by another run than its own: that one may not have ended.
        """
        if self.fired is None:
            return False
        fired, places = fired_seq(self.message.headers), self._places(self.fired)
        return any([await self.schedules.superseded(p, fired, replaced=first) for p in places])

    def _places(self, key: str) -> list[Place]:
        """That of a timer; then that under the handler's former name, if it has one."""
        if not 0 < len(key) <= MAX_KEY_CHARS:
            raise ConfigurationError(f"a timer's key has 1 to {MAX_KEY_CHARS} characters")
        channel, order = place_in_order(self.message.nats_subject)
        name = token_of(key)
        if order == NO_KEY:  # the events without an order have nothing in common
            name = f"{name}={digest(self.event.fact_id)}"
        names = filter(None, (self.handler.name, self.handler.options.was))
        return [Place("timer", handler, channel, order, name) for handler in names]


def fired_timer(message: StoredMessage) -> str | None:
    """The key of the timer that a message fired from; None where it is of none."""
    text = message.headers.get(TIMER)
    return decode_header(text) if text else None


def _time(after: float | timedelta | None, at: datetime | None, now: datetime) -> datetime:
    if (after is None) == (at is None):
        raise ConfigurationError("ctx.schedule takes one of after= and at=")
    if at is not None:
        if at.utcoffset() is None:
            raise ConfigurationError("ctx.schedule(at=...) takes a time with its offset")
        return at
    try:
        return now + (after if isinstance(after, timedelta) else timedelta(seconds=after or 0))
    except (OverflowError, ValueError) as error:
        raise ConfigurationError(f"ctx.schedule(after={after!r}): {error}") from None
