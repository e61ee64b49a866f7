"""Fills the memory of retransmissions from the stream's headers, after a start or an absence."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from receiver.bus.connection import Connection, Sleep
from receiver.bus.headers import CONTENT, STORED_AT
from receiver.bus.message import StoredMessage
from receiver.bus.read.history import Span, opened_history
from receiver.bus.read.lookup import source_of
from receiver.bus.subjects import Subjects
from receiver.errors import BusError
from receiver.observability.logs import get_logger

_AGAIN_S: Final = 1.0
_CALM_S: Final = 10.0
"""Between two readings, so that a connection that comes and goes is not read for at each turn."""

Remember = Callable[[str, str, str, datetime], None]
"""Takes source, content digest, callback id and the time of arrival."""


async def warm_up(
    connection: Connection, subjects: Subjects, *, since: datetime, remember: Remember
) -> int:
    """Call `remember` with each raw callback stored since then, oldest first; gives their number.

    Raises `BusError` where the stream does not answer.
    """
    count = 0
    span = Span((subjects.raw(">"),), since=since)
    async with opened_history(connection, subjects.stream, span, headers_only=True) as history:
        async for stored in history.read():
            count += _remember(stored, subjects, remember)
    return count


async def keep_warm(
    connection: Connection,
    subjects: Subjects,
    *,
    window: timedelta,
    remember: Remember,
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Call `remember` with the callbacks of the last `window`, as soon as the stream answers, and
    again after a lost connection: what other receivers broadcast meanwhile (`peers`) is lost.

    Millions of callbacks take a minute to read: no start should wait for it.
    """
    log = get_logger("yizhan.receiver")
    again = asyncio.Event()
    connection.on_reconnect(again.set)
    while True:
        again.clear()
        since = datetime.now(UTC) - window
        try:
            count = await warm_up(connection, subjects, since=since, remember=remember)
        except BusError as error:
            log.debug("callbacks_not_recollected", error=str(error))
            await sleep(_AGAIN_S)
            continue
        log.info("callbacks_recollected", count=count)
        await again.wait()
        await sleep(_CALM_S)


def _remember(stored: StoredMessage, subjects: Subjects, remember: Remember) -> int:
    headers = stored.headers
    content, identity = headers.get(CONTENT), headers.get("yizhan-callbackid")
    if not (content and identity):
        return 0
    remember(source_of(stored, subjects), content, identity, _first_stored_at(stored))
    return 1


def _first_stored_at(stored: StoredMessage) -> datetime:
    """What was imported is as old as it was: an old price that comes again is a new fact."""
    try:
        return datetime.fromisoformat(stored.headers[STORED_AT])
    except (KeyError, ValueError):
        return stored.stored_at
