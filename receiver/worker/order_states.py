"""The state of orders, folded from the log and kept in the state stream.

An entry is the fold of a prefix of its order's events in the order of the stream, whoever folded
it: so a rebuild from the log ends in the same bytes. What is kept is a shortcut; the log decides.
It is written behind the runs; where it cannot be, they go on and fold more of the log next time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from pydantic import ValidationError

from receiver.bounded_cache import BoundedCache
from receiver.bus.codec import decode_event
from receiver.bus.message import StoredMessage
from receiver.bus.read.order_log import EventsOfOrders
from receiver.bus.state.keys import order_key
from receiver.bus.state.numbers import NumberOfOrder
from receiver.bus.state.store import Entries
from receiver.errors import DecodingError
from receiver.event import Event
from receiver.observability.logs import get_logger
from receiver.projection.numbers import Number, numbers_in, numbers_of
from receiver.projection.orders import fold
from receiver.projection.state import Arrival, OrderState, empty
from receiver.worker.state_writes import Kept, StateWrites
from schemas.events import EventData
from schemas.statuses import Channel

MAX_CACHED: Final = 10_000
"""Orders whose entry a process remembers: some 2 kB each."""


class Folded(NamedTuple):
    """A state with the event in it, and what the event was. `is_current` says that it was read or
    folded just now, and not remembered.
    """

    state: OrderState
    arrival: Arrival
    is_current: bool


class Logged(NamedTuple):
    """A state by the log alone, and every number that its events name."""

    state: OrderState
    numbers: Collection[NumberOfOrder]


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
        self._writes = StateWrites(entries, self._read, self._remember)
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
        before; kept soon. With `fresh`, nothing is taken as it is remembered.
        """
        key, channel = order_key(event.data.channel, order_id), event.data.channel
        async with self._locks.setdefault(key, asyncio.Lock()):
            known = None if fresh else self._writes.get(key) or self._cache.get(key)
            kept = known or await self._read(key, empty(channel, order_id))
            state = kept.state
            if stored.stream_seq <= state.seq:
                arrival = state.arrival_of(event.id)
                if arrival is not None:
                    return Folded(state, arrival, known is None)
                if not await self._is_of_another_log(state):
                    arrival = await self._arrival_long_ago(key, event, stored, order_id)
                    return Folded(state, arrival, known is None)
                state = state.model_copy(update={"seq": 0})
            named = set[Number]()
            state = await self._folded_to(state, stored.stream_seq, named)
            state, arrival = fold(state, event, stored.stream_seq)
            new = named.union(numbers_of(event.data)).difference(numbers_in(kept.state))
            self._writes.put(key, state, kept.revision, _of_order(state, new))
            return Folded(state, arrival, is_current=True)

    async def flush(self) -> None:
        """Have written what is on its way."""
        await self._writes.flush()

    async def peek(self, channel: Channel, order_id: str) -> OrderState:
        """The state with every event that the log has now; nothing is kept."""
        kept = await self._read(order_key(channel, order_id), empty(channel, order_id))
        return await self._folded_to(kept.state)

    async def from_log(self, channel: Channel, order_id: str, upto: int | None) -> Logged:
        """The state by the log alone, with its events up to a sequence, or all."""
        named, before = set[Number](), None if upto is None else upto + 1
        state = await self._folded_to(empty(channel, order_id), before, named)
        return Logged(state, _of_order(state, named))

    async def _read(self, key: str, otherwise: OrderState) -> Kept:
        """The entry as it is now; where there is none, `otherwise` without its events."""
        nothing = empty(otherwise.channel, otherwise.order_id)
        entry = await self._entries.get(key)
        if entry.value is None:
            return Kept(nothing, entry.revision)
        try:
            return Kept(OrderState.from_json(entry.value), entry.revision)
        except ValidationError:
            self._logger.warning("order_state_unreadable", order_id=otherwise.order_id)
            return Kept(nothing, entry.revision)

    def _remember(self, key: str, kept: Kept | None) -> None:
        if kept is None:
            self._cache.discard(key)
        else:
            self._cache.put(key, kept)

    async def _folded_to(
        self, state: OrderState, before: int | None = None, named: set[Number] | None = None
    ) -> OrderState:
        """The state with the events of the log that are behind it, up to a sequence; the numbers
        that they name are added to `named`.
        """
        log, order_id = self._log, state.order_id
        named = set() if named is None else named
        async for page in log.between(state.channel, order_id, state.seq, before):
            for stored in page:
                state = self._with(state, stored, named)
        return state

    def _with(self, state: OrderState, stored: StoredMessage, named: set[Number]) -> OrderState:
        try:
            event = decode_event(stored.headers, stored.body)
        except DecodingError as error:
            self._logger.warning("event_not_folded", stream_seq=stored.stream_seq, error=str(error))
            return state
        named.update(numbers_of(event.data))
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
        state = await self._folded_to(state, stored.stream_seq)
        state, arrival = fold(state, event, stored.stream_seq)
        self._earlier.put(key, state)
        return arrival


def _of_order(state: OrderState, numbers: Collection[Number]) -> Collection[NumberOfOrder]:
    return [NumberOfOrder(*number, state.channel, state.order_id) for number in numbers]
