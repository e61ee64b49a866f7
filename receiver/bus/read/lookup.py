"""What the stream holds, asked by id."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from nats.errors import Error as NatsError

from receiver.bus.connection import Connection
from receiver.bus.jetstream_api import read_answer
from receiver.bus.message import MSG_ID, StoredMessage
from receiver.bus.read.history import Span, opened_history
from receiver.bus.subjects import Subjects, input_subject
from receiver.errors import BusError

_ANSWER_S: Final = 2.0
_PROBE: Final = "yizhan-look"
"""As a source it has no callbacks, as a message id it is never the last one's."""


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


async def seq_in_window(connection: Connection, subjects: Subjects, msg_id: str) -> int | None:
    """The sequence of the message of an id that the duplicate window remembers; stores nothing.

    The server keeps these ids in memory and answers a duplicate with the sequence of the first. The
    message that asks has a condition that never holds, which the server looks at after the id. Not
    for a stream with replicas: there such a condition is looked at on each of them, once the
    message is in their log. None, too, where the server does not let us ask.
    """
    headers = {MSG_ID: msg_id, "Nats-Expected-Last-Msg-Id": _PROBE}
    subject = input_subject(subjects.raw(_PROBE))
    try:
        asked = connection.client.request(subject, b"", timeout=_ANSWER_S, headers=headers)
        answer = read_answer((await asked).data)
    except (BusError, NatsError, OSError, TimeoutError):
        return None
    seq: int | None = answer["seq"] if answer.get("duplicate") else None
    return seq
