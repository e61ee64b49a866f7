"""Publishes what no earlier run has stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from receiver.bus.connection import Connection
from receiver.bus.message import OutgoingMessage
from receiver.bus.publish.contract import Publisher, Stored
from receiver.bus.read.history import Span, opened_history
from receiver.bus.subjects import Subjects, decode_token, overlap

_MAX_REMEMBERED: Final = 10_000


class DeduplicatingPublisher:
    """A `Publisher` that looks into the stream first and stores only what is not there yet.

    The duplicate window forgets after hours; the stream does not. Dead letters are not stored: a
    replay reports its failures itself.
    """

    def __init__(self, publisher: Publisher, connection: Connection, subjects: Subjects) -> None:
        self._publisher = publisher
        self._connection = connection
        self._subjects = subjects
        self._known: dict[str, dict[str, int]] = {}

    async def publish(
        self, messages: Sequence[OutgoingMessage], *, claim: OutgoingMessage | None = None
    ) -> Sequence[Stored]:
        """See `Publisher.publish`."""
        return [await self._publish(message, claim) for message in messages]

    async def _publish(self, message: OutgoingMessage, claim: OutgoingMessage | None) -> Stored:
        if overlap(message.subject, self._subjects.all_dead):
            return Stored(0, duplicate=True)
        known = await self._ids_beside(message.subject)
        if message.msg_id in known:
            return Stored(known[message.msg_id], duplicate=True)
        (stored,) = await self._publisher.publish([message], claim=claim)
        known[message.msg_id] = stored.stream_seq
        return stored

    async def _ids_beside(self, nats_subject: str) -> dict[str, int]:
        """The stored event ids of a subject's order, of whatever type: there are few.

        All types, because a handler that was changed may give an old id to another type.
        """
        order_id = decode_token(nats_subject.rpartition(".")[2])
        wanted = self._subjects.events_of_order(order_id) if order_id else nats_subject
        if wanted not in self._known:
            if len(self._known) >= _MAX_REMEMBERED:
                self._known.clear()
            self._known[wanted] = await self._read_ids(wanted)
        return self._known[wanted]

    async def _read_ids(self, nats_subject: str) -> dict[str, int]:
        ids: dict[str, int] = {}
        stream, span = self._subjects.stream, Span((nats_subject,))
        async with opened_history(self._connection, stream, span, headers_only=True) as found:
            async for stored in found.read():
                ids[stored.headers.get("ce-id", "")] = stored.stream_seq
        return ids
