"""After a restart: what the stream's own headers tell of the last hours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from receiver.bus.codec import CONTENT
from receiver.bus.connection import Connection
from receiver.bus.headers import StoredHeaders, read_headers
from receiver.bus.subjects import Subjects

Remember = Callable[[str, str, str, datetime], None]
"""Takes source, content digest, callback id and the time of arrival."""


async def recollect(
    connection: Connection, subjects: Subjects, *, since: datetime, remember: Remember
) -> int:
    """Tell `remember` of each raw callback stored since then, oldest first; gives their number.

    Raises `BusError` where the stream does not answer.
    """
    told = 0
    raw = read_headers(connection, subjects.stream, subjects.raw(">"), since=since)
    async for stored in raw:
        told += _tell(stored, subjects, remember)
    return told


def _tell(stored: StoredHeaders, subjects: Subjects, remember: Remember) -> int:
    headers = stored.headers
    content, identity = headers.get(CONTENT), headers.get("yizhan-callbackid")
    when = arrival_time(stored)
    if not (content and identity and when):
        return 0
    remember(stored.nats_subject.removeprefix(subjects.raw("")), content, identity, when)
    return 1


def arrival_time(stored: StoredHeaders) -> datetime | None:
    """When a raw callback came in; None where the header is missing or foreign."""
    try:
        when = datetime.fromisoformat(stored.headers.get("yizhan-receivedtime", ""))
    except ValueError:
        return None
    return when if when.tzinfo else None
