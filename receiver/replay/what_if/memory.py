"""What a run keeps and schedules, in memory: nothing of it leaves the process, or grows for ever.

The ledger goes by what was done then, where the stored one still says so; the state of an order is
folded from its events up to the one that is run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from receiver.bounded_cache import BoundedCache
from receiver.bus.message import StoredMessage
from receiver.bus.schedules import NO_HEADERS, Held, Place, fired_copy, origin, place_in_order
from receiver.bus.state.store import NOTHING, Entry, StateConflictError
from receiver.replay.what_if.past import Past
from receiver.testing.publisher import RecordingPublisher
from receiver.worker.timers import fired_timer

_MAX_ENTRIES: Final = 20_000
"""So many effects of earlier runs are remembered."""
_MAX_WAITING: Final = 10_000
_STORED: Final = 1
"""The revision of every entry of the stored ledger; those in memory have higher ones."""
Stored = Callable[[str], Awaitable[bytes | None]]
"""Gives what the stored ledger said of a key before the run that is under way."""


async def nothing_stored(_: str) -> bytes | None:
    """Where there is no stored ledger."""
    return None


class Unpublished(RecordingPublisher):
    """Keeps what a run publishes; the sequences are those behind the event that is run."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._last_seq = after


class KeptInMemory:
    """`Entries` of all runs. A run sees what it wrote itself, else the ledger as it was then, else
    the effects of the runs before it; states of orders are its own alone.
    """

    def __init__(self) -> None:
        self._stored: Stored = nothing_stored
        self._before = BoundedCache[Entry](_MAX_ENTRIES)
        self._own: dict[str, Entry] = {}
        self._last = _STORED

    def begin(self, stored: Stored) -> None:
        """A run begins; `stored` is the ledger as it was then."""
        self._own = {}
        self._stored = stored

    def keep(self) -> None:
        """What the run did holds for those that follow."""
        for key, entry in self._own.items():
            if key.startswith("effect."):
                self._before.put(key, entry)

    async def get(self, key: str) -> Entry:
        """See `Entries.get`."""
        own = self._own.get(key)
        if own is not None or not key.startswith("effect."):
            return own or NOTHING
        value = await self._stored(key)
        if value is not None:
            return Entry(value, _STORED)
        return self._before.get(key) or NOTHING

    async def put(
        self, key: str, value: bytes, revision: int, *, ttl: timedelta | None = None
    ) -> int:
        """See `Entries.put`."""
        if (await self.get(key)).revision != revision:
            raise StateConflictError("wrong last sequence")
        self._last += 1
        self._own[key] = Entry(value, self._last)
        return self._last


class LogUpTo:
    """`EventsOfOrders` as they were when the event of a sequence had been stored."""

    def __init__(self, past: Past, seq: int) -> None:
        self._past = past
        self._seq = seq

    async def between(
        self, channel: str, order_id: str, after: int, before: int | None = None
    ) -> AsyncIterator[Sequence[StoredMessage]]:
        """See `EventsOfOrders.between`."""
        end = self._seq + 1 if before is None else min(before, self._seq + 1)
        events = await self._past.events(channel, order_id)
        yield [message for message in events if after < message.stream_seq < end]

    async def last_seq(self) -> int:
        """See `EventsOfOrders.last_seq`."""
        return self._seq


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that waits; `message` is the event as its run gets it."""

    key: str
    at: datetime
    message: StoredMessage


class TimersInMemory:
    """`Schedules` that wait in memory; what is beyond the limit is forgotten, oldest first."""

    def __init__(self, *, kept: timedelta) -> None:
        self.kept = kept
        self._waiting: dict[Place, tuple[datetime, int, StoredMessage]] = {}
        self._seq = 0

    def waits(self, message: StoredMessage, key: str) -> bool:
        """Whether a timer of the order of an event waits, under a key."""
        order = place_in_order(message.nats_subject)
        return any(
            (place.channel, place.key) == order and fired_timer(copy) == key
            for place, (_, _, copy) in self._waiting.items()
        )

    def next_due(self, until: datetime) -> Timer | None:
        """Takes out the timer that fires first, if that is by `until`."""
        first = min(self._waiting, key=lambda p: self._waiting[p][:2], default=None)
        if first is None or self._waiting[first][0] > until:
            return None
        at, _, copy = self._waiting.pop(first)
        self._seq += 1
        message = origin(replace(copy, stream_seq=self._seq))
        return Timer(fired_timer(copy) or "", at, message)

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
        self._seq += 1
        self._waiting.pop(place, None)
        if len(self._waiting) >= _MAX_WAITING:
            self._waiting.pop(next(iter(self._waiting)))
        self._waiting[place] = at, self._seq, fired_copy(place, stored, headers)
        return True

    async def held(self, place: Place) -> Held | None:
        """See `Schedules.held`."""
        found = self._waiting.get(place)
        return Held(found[1], found[2].headers) if found else None

    async def cancel(self, place: Place, headers: Mapping[str, str] = NO_HEADERS) -> None:
        """See `Schedules.cancel`."""
        self._waiting.pop(place, None)

    async def superseded(self, place: Place, fired: int, *, replaced: bool) -> bool:
        """See `Schedules.superseded`: here nothing lies between firing and running."""
        return False
