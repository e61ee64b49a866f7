"""What the stream holds, asked by id."""

from __future__ import annotations

from datetime import UTC, datetime

from receiver.bus.connection import Connection
from receiver.bus.message import MSG_ID, StoredMessage
from receiver.bus.read.history import Span, opened_history
from receiver.bus.subjects import Subjects
from receiver.errors import BusError


def source_of(stored: StoredMessage, subjects: Subjects) -> str:
    """The source of a raw callback."""
    return stored.nats_subject.removeprefix(subjects.raw(""))


async def stored_ids(
    connection: Connection, subjects: Subjects, callback_ids: frozenset[str], since: float
) -> frozenset[str]:
    """The ids of all messages of these callbacks that were stored since then (of the epoch).

    Raises `BusError` where not all could be read.
    """
    found: set[str] = set()
    count = 0
    nats_subjects = (subjects.raw(">"), subjects.quarantine(">"), subjects.all_events)
    span = Span(nats_subjects, since=datetime.fromtimestamp(since, UTC))
    async with opened_history(connection, subjects.stream, span, headers_only=True) as history:
        async for stored in history.read():
            count += 1
            msg_id = stored.headers.get(MSG_ID, "")
            if msg_id.partition(".")[0] in callback_ids:
                found.add(msg_id)
        if count < history.count:
            raise BusError("the stream was not read to its end")
    return frozenset(found)
