"""The state of orders, folded from the log and kept in the state stream.

An entry is the fold of a prefix of its order's events in the order of the stream, whoever folded
it: so a rebuild from the log ends in the same bytes. What is kept is a shortcut; the log decides.
Where it cannot be written, runs go on and fold more of the log the next time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from pydantic import ValidationError

from receiver.bounded_cache import BoundedCache
from receiver.bus.codec import decode_event
from receiver.bus.message import StoredMessage
from receiver.bus.read.order_log import EventsOfOrders
from receiver.bus.state.keys import order_key
from receiver.bus.state.store import Entries, StateConflictError
from receiver.errors import BusError, DecodingError
from receiver.event import Event
from receiver.observability.logs import get_logger
from receiver.projection.orders import fold
from receiver.projection.state import Arrival, OrderState, empty
from schemas.events import EventData
from schemas.statuses import Channel

MAX_CACHED: Final = 10_000
"""Orders whose entry a process remembers: some 2 kB each."""
_MAX_TRIES: Final = 20
"""So often in a row another process may be faster, before the run is tried again later."""


class Kept(NamedTuple):
    """A state, and the revision of the entry that holds it; 0: none does."""

    state: OrderState
    revision: int


class Folded(NamedTuple):
    """A state with the event in it, and what the event was. `is_current` says that the entry was
    read or written just now, and not remembered.
    """

    state: OrderState
    arrival: Arrival
    is_current: bool


class NoEvents:
    """A log that holds nothing, for tests of handlers: there, a state is what was run on."""

    async def between(
        self, channel: str, order_id: str, after: int, before: int | None = None
    ) -> AsyncIterator[Sequence[StoredMessage]]:
        """See `EventsOfOrders.between`."""
        nothing: Sequence[Sequence[StoredMessage]] = ()
        for page in nothing:
            yield page

    async def last_seq(self) -> int:
        """See `EventsOfOrders.last_seq`."""
        return 0


class OrderStates:
    """Everything raises `BusError` where the log or the entry cannot be read."""

    def __init__(self, entries: Entries, log: EventsOfOrders, *, cached: int = MAX_CACHED) -> None:
        self._entries = entries
        self._log = log
        self._cache = BoundedCache[Kept](cached)
        self._earlier = BoundedCache[OrderState](cached // 100)
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._logger = get_logger("yizhan.state")

    async def at(
        self,
        event: Event[EventData],
        stored: StoredMessage,
        order_id: str,
        *,
        fresh: bool = False,
    ) -> Folded:
        """The state of an event's order with that event in it, and with later ones that were folded
        before; kept then. With `fresh`, nothing is taken as it is remembered.
        """
        key = order_key(event.data.channel, order_id)
        async with self._locks.setdefault(key, asyncio.Lock()):
            kept = None if fresh else self._cache.get(key)
            is_current = kept is None
            for _ in range(_MAX_TRIES):
                if kept is None:
                    kept = await self._read(key, event.data.channel, order_id)
                state = kept.state
                if stored.stream_seq <= state.seq:
                    arrival = state.arrival_of(event.id)
                    if arrival is not None:
                        return Folded(state, arrival, is_current)
                    if not await self._is_of_another_log(state):
                        arrival = await self._arrival_long_ago(key, event, stored, order_id)
                        return Folded(state, arrival, is_current)
                    state = state.model_copy(update={"seq": 0})
                channel, seq = event.data.channel, stored.stream_seq
                state = await self._folded_to(state, channel, order_id, seq)
                state, arrival = fold(state, event, stored.stream_seq)
                if await self._keep(key, state, kept):
                    return Folded(state, arrival, is_current=True)
                kept, is_current = None, True
        raise BusError(f"others keep changing the state of the order {order_id}")

    async def caught_up(self, channel: Channel, order_id: str) -> OrderState:
        """The state with every event that the log has now; kept then."""
        key = order_key(channel, order_id)
        async with self._locks.setdefault(key, asyncio.Lock()):
            for _ in range(_MAX_TRIES):
                kept = await self._read(key, channel, order_id)
                state = await self._folded_to(kept.state, channel, order_id)
                if state is kept.state or await self._keep(key, state, kept):
                    return state
        raise BusError(f"others keep changing the state of the order {order_id}")

    async def peek(self, channel: Channel, order_id: str) -> OrderState:
        """The same, and nothing is kept."""
        kept = await self._read(order_key(channel, order_id), channel, order_id)
        return await self._folded_to(kept.state, channel, order_id)

    async def from_log(self, channel: Channel, order_id: str, upto: int | None) -> OrderState:
        """The state by the log alone, with its events up to a sequence, or all."""
        before = None if upto is None else upto + 1
        return await self._folded_to(empty(channel, order_id), channel, order_id, before)

    async def _read(self, key: str, channel: Channel, order_id: str) -> Kept:
        entry = await self._entries.get(key)
        if entry.value is None:
            return Kept(empty(channel, order_id), entry.revision)
        try:
            return Kept(OrderState.from_json(entry.value), entry.revision)
        except ValidationError:
            self._logger.warning("order_state_unreadable", order_id=order_id)
            return Kept(empty(channel, order_id), entry.revision)

    async def _keep(self, key: str, state: OrderState, before: Kept) -> bool:
        """Whether it is kept, or cannot be; False where another was faster."""
        try:
            revision = await self._entries.put(key, state.to_json(), before.revision)
        except StateConflictError:
            return False
        except BusError as error:
            self._logger.warning("order_state_not_kept", order_id=state.order_id, error=str(error))
            self._cache.discard(key)
            return True
        self._cache.put(key, Kept(state, revision))
        return True

    async def _folded_to(
        self,
        state: OrderState,
        channel: Channel,
        order_id: str,
        before: int | None = None,
    ) -> OrderState:
        """The state with the events of the log that are behind it, up to a sequence."""
        async for page in self._log.between(channel, order_id, state.seq, before):
            for stored in page:
                state = self._with(state, stored)
        return state

    def _with(self, state: OrderState, stored: StoredMessage) -> OrderState:
        try:
            event = decode_event(stored.headers, stored.body)
        except DecodingError as error:
            self._logger.warning("event_not_folded", stream_seq=stored.stream_seq, error=str(error))
            return state
        return fold(state, event, stored.stream_seq)[0]

    async def _is_of_another_log(self, state: OrderState) -> bool:
        """Whether the stream was made anew since: then sequences say nothing, and what the state
        holds already is only repeated by what is folded again."""
        return len(state.history) == state.events or await self._log.last_seq() < state.seq

    async def _arrival_long_ago(
        self, key: str, event: Event[EventData], stored: StoredMessage, order_id: str
    ) -> Arrival:
        """What an event was that is no longer in the history, by the log before it."""
        state = self._earlier.get(key)
        if state is None or state.seq >= stored.stream_seq:
            state = empty(event.data.channel, order_id)
        seq = stored.stream_seq
        state = await self._folded_to(state, event.data.channel, order_id, seq)
        state, arrival = fold(state, event, seq)
        self._earlier.put(key, state)
        return arrival
