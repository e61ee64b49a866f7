"""Schedules that are kept and fire by hand, as the server's do. Performs no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from receiver.bus.headers import SET_BY, TIMER, decode_header
from receiver.bus.message import StoredMessage
from receiver.bus.schedules import NO_HEADERS, Held, Place, fired_copy
from receiver.bus.stream_plan import MAX_AGE
from receiver.errors import BusError


@dataclass(frozen=True, slots=True)
class Waiting:
    """A schedule that waits: `fires` is what the handler is given at `at`."""

    place: Place
    fires: StoredMessage
    at: datetime
    seq: int

    @property
    def timer(self) -> str | None:
        """The key of the timer that it is, if it is one."""
        text = self.fires.headers.get(TIMER)
        return decode_header(text) if text else None


class RecordingSchedules:
    """`Schedules` that keeps what it is given: one a place, the last. While `error` is set, all of
    it raises that.
    """

    def __init__(self, *, kept: timedelta = MAX_AGE, error: BusError | None = None) -> None:
        self.kept = kept
        self.error = error
        self.waiting: dict[Place, Waiting] = {}
        self.cancelled: list[Place] = []
        self._seq = 0
        self._cancels: dict[Place, Held] = {}

    @property
    def timers(self) -> Mapping[str, datetime]:
        """When each timer that waits is due, by its key."""
        return {w.timer: w.at for w in self.waiting.values() if w.timer is not None}

    async def put(
        self,
        place: Place,
        stored: StoredMessage,
        at: datetime,
        headers: Mapping[str, str],
        *,
        over: int | None = None,
    ) -> bool:
        """See `Schedules.put`."""
        before = self.waiting.get(place)
        if over is not None and over != (before.seq if before else 0):
            return False
        fires = fired_copy(place, stored, headers)
        self.waiting[place] = Waiting(place, fires, at, self._next_seq())
        return True

    async def held(self, place: Place) -> Held | None:
        """See `Schedules.held`."""
        waiting = self.waiting.get(place)
        return Held(waiting.seq, waiting.fires.headers) if waiting else None

    async def cancel(self, place: Place, headers: Mapping[str, str] = NO_HEADERS) -> None:
        """See `Schedules.cancel`."""
        self._cancels[place] = Held(self._next_seq(), headers)
        self.cancelled.append(place)
        self.waiting.pop(place, None)

    async def superseded(self, place: Place, fired: int, *, replaced: bool) -> bool:
        """See `Schedules.superseded`."""
        latest = (self._cancels.get(place), await self.held(place) if replaced else None)
        return any(
            last is not None and last.seq > fired and last.headers.get(SET_BY) != str(fired)
            for last in latest
        )

    def due(self, until: datetime) -> list[tuple[datetime, StoredMessage]]:
        """What fires up to a time, the earliest first, as the handler's durable gives it."""
        ready = sorted(
            (w for w in self.waiting.values() if w.at <= until), key=lambda w: (w.at, w.seq)
        )
        for waiting in ready:
            del self.waiting[waiting.place]
        return [(w.at, replace(w.fires, stream_seq=self._next_seq())) for w in ready]

    def _next_seq(self) -> int:
        if self.error is not None:
            raise self.error
        self._seq += 1
        return self._seq
