"""After a restart: what the stream's own headers tell of the last hours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from receiver.bus.codec import CONTENT
from receiver.bus.connection import Connection
from receiver.bus.history import HistoricMessage, Span, opened_history
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
    span = Span((subjects.raw(">"),), since=since)
    async with opened_history(connection, subjects.stream, span, headers_only=True) as history:
        async for stored in history.read():
            told += _tell(stored, subjects, remember)
    return told


def _tell(stored: HistoricMessage, subjects: Subjects, remember: Remember) -> int:
    headers = stored.headers
    content, identity = headers.get(CONTENT), headers.get("yizhan-callbackid")
    if not (content and identity):
        return 0
    remember(source_of(stored, subjects), content, identity, stored.stored_at)
    return 1


def source_of(stored: HistoricMessage, subjects: Subjects) -> str:
    """The source of a raw callback."""
    return stored.nats_subject.removeprefix(subjects.raw(""))
