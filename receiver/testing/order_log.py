"""What a kit has stored, as the log that states of orders are folded from. Performs no I/O."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from receiver.bus.message import StoredMessage
from receiver.bus.schedules import place_in_order
from receiver.bus.subjects import encode_token
from receiver.testing.publisher import RecordingPublisher


class RecordedLog:
    """`EventsOfOrders` of what a test stored and of what its handler published."""

    def __init__(self, publisher: RecordingPublisher) -> None:
        self._publisher = publisher
        self._given: list[StoredMessage] = []

    def add(self, message: StoredMessage) -> None:
        """Keep a message; its sequence is one of the publisher's."""
        self._given.append(message)

    async def between(
        self, channel: str, order_id: str, after: int, before: int | None = None
    ) -> AsyncIterator[Sequence[StoredMessage]]:
        """See `EventsOfOrders.between`."""
        place = (encode_token(channel), encode_token(order_id))
        yield [
            message
            for message in self._all()
            if after < message.stream_seq
            and (before is None or message.stream_seq < before)
            and place_in_order(message.nats_subject) == place
        ]

    async def last_seq(self) -> int:
        """See `EventsOfOrders.last_seq`."""
        return max((message.stream_seq for message in self._all()), default=0)

    def _all(self) -> list[StoredMessage]:
        stored = [*self._given, *self._publisher.stored_events]
        return sorted(stored, key=lambda message: message.stream_seq)
