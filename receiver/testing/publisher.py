"""A publisher that keeps what it is given. Performs no I/O."""

from __future__ import annotations

from collections.abc import Sequence

from receiver.bus.codec import decode_event
from receiver.bus.message import OutgoingMessage, StoredMessage
from receiver.bus.publish.contract import OnResult, Stored
from receiver.errors import BusError
from receiver.event import Event
from receiver.testing.clock import NOON
from schemas.events import EventData


class RecordingPublisher:
    """A `Publisher` and `Submitter` that keeps what it is given; a repeated id is a duplicate.

    While `error` is set, every publish raises it.
    """

    def __init__(self, error: BusError | None = None) -> None:
        self.error = error
        self.messages: list[OutgoingMessage] = []
        self._seqs: list[int] = []
        self._last_seq = 0

    def next_seq(self) -> int:
        """A sequence, for what is stored beside what is published."""
        self._last_seq += 1
        return self._last_seq

    @property
    def events(self) -> list[Event[EventData]]:
        """The events among the messages."""
        return [
            decode_event(message.headers, message.body)
            for message in self.messages
            if _is_event(message)
        ]

    @property
    def stored_events(self) -> list[StoredMessage]:
        """The same as the stream would hold them."""
        return [
            StoredMessage(message.subject, message.headers, message.body, seq, NOON)
            for message, seq in zip(self.messages, self._seqs, strict=True)
            if _is_event(message)
        ]

    @property
    def dead_letters(self) -> list[OutgoingMessage]:
        """The dead letters among the messages."""
        return [message for message in self.messages if "yizhan-handler" in message.headers]

    async def publish(
        self, messages: Sequence[OutgoingMessage], *, claim: OutgoingMessage | None = None
    ) -> Sequence[Stored]:
        """See `Publisher.publish`; a claim is kept like any other message."""
        if self.error is not None:
            raise self.error
        if claim is not None:
            self._store(claim)
        return [self._store(message) for message in messages]

    def used_by(self, claim: OutgoingMessage) -> bytes | None:
        """See `Submitter.used_by`."""
        held = (message.body for message in self.messages if message.msg_id == claim.msg_id)
        return next(held, None)

    def submit(
        self, messages: Sequence[OutgoingMessage], claim: OutgoingMessage | None, done: OnResult
    ) -> None:
        """See `Submitter.submit`; the result is given at once."""
        if self.error is not None:
            done(self.error)
            return
        if claim is not None:
            self._store(claim)
        done([self._store(message) for message in messages])

    def _store(self, message: OutgoingMessage) -> Stored:
        known = [stored.msg_id for stored in self.messages]
        if message.msg_id in known:
            return Stored(self._seqs[known.index(message.msg_id)], duplicate=True)
        self.messages.append(message)
        self._seqs.append(self.next_seq())
        return Stored(self._last_seq, duplicate=False)


def _is_event(message: OutgoingMessage) -> bool:
    return "ce-id" in message.headers and "yizhan-handler" not in message.headers
