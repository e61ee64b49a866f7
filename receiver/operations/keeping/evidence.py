"""What rests on events: handlers that have yet to handle them, states of orders, effects."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from receiver.bus.durables import Durable
from receiver.bus.message import StoredMessage
from receiver.bus.read.reader import Reader
from receiver.bus.state.keys import key_token, order_key
from receiver.bus.subjects import ANY, Subjects, decode_token, overlap
from receiver.operations.look.documents import effect_document, header

_AT_ONCE: Final = 64
"""A question whose wildcards match more than 1,024 entries is refused."""
_EXACT_AT_ONCE: Final = 256
_DELETED: Final = frozenset({"DEL", "PURGE"})


class Evidence:
    """Of the events that are added; `durables` are those of handlers as they were before."""

    def __init__(self, reader: Reader, subjects: Subjects, durables: Sequence[Durable]) -> None:
        self._reader = reader
        self._subjects = subjects
        self._durables = [one for one in durables if one.pending or one.unfinished]
        self._orders: set[tuple[str, str]] = set()
        self._facts: set[str] = set()

    def add(self, event: StoredMessage) -> Iterator[str]:
        """Gives the handlers that may not have handled it yet: the server does not say which of
        those were acknowledged that it handed out behind the first that was not.
        """
        _, _, channel, *_, key = event.nats_subject.split(".")
        if order_id := decode_token(key):
            self._orders.add((channel, order_id))
        if fact := header(event.headers, "ce-factid"):
            self._facts.add(fact)
        return self.waiting(event)

    def waiting(self, stored: StoredMessage) -> Iterator[str]:
        """The same of what is no event."""
        for durable in self._durables:
            done_to = durable.floor if durable.unfinished else durable.delivered
            taken = any(overlap(one, stored.nats_subject) for one in durable.filters)
            if taken and stored.stream_seq > done_to:
                yield durable.handler

    def add_orders(self, orders: Iterable[tuple[str, str]]) -> None:
        """Orders by channel and id, whether or not there are events of them."""
        self._orders.update(orders)

    def states(self) -> AsyncIterator[StoredMessage]:
        """The states of the orders."""
        return self._entries((order_key(*order) for order in sorted(self._orders)), _EXACT_AT_ONCE)

    def numbers(self) -> AsyncIterator[StoredMessage]:
        """The entries by which the orders are found under other numbers."""
        orders = (".".join(map(key_token, order)) for order in sorted(self._orders))
        return self._entries((f"number.{ANY}.{ANY}.{one}" for one in orders), _AT_ONCE)

    async def effects(self) -> AsyncIterator[tuple[str, StoredMessage]]:
        """The effects for the facts, each with its state; of an entry that is none, `unreadable`.

        Those under a key of the handler's own are not found: nothing says of which event they are.
        """
        keys = (f"effect.{ANY}.{key_token(fact)}.{ANY}" for fact in sorted(self._facts))
        async for entry in self._entries(keys, _AT_ONCE):
            yield str((effect_document(entry) or {}).get("state") or "unreadable"), entry

    async def _entries(self, keys: Iterator[str], at_once: int) -> AsyncIterator[StoredMessage]:
        stream = self._subjects.state_stream
        if await self._reader.info(stream) is None:
            return
        while some := [self._subjects.state(key) for key in islice(keys, at_once)]:
            for one in await self._reader.last(stream, some):
                if one.headers.get("KV-Operation") not in _DELETED:
                    yield one
